//! Connections to the site that count what comes in, headers, page and signalling alike, and deliver it no faster than the
//! visitor's downlink.

use std::{
    future::Future,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use http::Uri;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use pin_project_lite::pin_project;
use tokio::{
    net::TcpStream,
    time::{Sleep, sleep_until},
};
use tower::{BoxError, Service};

use super::pace::Pace;

/// What came from the site, and how fast it may.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) received: AtomicU64,
    pub(super) down: Arc<Pace>,
}

/// Opens metered connections, from one address if it is told.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    meter: Arc<Meter>,
}

impl Connector {
    pub(super) fn new(from: Option<IpAddr>, meter: Arc<Meter>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_local_address(from);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the ciphers of the protocol versions that rustls is built with")
            .with_webpki_roots()
            .with_no_client_auth();
        // HTTP/1.1 alone: the socket to the broker is upgraded from it.
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self { inner, meter }
    }
}

impl Service<Uri> for Connector {
    type Response = Metered<MaybeHttpsStream<TokioIo<TcpStream>>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (stream, meter) = (self.inner.call(uri), Arc::clone(&self.meter));
        Box::pin(async move {
            Ok(Metered {
                stream: stream.await?,
                meter,
                pause: None,
            })
        })
    }
}

pin_project! {
    /// A stream that waits while the downlink is busy.
    pub(super) struct Metered<T> {
        #[pin]
        stream: T,
        meter: Arc<Meter>,
        pause: Option<Pin<Box<Sleep>>>,
    }
}

impl<T: Connection> Connection for Metered<T> {
    fn connected(&self) -> Connected {
        self.stream.connected()
    }
}

impl<T: Read> Read for Metered<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        if let Some(pause) = this.pause {
            ready!(pause.as_mut().poll(cx));
            *this.pause = None;
        }
        // Small enough that a slow link has no bursts, and no `unsafe` is needed to look behind the cursor.
        let mut room = [0; READ];
        let most = buf.remaining().min(READ);
        let mut part = ReadBuf::new(&mut room[..most]);
        ready!(this.stream.poll_read(cx, part.unfilled()))?;
        let bytes = part.filled();
        buf.put_slice(bytes);
        this.meter.received.fetch_add(bytes.len() as u64, Relaxed);
        *this.pause = this
            .meter
            .down
            .take(bytes.len(), Instant::now())
            .map(|until| Box::pin(sleep_until(until.into())));
        Poll::Ready(Ok(()))
    }
}

impl<T: Write> Write for Metered<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_shutdown(cx)
    }
}

const READ: usize = 16 * 1024;
