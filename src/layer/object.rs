//! A request for an object of a hot page.

use std::sync::Arc;

use axum::BoxError;
use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use super::{
    carrier::{Carrier, Part},
    fetch::{Asked, Fetched, fetch},
    future::HotResponse,
};
use crate::content::{Encoding, Reference};

/// Serves it: the origin is asked once, however many ask us.
pub(super) async fn serve<S, B, RB>(
    carrier: Arc<Carrier>,
    mut inner: S,
    request: Request<B>,
    part: Part,
) -> Result<HotResponse<RB>, S::Error>
where
    S: Service<Request<B>, Response = Response<RB>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    // A visitor that takes no coding that we know, and refuses the plain object, is the origin's.
    let Some(encoding) = Encoding::preferred(request.headers()) else {
        return inner.call(request).await.map(HotResponse::Passed);
    };
    let (parts, body) = request.into_parts();
    let Part { page, host } = part;
    let asked = Asked::new(parts, body, &host, encoding, page);
    asked
        .page
        .page()
        .refer(&asked.key.path_and_query, Reference::Followed);
    Ok(match fetch(&carrier, inner, asked).await? {
        Fetched::Ours(response) => HotResponse::Ours(response),
        Fetched::Passed(response) => HotResponse::Passed(response),
    })
}
