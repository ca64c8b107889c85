//! The client's files: built from `client/`, committed, and part of the binary. Compressed once, not per visitor.

use std::sync::LazyLock;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use super::{coding, reserved};

/// Names this build of the client in URLs, so that a browser may keep it for ever.
pub(super) fn version() -> &'static str {
    &VERSION
}

/// Where a page finds the script.
pub(super) fn client_url() -> String {
    format!("{}client.js?v={}", reserved::PREFIX, version())
}

/// The file of this name, if it is one of ours.
pub(super) async fn answer(name: &str, query: Option<&str>, visitor: &HeaderMap) -> Option<Response<Body>> {
    let asset = ASSETS.iter().find(|asset| asset.name == name)?;
    let (body, coding) = asset.coded(visitor).await;
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/javascript; charset=utf-8"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    let named = query.and_then(|query| query.strip_prefix("v=")) == Some(version());
    let lifetime = if named && !asset.worker {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lifetime));
    if asset.worker {
        // The worker lies under the prefix but has to answer for the whole site.
        headers.insert(
            HeaderName::from_static("service-worker-allowed"),
            HeaderValue::from_static("/"),
        );
    }
    Some(response)
}

/// One file in its codings.
struct Asset {
    name: &'static str,
    plain: &'static [u8],
    worker: bool,
    brotli: OnceCell<Bytes>,
    gzip: OnceCell<Bytes>,
}

impl Asset {
    const fn new(name: &'static str, plain: &'static [u8], worker: bool) -> Self {
        Self {
            name,
            plain,
            worker,
            brotli: OnceCell::const_new(),
            gzip: OnceCell::const_new(),
        }
    }

    /// The file as this visitor takes it, and the coding's name.
    async fn coded(&self, visitor: &HeaderMap) -> (Bytes, Option<&'static str>) {
        // Browsers list plain tokens; a client that weighs them with `q=0` gets the file as it is.
        let accepts = |coding: &str| {
            visitor
                .get_all(header::ACCEPT_ENCODING)
                .iter()
                .filter_map(|field| field.to_str().ok())
                .any(|field| field.split(',').any(|token| token.trim() == coding))
        };
        let (name, cell) = match () {
            () if accepts("br") => ("br", &self.brotli),
            () if accepts("gzip") => ("gzip", &self.gzip),
            () => return (Bytes::from_static(self.plain), None),
        };
        match cell.get_or_try_init(|| self.compressed(name)).await {
            Ok(bytes) => (bytes.clone(), Some(name)),
            Err(_) => (Bytes::from_static(self.plain), None),
        }
    }

    async fn compressed(&self, coding: &'static str) -> Result<Bytes, axum::Error> {
        let mut wanted = HeaderMap::new();
        wanted.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
        let mut response = Response::new(Body::from(self.plain));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript"));
        to_bytes(
            coding::encoded(response, &wanted).await.into_body(),
            self.plain.len() + 1024,
        )
        .await
    }
}

static ASSETS: [Asset; 3] = [
    Asset::new("client.js", include_bytes!("../../client/dist/client.js"), false),
    Asset::new("sw.js", include_bytes!("../../client/dist/sw.js"), true),
    Asset::new("panel.js", include_bytes!("../../client/dist/panel.js"), false),
];

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    ASSETS.iter().for_each(|asset| hash.update(asset.plain));
    hash.finalize()
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
});
