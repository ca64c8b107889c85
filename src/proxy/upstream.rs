//! The origin as a tower service. It streams both ways, tells the origin who asks, and answers 502 or 504 itself when the
//! origin does not; so its error type has no values. It keeps no copy of anything.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version,
    header::{COOKIE, HOST},
    request::Parts,
    uri::PathAndQuery,
};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower::{ServiceExt, util::MapResponse};

use super::{
    config::{ConfigError, HostPolicy, OriginSettings, UpstreamUrl},
    connection::{Marked, Reuse},
    door::plain,
    forwarded::{self, Arrival},
    hop,
    progress::Progress,
    tunnel::{self, Tunnel},
};
use crate::telemetry::metric;

/// The origin. See the [module docs](self).
#[derive(Clone, Debug)]
pub struct Upstream {
    origin: Arc<Origin>,
}

#[derive(Debug)]
struct Origin {
    client: Client<Connector, Body>,
    url: UpstreamUrl,
    host: HostPolicy,
    head_timeout: Duration,
}

type Connector = MapResponse<HttpsConnector<HttpConnector>, fn(Stream) -> Marked<Stream>>;
type Stream = hyper_rustls::MaybeHttpsStream<hyper_util::rt::TokioIo<tokio::net::TcpStream>>;

impl Upstream {
    /// An origin at this URL. Connects when the first request comes.
    pub fn new(url: UpstreamUrl, settings: &OriginSettings) -> Result<Self, ConfigError> {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .pool_max_idle_per_host(settings.idle_connections)
            .build(connector(settings)?);
        let origin = Origin {
            client,
            url,
            host: settings.host,
            head_timeout: settings.head_timeout,
        };
        Ok(Self {
            origin: Arc::new(origin),
        })
    }
}

impl tower::Service<Request<Body>> for Upstream {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let origin = self.origin.clone();
        Box::pin(async move { Ok(origin.answer(request).await.unwrap_or_else(Failure::response)) })
    }
}

impl Origin {
    async fn answer(&self, mut request: Request<Body>) -> Result<Response<Body>, Failure> {
        let tunnel = Tunnel::asked(&mut request);
        let request = self.address(request, tunnel.is_some())?;
        let mut response = self.ask(request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // A switch that nobody asked for, or to something else, would leave both sides with different protocols.
            let tunnel = tunnel
                .filter(|_| tunnel::is_websocket(response.headers()))
                .ok_or(Failure::Switched)?;
            tunnel.join(&mut response);
            hop::strip_response(response.headers_mut());
            Tunnel::ask(response.headers_mut());
            return Ok(response.map(Body::new));
        }
        hop::strip_response(response.headers_mut());
        Ok(response.map(Body::new))
    }

    /// Turns the visitor's request into ours: same path, our connection, the origin's name as configured.
    fn address(&self, request: Request<Body>, tunnel: bool) -> Result<Request<Body>, Failure> {
        let (mut parts, body) = request.into_parts();
        parts.uri = self.target(&parts.uri)?;
        parts.version = Version::HTTP_11;

        // First what the visitor says of the connection goes, then ours comes: else `Connection: x-forwarded-for`
        // would have the visitor's address removed again.
        hop::strip_request(&mut parts.headers);
        join_cookies(&mut parts.headers);
        let host = parts.headers.get(HOST).cloned();
        match parts.extensions.get::<Arrival>() {
            Some(arrival) => arrival.tell(&mut parts.headers, host.as_ref()),
            None => forwarded::remove(&mut parts.headers),
        }
        if self.host == HostPolicy::Upstream || host.is_none() {
            let own = HeaderValue::from_str(self.url.authority().as_str()).map_err(|_| Failure::Target)?;
            parts.headers.insert(HOST, own);
        }
        if tunnel {
            Tunnel::ask(&mut parts.headers);
        }
        Ok(Request::from_parts(parts, body))
    }

    fn target(&self, visitor: &Uri) -> Result<Uri, Failure> {
        let path = match visitor.path_and_query() {
            Some(path) if path.as_str().starts_with('/') => path.clone(),
            // `OPTIONS *` asks about a server, and ours is not the one that it means.
            Some(_) => return Err(Failure::Target),
            None => PathAndQuery::from_static("/"),
        };
        Uri::builder()
            .scheme(self.url.scheme().clone())
            .authority(self.url.authority().clone())
            .path_and_query(path)
            .build()
            .map_err(|_| Failure::Target)
    }

    /// Sends it, and once more if an idle connection turns out to be closed and sending twice does no harm.
    async fn ask(&self, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        let spare = spare(&request);
        match (self.send(request).await, spare) {
            (Err(Failure::Stale), Some(parts)) => {
                tracing::debug!(method = %parts.method, "an idle connection was closed; asking again");
                self.send(Request::from_parts(parts, Body::empty())).await
            }
            (answer, _) => answer,
        }
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, Failure> {
        let progress = Progress::start();
        let request = request.map(|body| progress.watch(body));
        let response = tokio::select! {
            response = self.client.request(request) => response.map_err(Failure::from_client)?,
            () = progress.stalled(self.head_timeout) => return Err(Failure::Silent),
        };
        Reuse::answered(response.extensions());
        Ok(response)
    }
}

/// HTTP/2 cuts cookies into several lines, of which many HTTP/1.1 servers read only one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if crumbs.len() < 2 {
        return;
    }
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, cookie);
    }
}

/// What is needed to send a request again: only if that means the same (RFC 9110 §9.2.2) and there is no body.
fn spare(request: &Request<Body>) -> Option<Parts> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    parts.version = request.version();
    parts.headers = request.headers().clone();
    Some(parts)
}

/// Only HTTP/1.1 is spoken to the origin: there the host that the visitor named is one header, while HTTP/2 would need
/// one pool of connections for each name that a stranger invents.
fn connector(settings: &OriginSettings) -> Result<Connector, ConfigError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(settings.connect_timeout));
    // A tunnel may be silent for hours; an origin that vanished is noticed all the same.
    tcp.set_keepalive(Some(KEEPALIVE));
    let https = HttpsConnectorBuilder::new()
        .with_tls_config(trust(settings)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Ok(https.map_response(Marked::new as fn(Stream) -> Marked<Stream>))
}

/// Whose certificate an https origin must have.
fn trust(settings: &OriginSettings) -> Result<ClientConfig, ConfigError> {
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the ciphers of the protocol versions that rustls is built with");
    let Some(file) = &settings.certificates else {
        return Ok(config.with_webpki_roots().with_no_client_auth());
    };
    let fault = |error: &dyn fmt::Display| {
        ConfigError::value(
            "origin.certificates",
            format!("cannot use '{}': {error}", file.display()),
        )
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| fault(&error))? {
        let certificate = certificate.map_err(|error| fault(&error))?;
        roots.add(certificate).map_err(|error| fault(&error))?;
    }
    if roots.is_empty() {
        return Err(fault(&"no certificate is in it"));
    }
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Why there is no answer of the origin's.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no connection to the origin: {0}")]
    Connect(String),
    #[error("the origin took no connection in time")]
    ConnectTimeout,
    #[error("the origin broke off: {0}")]
    Broken(String),
    #[error("the origin broke off on a connection that it had kept")]
    Stale,
    #[error("the origin sent no head in time")]
    Silent,
    #[error("the origin switched to a protocol that nobody asked for")]
    Switched,
    #[error("the target is no path of a site")]
    Target,
}

impl Failure {
    fn from_client(error: Error) -> Self {
        if Reuse::of(&error) {
            return Self::Stale;
        }
        let causes = causes(&error);
        match error.is_connect() {
            true if is_timeout(&error) => Self::ConnectTimeout,
            true => Self::Connect(causes),
            false => Self::Broken(causes),
        }
    }

    /// What the visitor is told: enough to know whose fault it is, nothing about the inside.
    fn response(self) -> Response<Body> {
        let (status, kind, text) = match self {
            Self::Target => return plain(StatusCode::BAD_REQUEST, "the target is no path of this site\n"),
            Self::ConnectTimeout | Self::Silent => (
                StatusCode::GATEWAY_TIMEOUT,
                "origin_timeout",
                "the site behind this server did not answer in time\n",
            ),
            Self::Broken(_) | Self::Connect(_) | Self::Stale | Self::Switched => (
                StatusCode::BAD_GATEWAY,
                "origin",
                "the site behind this server did not answer\n",
            ),
        };
        tracing::warn!(error = %self, "{}", status.as_u16());
        metrics::counter!(metric::FAULTS, "kind" => kind).increment(1);
        plain(status, text)
    }
}

fn is_timeout(error: &Error) -> bool {
    chain(error).any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
    })
}

fn causes(error: &Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

/// Half of what routers commonly keep a silent connection for.
const KEEPALIVE: Duration = Duration::from_secs(60);
