//! A file as it is served: its representations, identity first, each with the headers of a full answer. Made once.

use std::{
    io::{Read, Write},
    time::{Duration, SystemTime},
};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, header},
};
use flate2::{Compression, write::GzEncoder};
use headers::{AcceptRanges, CacheControl, ETag, HeaderMapExt, LastModified};
use sha2::{Digest, Sha256};

use crate::file::{File, Kind};

/// A file and its representations.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) file: &'static File,
    /// In order of preference; the last one is the file itself.
    representations: Vec<Representation>,
}

/// One content coding of a file. Its entity tag is a digest and differs from that of the other codings, as a strong
/// validator must (RFC 9110, 8.8.3.3).
#[derive(Debug)]
pub(crate) struct Representation {
    coding: Option<&'static str>,
    pub(crate) body: Bytes,
    pub(crate) etag: ETag,
    pub(crate) headers: HeaderMap,
}

impl Served {
    pub(crate) fn new(file: &'static File) -> Self {
        let mut representations = Vec::new();
        if file.kind.is_text() {
            representations.push(Representation::new(file, Some("br"), brotli(file.bytes)));
            representations.push(Representation::new(file, Some("gzip"), gzip(file.bytes)));
        }
        representations.push(Representation::new(file, None, Bytes::from_static(file.bytes)));
        Self {
            file,
            representations,
        }
    }

    /// The representation that suits the visitor best.
    pub(crate) fn choose(&self, asked: &HeaderMap) -> &Representation {
        let accepted = asked
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        self.representations
            .iter()
            .find(|one| one.coding.is_none_or(|coding| accepts(accepted, coding)))
            .expect("the identity is last and suits everyone")
    }
}

impl Representation {
    fn new(file: &File, coding: Option<&'static str>, body: Bytes) -> Self {
        let etag = etag(file.bytes, coding);
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(file.kind.media_type()),
        );
        headers.typed_insert(
            CacheControl::new()
                .with_public()
                .with_max_age(file.kind.max_age()),
        );
        headers.typed_insert(etag.clone());
        headers.typed_insert(LastModified::from(published()));
        headers.typed_insert(AcceptRanges::bytes());
        if file.kind.is_text() {
            headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        if file.kind == Kind::Archive {
            headers.insert(
                header::CONTENT_DISPOSITION,
                HeaderValue::from_static("attachment"),
            );
        }
        Self {
            coding,
            body,
            etag,
            headers,
        }
    }
}

/// When this issue came out. A constant: a file's time would be that of the build.
pub(crate) fn published() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_344_800) // 2026-03-01T06:00:00Z
}

/// The first 16 bytes of SHA-256, and the coding.
fn etag(bytes: &[u8], coding: Option<&str>) -> ETag {
    let digest = Sha256::digest(bytes);
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let suffix = coding.map(|coding| format!("-{coding}")).unwrap_or_default();
    format!("\"{hex}{suffix}\"")
        .parse()
        .expect("hexadecimal digits and a coding are an entity tag")
}

/// Whether an `Accept-Encoding` names the coding with a weight other than 0.
fn accepts(header: &str, coding: &str) -> bool {
    header.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let weight = parts
            .find_map(|part| part.strip_prefix("q="))
            .map_or(1.0, |q| q.parse().unwrap_or(0.0));
        named && weight > 0.0
    })
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a vector takes every byte");
    encoder.finish().expect("a vector takes every byte").into()
}

fn brotli(bytes: &[u8]) -> Bytes {
    let mut out = Vec::new();
    brotli::CompressorReader::new(bytes, 4096, 11, 22)
        .read_to_end(&mut out)
        .expect("a slice gives every byte");
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_of_zero_refuses() {
        for (header, expected) in [
            ("br", true),
            ("gzip, deflate, br;q=0.5", true),
            ("BR ; q=1", true),
            ("br;q=0", false),
            ("br;q=0.000, gzip", false),
            ("gzip", false),
            ("", false),
            ("xbr", false),
        ] {
            assert_eq!(accepts(header, "br"), expected, "{header}");
        }
    }
}
