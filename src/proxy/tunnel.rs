//! WebSockets through the proxy. Only they are passed: any other protocol that an origin agrees to, `h2c` above all,
//! would carry requests past the door. Over HTTP/2 a visitor asks by `CONNECT` (RFC 8441), the origin is asked in
//! HTTP/1.1 all the same, and the proof that HTTP/2 does without is then between it and us.

use std::future;

use axum::body::Body;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
    request::Parts,
};
use hyper::{ext::Protocol, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use tokio::{io::copy_bidirectional, sync::watch};
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

use super::{hop, slots::Slot};

/// Whether the server drains. It does once the sender is gone.
#[derive(Clone, Debug)]
pub(super) struct Drain(pub(super) watch::Receiver<()>);

/// A visitor's half, until the origin has agreed.
pub(super) struct Tunnel {
    visitor: OnUpgrade,
    slot: Option<Slot>,
    /// Ends it, where it is a stream of a connection that would not end before it.
    drain: Option<Drain>,
    /// What the origin must answer to, where the visitor's own protocol has no such key.
    key: Option<HeaderValue>,
}

impl Tunnel {
    /// Takes the visitor's half, if the request asks for a WebSocket.
    pub(super) fn asked(request: &mut Request<Body>) -> Option<Self> {
        let connects = connects(request);
        let upgrades = request.version() == Version::HTTP_11
            && hop::connection_has(request.headers(), "upgrade")
            && is_websocket(request.headers());
        if !connects && !upgrades {
            return None;
        }
        let visitor = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self {
            visitor,
            slot: request.extensions().get::<Slot>().cloned(),
            drain: request.extensions().get::<Drain>().filter(|_| connects).cloned(),
            key: connects.then(|| HeaderValue::try_from(generate_key()).expect("Base64 is a header's value")),
        })
    }

    /// Says so to the origin; to be called after hop-by-hop headers are gone.
    pub(super) fn ask(&self, request: &mut Parts) {
        say(&mut request.headers);
        if let Some(key) = &self.key {
            request.method = Method::GET;
            request.headers.insert(SEC_WEBSOCKET_KEY, key.clone());
        }
    }

    /// Whether the origin switched to what was asked for. The proof of an HTTP/1.1 handshake is the visitor's to check,
    /// who knows the key.
    pub(super) fn is_agreed(&self, answer: &HeaderMap) -> bool {
        let accepted = answer.get(SEC_WEBSOCKET_ACCEPT);
        let proves =
            |key: &HeaderValue| accepted.is_some_and(|sum| sum == &derive_accept_key(key.as_bytes()));
        is_websocket(answer) && self.key.as_ref().is_none_or(proves)
    }

    /// Whether a visitor would take this answer, which is no switch, for one: over HTTP/2 every success opens the tunnel.
    pub(super) fn is_mistaken(&self, status: StatusCode) -> bool {
        self.key.is_some() && status.is_success()
    }

    /// Joins both halves once the visitor has read the answer, and counts as the visitor's connection until it ends.
    pub(super) fn join<B>(mut self, mut response: Response<B>) -> Response<B> {
        let origin = hyper::upgrade::on(&mut response);
        hop::strip_response(response.headers_mut());
        if self.key.is_some() {
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
            // hyper breaks off a tunnel that announces a body.
            response.headers_mut().remove(CONTENT_LENGTH);
        } else {
            say(response.headers_mut());
        }
        tokio::spawn(async move {
            let (visitor, origin) = match tokio::try_join!(self.visitor, origin) {
                Ok(both) => both,
                Err(error) => return tracing::debug!(%error, "a tunnel did not open"),
            };
            let (mut visitor, mut origin) = (TokioIo::new(visitor), TokioIo::new(origin));
            // Either side may vanish without a word: that is how most WebSockets end.
            let end = tokio::select! {
                end = copy_bidirectional(&mut visitor, &mut origin) => Some(end),
                () = drained(self.drain.as_mut()) => None,
            };
            tracing::trace!(?end, "a tunnel ended");
            drop(self.slot);
        });
        response
    }
}

async fn drained(drain: Option<&mut Drain>) {
    match drain {
        // Nothing is ever sent.
        Some(Drain(drain)) => drop(drain.changed().await),
        None => future::pending().await,
    }
}

/// Whether this is HTTP/2's way to ask for a WebSocket.
pub(super) fn connects<B>(request: &Request<B>) -> bool {
    let protocol = request.extensions().get::<Protocol>();
    request.method() == Method::CONNECT && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
}

/// Whether `Upgrade` says `websocket` and nothing else.
fn is_websocket(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(UPGRADE).iter();
    let first = lines
        .next()
        .is_some_and(|line| line.as_bytes().eq_ignore_ascii_case(b"websocket"));
    first && lines.next().is_none()
}

fn say(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}
