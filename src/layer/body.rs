//! The body of a response that came through the layer: the inner service's own, untouched, or one of ours.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// Response body of [`FlashbackService`](super::FlashbackService).
    ///
    /// While a URL is calm this is the inner service's body with nothing around it but this enum.
    #[derive(Debug)]
    pub struct ResponseBody<RB> {
        #[pin]
        kind: Kind<RB>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<RB> {
        Untouched { #[pin] body: RB },
        Ours { #[pin] body: Body },
    }
}

impl<RB> ResponseBody<RB> {
    pub(super) fn untouched(body: RB) -> Self {
        Self {
            kind: Kind::Untouched { body },
        }
    }

    pub(super) fn ours(body: Body) -> Self {
        Self {
            kind: Kind::Ours { body },
        }
    }
}

impl<RB> http_body::Body for ResponseBody<RB>
where
    RB: http_body::Body<Data = Bytes>,
    RB::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProjection::Untouched { body } => body.poll_frame(cx).map_err(Into::into),
            KindProjection::Ours { body } => body.poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Untouched { body } => body.is_end_stream(),
            Kind::Ours { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Untouched { body } => body.size_hint(),
            Kind::Ours { body } => body.size_hint(),
        }
    }
}
