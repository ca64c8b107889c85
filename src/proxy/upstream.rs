//! The origin as a tower service. It streams both ways, tells the origin who asks, and answers 502 or 504 itself when the
//! origin does not; so its error type has no values. It keeps no copy of anything.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{COOKIE, HOST},
    request::Parts,
    uri::PathAndQuery,
};
use http_body::Body as _;
use hyper::body::Incoming;

use super::{
    client::{OriginClient, client},
    config::{ConfigError, HostPolicy, OriginSettings, UpstreamUrl},
    connection::Reuse,
    failure::Failure,
    forwarded::{self, Arrival},
    hop,
    progress::Progress,
    tunnel::Tunnel,
};

/// The origin. See the [module docs](self).
#[derive(Clone, Debug)]
pub struct Upstream {
    origin: Arc<Origin>,
}

#[derive(Debug)]
struct Origin {
    client: OriginClient,
    url: UpstreamUrl,
    host: HostPolicy,
    head_timeout: Duration,
}

impl Upstream {
    /// An origin at this URL. Connects when the first request comes.
    pub fn new(url: UpstreamUrl, settings: &OriginSettings) -> Result<Self, ConfigError> {
        let client = client(settings)?;
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
        let request = self.address(request, tunnel.as_ref())?;
        let mut response = self.ask(request).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // A switch that nobody asked for, or to something else, would leave both sides with different protocols.
            let tunnel = tunnel
                .filter(|tunnel| tunnel.is_agreed(response.headers()))
                .ok_or(Failure::Switched)?;
            return Ok(tunnel.join(response).map(Body::new));
        }
        if tunnel.is_some_and(|tunnel| tunnel.is_mistaken(response.status())) {
            return Err(Failure::NoWebSocket);
        }
        hop::strip_response(response.headers_mut());
        Ok(response.map(Body::new))
    }

    /// Turns the visitor's request into ours: same path, our connection, the origin's name as configured.
    fn address(&self, request: Request<Body>, tunnel: Option<&Tunnel>) -> Result<Request<Body>, Failure> {
        let (mut parts, body) = request.into_parts();
        if parts.method == Method::CONNECT && tunnel.is_none() {
            return Err(Failure::Target);
        }
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
        if let Some(tunnel) = tunnel {
            tunnel.ask(&mut parts);
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
