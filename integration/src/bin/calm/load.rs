//! A site under load: connections that stay open, and what it answered over them while its server's processor time ran.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use futures_util::future::try_join_all;
use integration::child::Child;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::inside::REQUEST;

/// Open connections to one site. They last for all rounds: opening and closing them would be counted with whoever comes next.
pub(crate) struct Site {
    connections: Vec<Connection>,
}

/// What one site answered in one round.
#[derive(Clone, Copy, Default)]
pub(crate) struct Figures {
    requests: u64,
    wall: Duration,
    processor: Duration,
}

impl Figures {
    /// Requests per second by the clock.
    pub(crate) fn clock(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }

    /// Requests per second of the server's processor time.
    pub(crate) fn processor(&self) -> f64 {
        self.requests as f64 / self.processor.as_secs_f64()
    }
}

impl Site {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let connections = (0..CONNECTIONS).map(|_| Connection::open(address));
        Ok(Self {
            connections: try_join_all(connections).await?,
        })
    }

    /// Asks over all connections, over each again as soon as it was answered. The server is idle before and after, so that
    /// its processor time is all there.
    pub(crate) async fn load(&mut self, server: &Child, span: Duration) -> anyhow::Result<Figures> {
        let (began, before) = (Instant::now(), server.processor()?);
        let asked = self.connections.iter_mut().map(|one| one.ask(began + span));
        let requests = try_join_all(asked).await?.into_iter().sum();
        Ok(Figures {
            requests,
            wall: began.elapsed(),
            processor: server.processor()?.saturating_sub(before),
        })
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// All answers are of one length: the date, too, is always 29 characters.
    length: usize,
}

impl Connection {
    async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; 64 * 1024];
        let length = first(&mut stream, &mut buffer).await?;
        Ok(Self {
            stream,
            buffer,
            length,
        })
    }

    async fn ask(&mut self, until: Instant) -> anyhow::Result<u64> {
        let mut answered = 0;
        while Instant::now() < until {
            self.stream.write_all(REQUEST.as_bytes()).await?;
            self.stream.read_exact(&mut self.buffer[..self.length]).await?;
            answered += 1;
        }
        Ok(answered)
    }
}

/// The length of an answer, head and body.
async fn first(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<usize> {
    stream.write_all(REQUEST.as_bytes()).await?;
    let mut read = 0;
    loop {
        let more = stream.read(&mut buffer[read..]).await?;
        anyhow::ensure!(more > 0, "the server closed the connection");
        read += more;
        let head = String::from_utf8_lossy(&buffer[..read]);
        let Some(end) = head.find("\r\n\r\n") else {
            continue;
        };
        anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "not 200: {head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .context("no length")?;
        let whole = end + 4 + length.trim().parse::<usize>()?;
        stream.read_exact(&mut buffer[read..whole]).await?;
        return Ok(whole);
    }
}

pub(crate) const CONNECTIONS: usize = 16;
