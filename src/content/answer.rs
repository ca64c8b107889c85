//! Answers from the store: which status, which bytes and which header fields a visitor's GET gets for an object that is
//! there or on its way. Ranges are RFC 9110 §14, conditions §13; `HEAD` is left to the origin.

use std::{sync::Arc, time::SystemTime};

use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        ACCEPT_RANGES, AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    },
};

use super::{
    condition,
    filling::{Head, Ticket},
    object::Object,
    range::{self, Span, Wanted},
    reader::Reader,
};

impl Object {
    /// Answers a GET with these header fields.
    #[must_use]
    pub fn answer(&self, request: &HeaderMap, now: SystemTime) -> Response<Reader> {
        let length = self.length();
        let plan = Plan::of(request, self.headers(), Some(length));
        let body = match plan {
            Plan::Whole => Reader::stored(
                self.body(),
                Span {
                    start: 0,
                    end: length,
                },
            ),
            Plan::Part(span) => Reader::stored(self.body(), span),
            Plan::NotModified | Plan::Unsatisfiable => Reader::empty(),
        };
        let mut response = plan.response(self.headers().clone(), Some(length), body);
        response.headers_mut().insert(AGE, self.age(now).into());
        response
    }
}

/// An object on its way, whose head is known and may be shared.
#[derive(Debug)]
pub struct Stream {
    ticket: Ticket,
    head: Arc<Head>,
    own: bool,
}

impl Stream {
    pub(super) fn new(ticket: Ticket, head: Arc<Head>) -> Self {
        Self {
            ticket,
            head,
            own: false,
        }
    }

    pub(super) fn own(ticket: Ticket, head: Arc<Head>) -> Self {
        Self {
            ticket,
            head,
            own: true,
        }
    }

    /// Answers a GET with these header fields, from the bytes as they come.
    #[must_use]
    pub fn answer(self, request: &HeaderMap, now: SystemTime) -> Response<Reader> {
        let Self { ticket, head, own } = self;
        let plan = Plan::of(request, &head.headers, head.length);
        let whole = || {
            head.length.map(|length| Span {
                start: 0,
                end: length,
            })
        };
        let body = match plan {
            Plan::Whole => Reader::growing(ticket, own, whole()),
            Plan::Part(span) => Reader::growing(ticket, own, Some(span)),
            Plan::NotModified | Plan::Unsatisfiable => Reader::empty(),
        };
        let mut response = plan.response(head.headers.clone(), head.length, body);
        let age = head.freshness.age(now).as_secs();
        // A response straight from the origin has no Age unless a cache before it said one.
        if age > 0 {
            response.headers_mut().insert(AGE, age.into());
        }
        response
    }
}

/// What to send of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// 200.
    Whole,
    /// 206.
    Part(Span),
    /// 304.
    NotModified,
    /// 416.
    Unsatisfiable,
}

impl Plan {
    /// In the order of RFC 9110 §13.2.2. Without a length there are no ranges.
    pub(super) fn of(request: &HeaderMap, head: &HeaderMap, length: Option<u64>) -> Self {
        if condition::not_modified(request, head) {
            return Self::NotModified;
        }
        let (Some(wanted), Some(length)) = (Wanted::of(request), length) else {
            return Self::Whole;
        };
        if !condition::range_holds(request, head) {
            return Self::Whole;
        }
        wanted.within(length).map_or(Self::Unsatisfiable, Self::Part)
    }

    /// Puts the answer's own fields over the object's.
    pub(super) fn response<B>(self, mut headers: HeaderMap, length: Option<u64>, body: B) -> Response<B> {
        let status = match self {
            Self::Whole => {
                if let Some(length) = length {
                    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
                    headers.insert(CONTENT_LENGTH, length.into());
                }
                StatusCode::OK
            }
            Self::Part(span) => {
                headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
                headers.insert(CONTENT_LENGTH, span.len().into());
                headers.insert(CONTENT_RANGE, span.field(length.unwrap_or(span.end)));
                StatusCode::PARTIAL_CONTENT
            }
            Self::NotModified => {
                // §15.4.5: fields that describe a body would only be repeated.
                for name in [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE] {
                    headers.remove(name);
                }
                StatusCode::NOT_MODIFIED
            }
            Self::Unsatisfiable => {
                for name in [CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE] {
                    headers.remove(name);
                }
                headers.insert(CONTENT_LENGTH, 0.into());
                headers.insert(CONTENT_RANGE, range::unsatisfied(length.unwrap_or_default()));
                StatusCode::RANGE_NOT_SATISFIABLE
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use http::header::RANGE;
    use http_body::Body;
    use proptest::prelude::*;

    use super::*;
    use crate::content::tests::{Fields, at, bytes, drain, fill, headers, lead, put, store};

    const FRESH: (&str, &str) = ("cache-control", "max-age=60");
    const DATE: &str = "Fri, 15 Jan 2010 08:00:00 GMT";

    /// A request; the answer's status, length, range and body.
    type Case<'a> = (Fields<'a>, u16, Option<&'a str>, Option<&'a str>, &'a [u8]);

    #[test]
    fn answers_by_the_book() {
        let store = store();
        let fields = [
            FRESH,
            ("etag", "\"x\""),
            ("last-modified", DATE),
            ("content-type", "a/b"),
            ("content-language", "en"),
        ];
        let object = put(&store, "/a", &fields, b"0123456789", at(0)).expect("is stored");
        let table: &[Case<'_>] = &[
            (&[], 200, Some("10"), None, b"0123456789"),
            (
                &[("range", "bytes=2-4")],
                206,
                Some("3"),
                Some("bytes 2-4/10"),
                b"234",
            ),
            (
                &[("range", "bytes=7-")],
                206,
                Some("3"),
                Some("bytes 7-9/10"),
                b"789",
            ),
            (
                &[("range", "bytes=-1")],
                206,
                Some("1"),
                Some("bytes 9-9/10"),
                b"9",
            ),
            (
                &[("range", "bytes=0-99")],
                206,
                Some("10"),
                Some("bytes 0-9/10"),
                b"0123456789",
            ),
            (&[("range", "bytes=10-")], 416, Some("0"), Some("bytes */10"), b""),
            (
                &[("range", "bytes=0-1,4-5")],
                200,
                Some("10"),
                None,
                b"0123456789",
            ),
            (
                &[("range", "bytes=2-4"), ("if-range", "\"x\"")],
                206,
                Some("3"),
                Some("bytes 2-4/10"),
                b"234",
            ),
            (
                &[("range", "bytes=2-4"), ("if-range", "\"y\"")],
                200,
                Some("10"),
                None,
                b"0123456789",
            ),
            (
                &[("range", "bytes=99-"), ("if-range", "\"y\"")],
                200,
                Some("10"),
                None,
                b"0123456789",
            ),
            (&[("if-none-match", "W/\"x\"")], 304, None, None, b""),
            (
                &[("if-none-match", "\"x\""), ("range", "bytes=99-")],
                304,
                None,
                None,
                b"",
            ),
            (&[("if-modified-since", DATE)], 304, None, None, b""),
        ];
        for (request, status, length, range, body) in table {
            let answer = object.answer(&headers(request), at(1));
            let field = |name| {
                answer
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().expect("is text").to_owned())
            };
            assert_eq!(answer.status(), *status, "{request:?}");
            assert_eq!(field("content-length").as_deref(), *length, "{request:?}");
            assert_eq!(field("content-range").as_deref(), *range, "{request:?}");
            assert_eq!(
                field("content-type").is_some(),
                matches!(status, 200 | 206),
                "{request:?}"
            );
            assert_eq!(
                (field("etag").as_deref(), field("age").as_deref()),
                (Some("\"x\""), Some("1"))
            );
            assert_eq!(
                answer.body().size_hint().exact(),
                Some(body.len() as u64),
                "{request:?}"
            );
            assert_eq!(answer.body().is_end_stream(), body.is_empty(), "{request:?}");
            assert_eq!(
                drain(&mut answer.into_body()),
                (body.to_vec(), Poll::Ready(Ok(()))),
                "{request:?}"
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However the body comes and whenever it is read, a range of it is that range of the plain slice.
        #[test]
        fn a_growing_body_reads_like_a_slice(
            frames in prop::collection::vec((0..90_000_usize, any::<bool>()), 1..8),
            start in 0..400_000_u64,
            length in 1..400_000_u64,
            own in any::<bool>(),
        ) {
            let body = bytes(frames.iter().map(|(frame, _)| frame).sum());
            let said = body.len().to_string();
            let mut request = HeaderMap::new();
            let field = format!("bytes={start}-{}", start + length - 1);
            request.insert(RANGE, field.parse().expect("is a field value"));
            let store = store();
            let mut writer = fill(lead(&store, "/a", &[], at(0)), &[FRESH, ("content-length", &said)], at(0));
            let answer = if own {
                writer.answer(&request, at(0))
            } else {
                crate::content::tests::streamed(&store, "/a", &request)
            };
            let (from, to) = ((start as usize).min(body.len()), ((start + length) as usize).min(body.len()));
            let expected = &body[from..to];
            prop_assert_eq!(answer.status(), if expected.is_empty() { 416 } else { 206 });
            let mut reader = answer.into_body();
            let (mut read, mut rest, mut done) = (Vec::new(), body.as_slice(), false);
            for (frame, reads) in frames {
                let (frame, left) = rest.split_at(frame);
                writer.push(frame, at(0)).expect("is as announced");
                rest = left;
                if reads && !done {
                    let (piece, state) = drain(&mut reader);
                    read.extend_from_slice(&piece);
                    done = state.is_ready();
                }
            }
            prop_assert!(writer.finish(at(0)).is_some());
            let (piece, state) = drain(&mut reader);
            read.extend_from_slice(&piece);
            prop_assert_eq!(state, Poll::Ready(Ok(())));
            prop_assert_eq!(read.as_slice(), expected);
        }
    }
}
