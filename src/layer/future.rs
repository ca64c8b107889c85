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
    pub struct ResponseFuture<F, RB, E> {
        #[pin]
        kind: Kind<F, RB, E>,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<F, RB, E> {
        Calm { #[pin] inner: F },
        Hot { ours: HotFuture<RB, E> },
    }
}

/// What the hot path answers with: the inner service's response passed on, or one that was made here.
pub(super) enum HotResponse<RB> {
    /// The inner service's response, untouched.
    Passed(Response<RB>),
    /// A response of ours.
    Ours(Response<Body>),
}

pub(super) type HotFuture<RB, E> = Pin<Box<dyn Future<Output = Result<HotResponse<RB>, E>> + Send>>;

impl<F, RB, E> ResponseFuture<F, RB, E> {
    pub(super) fn calm(inner: F) -> Self {
        Self {
            kind: Kind::Calm { inner },
        }
    }

    pub(super) fn hot(ours: HotFuture<RB, E>) -> Self {
        Self {
            kind: Kind::Hot { ours },
        }
    }
}

impl<F, RB, E> Future for ResponseFuture<F, RB, E>
where
    F: Future<Output = Result<Response<RB>, E>>,
{
    type Output = Result<Response<ResponseBody<RB>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project().kind.project() {
            KindProjection::Calm { inner } => {
                ready!(inner.poll(cx)).map(|response| response.map(ResponseBody::untouched))
            }
            KindProjection::Hot { ours } => ready!(ours.as_mut().poll(cx)).map(|response| match response {
                HotResponse::Passed(response) => response.map(ResponseBody::untouched),
                HotResponse::Ours(response) => response.map(ResponseBody::ours),
            }),
        })
    }
}

impl<F, RB, E> fmt::Debug for ResponseFuture<F, RB, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Calm { .. } => "calm",
            Kind::Hot { .. } => "hot",
        };
        f.debug_tuple("ResponseFuture").field(&kind).finish()
    }
}
