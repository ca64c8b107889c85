//! The answer to a GET or HEAD: preconditions in the order of RFC 9110, 13.2.2, then the range, then the body.

use axum::{
    body::Body,
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use headers::{
    ContentRange, HeaderMapExt, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    LastModified,
};

use crate::{
    range::{self, Asked},
    served::{Representation, Served, published},
};

pub(crate) fn answer(served: &'static Served, method: &Method, asked: &HeaderMap) -> Response {
    let representation = served.choose(asked);
    if let Some(status) = refused(representation, asked) {
        let mut headers = representation.headers.clone();
        for name in [
            header::CONTENT_TYPE,
            header::CONTENT_ENCODING,
            header::CONTENT_DISPOSITION,
        ] {
            headers.remove(name);
        }
        return (status, headers).into_response();
    }
    match part(representation, method, asked) {
        Asked::Whole => full(representation),
        Asked::Part(range) => partial(representation, range),
        Asked::Unsatisfiable => unsatisfiable(representation),
    }
}

/// 412 or 304, where a precondition says so.
fn refused(representation: &Representation, asked: &HeaderMap) -> Option<StatusCode> {
    let changed = match (
        asked.typed_get::<IfMatch>(),
        asked.typed_get::<IfUnmodifiedSince>(),
    ) {
        (Some(tags), _) => !tags.precondition_passes(&representation.etag),
        (None, Some(date)) => !date.precondition_passes(published()),
        (None, None) => false,
    };
    let known = match (
        asked.typed_get::<IfNoneMatch>(),
        asked.typed_get::<IfModifiedSince>(),
    ) {
        (Some(tags), _) => !tags.precondition_passes(&representation.etag),
        (None, Some(date)) => !date.is_modified(published()),
        (None, None) => false,
    };
    if changed {
        Some(StatusCode::PRECONDITION_FAILED)
    } else {
        known.then_some(StatusCode::NOT_MODIFIED)
    }
}

/// What of the representation is asked for. Ranges are for GET alone, and only of the version that `If-Range` knows.
fn part(representation: &Representation, method: &Method, asked: &HeaderMap) -> Asked {
    let outdated = asked.typed_get::<IfRange>().is_some_and(|condition| {
        condition.is_modified(Some(&representation.etag), Some(&LastModified::from(published())))
    });
    match asked.get(header::RANGE).and_then(|value| value.to_str().ok()) {
        Some(header) if method == Method::GET && !outdated => range::parse(header, representation.body.len()),
        _ => Asked::Whole,
    }
}

fn full(representation: &Representation) -> Response {
    (
        representation.headers.clone(),
        Body::from(representation.body.clone()),
    )
        .into_response()
}

fn partial(representation: &Representation, range: std::ops::Range<usize>) -> Response {
    let mut headers = representation.headers.clone();
    let length = representation.body.len() as u64;
    let content_range = ContentRange::bytes(range.start as u64..range.end as u64, length);
    headers.typed_insert(content_range.expect("the range was cut to the body"));
    let body = Body::from(representation.body.slice(range));
    (StatusCode::PARTIAL_CONTENT, headers, body).into_response()
}

fn unsatisfiable(representation: &Representation) -> Response {
    let mut headers = HeaderMap::new();
    headers.typed_insert(ContentRange::unsatisfied_bytes(representation.body.len() as u64));
    (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response()
}
