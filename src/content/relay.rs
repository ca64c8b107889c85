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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::content::tests::{Fields, bytes, drain, headers, parts};

    /// A body of given frames that counts what was read of it.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn response(status: u16, fields: Fields<'_>, body: &[u8]) -> Response<Frames> {
        let frames = body
            .chunks(3)
            .map(|piece| Frame::data(Bytes::copy_from_slice(piece)))
            .collect();
        Response::from_parts(parts(status, fields), Frames(frames))
    }

    #[test]
    fn a_whole_response_answers_what_was_asked() {
        let plain = [
            ("content-length", "10"),
            ("etag", "\"x\""),
            ("cache-control", "private"),
        ];
        let table: &[(Fields<'_>, u16, &[u8])] = &[
            (&[], 200, b"0123456789"),
            (&[("range", "bytes=2-4")], 206, b"234"),
            (&[("range", "bytes=-4")], 206, b"6789"),
            (&[("range", "bytes=10-")], 416, b""),
            (
                &[("range", "bytes=2-4"), ("if-range", "\"y\"")],
                200,
                b"0123456789",
            ),
            (&[("if-none-match", "\"x\"")], 304, b""),
        ];
        for (request, status, body) in table {
            let answer = relay(response(200, &plain, b"0123456789"), &headers(request));
            assert_eq!(answer.status(), *status, "{request:?}");
            assert_eq!(answer.headers().get("cache-control").expect("stays"), "private");
            assert_eq!(
                drain(&mut answer.into_body()),
                (body.to_vec(), Poll::Ready(Ok(()))),
                "{request:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_cut_passes_as_it_is() {
        let range = headers(&[("range", "bytes=2-4"), ("if-none-match", "\"y\"")]);
        let cases: [(u16, Fields<'_>); 5] = [
            (404, &[("content-length", "10")]),
            (200, &[]),
            (200, &[("content-length", "ten")]),
            (200, &[("content-length", "10"), ("accept-ranges", "none")]),
            (
                200,
                &[("content-length", "10"), ("content-range", "bytes 0-9/20")],
            ),
        ];
        for (status, fields) in cases {
            let answer = relay(response(status, fields, b"0123456789"), &range);
            assert_eq!(
                (answer.status().as_u16(), answer.headers()),
                (status, &headers(fields))
            );
            assert_eq!(drain(&mut answer.into_body()).0, b"0123456789", "{fields:?}");
        }
        let failed = relay(
            response(404, &[("etag", "\"x\"")], b""),
            &headers(&[("if-none-match", "\"x\"")]),
        );
        assert_eq!(failed.status(), 404, "conditions are for what is there");
    }

    #[test]
    fn trailers_pass_with_the_whole_and_not_with_a_part() {
        let with_trailers = || {
            let mut response = response(200, &[("content-length", "3")], b"012");
            response
                .body_mut()
                .0
                .push_back(Frame::trailers(headers(&[("x", "1")])));
            response
        };
        let mut whole = relay(with_trailers(), &HeaderMap::new()).into_body();
        let mut next = || Pin::new(&mut whole).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        assert!(matches!(next(), Poll::Ready(Some(Ok(frame))) if frame.is_data()));
        assert!(matches!(next(), Poll::Ready(Some(Ok(frame))) if frame.is_trailers()));
        let part = relay(with_trailers(), &headers(&[("range", "bytes=1-")]));
        assert_eq!(
            drain(&mut part.into_body()),
            (b"12".to_vec(), Poll::Ready(Ok(())))
        );
    }

    proptest! {
        #[test]
        fn a_part_is_the_slice_however_it_is_framed(
            frames in prop::collection::vec(0..40_usize, 0..20),
            start in 0..300_usize,
            length in 1..300_usize,
        ) {
            let whole = bytes(frames.iter().sum());
            let span = Span { start: start as u64, end: (start + length) as u64 };
            let mut rest = whole.as_slice();
            let mut queue = VecDeque::new();
            for frame in frames {
                let (frame, left) = rest.split_at(frame);
                queue.push_back(Frame::data(Bytes::copy_from_slice(frame)));
                rest = left;
            }
            let (read, end) = drain(&mut Relay::part(Frames(queue), span));
            prop_assert_eq!(end, Poll::Ready(Ok(())));
            prop_assert_eq!(&read[..], &whole[start.min(whole.len())..(start + length).min(whole.len())]);
        }
    }
}
