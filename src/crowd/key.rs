//! What is counted as one page: host, path and the few query parameters that the operator keeps. Not a URL: no scheme, no
//! port rules, no decoding; whoever asks two spellings of a page asks two pages.

use std::{fmt, hash::Hasher, net::IpAddr, sync::Arc};

use foldhash::quality::FoldHasher;
use serde::{Serialize, Serializer};

use super::Sighting;

/// A page as the detector counts it, displayed like `example.org/article`, or the site as a whole, displayed `*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// The key of the site as a whole: crowds contain many objects.
    #[must_use]
    pub fn site() -> Self {
        Self(Arc::from(SITE))
    }

    /// Whether this is the site as a whole.
    #[must_use]
    pub fn is_site(&self) -> bool {
        &*self.0 == SITE
    }

    /// Whether the text is that of the whole page name, not cut.
    pub(super) fn is_whole(&self) -> bool {
        self.0.len() <= MAX_TEXT
    }

    /// The text that is displayed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host, in lower case; empty for the site as a whole.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.split_once('/').map_or("", |(host, _)| host)
    }

    /// The path without query; empty for the site as a whole.
    #[must_use]
    pub fn path(&self) -> &str {
        let path = self.0.find('/').map_or("", |slash| &self.0[slash..]);
        path.split_once('?').map_or(path, |(path, _)| path)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Names pages and clients by keyed 64-bit hashes, so that a known page needs no text and no allocation. Two of
/// 100,000 pages share a hash with a chance of 3 in 10 billion, and would then share their counts.
#[derive(Clone, Debug)]
pub(super) struct Naming {
    seed: u64,
    keep: Vec<String>,
}

impl Naming {
    pub(super) fn new(seed: u64, keep: &[String]) -> Self {
        Self {
            seed,
            keep: keep.to_vec(),
        }
    }

    /// The name of the page seen.
    pub(super) fn page(&self, host: &str, path: &str, query: Option<&str>) -> u64 {
        let mut hasher = self.hasher();
        let host = &host.as_bytes()[..host.len().min(MAX_HOST)];
        // All of it, as a processor compares sixteen bytes at once.
        let upper = host
            .iter()
            .fold(false, |upper, byte| upper | byte.is_ascii_uppercase());
        if upper {
            let mut lower = [0; MAX_HOST];
            let lower = &mut lower[..host.len()];
            lower.copy_from_slice(host);
            lower.make_ascii_lowercase();
            hasher.write(lower);
        } else {
            // As browsers send it.
            hasher.write(host);
        }
        hasher.write(path.as_bytes());
        for pair in self.kept(query) {
            hasher.write(b"&");
            hasher.write(pair.as_bytes());
        }
        hasher.finish()
    }

    /// The page's text, kept once per tracked page.
    pub(super) fn key(&self, name: u64, host: &str, path: &str, query: Option<&str>) -> Key {
        let mut text = host.to_ascii_lowercase();
        if !path.starts_with('/') {
            text.push('/');
        }
        text.push_str(path);
        for (number, pair) in self.kept(query).enumerate() {
            text.push(if number == 0 { '?' } else { '&' });
            text.push_str(pair);
        }
        if text.len() > MAX_TEXT {
            text.truncate(text.floor_char_boundary(MAX_TEXT));
            text.push_str(&format!("…#{name:016x}"));
        }
        Key(Arc::from(text))
    }

    /// The name of a client: an IPv4 address, mapped ones included, or the /64 that one IPv6 household has.
    pub(super) fn client(&self, client: IpAddr) -> u64 {
        let mut hasher = self.hasher();
        match client.to_canonical() {
            IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
            IpAddr::V6(address) => hasher.write_u64((address.to_bits() >> 64) as u64),
        }
        hasher.finish()
    }

    /// The kept parameters of a query, in the order of the settings, so that their order in the URL does not matter.
    fn kept<'a>(&'a self, query: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        let query = query.filter(|_| !self.keep.is_empty()).unwrap_or_default();
        self.keep.iter().filter_map(move |name| {
            query
                .split('&')
                .find(|pair| pair.split_once('=').map_or(*pair, |(found, _)| found) == name)
        })
    }

    fn hasher(&self) -> FoldHasher<'static> {
        FoldHasher::with_seed(self.seed, foldhash::SharedSeed::global_fixed())
    }
}

impl Sighting<'_> {
    /// The name of the page seen.
    pub(super) fn name(&self, naming: &Naming) -> u64 {
        naming.page(self.host, self.path, self.query)
    }
}

const SITE: &str = "*";
/// A host name has at most 253 characters, and a port five.
const MAX_HOST: usize = 260;
/// Text kept per page. Longer ones are cut for display and told apart by their hash, so that 100,000 tracked pages
/// with hostile paths stay within 64 MiB.
const MAX_TEXT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn naming(keep: &[&str]) -> Naming {
        Naming::new(7, &keep.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_page_is_host_and_path() {
        let naming = naming(&[]);
        let name = naming.page("Example.ORG", "/article", Some("utm_source=x"));
        assert_eq!(name, naming.page("example.org", "/article", None));
        assert_ne!(name, naming.page("example.org", "/Article", None));
        let key = naming.key(name, "Example.ORG", "/article", Some("utm_source=x"));
        assert_eq!(
            (key.as_str(), key.host(), key.path()),
            ("example.org/article", "example.org", "/article")
        );
        assert_eq!(
            serde_json::to_string(&key).expect("writes"),
            r#""example.org/article""#
        );
        assert_eq!((Key::site().to_string().as_str(), Key::site().path()), ("*", ""));
    }

    #[test]
    fn kept_parameters_tell_pages_apart_in_any_order() {
        let naming = naming(&["id", "page"]);
        let one = naming.page("a", "/", Some("page=2&x=9&id=1"));
        assert_eq!(one, naming.page("a", "/", Some("id=1&page=2&x=8")));
        assert_ne!(one, naming.page("a", "/", Some("id=1&page=3")));
        assert_eq!(
            naming.key(one, "a", "/", Some("page=2&x=9&id=1")).as_str(),
            "a/?id=1&page=2"
        );
    }

    #[test]
    fn long_text_is_cut_but_stays_distinct() {
        let naming = naming(&[]);
        let keys = [1, 2].map(|name| naming.key(name, "a", &format!("/{}", "é".repeat(4000)), None));
        assert!(keys[0].as_str().len() < 300 && keys[0] != keys[1]);
    }

    #[test]
    fn clients_are_addresses_or_households() {
        let naming = naming(&[]);
        let name = |text: &str| naming.client(text.parse().expect("an address"));
        assert_eq!(name("192.0.2.1"), name("::ffff:192.0.2.1"));
        assert_ne!(name("192.0.2.1"), name("192.0.2.2"));
        assert_eq!(name("2001:db8:1:2:3::1"), name("2001:db8:1:2:ffff::9"));
        assert_ne!(name("2001:db8:1:2::1"), name("2001:db8:1:3::1"));
    }
}
