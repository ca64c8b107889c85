//! The future of a response: the inner service's own while calm, a boxed one of ours otherwise.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use http::Response;
use pin_project_lite::pin_project;

use super::ResponseBody;

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
{
    type Output = Result<Response<ResponseBody<RB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().kind.project() {
            KindProjection::Calm { inner } => {
                ready!(inner.poll(cx)).map(|response| response.map(ResponseBody::untouched))
            }
            KindProjection::Hot { ours } => {
                ready!(ours.as_mut().poll(cx)).map(|response| response.map(ResponseBody::ours))
            }
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
