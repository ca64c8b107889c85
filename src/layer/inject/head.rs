//! The head of a carried page's response, and the validators of the request before it.
//!
//! A carried page is another representation than the origin's, made for one visitor. So its entity tag is a variant of the
//! origin's, and a `304` must never make a browser show one for the other:
//!
//! - A carried page has no `Last-Modified`, so an `If-Modified-Since` can only come from a copy of the origin's own page.
//! - While the page is hot, `If-None-Match` with the current variant is asked of the origin with its own tag; tags of other
//!   variants (an older build, an expired token) are dropped, so the page comes anew. The `304` is given the variant again,
//!   or the browser would store the origin's tag with the carried body.
//! - When calm nothing is mapped (law 1): the origin does not know the variant, and sends its own page.
//! - `HEAD` speaks of the origin's own page and is not touched.

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, ETAG, EXPIRES, IF_NONE_MATCH, LAST_MODIFIED, LINK,
    },
};
use url::Url;

use super::{Carried, reference::Base};

/// What sets the entity tags of carried pages apart from the origin's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant(String);

impl Variant {
    /// A variant with this name: the build, and whatever else makes an older carried page stale, such as the period of its
    /// token. Letters that may not stand in an entity tag are left out.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(
            name.chars()
                .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
                .collect(),
        )
    }

    /// Maps the variant's tags in a request's `If-None-Match` back to the origin's. True if a tag was mapped: then a `304`
    /// speaks of a carried page, and its head must be [rewritten](Self::rewrite_head) like that of one.
    pub fn restore_validators(&self, request: &mut HeaderMap) -> bool {
        let tags: Vec<String> = tags(request);
        if !tags.iter().any(|tag| is_variant(tag)) {
            return false;
        }
        let own: Vec<String> = tags.iter().filter_map(|tag| self.restore(tag)).collect();
        let mapped = !own.is_empty();
        // With a carried copy at hand only that one is asked for: a 304 does not always say which of several it means.
        let kept = if mapped {
            own
        } else {
            tags.into_iter().filter(|tag| !is_variant(tag)).collect()
        };
        request.remove(IF_NONE_MATCH);
        if let Ok(value) = HeaderValue::from_str(&kept.join(", "))
            && !kept.is_empty()
        {
            request.insert(IF_NONE_MATCH, value);
        }
        mapped
    }

    /// Makes the head of a response (`200`, or the `304` to a mapped validator) that of a carried page.
    pub fn rewrite_head(&self, response: &mut HeaderMap) {
        for name in UNTRUE {
            response.remove(name);
        }
        for name in [CONTENT_LENGTH, ACCEPT_RANGES, LAST_MODIFIED, EXPIRES] {
            response.remove(name);
        }
        let targeted: Vec<HeaderName> = response
            .keys()
            .filter(|name| name.as_str().ends_with("cdn-cache-control"))
            .cloned()
            .collect();
        for name in targeted {
            response.remove(name);
        }
        let tag = response
            .remove(ETAG)
            .and_then(|tag| self.vary(tag.to_str().ok()?));
        if let Some(tag) = tag {
            response.insert(ETAG, tag);
        }
        keep_private(response);
    }

    /// `"x"` becomes `W/"x-fb-<name>"`, and `W/"x"` becomes `W/"x-fbw-<name>"`. Anything else is no entity tag, and goes.
    fn vary(&self, tag: &str) -> Option<HeaderValue> {
        let (opaque, mark) = match tag.strip_prefix("W/") {
            Some(weak) => (weak, WEAK),
            None => (tag, STRONG),
        };
        let inner = opaque.strip_prefix('"')?.strip_suffix('"')?;
        HeaderValue::from_str(&format!("W/\"{inner}{mark}{}\"", self.0)).ok()
    }

    fn restore(&self, tag: &str) -> Option<String> {
        let inner = tag
            .strip_prefix("W/")?
            .strip_prefix('"')?
            .strip_suffix('"')?
            .strip_suffix(self.0.as_str())?;
        match inner.strip_suffix(WEAK) {
            Some(weak) => Some(format!("W/\"{weak}\"")),
            None => Some(format!("\"{}\"", inner.strip_suffix(STRONG)?)),
        }
    }
}

/// Takes those `Link: rel=preload; as=image` away whose target is carried: a browser obeys them before any element is
/// held. For depth `media`. A `103` that the origin sent ahead is out of reach.
pub fn release_links(response: &mut HeaderMap, page: &Url, carried: &Carried) {
    let base = Base::new(page.clone());
    let links: Vec<HeaderValue> = response.get_all(LINK).iter().cloned().collect();
    let goes = |link: &str| {
        preloaded_image(link)
            .and_then(|url| base.path_of(url))
            .is_some_and(|path| carried.has(&path))
    };
    let mut kept = Vec::new();
    let mut changed = false;
    for value in &links {
        // What is not text is not for us to split.
        let Ok(text) = value.to_str() else {
            kept.push(value.clone());
            continue;
        };
        let all: Vec<&str> = split(text, ',').collect();
        let left: Vec<&str> = all.iter().copied().filter(|link| !goes(link)).collect();
        if left.len() == all.len() {
            kept.push(value.clone());
            continue;
        }
        changed = true;
        if let Ok(value) = HeaderValue::from_str(&left.join(", "))
            && !left.is_empty()
        {
            kept.push(value);
        }
    }
    if changed {
        response.remove(LINK);
        kept.into_iter().for_each(|value| {
            response.append(LINK, value);
        });
    }
}

/// The target of a link value that preloads an image.
fn preloaded_image(link: &str) -> Option<&str> {
    let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is = |wanted: &str, word: &str| {
        split(parameters, ';')
            .filter_map(|parameter| parameter.split_once('='))
            .any(|(name, value)| {
                name.trim().eq_ignore_ascii_case(wanted)
                    && value.trim().trim_matches('"').trim().eq_ignore_ascii_case(word)
            })
    };
    (is("rel", "preload") && is("as", "image")).then_some(url)
}

/// Splits outside of `<…>` and `"…"`. Empty pieces are left out.
fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    text.split(move |letter| {
        let after_backslash = escaped;
        escaped = quoted && letter == '\\' && !escaped;
        match letter {
            '"' if !bracketed && !after_backslash => quoted = !quoted,
            '<' if !quoted => bracketed = true,
            '>' if !quoted => bracketed = false,
            _ => {}
        }
        letter == at && !quoted && !bracketed
    })
    .map(str::trim)
    .filter(|piece| !piece.is_empty())
}

/// A page with a visitor's token is nobody else's and not for a second time without asking. What was stricter stays.
fn keep_private(response: &mut HeaderMap) {
    let no_store = response.get_all(CACHE_CONTROL).iter().any(|value| {
        split(&String::from_utf8_lossy(value.as_bytes()), ',').any(|d| d.eq_ignore_ascii_case("no-store"))
    });
    let value = if no_store {
        "private, no-cache, no-store"
    } else {
        "private, no-cache"
    };
    response.insert(CACHE_CONTROL, HeaderValue::from_static(value));
}

fn tags(request: &HeaderMap) -> Vec<String> {
    let values = request
        .get_all(IF_NONE_MATCH)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| split(value, ','))
        .map(str::to_owned)
        .collect()
}

fn is_variant(tag: &str) -> bool {
    tag.starts_with("W/") && (tag.contains(STRONG) || tag.contains(WEAK))
}

/// Between the origin's tag and the variant's name; the letter remembers that the origin's was weak.
const STRONG: &str = "-fb-";
const WEAK: &str = "-fbw-";

/// Digests of a body that is another now, and permissions to shared caches beside `Cache-Control`.
const UNTRUE: [HeaderName; 7] = [
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("surrogate-control"),
    HeaderName::from_static("x-accel-expires"),
    HeaderName::from_static("edge-control"),
];

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
