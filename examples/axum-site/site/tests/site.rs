//! The site's answers, by its public API.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, path::Path};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use flashback_example_site::{FILES, site};
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use tower::ServiceExt;

async fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Bytes) {
    let request = headers.iter().fold(
        Request::builder().method(method).uri(path),
        |request, (name, value)| request.header(*name, *value),
    );
    let response = site()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    (
        parts.status,
        parts.headers,
        body.collect().await.unwrap().to_bytes(),
    )
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map(|value| value.to_str().unwrap())
        .unwrap_or_default()
}

#[tokio::test]
async fn every_file_is_served_whole_with_strong_validators() {
    let mut tags = BTreeSet::new();
    for file in FILES {
        let (status, headers, body) = ask("GET", file.path, &[]).await;
        assert_eq!(status, StatusCode::OK, "{}", file.path);
        assert!(body == file.bytes, "{}", file.path);
        assert_eq!(text(&headers, "content-type"), file.kind.media_type());
        assert!(text(&headers, "cache-control").starts_with("public, max-age="));
        assert!(!text(&headers, "last-modified").is_empty());
        let tag = text(&headers, "etag").to_owned();
        assert!(tag.starts_with('"') && tags.insert(tag), "{}", file.path);
    }
}

#[tokio::test]
async fn a_head_tells_the_length_and_has_no_body() {
    for file in FILES {
        let (status, headers, body) = ask("HEAD", file.path, &[("range", "bytes=0-9")]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(text(&headers, "content-length"), file.bytes.len().to_string());
        assert!(body.is_empty());
    }
}

#[tokio::test]
async fn text_is_compressed_and_tagged_apart() {
    for file in FILES.iter().filter(|file| file.kind.is_text()) {
        let (_, plain, _) = ask("GET", file.path, &[]).await;
        let (_, gzip, body) = ask("GET", file.path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(
            (text(&gzip, "content-encoding"), text(&gzip, "vary")),
            ("gzip", "accept-encoding")
        );
        assert_eq!(
            std::io::read_to_string(GzDecoder::new(&body[..]))
                .unwrap()
                .as_bytes(),
            file.bytes
        );
        let (_, brotli, body) = ask("GET", file.path, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(text(&brotli, "content-encoding"), "br");
        let mut decoded = Vec::new();
        brotli::BrotliDecompress(&mut &body[..], &mut decoded).unwrap();
        assert_eq!(decoded, file.bytes);
        let tags = BTreeSet::from([&plain, &gzip, &brotli].map(|headers| text(headers, "etag").to_owned()));
        assert_eq!(tags.len(), 3);
    }
}

#[tokio::test]
async fn conditions_are_kept() {
    let path = "/pictures/agate.jpg";
    let (_, full, _) = ask("GET", path, &[]).await;
    let (tag, date) = (text(&full, "etag"), text(&full, "last-modified"));
    for (name, value, expected) in [
        ("if-none-match", tag, StatusCode::NOT_MODIFIED),
        ("if-none-match", "\"other\"", StatusCode::OK),
        ("if-modified-since", date, StatusCode::NOT_MODIFIED),
        (
            "if-modified-since",
            "Thu, 01 Jan 2026 00:00:00 GMT",
            StatusCode::OK,
        ),
        ("if-match", "\"other\"", StatusCode::PRECONDITION_FAILED),
        ("if-match", tag, StatusCode::OK),
        (
            "if-unmodified-since",
            "Thu, 01 Jan 2026 00:00:00 GMT",
            StatusCode::PRECONDITION_FAILED,
        ),
    ] {
        let (status, headers, body) = ask("GET", path, &[(name, value)]).await;
        assert_eq!(status, expected, "{name}: {value}");
        assert_eq!(text(&headers, "etag"), tag);
        assert_eq!(body.is_empty(), expected != StatusCode::OK);
    }
}

#[tokio::test]
async fn a_part_is_a_part_of_the_known_version_only() {
    let path = "/murmuration.webm";
    let film = FILES.iter().find(|file| file.path == path).unwrap().bytes;
    let (_, full, _) = ask("GET", path, &[]).await;
    let (status, headers, body) = ask(
        "GET",
        path,
        &[("range", "bytes=1000-1999"), ("if-range", text(&full, "etag"))],
    )
    .await;
    assert_eq!(status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        text(&headers, "content-range"),
        format!("bytes 1000-1999/{}", film.len())
    );
    assert!(body == film[1000..2000]);
    let (status, ..) = ask("GET", path, &[("range", "bytes=0-9"), ("if-range", "\"older\"")]).await;
    assert_eq!(status, StatusCode::OK);
    let (status, headers, _) = ask("GET", path, &[("range", "bytes=99999999-")]).await;
    assert_eq!(status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(text(&headers, "content-range"), format!("bytes */{}", film.len()));
}

#[tokio::test]
async fn elsewhere_is_nothing() {
    let (status, headers, _) = ask("GET", "/elsewhere", &[]).await;
    assert_eq!(
        (status, text(&headers, header::CACHE_CONTROL.as_str())),
        (StatusCode::NOT_FOUND, "no-store")
    );
    assert_eq!(ask("POST", "/", &[]).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

/// The written list and the folder say the same.
#[test]
fn no_file_is_forgotten() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("pages");
    let count = |folder: &Path| {
        folder
            .read_dir()
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().is_file())
            .count()
    };
    let unlisted = 1; // not-found.html
    assert_eq!(
        count(&pages) + count(&pages.join("pictures")),
        FILES.len() + unlisted
    );
}
