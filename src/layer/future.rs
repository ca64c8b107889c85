//! The future of a response: the inner service's own while calm, a boxed one of ours otherwise.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http::Response;
use pin_project_lite::pin_project;

pin_project! {
    /// Response future of [`FlashbackService`](super::FlashbackService).
    pub struct ResponseFuture<F, E> {
        #[pin]
        kind: Kind<F, E>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, E> {
        Calm { #[pin] inner: F },
        Hot { ours: HotFuture<E> },
    }
}

/// What the hot ways answer with is always a response of ours.
pub(super) type HotFuture<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<F, E> ResponseFuture<F, E> {
    pub(super) fn calm(inner: F) -> Self {
        Self {
            kind: Kind::Calm { inner },
        }
    }

    pub(super) fn hot(ours: HotFuture<E>) -> Self {
        Self {
            kind: Kind::Hot { ours },
        }
    }
}

impl<F, RB, E> Future for ResponseFuture<F, E>
where
    F: Future<Output = Result<Response<RB>, E>>,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    type Output = Result<Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().kind.project() {
            KindProjection::Calm { inner } => {
                // An axum body is not wrapped again; any other is boxed.
                ready!(inner.poll(cx)).map(|response| response.map(Body::new))
            }
            KindProjection::Hot { ours } => ready!(ours.as_mut().poll(cx)),
        })
    }
}

impl<F, E> fmt::Debug for ResponseFuture<F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Calm { .. } => "calm",
            Kind::Hot { .. } => "hot",
        };
        f.debug_tuple("ResponseFuture").field(&kind).finish()
    }
}
