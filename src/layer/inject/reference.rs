//! What a page refers to: URLs as they stand in the markup become paths of this site, and those of media are gathered for
//! the manifest while the page streams by. Bounded, for a page may be written by a stranger.

use std::collections::HashSet;

use url::Url;

/// The URL of a page, against which its references are resolved as a browser does it.
#[derive(Clone, Debug)]
pub(super) struct Base {
    page: Url,
    /// The first `<base href>`, resolved.
    base: Option<Url>,
}

/// The references of one page, in the order of the page, each once.
#[derive(Debug, Default)]
pub(super) struct References {
    ordered: Vec<String>,
    known: HashSet<String, foldhash::fast::RandomState>,
}

impl Base {
    pub(super) fn new(page: Url) -> Self {
        Self { page, base: None }
    }

    pub(super) fn page(&self) -> &Url {
        &self.page
    }

    /// Takes note of a `<base href>`. Only the first one counts.
    pub(super) fn rebase(&mut self, href: &str) {
        if self.base.is_none() {
            self.base = self.page.join(&unescape(href)).ok();
        }
    }

    /// Path and query of the URL that an attribute names, if it is one of this site.
    pub(super) fn path_of(&self, attribute: &str) -> Option<String> {
        // Long ones are inline images (`data:`), and no path that a browser would ask this site for.
        if attribute.len() > MAX_LENGTH {
            return None;
        }
        let url = self
            .base
            .as_ref()
            .unwrap_or(&self.page)
            .join(&unescape(attribute))
            .ok()?;
        self.is_same_site(&url).then(|| match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        })
    }

    /// The same host and port; not the same scheme, for TLS may end in front of us without our knowing.
    fn is_same_site(&self, url: &Url) -> bool {
        matches!(url.scheme(), "http" | "https")
            && url.host_str() == self.page.host_str()
            && url.port() == self.page.port()
    }
}

impl References {
    pub(super) fn add(&mut self, path: String) {
        if self.ordered.len() < MAX_REFERENCES && self.known.insert(path.clone()) {
            self.ordered.push(path);
        }
    }

    pub(super) fn take(&mut self) -> Vec<String> {
        self.known.clear();
        std::mem::take(&mut self.ordered)
    }
}

/// The URLs of a `srcset`, as the HTML standard splits it: a comma ends a candidate only where its URL ends or outside
/// of brackets.
pub(super) fn candidates(srcset: &str) -> impl Iterator<Item = &str> {
    let mut rest = srcset;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return None;
        }
        let (url, after) = rest.split_at(rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len()));
        let bare = url.trim_end_matches(',');
        rest = if bare.len() == url.len() {
            after_descriptors(after)
        } else {
            after
        };
        Some(bare)
    })
}

fn after_descriptors(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// Decodes the character references that occur in URLs: the five of XML, and numbers. Another name stays as it stands; the
/// URL is then not recognised, and loads as if we were not there.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        // Looked for no further than a reference is long, or many ampersands would cost their square.
        let end = after.bytes().take(LONGEST_NAME + 1).position(|byte| byte == b';');
        let decoded = end.and_then(|end| Some((decode(&after[..end])?, &after[end + 1..])));
        match decoded {
            Some((letter, tail)) => {
                out.push(letter);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn decode(name: &str) -> Option<char> {
    match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => {}
    }
    let number = name.strip_prefix('#')?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
        None => number.parse(),
    };
    char::from_u32(code.ok()?)
}

/// Letters of the longest character reference that is decoded: `#x10ffff`.
const LONGEST_NAME: usize = 8;
/// References kept of one page: the pages of the crowd studies have a few hundred objects at most.
pub(super) const MAX_REFERENCES: usize = 1024;
/// Longest URL that is looked at: what browsers, proxies and servers agree to carry.
pub(super) const MAX_LENGTH: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Base {
        Base::new(Url::parse("https://site.example/blog/post?p=1#top").expect("a URL"))
    }

    #[test]
    fn urls_resolve_as_in_a_browser() {
        let table = [
            ("a.jpg", Some("/blog/a.jpg")),
            ("/a.jpg#part", Some("/a.jpg")),
            ("../a.jpg?w=1&amp;h=2", Some("/a.jpg?w=1&h=2")),
            ("?q&#61;1&#x26;r", Some("/blog/post?q=1&r")),
            (" /a b.jpg\n", Some("/a%20b.jpg")),
            ("/\u{e9}.jpg", Some("/%C3%A9.jpg")),
            ("//site.example/a.jpg", Some("/a.jpg")),
            ("HTTPS://SITE.example:443/a.jpg", Some("/a.jpg")),
            ("http://site.example/a.jpg", Some("/a.jpg")),
            ("https://site.example:8443/a.jpg", None),
            ("https://other.example/a.jpg", None),
            ("//other.example/a.jpg", None),
            ("data:image/gif;base64,R0", None),
            ("javascript:void 0", None),
            ("https://", None),
            ("/a&copy;.jpg", Some("/a&copy;.jpg")),
            ("/a&&amp;&b", Some("/a&&&b")),
        ];
        for (attribute, expected) in table {
            assert_eq!(base().path_of(attribute).as_deref(), expected, "{attribute}");
        }
        assert_eq!(base().path_of(&"a".repeat(MAX_LENGTH + 1)), None);
    }

    #[test]
    fn only_the_first_base_counts() {
        let mut base = base();
        base.rebase("/media/");
        base.rebase("https://other.example/");
        assert_eq!(base.path_of("a.jpg").as_deref(), Some("/media/a.jpg"));
        let mut elsewhere = self::base();
        elsewhere.rebase("https://other.example/");
        assert_eq!(elsewhere.path_of("a.jpg"), None);
    }

    #[test]
    fn srcset_is_split_as_the_standard_says() {
        let table: [(&str, &[&str]); 7] = [
            ("", &[]),
            ("a.jpg", &["a.jpg"]),
            ("a.jpg 1x, b.jpg 2x", &["a.jpg", "b.jpg"]),
            (" ,a.jpg 480w ,b.jpg", &["a.jpg", "b.jpg"]),
            ("a,b.jpg 1x,c.jpg", &["a,b.jpg", "c.jpg"]),
            ("a.jpg, b.jpg,", &["a.jpg", "b.jpg"]),
            ("a.jpg future(1, 2), b.jpg 2x", &["a.jpg", "b.jpg"]),
        ];
        for (srcset, expected) in table {
            assert_eq!(candidates(srcset).collect::<Vec<_>>(), expected, "{srcset}");
        }
    }

    #[test]
    fn references_are_counted_once_and_bounded() {
        let mut references = References::default();
        for number in 0..3 * MAX_REFERENCES {
            references.add(format!("/{}", number / 2));
        }
        let taken = references.take();
        assert_eq!(taken.len(), MAX_REFERENCES);
        assert_eq!(taken.get(1).map(String::as_str), Some("/1"));
    }
}
