//! Why there is no answer of the origin's, and what the visitor is told instead.

use std::{error, io, iter};

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header::ALLOW};
use hyper_util::client::legacy::Error;

use super::{connection::Reuse, door::plain};
use crate::telemetry::metric;

/// Why there is no answer of the origin's.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
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
    #[error("the origin answered a page where a WebSocket was asked for")]
    NoWebSocket,
    #[error("the target is no path of a site")]
    Target,
}

impl Failure {
    pub(super) fn from_client(error: Error) -> Self {
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
    pub(super) fn response(self) -> Response<Body> {
        let (status, kind, text) = match self {
            Self::Target => return plain(StatusCode::BAD_REQUEST, "the target is no path of this site\n"),
            // The visitor asked for what is not there; that is no fault of the origin's.
            Self::NoWebSocket => return no_websocket(),
            Self::ConnectTimeout | Self::Silent => (
                StatusCode::GATEWAY_TIMEOUT,
                metric::ORIGIN_TIMEOUT,
                "the site behind this server did not answer in time\n",
            ),
            Self::Broken(_) | Self::Connect(_) | Self::Stale | Self::Switched => (
                StatusCode::BAD_GATEWAY,
                metric::ORIGIN,
                "the site behind this server did not answer\n",
            ),
        };
        tracing::warn!(error = %self, "{}", status.as_u16());
        metrics::counter!(metric::FAULTS, "kind" => kind).increment(1);
        plain(status, text)
    }
}

/// The origin has it for GET, and the visitor's `CONNECT` would take its success for an open WebSocket.
fn no_websocket() -> Response<Body> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "no WebSocket is to be had here\n");
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET"));
    response
}

fn is_timeout(error: &Error) -> bool {
    chain(error).any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    })
}

fn causes(error: &Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain<'a>(
    error: &'a (dyn error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn error::Error + 'static)> {
    iter::successors(Some(error), |error| error.source())
}
