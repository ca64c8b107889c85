//! The origin's whole response, made the answer to a range or a condition that was taken off the request. For the one visitor whose
//! request turned out to be for something that may not be shared: its bytes pass by and are not kept.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{
    HeaderMap, Response, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE},
};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{answer::Plan, head::text, range::Span};

/// Answers `request` with the origin's response to the same request without `Range` and conditions.
///
/// Anything but a 200 passes as it is, and so does a 200 for which the visitor asked plainly.
pub fn relay<B: Body<Data = Bytes>>(response: Response<B>, request: &HeaderMap) -> Response<Relay<B>> {
    let (parts, body) = response.into_parts();
    let exact = body.size_hint().exact();
    let length = match text(&parts.headers, &CONTENT_LENGTH) {
        Some(said) => said
            .trim()
            .parse()
            .ok()
            .filter(|said| exact.is_none_or(|exact| exact == *said)),
        None => exact,
    };
    let refuses = text(&parts.headers, &ACCEPT_RANGES).is_some_and(|units| units.trim() == "none");
    let sliceable = length.filter(|_| !refuses && !parts.headers.contains_key(CONTENT_RANGE));
    let plan = if parts.status == StatusCode::OK {
        Plan::of(request, &parts.headers, sliceable)
    } else {
        Plan::Whole
    };
    match plan {
        Plan::Whole => Response::from_parts(parts, Relay::whole(body)),
        Plan::Part(span) => {
            let mut answer = plan.response(parts.headers, length, Relay::part(body, span));
            *answer.version_mut() = parts.version;
            answer
        }
        Plan::NotModified | Plan::Unsatisfiable => {
            let mut answer = plan.response(parts.headers, length, Relay::empty());
            *answer.version_mut() = parts.version;
            answer
        }
    }
}

pin_project! {
    /// A body of which only a part is wanted, or all, or nothing.
    #[derive(Debug)]
    pub struct Relay<B> {
        // Dropped as soon as enough was read, so that the origin need not send the rest.
        #[pin]
        body: Option<B>,
        skip: u64,
        // None: to the end, trailers included.
        left: Option<u64>,
    }
}

impl<B> Relay<B> {
    fn whole(body: B) -> Self {
        Self {
            body: Some(body),
            skip: 0,
            left: None,
        }
    }

    fn part(body: B, span: Span) -> Self {
        Self {
            body: Some(body),
            skip: span.start,
            left: Some(span.len()),
        }
    }

    fn empty() -> Self {
        Self {
            body: None,
            skip: 0,
            left: Some(0),
        }
    }
}

impl<B: Body<Data = Bytes>> Body for Relay<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let mut this = self.project();
        loop {
            let Some(body) = this.body.as_mut().as_pin_mut() else {
                return Poll::Ready(None);
            };
            let Some(left) = *this.left else {
                return body.poll_frame(cx);
            };
            let frame = match ready!(body.poll_frame(cx)).transpose()? {
                Some(frame) => frame.into_data().ok(),
                None => None,
            };
            // The end, or trailers: they belong to the whole, of which this is a part.
            let Some(mut bytes) = frame else {
                this.body.set(None);
                return Poll::Ready(None);
            };
            let skipped = (*this.skip).min(bytes.len() as u64);
            bytes.advance(skipped as usize);
            bytes.truncate(left.min(bytes.len() as u64) as usize);
            *this.skip -= skipped;
            let left = left - bytes.len() as u64;
            *this.left = Some(left);
            if left == 0 {
                this.body.set(None);
            }
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match (&self.body, self.left) {
            (None, _) | (_, Some(0)) => true,
            (Some(body), None) => body.is_end_stream(),
            (Some(_), Some(_)) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.body, self.left) {
            (None, _) => SizeHint::with_exact(0),
            (Some(_), Some(left)) => SizeHint::with_exact(left),
            (Some(body), None) => body.size_hint(),
        }
    }
}
