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
