//! WebSockets through the proxy. Only they are passed: any other protocol that an origin agrees to, `h2c` above all,
//! would carry requests past the door.

use axum::body::Body;
use http::{
    HeaderMap, HeaderValue, Request, Response, Version,
    header::{CONNECTION, UPGRADE},
};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::{hop, slots::Slot};

/// A visitor's half, until the origin has agreed.
pub(super) struct Tunnel {
    visitor: OnUpgrade,
    slot: Option<Slot>,
}

impl Tunnel {
    /// Takes the visitor's half, if the request asks for a WebSocket.
    pub(super) fn asked(request: &mut Request<Body>) -> Option<Self> {
        let asks = request.version() == Version::HTTP_11
            && hop::connection_has(request.headers(), "upgrade")
            && is_websocket(request.headers());
        if !asks {
            return None;
        }
        let visitor = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self {
            visitor,
            slot: request.extensions().get::<Slot>().cloned(),
        })
    }

    /// Says so to the origin; to be called after hop-by-hop headers are gone.
    pub(super) fn ask(headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }

    /// Joins both halves once the visitor has read the `101`, and counts as the visitor's connection until it ends.
    pub(super) fn join(self, response: &mut Response<hyper::body::Incoming>) {
        let origin = hyper::upgrade::on(response);
        tokio::spawn(async move {
            let (visitor, origin) = match tokio::try_join!(self.visitor, origin) {
                Ok(both) => both,
                Err(error) => return tracing::debug!(%error, "a tunnel did not open"),
            };
            // Either side may vanish without a word: that is how most WebSockets end.
            let end = copy_bidirectional(&mut TokioIo::new(visitor), &mut TokioIo::new(origin)).await;
            tracing::trace!(?end, "a tunnel ended");
            drop(self.slot);
        });
    }
}

/// Whether `Upgrade` says `websocket` and nothing else.
pub(super) fn is_websocket(headers: &HeaderMap) -> bool {
    let mut lines = headers.get_all(UPGRADE).iter();
    let first = lines
        .next()
        .is_some_and(|line| line.as_bytes().eq_ignore_ascii_case(b"websocket"));
    first && lines.next().is_none()
}
