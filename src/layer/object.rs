//! A request for an object of a hot page.

use std::sync::Arc;

use axum::{BoxError, body::Body};
use bytes::Bytes;
use http::{Request, Response};
use tower::Service;

use super::{
    carrier::{Carrier, Part},
    count::{Source, counted},
    fetch::{Asked, fetch},
};
use crate::content::{Encoding, Reference};

/// Serves it: the origin is asked once, however many ask us.
pub(super) async fn serve<S, B, RB>(
    carrier: Arc<Carrier>,
    mut inner: S,
    request: Request<B>,
    part: Part,
) -> Result<Response<Body>, S::Error>
where
    S: Service<Request<B>, Response = Response<RB>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
    B: Send + 'static,
    RB: http_body::Body<Data = Bytes> + Send + 'static,
    RB::Error: Into<BoxError>,
{
    let Part { page, host } = part;
    // A visitor that takes no coding that we know, and refuses the plain object, is the origin's.
    let Some(encoding) = Encoding::preferred(request.headers()) else {
        let response = inner.call(request).await?.map(Body::new);
        return Ok(counted(response, Source::Origin, &carrier, Some(&page)));
    };
    let (parts, body) = request.into_parts();
    let asked = Asked::new(parts, body, &host, encoding, Arc::clone(&page));
    page.page().refer(&asked.key.path_and_query, Reference::Followed);
    let fetched = fetch(&carrier, inner, asked).await?;
    if let Some(reason) = fetched.unshared {
        carrier.tally.passed(reason.as_str());
    }
    Ok(counted(fetched.response, fetched.source, &carrier, Some(&page)))
}
