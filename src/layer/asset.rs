//! The client's files: built from `client/`, committed, and part of the binary. Compressed once, not per visitor.

use std::sync::LazyLock;

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use sha2::{Digest as _, Sha256};
use tokio::{runtime::Handle, sync::OnceCell, task::spawn_blocking};
use tower_http::CompressionLevel;

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
pub(super) fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

/// Compresses what every visitor of a crowd will ask for, ahead of the first: the best quality takes its time.
pub(crate) fn prepare(runtime: &Handle) {
    runtime.spawn(async {
        for asset in &ASSETS {
            let _ = asset
                .brotli
                .get_or_try_init(|| compressed(asset.plain.clone(), "br"))
                .await;
        }
    });
}

/// The start of the files' digest, in hexadecimal: names a build in URLs.
pub(super) fn digest<'a>(files: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    files.for_each(|file| hash.update(file));
    hash.finalize()
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// One file in its codings.
#[derive(Debug)]
pub(super) struct Asset {
    name: &'static str,
    pub(super) plain: Bytes,
    worker: bool,
    brotli: OnceCell<Bytes>,
    gzip: OnceCell<Bytes>,
}

impl Asset {
    pub(super) const fn script(name: &'static str, plain: Bytes) -> Self {
        Self {
            name,
            plain,
            worker: false,
            brotli: OnceCell::const_new(),
            gzip: OnceCell::const_new(),
        }
    }

    const fn worker(mut self) -> Self {
        self.worker = true;
        self
    }

    /// The file; to be kept for ever, if the request's query names this `version`.
    pub(super) async fn answer(
        &self,
        version: &str,
        query: Option<&str>,
        visitor: &HeaderMap,
    ) -> Response<Body> {
        let (body, coding) = self.coded(visitor).await;
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
        let named = query.and_then(|query| query.strip_prefix("v=")) == Some(version);
        let lifetime = if named && !self.worker {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(lifetime));
        if self.worker {
            // The worker lies under the prefix but has to answer for the whole site.
            headers.insert(
                HeaderName::from_static("service-worker-allowed"),
                HeaderValue::from_static("/"),
            );
        }
        response
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
            () => return (self.plain.clone(), None),
        };
        match cell
            .get_or_try_init(|| compressed(self.plain.clone(), name))
            .await
        {
            Ok(bytes) => (bytes.clone(), Some(name)),
            Err(_) => (self.plain.clone(), None),
        }
    }
}

/// A script in a coding, as small as it gets. The processor's work is done beside the runtime's own threads, which have
/// visitors to answer.
async fn compressed(plain: Bytes, coding: &'static str) -> Result<Bytes, axum::Error> {
    let runtime = Handle::current();
    let work = move || {
        runtime.block_on(async {
            let limit = plain.len() + 1024;
            let mut wanted = HeaderMap::new();
            wanted.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
            let mut response = Response::new(Body::from(plain));
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript"));
            let coded = coding::encoded(response, &wanted, CompressionLevel::Best).await;
            to_bytes(coded.into_body(), limit).await
        })
    };
    spawn_blocking(work).await.map_err(axum::Error::new)?
}

static ASSETS: [Asset; 3] = [
    Asset::script(
        "client.js",
        Bytes::from_static(include_bytes!("../../client/dist/client.js")),
    ),
    Asset::script(
        "sw.js",
        Bytes::from_static(include_bytes!("../../client/dist/sw.js")),
    )
    .worker(),
    Asset::script(
        "panel.js",
        Bytes::from_static(include_bytes!("../../client/dist/panel.js")),
    ),
];

static VERSION: LazyLock<String> = LazyLock::new(|| digest(ASSETS.iter().map(|asset| &asset.plain[..])));
