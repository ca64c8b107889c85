//! The directives of `Cache-Control` (RFC 9111 §5.2), read so that names in any case and commas in quotes count. It judges nothing.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::CACHE_CONTROL};

/// The directives of a message, names in lower case, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CacheControl(Vec<(String, Option<String>)>);

impl CacheControl {
    /// `None` if a field is not readable text: it may have said `private`.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut directives = Vec::new();
        for field in headers.get_all(CACHE_CONTROL) {
            let field = field.to_str().ok()?;
            directives.extend(split_outside_quotes(field).filter_map(directive));
        }
        Some(Self(directives))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The shortest time given, so that a contradiction errs on the fresh side; none if absent or no number.
    pub(super) fn seconds(&self, name: &str) -> Option<Duration> {
        let values = self.0.iter().filter(|(known, _)| known == name);
        values
            .filter_map(|(_, value)| value.as_deref()?.parse().ok())
            .min()
            .map(Duration::from_secs)
    }

    /// One field with names in lower case: `http-cache-semantics` compares names exactly, so that `Private` would be lost on it.
    pub(super) fn field(&self) -> Option<HeaderValue> {
        let directives = self.0.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => name.clone(),
        });
        let field = directives.collect::<Vec<_>>().join(", ");
        if field.is_empty() {
            None
        } else {
            HeaderValue::try_from(field).ok()
        }
    }
}

fn directive(text: &str) -> Option<(String, Option<String>)> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.trim().trim_matches('"').to_owned())),
        None => (text, None),
    };
    let name = name.trim().to_ascii_lowercase();
    (!name.is_empty()).then_some((name, value))
}

fn split_outside_quotes(field: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    field.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&'static str]) -> CacheControl {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(CACHE_CONTROL, HeaderValue::from_static(field));
        }
        CacheControl::of(&headers).expect("is readable")
    }

    #[test]
    fn names_count_in_any_case_and_over_several_fields() {
        let directives = read(&["Public, MAX-AGE=60", "stale-if-error=\"30\""]);
        assert!(directives.has("public"));
        assert_eq!(directives.seconds("max-age"), Some(Duration::from_secs(60)));
        assert_eq!(
            directives.seconds("stale-if-error"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(
            directives.field().expect("is not empty"),
            "public, max-age=60, stale-if-error=30"
        );
    }

    #[test]
    fn a_comma_in_quotes_parts_nothing() {
        let directives = read(&["private=\"x, no-store\", max-age=1"]);
        assert!(directives.has("private") && directives.has("max-age"));
        assert!(!directives.has("no-store"));
    }

    #[test]
    fn what_is_no_number_is_no_time() {
        let directives = read(&["max-age=soon, s-maxage, max-stale=-1"]);
        for name in ["max-age", "s-maxage", "max-stale"] {
            assert_eq!(directives.seconds(name), None, "{name}");
        }
    }

    #[test]
    fn unreadable_text_is_not_taken_for_silence() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_bytes(b"priv\xffte").expect("opaque bytes are allowed"),
        );
        assert_eq!(CacheControl::of(&headers), None);
    }
}
