//! Header fields of messages that are stored: which of them belong to the connection only, and reading them as text.

use http::{
    HeaderMap, HeaderName,
    header::{CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

/// The fields that outlive the connection (RFC 9110 §7.6.1), those named by `Connection` removed too.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    for field in headers.get_all(CONNECTION) {
        for name in field.to_str().unwrap_or_default().split(',') {
            if let Ok(name) = name.trim().parse::<HeaderName>() {
                kept.remove(name);
            }
        }
    }
    for name in HOP_BY_HOP {
        kept.remove(name);
    }
    for name in HOP_BY_HOP_UNNAMED {
        kept.remove(*name);
    }
    kept
}

/// The field's first value, if it is readable text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Bytes of memory that the fields take, roughly: names, values and their places in the map.
pub(super) fn size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD)
        .sum()
}

const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];
/// Those that `http` has no name for.
const HOP_BY_HOP_UNNAMED: &[&str] = &["keep-alive", "proxy-connection", "proxy-authentication-info"];
/// A bucket of `HeaderMap`.
const FIELD: usize = 104;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_goes_with_it() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("connection", "bad name, x-other"),
            ("x-hop", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("etag", "\"x\""),
            ("link", "</a>"),
            ("link", "</b>"),
        ] {
            headers.append(name, value.parse().expect("is a field value"));
        }
        let kept = end_to_end(&headers);
        let names: Vec<_> = kept.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["etag", "link", "link"]);
    }
}
