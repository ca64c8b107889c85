//! What an idle visitor costs the broker: memory of the server per open signalling socket that has joined its room.
//!
//! ```text
//! cargo run --release -p integration --bin sockets [-- SOCKETS]
//! ```
//!
//! The server is a process of its own. Its resident memory is read after a first thousand sockets, which pay for what
//! is allocated once, and again after the rest. Kernel memory is not counted.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use axum::{
    body::Body,
    extract::ConnectInfo,
    http::{Request, header},
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use integration::{bare, child::Child, serve, verdict};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};
use tower::ServiceExt;
use tower_flashback::Flashback;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    match std::env::args().nth(1).as_deref() {
        Some("broker") => broker().await.map(|()| ExitCode::SUCCESS),
        sockets => {
            let sockets = sockets
                .map(str::parse)
                .transpose()
                .context("SOCKETS is a number")?
                .unwrap_or(SOCKETS);
            measure(sockets).await
        }
    }
}

/// The example site with its first page hot.
async fn broker() -> anyhow::Result<()> {
    let flashback = Flashback::builder().build()?;
    let site = bare().layer(flashback.layer());
    let hot = Request::post("/crowd")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(format!(r#"{{"url":"http://{HOST}/","mode":"hot"}}"#)))?;
    let answer = flashback.admin().oneshot(hot).await?;
    anyhow::ensure!(
        answer.status().is_success(),
        "POST /crowd answered {}",
        answer.status()
    );
    // A page is injected once something of it can be carried: one visitor opens it, and its browser asks for a picture.
    let first = |path: &str, destination: &str| {
        Request::get(path)
            .header(header::HOST, HOST)
            .header(header::REFERER, format!("http://{HOST}/"))
            .header("sec-fetch-dest", destination)
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1))))
            .body(Body::empty())
    };
    let load = async |path: &str, destination: &str| {
        let answer = site.clone().oneshot(first(path, destination)?).await?;
        Ok::<_, anyhow::Error>(answer.into_body().collect().await?.to_bytes())
    };
    load("/", "document").await?;
    load("/pictures/agate.jpg", "image").await?;
    // The picture is hashed and listed in a task of its own.
    let injected = async {
        while !contains(&load("/", "document").await?, b"\"token\"") {
            tokio::task::yield_now().await;
        }
        Ok::<_, anyhow::Error>(())
    };
    timeout(DEADLINE, injected)
        .await
        .context("the page is not injected")??;
    serve(site).await
}

fn contains(page: &[u8], part: &[u8]) -> bool {
    page.windows(part.len()).any(|window| window == part)
}

async fn measure(sockets: usize) -> anyhow::Result<ExitCode> {
    let broker = Child::start(&["broker"], 1).await?;
    let mut open = join(broker.addresses[0], 0, WARM).await?;
    let before = broker.resident()?;
    open.extend(join(broker.addresses[0], WARM, sockets).await?);
    let after = broker.resident()?;
    let each = after.saturating_sub(before) / sockets as u64;
    println!(
        "{} sockets joined and idle; the last {sockets} cost {each} bytes each",
        open.len()
    );
    Ok(verdict(each <= BUDGET, "at most 8 KiB for each"))
}

type Socket = WebSocketStream<TcpStream>;

/// `count` visitors from the `from`th address on, joined: the broker has welcomed each of them.
async fn join(broker: SocketAddr, from: usize, count: usize) -> anyhow::Result<Vec<Socket>> {
    let mut open = Vec::with_capacity(count);
    let mut token = Vec::new();
    for number in from..from + count {
        let address = visitor(number);
        // A token is for one prefix of 24 bits; a page is asked for wherever a new one begins.
        if number == from || number % 250 == 0 {
            token = page(broker, address).await.context("the page")?;
        }
        open.push(
            timeout(DEADLINE, enter(broker, address, &token))
                .await
                .context("a visitor waited for its welcome")??,
        );
    }
    Ok(open)
}

/// One address for each visitor, 250 in each prefix: what the broker bounds per address is not what is measured.
fn visitor(number: usize) -> SocketAddr {
    let (prefix, host) = (number / 250, number % 250 + 1);
    SocketAddr::from((
        [127, 1 + (prefix / 250) as u8, (prefix % 250) as u8, host as u8],
        0,
    ))
}

async fn connect(broker: SocketAddr, from: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(from)?;
    Ok(socket.connect(broker).await?)
}

/// The token in the hot page.
async fn page(broker: SocketAddr, from: SocketAddr) -> anyhow::Result<Vec<u8>> {
    let mut stream = connect(broker, from).await?;
    let request = format!(
        "GET / HTTP/1.1\r\nhost: {HOST}\r\naccept: text/html\r\nsec-fetch-dest: document\r\nsec-fetch-mode: navigate\r\n\
         user-agent: Mozilla/5.0 Chrome/140.0.0.0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page).await?;
    let page = String::from_utf8_lossy(&page);
    let token = page
        .split_once("\"token\":\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(token, _)| token);
    let Some(token) = token else {
        bail!("no token in {:?}", page.lines().take(30).collect::<Vec<_>>())
    };
    STANDARD_NO_PAD.decode(token).context("the page's token")
}

async fn enter(broker: SocketAddr, from: SocketAddr, token: &[u8]) -> anyhow::Result<Socket> {
    let stream = connect(broker, from).await?;
    let (mut socket, _) = client_async(format!("ws://{HOST}/.flashback/signal"), stream).await?;
    let join = [&[0x40, 1], token].concat();
    socket.send(Message::binary(join)).await?;
    match socket.next().await.context("the broker hung up")?? {
        Message::Binary(answer) if answer.first() == Some(&0x60) => Ok(socket),
        other => bail!("not a welcome: {other:?}"),
    }
}

const HOST: &str = "localhost";
const SOCKETS: usize = 5_000;
const WARM: usize = 1_000;
const DEADLINE: Duration = Duration::from_secs(10);
const BUDGET: u64 = 8 * 1024;
