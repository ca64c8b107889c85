//! What must hold before a request goes further. Here a request of the network becomes one that the rest may believe:
//! it has one host, that host is served, its target is a path, and its sender's address is known.

use std::net::SocketAddr;

use axum::{body::Body, extract::ConnectInfo};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HOST},
};

use super::{
    config::{HostPattern, ServerSettings},
    forwarded::Trust,
    tunnel,
};

/// The checks, as the settings want them.
#[derive(Debug)]
pub(super) struct Door {
    hosts: Vec<HostPattern>,
    trust: Trust,
}

impl Door {
    pub(super) fn new(settings: &ServerSettings) -> Self {
        Self {
            hosts: settings.hosts.clone(),
            trust: Trust::new(settings),
        }
    }

    /// Lets a request in, with its sender's address, or says why not.
    pub(super) fn admit<B>(&self, mut request: Request<B>, peer: SocketAddr) -> Result<Request<B>, Refused> {
        // CONNECT would make an open proxy of us; nothing but a path can be asked of a site. A WebSocket is: over HTTP/2
        // it is CONNECT with a path (RFC 8441).
        if request.method() == Method::CONNECT && !tunnel::connects(&request) {
            return Err(Refused::Method);
        }
        let host = host(&request)?;
        if !self.serves(&host) {
            return Err(Refused::Host);
        }
        // The target's host overrules the header (RFC 9112 §3.2.2); from here on there is only the header.
        request.headers_mut().insert(HOST, host);
        let arrival = self.trust.arrival(peer, request.headers());
        request.extensions_mut().insert(arrival);
        request.extensions_mut().insert(ConnectInfo(arrival.visitor));
        Ok(request)
    }

    fn serves(&self, host: &HeaderValue) -> bool {
        let Ok(host) = host.to_str() else { return false };
        self.hosts.is_empty() || self.hosts.iter().any(|pattern| pattern.matches(host))
    }
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// No host, or more than one.
    Ambiguous,
    /// A host that is not served here.
    Host,
    /// A method that only forward proxies have.
    Method,
}

impl Refused {
    /// What the visitor is told.
    pub(super) fn response(self) -> Response<Body> {
        let (status, text) = match self {
            Self::Ambiguous => (StatusCode::BAD_REQUEST, "a request names one host\n"),
            Self::Host => (StatusCode::MISDIRECTED_REQUEST, "this host is not served here\n"),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "this is no forward proxy\n"),
        };
        let mut response = plain(status, text);
        // Whoever sends what can be read in two ways is not read any further.
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// A short answer of ours.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

/// The one host that a request is for.
fn host<B>(request: &Request<B>) -> Result<HeaderValue, Refused> {
    let said = single(request.headers())?;
    let host = match request.uri().authority() {
        // A user in the target is dropped: `http://good.example@evil.example/` is asked of evil.example.
        Some(authority) => {
            let host = authority.as_str().rsplit('@').next().unwrap_or_default();
            HeaderValue::from_str(host).map_err(|_| Refused::Ambiguous)?
        }
        None => said.ok_or(Refused::Ambiguous)?,
    };
    let is_host = host
        .to_str()
        .is_ok_and(|host| host.parse::<http::uri::Authority>().is_ok() && !host.contains('@'));
    if is_host {
        Ok(host)
    } else {
        Err(Refused::Ambiguous)
    }
}

/// Two lines of `Host` are read differently by different servers: which one the origin believes is a gamble.
fn single(headers: &HeaderMap) -> Result<Option<HeaderValue>, Refused> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (found, None) => Ok(found.cloned()),
        _ => Err(Refused::Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::forwarded::Arrival;

    fn admit(hosts: &[&str], request: http::request::Builder) -> Result<Request<()>, Refused> {
        let settings = ServerSettings {
            hosts: hosts
                .iter()
                .map(|host| host.parse().expect("a pattern"))
                .collect(),
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network")],
            ..ServerSettings::default()
        };
        let peer = "10.0.0.1:5".parse().expect("an address");
        Door::new(&settings).admit(request.body(()).expect("a request"), peer)
    }

    #[test]
    fn a_request_has_one_host_and_it_is_served() {
        for (hosts, request, verdict) in [
            (
                &[][..],
                Request::get("/").header(HOST, "any.example"),
                Ok("any.example"),
            ),
            (
                &[][..],
                Request::get("http://any.example:8080/").header(HOST, "other"),
                Ok("any.example:8080"),
            ),
            (&[][..], Request::get("/"), Err(Refused::Ambiguous)),
            (
                &[][..],
                Request::get("/").header(HOST, "a").header(HOST, "a"),
                Err(Refused::Ambiguous),
            ),
            (
                &[][..],
                Request::get("/").header(HOST, "a b"),
                Err(Refused::Ambiguous),
            ),
            (
                &[][..],
                Request::get("/").header(HOST, "u@a"),
                Err(Refused::Ambiguous),
            ),
            (
                &[][..],
                Request::get("/").header(HOST, ""),
                Err(Refused::Ambiguous),
            ),
            (
                &["good.example"][..],
                Request::get("/").header(HOST, "GOOD.example:80"),
                Ok("GOOD.example:80"),
            ),
            (
                &["good.example"][..],
                Request::get("/").header(HOST, "evil.example"),
                Err(Refused::Host),
            ),
            (
                &["good.example"][..],
                Request::get("http://evil.example/").header(HOST, "good.example"),
                Err(Refused::Host),
            ),
            (
                &["good.example"][..],
                Request::get("http://good.example@evil.example/"),
                Err(Refused::Host),
            ),
            (
                &[][..],
                Request::connect("a.example:443").header(HOST, "a.example:443"),
                Err(Refused::Method),
            ),
        ] {
            let shown = format!("{hosts:?} {request:?}");
            let found = admit(hosts, request).map(|request| request.headers()[HOST].clone());
            assert_eq!(found, verdict.map(HeaderValue::from_static), "{shown}");
        }
    }

    #[test]
    fn the_layer_is_handed_the_visitor_not_the_proxy() {
        let request = Request::get("/")
            .header(HOST, "a")
            .header("x-forwarded-for", "198.51.100.1");
        let request = admit(&[], request).expect("is let in");
        let ConnectInfo(visitor) = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .expect("an address");
        assert_eq!(visitor.to_string(), "198.51.100.1:0");
        assert_eq!(
            request
                .extensions()
                .get::<Arrival>()
                .expect("an arrival")
                .peer
                .to_string(),
            "10.0.0.1:5"
        );
    }
}
