//! What names a stored object: where it is, and in which encoding it was asked for.

use std::{fmt, sync::Arc};

use http::{HeaderMap, header::ACCEPT_ENCODING};

/// A place in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// The site, as the request's authority names it, in lower case.
    pub host: Arc<str>,
    /// Path and query, exactly as requested.
    pub path_and_query: Arc<str>,
    /// What the origin is asked to encode with.
    pub encoding: Encoding,
}

impl ObjectKey {
    /// Puts the parts together.
    #[must_use]
    pub fn new(host: &str, path_and_query: &str, encoding: Encoding) -> Self {
        Self {
            host: host.to_ascii_lowercase().into(),
            path_and_query: path_and_query.into(),
            encoding,
        }
    }

    pub(super) fn with(&self, encoding: Encoding) -> Self {
        Self {
            encoding,
            ..self.clone()
        }
    }

    pub(super) fn size(&self) -> usize {
        self.host.len() + self.path_and_query.len()
    }
}

/// The content codings that are asked for; whatever a visitor accepts is reduced to one of them, so that a crowd with many
/// browsers still makes one fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// gzip.
    Gzip,
    /// Brotli.
    Brotli,
}

impl Encoding {
    /// What to ask the origin for on behalf of a visitor with these header fields: the one it likes best, Brotli before gzip
    /// before none where it likes them the same.
    ///
    /// None if it accepts none of the three (`identity;q=0` and nothing of ours): such a request is left to the origin.
    #[must_use]
    pub fn preferred(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(ACCEPT_ENCODING) {
            return Some(Self::Identity);
        }
        let accepted = Accepted::of(headers);
        let best = [Self::Brotli, Self::Gzip, Self::Identity]
            .into_iter()
            .map(|encoding| (accepted.weight(encoding), encoding))
            .filter(|(weight, _)| *weight > 0)
            // The first of the best: max_by_key would give the last.
            .reduce(|best, next| if next.0 > best.0 { next } else { best })?;
        Some(best.1)
    }

    /// As in `Accept-Encoding` and `Content-Encoding`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Weights of `Accept-Encoding` (RFC 9110 §12.5.3), in thousandths.
#[derive(Default)]
struct Accepted {
    brotli: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    any: Option<u16>,
}

impl Accepted {
    fn of(headers: &HeaderMap) -> Self {
        let mut accepted = Self::default();
        let fields = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|field| field.to_str().ok());
        for item in fields.flat_map(|field| field.split(',')) {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
            // A weight that is no number is taken for a refusal: the origin may then judge by itself.
            let weight = weight.map_or(Some(1.0), |text| text.parse().ok()).unwrap_or(0.0);
            let weight = Some((f32::clamp(weight, 0.0, 1.0) * 1000.0) as u16);
            match name.as_str() {
                "br" => accepted.brotli = weight,
                "gzip" | "x-gzip" => accepted.gzip = weight,
                "identity" => accepted.identity = weight,
                "*" => accepted.any = weight,
                _ => {}
            }
        }
        accepted
    }

    fn weight(&self, encoding: Encoding) -> u16 {
        match encoding {
            Encoding::Brotli => self.brotli.or(self.any).unwrap_or(0),
            Encoding::Gzip => self.gzip.or(self.any).unwrap_or(0),
            // Acceptable unless refused, but liked least where nothing is said.
            Encoding::Identity => self.identity.unwrap_or(if self.any == Some(0) { 0 } else { 1 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_browsers_and_others_send() {
        use Encoding::{Brotli, Gzip, Identity};
        let table = [
            ("gzip, deflate, br, zstd", Some(Brotli)),
            ("gzip, deflate", Some(Gzip)),
            ("br;q=0.5, gzip", Some(Gzip)),
            ("identity;q=1, *;q=0", Some(Identity)),
            ("GZIP;q=0.8, br;q=0", Some(Gzip)),
            ("*", Some(Brotli)),
            ("", Some(Identity)),
            ("zstd", Some(Identity)),
            ("identity;q=0, zstd", None),
            ("*;q=0", None),
            ("br;q=NaN, gzip;q=x", Some(Identity)),
        ];
        for (field, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, field.parse().expect("is a field value"));
            assert_eq!(Encoding::preferred(&headers), expected, "{field}");
        }
        assert_eq!(Encoding::preferred(&HeaderMap::new()), Some(Identity));
    }

    #[test]
    fn hosts_count_in_any_case_and_paths_do_not() {
        let key = |host, path| ObjectKey::new(host, path, Encoding::Identity);
        assert_eq!(key("Example.org", "/a"), key("example.org", "/a"));
        assert_ne!(key("example.org", "/A"), key("example.org", "/a"));
    }
}
