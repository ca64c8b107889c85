//! The client's files: built from `client/`, committed, and part of the binary. Compressed once, not per visitor.

use std::{
    sync::{LazyLock, Once, OnceLock},
    thread,
};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use sha2::{Digest as _, Sha256};
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

/// Compresses what every visitor of a crowd will ask for ahead of the first, once in a process and beside it: the best
/// quality takes a tenth of a second.
pub(crate) fn prepare() {
    static BEGUN: Once = Once::new();
    BEGUN.call_once(|| {
        let work = || ASSETS.iter().for_each(|asset| drop(asset.coded_as("br")));
        // Without a thread the first visitor waits for it.
        let _ = thread::Builder::new()
            .name("flashback-scripts".to_owned())
            .spawn(work);
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
    /// None where it could not be compressed.
    brotli: OnceLock<Option<Bytes>>,
    gzip: OnceLock<Option<Bytes>>,
}

impl Asset {
    pub(super) const fn script(name: &'static str, plain: Bytes) -> Self {
        Self {
            name,
            plain,
            worker: false,
            brotli: OnceLock::new(),
            gzip: OnceLock::new(),
        }
    }

    const fn worker(mut self) -> Self {
        self.worker = true;
        self
    }

    /// The file; to be kept for ever, if the request's query names this `version`.
    pub(super) fn answer(&self, version: &str, query: Option<&str>, visitor: &HeaderMap) -> Response<Body> {
        let (body, coding) = self.coded(visitor);
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
    fn coded(&self, visitor: &HeaderMap) -> (Bytes, Option<&'static str>) {
        // Browsers list plain tokens; a client that weighs them with `q=0` gets the file as it is.
        let accepts = |coding: &&str| {
            visitor
                .get_all(header::ACCEPT_ENCODING)
                .iter()
                .filter_map(|field| field.to_str().ok())
                .any(|field| field.split(',').any(|token| token.trim() == *coding))
        };
        ["br", "gzip"]
            .into_iter()
            .find(accepts)
            .and_then(|coding| Some((self.coded_as(coding)?, Some(coding))))
            .unwrap_or_else(|| (self.plain.clone(), None))
    }

    fn coded_as(&self, coding: &'static str) -> Option<Bytes> {
        let cell = if coding == "br" { &self.brotli } else { &self.gzip };
        cell.get_or_init(|| compressed(&self.plain, coding)).clone()
    }
}

/// A script in a coding, as small as it gets. All of it is at hand, so that there is nothing to wait for.
fn compressed(plain: &Bytes, coding: &'static str) -> Option<Bytes> {
    let mut wanted = HeaderMap::new();
    wanted.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
    let mut response = Response::new(Body::from(plain.clone()));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript"));
    let work = async {
        let coded = coding::encoded(response, &wanted, CompressionLevel::Best).await;
        to_bytes(coded.into_body(), plain.len() + 1024).await
    };
    work.now_or_never()?.ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_compressed_as_small_as_they_get() {
        let client = find("client.js").expect("is ours");
        let [brotli, gzip] = ["br", "gzip"].map(|coding| client.coded_as(coding).expect("is compressed"));
        // At tower-http's own quality brotli is above gzip's best.
        assert!(
            brotli.len() * 100 < gzip.len() * 95,
            "{} and {} bytes",
            brotli.len(),
            gzip.len()
        );
    }

    #[test]
    fn a_visitor_gets_the_coding_that_it_takes() {
        let client = find("client.js").expect("is ours");
        for (accepts, coding) in [
            ("gzip, deflate, br", Some("br")),
            ("gzip", Some("gzip")),
            ("br;q=0, zstd", None),
        ] {
            let mut visitor = HeaderMap::new();
            visitor.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepts));
            assert_eq!(client.coded(&visitor).1, coding, "{accepts}");
        }
    }
}
