//! Tokio as the WebRTC library's runtime, but for its sockets. Receive buffers hold a burst: with the system's own (200 KB)
//! packets of a fast neighbour are lost and SCTP waits a second for each, which costs four fifths of the throughput. And
//! until a link is open, packets are handed over one by one: the library looks at what a packet means only after it has read
//! all that are there, and loses what the neighbour says first if that comes right behind the end of the handshake.

use std::{
    future::Future,
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use socket2::SockRef;
use tokio::{io::ReadBuf, net::UdpSocket};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    TokioRuntime, Transmit,
};

/// Tokio, with sockets of our own. One for each link.
#[derive(Debug)]
pub(super) struct Buffered {
    /// Whether the link is open.
    pub(super) open: Arc<AtomicBool>,
}

impl Runtime for Buffered {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let reference = SockRef::from(&socket);
        // What the system does not grant is no reason to fail: it is slower, and as right.
        let _ = reference.set_recv_buffer_size(BUFFER);
        let _ = reference.set_send_buffer_size(BUFFER);
        socket.set_nonblocking(true)?;
        Ok(Arc::new(Socket {
            socket: UdpSocket::from_std(socket)?,
            open: Arc::clone(&self.open),
            handed: AtomicBool::new(false),
        }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        remote: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        TokioRuntime.connect_tcp(remote)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        // A literal needs no resolver, and the tasks of a crowd would queue for its threads.
        match host.parse() {
            Ok(address) => Box::pin(std::future::ready(Ok(vec![address]))),
            Err(_) => Box::pin(async move { Ok(tokio::net::lookup_host(host).await?.collect()) }),
        }
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }
}

#[derive(Debug)]
struct Socket {
    socket: UdpSocket,
    open: Arc<AtomicBool>,
    /// A packet was handed over, and nothing was looked at since.
    handed: AtomicBool,
}

impl AsyncUdpSocket for Socket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.socket
            .poll_send_to(cx, transmit.contents, transmit.destination)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        if !self.open.load(Relaxed) && self.handed.swap(false, Relaxed) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut buf = ReadBuf::new(buf);
        meta.addr = ready!(self.socket.poll_recv_from(cx, &mut buf))?;
        (meta.len, meta.stride) = (buf.filled().len(), buf.filled().len().max(1));
        self.handed.store(true, Relaxed);
        Poll::Ready(Ok(1))
    }
}

/// What most systems grant without a question.
const BUFFER: usize = 4 * 1024 * 1024;
