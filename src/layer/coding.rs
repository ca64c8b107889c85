//! Content codings of a hot page: undone before the script goes in, and done again for the visitor, so that the crowd's
//! pages do not weigh more than the calm ones. tower-http does both.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use tower::{ServiceExt, service_fn};
use tower_http::{CompressionLevel, compression::Compression, decompression::Decompression};

/// The response without a content coding that we understand; another one stays.
pub(super) async fn decoded(response: Response<Body>) -> Response<Body> {
    if !response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let service = Decompression::new(service_fn(once(response)));
    match service.oneshot(Request::new(Body::empty())).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// The response in the coding that the visitor likes best, if it is of a kind that gains by it, as small as `quality` has it.
pub(super) async fn encoded(
    response: Response<Body>,
    visitor: &HeaderMap,
    quality: CompressionLevel,
) -> Response<Body> {
    let mut request = Request::new(Body::empty());
    if let Some(accepted) = visitor.get(header::ACCEPT_ENCODING) {
        request
            .headers_mut()
            .insert(header::ACCEPT_ENCODING, accepted.clone());
    }
    match Compression::new(service_fn(once(response)))
        .quality(quality)
        .oneshot(request)
        .await
    {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// A handler that has one response to give. Oneshot calls it once.
fn once(response: Response<Body>) -> impl FnMut(Request<Body>) -> Ready<Result<Response<Body>, Infallible>> {
    let mut response = Some(response);
    move |_| {
        ready(Ok(response
            .take()
            .unwrap_or_else(|| Response::new(Body::from(Bytes::new())))))
    }
}
