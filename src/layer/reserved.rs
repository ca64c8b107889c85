//! The endpoints under the reserved prefix: the client's files, the door to the broker, and the way out to verified
//! bytes. They answer only from memory; the inner service never sees them.

use std::{sync::Arc, time::SystemTime};

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use metrics::counter;

use super::{
    asset::{self, Asset},
    carrier::Carrier,
    count::{Source, counted},
    notice,
    pages::HotPage,
};
use crate::{
    content::{Digest, Object},
    telemetry::metric,
};

/// The one prefix that a site gives up.
pub const PREFIX: &str = "/.flashback/";

/// Whether the path is one of ours.
pub(super) fn owns(path: &str) -> bool {
    path.starts_with(PREFIX)
}

/// Answers a request under [`PREFIX`].
pub(super) async fn answer(carrier: Arc<Carrier>, parts: Parts) -> Response<Body> {
    let path = parts.uri.path().to_owned();
    let name = path.strip_prefix(PREFIX).unwrap_or_default();
    // In HTTP/2 a WebSocket is asked for by CONNECT (RFC 8441); what else it may ask for is the broker's to refuse.
    let connects = parts.method == Method::CONNECT && name == "signal";
    if parts.method != Method::GET && parts.method != Method::HEAD && !connects {
        let mut refusal = status(StatusCode::METHOD_NOT_ALLOWED);
        refusal
            .headers_mut()
            .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    match name.split_once('/') {
        None if name == "live" => live(&carrier),
        None if name == "signal" => signal(&carrier, parts).await,
        None => match file(&carrier, name) {
            // Part of what a crowd costs, whichever of its pages the browser came from.
            Some((asset, version)) => {
                let answer = asset.answer(version, parts.uri.query(), &parts.headers);
                counted(answer, Source::Store, &carrier, None)
            }
            None => not_found(),
        },
        Some(("object", digest)) => object(&carrier, digest, &parts.headers),
        Some(("digests", digest)) => digests(&carrier, digest),
        Some(_) => not_found(),
    }
}

/// A file of the client, and what names its build.
fn file<'a>(carrier: &'a Carrier, name: &str) -> Option<(&'a Asset, &'a str)> {
    if let Some(notice) = carrier.notice.as_ref().filter(|_| name == notice::NAME) {
        return Some((notice.asset(), notice.version()));
    }
    Some((asset::find(name)?, asset::version()))
}

/// Asked by a worker that no page has greeted: is there still anything for it to do?
fn live(carrier: &Carrier) -> Response<Body> {
    uncached(status(if carrier.pages.any() {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }))
}

async fn signal(carrier: &Carrier, parts: Parts) -> Response<Body> {
    let visitor = carrier.visitor(&parts.extensions);
    carrier
        .introducer
        .upgrade(Request::from_parts(parts, Body::empty()), visitor)
        .await
}

/// An object by its digest. What is not in memory any more is asked of the origin under the object's own URL, by the
/// visitor; it is never fetched from here, or a stranger could make us fetch.
fn object(carrier: &Arc<Carrier>, digest: &str, headers: &HeaderMap) -> Response<Body> {
    let Some((object, page)) = listed(carrier, digest) else {
        return not_found();
    };
    if carrier.introducer.is_saturated() {
        return deferred();
    }
    counted(
        object.answer(headers, SystemTime::now()).map(Body::new),
        Source::Store,
        carrier,
        Some(&page),
    )
}

/// The digests of an object's chunks, where the manifest is too short for them.
fn digests(carrier: &Arc<Carrier>, digest: &str) -> Response<Body> {
    let Some((object, page)) = listed(carrier, digest) else {
        return not_found();
    };
    let mut response = Response::new(Body::from(object.digests().list()));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    // Named by its own digest, so it can never change.
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    counted(response, Source::Store, carrier, Some(&page))
}

/// What is in memory and in the manifest of a hot page.
fn listed(carrier: &Carrier, digest: &str) -> Option<(Arc<Object>, Arc<HotPage>)> {
    let digest: Digest = digest.parse().ok()?;
    Some((carrier.store.by_digest(&digest)?, carrier.pages.holding(&digest)?))
}

/// Visitors that ask the origin when they are impatient would melt it down. Only the way out is deferred, never what a
/// browser asks for by itself.
fn deferred() -> Response<Body> {
    counter!(metric::SHED, "reason" => "saturated").increment(1);
    let mut response = uncached(status(StatusCode::SERVICE_UNAVAILABLE));
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

fn not_found() -> Response<Body> {
    uncached(status(StatusCode::NOT_FOUND))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn uncached(mut response: Response<Body>) -> Response<Body> {
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
