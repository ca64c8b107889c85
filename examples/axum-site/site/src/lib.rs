//! The example site of tower-flashback: *Isoline*, a small quarterly of computed pictures, as one axum router. It
//! knows nothing of crowds: the example `axum-site` puts the layer in front of it, and `flashback demo` does the same.
//!
//! Everything is embedded. Pages, pictures, a film, a typeface and a download are served as a careful site serves
//! them: strong entity tags, explicit freshness, byte ranges, conditional requests, gzip and brotli for text.
//!
//! ```
//! # fn main() {
//! let app: axum::Router = flashback_example_site::site();
//! # }
//! ```

mod answer;
mod file;
mod range;
mod served;

use std::sync::LazyLock;

use axum::{
    Router,
    http::{HeaderMap, Method, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};

pub use file::{FILES, File, Kind};
use served::Served;

/// The site, bare: no state, no layer.
pub fn site() -> Router {
    SERVED
        .iter()
        .fold(Router::new(), |router, served| {
            router.route(
                served.file.path,
                get(move |method: Method, asked: HeaderMap| async move {
                    answer::answer(served, &method, &asked)
                }),
            )
        })
        .fallback(not_found)
}

async fn not_found() -> Response {
    let headers = [(header::CACHE_CONTROL, "no-store")];
    (StatusCode::NOT_FOUND, headers, Html(NOT_FOUND)).into_response()
}

const NOT_FOUND: &str = include_str!("../pages/not-found.html");

/// Digests and compressed forms are made once for all routers of a process: the benchmarks build several.
static SERVED: LazyLock<Vec<Served>> = LazyLock::new(|| FILES.iter().map(Served::new).collect());
