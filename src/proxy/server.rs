//! The listener: HTTP/1.1 and h2c on one port, every wait with a deadline and every growth with a bound. It knows
//! nothing of origins or crowds; it serves whatever service it is given.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::body::{Body, Bytes};
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tower::ServiceExt;

use super::{
    config::ServerSettings,
    door::{Door, Refused},
    slots::{Slot, Slots},
    tunnel::Drain,
};
use crate::telemetry::metric;

/// A bound listener that serves nobody yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: ServerSettings,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drained {
    /// Every open request was answered.
    Whole,
    /// The deadline passed; this many connections were open when the drain began.
    Cut(usize),
}

/// A connection that was taken.
struct Visit {
    stream: TcpStream,
    peer: SocketAddr,
    slot: Slot,
}

impl Server {
    /// Binds the listener.
    pub async fn bind(settings: &ServerSettings) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        Ok(Self {
            listener,
            settings: settings.clone(),
        })
    }

    /// Where it listens; the port that was chosen, if port 0 was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` resolves, then answers what is open within the deadline of the settings.
    pub async fn serve<S, B>(self, service: S, stop: impl Future<Output = ()>) -> Drained
    where
        S: tower::Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<axum::BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let slots = Slots::new(&self.settings);
        let graceful = GracefulShutdown::new();
        let (open, closing) = watch::channel(());
        let house = Arc::new(House::new(&self.settings, Drain(closing)));
        let mut stop = pin!(stop);
        loop {
            let visit = tokio::select! {
                biased;
                () = &mut stop => break,
                visit = next(&self.listener, &slots) => visit,
            };
            tokio::spawn(house.clone().keep(visit, service.clone(), graceful.watcher()));
        }
        drop((self.listener, open));
        drain(graceful, self.settings.drain).await
    }
}

async fn drain(graceful: GracefulShutdown, deadline: Duration) -> Drained {
    let open = graceful.count();
    match timeout(deadline, graceful.shutdown()).await {
        Ok(()) => Drained::Whole,
        Err(_) => Drained::Cut(open),
    }
}

/// A free place first, then a connection: what cannot be served yet waits in the system's queue.
async fn next(listener: &TcpListener, slots: &Slots) -> Visit {
    loop {
        let place = slots.free().await;
        match listener.accept().await {
            Ok((stream, peer)) => match slots.take(place, peer.ip()) {
                Some(slot) => return Visit { stream, peer, slot },
                // Closed without a word: an answer would cost what the bound saves.
                None => metrics::counter!(metric::SHED, "reason" => "address").increment(1),
            },
            // The visitor left before its turn.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Out of open files: more come free as visitors leave, and asking at once again would burn a core.
                tracing::warn!(%error, "no connection taken");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What all connections share.
struct House {
    door: Door,
    http: auto::Builder<TokioExecutor>,
    drain: Drain,
    header_timeout: Duration,
}

impl House {
    fn new(settings: &ServerSettings, drain: Drain) -> Self {
        let (door, http) = (Door::new(settings), protocols(settings));
        Self {
            door,
            http,
            drain,
            header_timeout: settings.header_timeout,
        }
    }

    async fn keep<S, B>(self: Arc<Self>, visit: Visit, service: S, watcher: Watcher)
    where
        S: tower::Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<axum::BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let Visit { stream, peer, slot } = visit;
        // A response in two writes would wait for the visitor's acknowledgement of the first.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let asked = Arc::new(AtomicBool::new(false));
        let (house, has_asked) = (self.clone(), asked.clone());
        let service = service_fn(move |request| {
            has_asked.store(true, Ordering::Relaxed);
            answer(service.clone(), house.enter(request, peer, &slot))
        });
        let connection = self
            .http
            .serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(watcher.watch(connection.into_owned()));
        let ended = tokio::select! {
            ended = &mut connection => ended,
            // hyper's own deadline begins with the first byte that tells the protocol; this one does not wait for it.
            () = sleep(self.header_timeout) => {
                if !asked.load(Ordering::Relaxed) {
                    return;
                }
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error, "a connection broke");
        }
    }

    fn enter(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        slot: &Slot,
    ) -> Result<Request<Body>, Refused> {
        let mut request = self.door.admit(request, peer)?;
        request.extensions_mut().insert(slot.clone());
        request.extensions_mut().insert(self.drain.clone());
        Ok(request.map(Body::new))
    }
}

async fn answer<S, B>(
    service: S,
    request: Result<Request<Body>, Refused>,
) -> Result<Response<Body>, axum::BoxError>
where
    S: tower::Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<axum::BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    Ok(match request {
        Ok(request) => service.oneshot(request).await.map_err(Into::into)?.map(Body::new),
        Err(refused) => refused.response(),
    })
}

/// Both protocols with their bounds; what hyper bounds by itself (window, frame and reset counts) is left to it.
fn protocols(settings: &ServerSettings) -> auto::Builder<TokioExecutor> {
    let head = usize::try_from(settings.header_size.as_u64()).unwrap_or(usize::MAX);
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(head);
    http.http2()
        .timer(TokioTimer::new())
        // A browser opens its WebSockets on the connection that it has, and needs no other (RFC 8441).
        .enable_connect_protocol()
        .max_concurrent_streams(settings.streams)
        .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
        // HTTP/2 has no idle deadline: a visitor who vanished is noticed by the ping that it does not answer.
        .keep_alive_interval(settings.header_timeout)
        .keep_alive_timeout(settings.header_timeout);
    http
}

/// Long enough for some connection to end, short enough for nobody to notice.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
