//! Kinds of content by their media type: what visitors may carry, and what has no end.

use http::{
    HeaderMap,
    header::{CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE},
};

use super::head;

/// Whether visitors may carry an object of this kind: not what the browser reads as text, and would wait for.
pub(super) fn is_carriable(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_ENCODING) {
        return false;
    }
    if head::text(headers, &CONTENT_DISPOSITION)
        .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("attachment"))
    {
        return true;
    }
    let Some(essence) = essence(headers) else {
        return false;
    };
    if MEDIA.iter().any(|kind| essence.starts_with(kind)) {
        return true;
    }
    let structured = essence.ends_with("+json") || essence.ends_with("+xml");
    essence.starts_with("application/") && !structured && !READ.contains(&essence.as_str())
}

/// Whether the type is media, which no sane origin makes differ by cookie without saying so.
pub(super) fn is_media(headers: &HeaderMap) -> bool {
    essence(headers).is_some_and(|essence| MEDIA.iter().any(|kind| essence.starts_with(kind)))
}

/// Whether the body is not one thing to be had whole: it never ends, or replaces itself.
pub(super) fn is_endless(headers: &HeaderMap) -> bool {
    essence(headers).is_some_and(|essence| ENDLESS.contains(&essence.as_str()))
}

fn essence(headers: &HeaderMap) -> Option<String> {
    let text = head::text(headers, &CONTENT_TYPE)?;
    let essence = text.split(';').next().unwrap_or_default().trim();
    (!essence.is_empty()).then(|| essence.to_ascii_lowercase())
}

const ENDLESS: [&str; 2] = ["text/event-stream", "multipart/x-mixed-replace"];
const MEDIA: [&str; 4] = ["image/", "video/", "audio/", "font/"];
/// Of `application/…`, what a page reads and waits for.
const READ: [&str; 5] = [
    "application/javascript",
    "application/ecmascript",
    "application/x-javascript",
    "application/json",
    "application/xml",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tests::headers;

    #[test]
    fn media_and_downloads_are_carried_and_text_is_not() {
        for (kind, carried) in [
            ("image/jpeg", true),
            ("image/svg+xml", true),
            ("Video/MP4; codecs=\"avc1\"", true),
            ("font/woff2", true),
            ("application/pdf", true),
            ("application/zip", true),
            ("application/octet-stream", true),
            ("text/html; charset=utf-8", false),
            ("text/css", false),
            ("text/javascript", false),
            ("application/json", false),
            ("application/xhtml+xml", false),
            ("application/ld+json", false),
            ("", false),
        ] {
            assert_eq!(
                is_carriable(&headers(&[("content-type", kind)])),
                carried,
                "{kind}"
            );
        }
        let attached = ("content-disposition", "Attachment; filename=a.csv");
        assert!(is_carriable(&headers(&[("content-type", "text/csv"), attached])));
        assert!(!is_carriable(&headers(&[
            ("content-type", "image/png"),
            ("content-encoding", "gzip")
        ])));
        assert!(!is_carriable(&headers(&[])));
    }
}
