//! Conditional requests (RFC 9110 §13) that a stored object can answer: is the visitor's copy still good, and does its
//! range belong to this representation?

use http::{
    HeaderMap,
    header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED},
};

use super::head::text;

/// Whether 304 is the answer: the visitor has what `head` describes.
pub(super) fn not_modified(request: &HeaderMap, head: &HeaderMap) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        // If-Modified-Since does not count beside it (§13.1.3).
        let own = text(head, &ETAG).map(weak);
        return request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|field| field.to_str().ok())
            .any(|field| field.trim() == "*" || tags(field).any(|tag| Some(weak(tag)) == own));
    }
    let time = |headers, name| text(headers, name).and_then(|date| httpdate::parse_http_date(date).ok());
    match (time(request, &IF_MODIFIED_SINCE), time(head, &LAST_MODIFIED)) {
        (Some(since), Some(modified)) => modified <= since,
        _ => false,
    }
}

/// Whether a range may be cut from what `head` describes: no `If-Range`, or one that names exactly it (§13.1.5).
pub(super) fn range_holds(request: &HeaderMap, head: &HeaderMap) -> bool {
    if !request.contains_key(IF_RANGE) {
        return true;
    }
    let Some(field) = text(request, &IF_RANGE).map(str::trim) else {
        return false;
    };
    if field.starts_with('"') {
        return text(head, &ETAG) == Some(field);
    }
    // A weak tag never holds; a date only if it is the very same.
    !field.starts_with("W/") && text(head, &LAST_MODIFIED) == Some(field)
}

/// A tag without its mark of weakness.
fn weak(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The tags of a list; a comma within quotes parts nothing.
fn tags(field: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    field
        .split(move |letter| {
            quoted ^= letter == '"';
            letter == ',' && !quoted
        })
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tests::{Fields, headers};

    const OLD: &str = "Fri, 15 Jan 2010 08:00:00 GMT";
    const NEW: &str = "Fri, 15 Jan 2027 08:00:00 GMT";

    #[test]
    fn a_copy_is_good_by_tag_or_else_by_date() {
        let head = headers(&[("etag", "\"a,b\""), ("last-modified", OLD)]);
        let table: &[(Fields<'_>, bool)] = &[
            (&[], false),
            (&[("if-none-match", "\"a,b\"")], true),
            (&[("if-none-match", "W/\"a,b\"")], true),
            (&[("if-none-match", "\"x\", \"a,b\" , \"y\"")], true),
            (&[("if-none-match", "\"x\""), ("if-none-match", "\"a,b\"")], true),
            (&[("if-none-match", "*")], true),
            (&[("if-none-match", "\"a\", \"b\"")], false),
            (&[("if-none-match", "")], false),
            (&[("if-none-match", "\"x\""), ("if-modified-since", NEW)], false),
            (&[("if-modified-since", NEW)], true),
            (&[("if-modified-since", OLD)], true),
            (&[("if-modified-since", "yesterday")], false),
        ];
        for (request, expected) in table {
            assert_eq!(not_modified(&headers(request), &head), *expected, "{request:?}");
        }
        assert!(not_modified(
            &headers(&[("if-none-match", "\"x\"")]),
            &headers(&[("etag", "W/\"x\"")])
        ));
        assert!(!not_modified(
            &headers(&[("if-none-match", "\"x\"")]),
            &HeaderMap::new()
        ));
        assert!(!not_modified(
            &headers(&[("if-modified-since", OLD)]),
            &headers(&[("last-modified", NEW)])
        ));
    }

    #[test]
    fn a_range_belongs_to_one_representation() {
        let head = headers(&[("etag", "\"a\""), ("last-modified", OLD)]);
        for (field, expected) in [
            ("\"a\"", true),
            ("\"b\"", false),
            ("W/\"a\"", false),
            (OLD, true),
            (NEW, false),
            ("", false),
        ] {
            assert_eq!(
                range_holds(&headers(&[("if-range", field)]), &head),
                expected,
                "{field}"
            );
        }
        assert!(range_holds(&HeaderMap::new(), &head));
        let weak = headers(&[("etag", "W/\"a\"")]);
        assert!(!range_holds(&headers(&[("if-range", "W/\"a\"")]), &weak));
    }
}
