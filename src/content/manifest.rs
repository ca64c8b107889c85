//! The list of a hot page's carried objects, as it stands in the page (`docs/protocol.md`, "In the page"). Chunk numbers are given
//! once and never again: visitors who came earlier know fewer objects, and still speak of the same chunks.

use std::{collections::BTreeMap, time::SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderName,
    header::{
        CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
        LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
    },
};
use serde::Serialize;

use super::{
    chunk::{Digest, chunks_of},
    freshness::{Freshness, Use},
    hasher::Digests,
    head::text,
    object::Object,
};

/// One object of the list, in the shape of the page's JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Path and query.
    pub url: String,
    /// Content type, parameters included.
    #[serde(rename = "type")]
    pub kind: String,
    /// Bytes.
    pub length: u64,
    /// Entity tag, as the origin gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The number of its first chunk.
    pub first: u32,
    /// Names the object.
    pub digest: Digest,
    /// Base64 of the digests of its chunks; absent above [`INLINE`] chunks, and where neighbours tell them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<String>,
    /// What else the response must say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<&'static str, String>,
    #[serde(skip)]
    digests: Digests,
    #[serde(skip)]
    freshness: Freshness,
}

impl Entry {
    fn new(object: &Object, first: u32) -> Self {
        let field = |name| text(object.headers(), name).map(str::to_owned);
        let digests = object.digests();
        Self {
            url: object.key().path_and_query.to_string(),
            kind: field(&CONTENT_TYPE).unwrap_or_default(),
            length: object.length(),
            etag: field(&ETAG),
            first,
            digest: digests.object,
            chunks: (digests.chunks.len() <= INLINE).then(|| STANDARD.encode(digests.list())),
            headers: HEADERS
                .iter()
                .filter_map(|(name, known)| Some((*known, field(name)?)))
                .collect(),
            digests: digests.clone(),
            freshness: *object.freshness(),
        }
    }

    /// The digests of the object and its chunks.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// The same, its chunks' digests left to whoever has them already.
    #[must_use]
    pub fn without_chunks(&self) -> Self {
        Self {
            chunks: None,
            ..self.clone()
        }
    }

    /// Whether newcomers may still be told of it: visitors that carry it never ask the origin whether it changed.
    #[must_use]
    pub fn is_current(&self, now: SystemTime) -> bool {
        matches!(self.freshness.usable(now), Use::Fresh | Use::Revalidate)
    }

    /// How many chunks it has.
    #[must_use]
    pub fn chunk_count(&self) -> u32 {
        u32::try_from(self.digests.chunks.len()).unwrap_or(u32::MAX)
    }
}

/// What became of an object that was offered to a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is listed now.
    Listed,
    /// It was listed already, in this very version.
    Known,
    /// It is not for visitors to carry: too small, encoded, or text.
    NotCarried,
    /// The list holds as many objects as it may.
    Full,
    /// The chunk numbers are used up.
    NoNumbers,
    /// The page does not refer to it.
    NotReferred,
}

/// The list. An object that changed is appended anew and its older entry retired; retired numbers stay taken.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    entries: Vec<Entry>,
    next: u32,
    version: u64,
}

impl Manifest {
    /// Lists an object. `max_objects` bounds those listed at once.
    pub fn admit(&mut self, object: &Object, max_objects: usize) -> Admission {
        if !object.is_carried() {
            return Admission::NotCarried;
        }
        let url = &object.key().path_and_query;
        let place = self.entries.iter().position(|entry| *entry.url == **url);
        if let Some(entry) = place.and_then(|place| self.entries.get_mut(place))
            && entry.digest == object.digests().object
        {
            return self.refresh(place, object);
        }
        if place.is_none() && self.entries.len() >= max_objects {
            return Admission::Full;
        }
        let count = u32::try_from(chunks_of(object.length())).unwrap_or(u32::MAX);
        // Whatever follows: the older version is not what the origin sends any more.
        if let Some(place) = place {
            self.entries.remove(place);
            self.version += 1;
        }
        let last = self.next.checked_add(count).filter(|next| *next <= MAX_CHUNKS);
        let Some(next) = last else {
            return Admission::NoNumbers;
        };
        self.entries.push(Entry::new(object, self.next));
        self.next = next;
        self.version += 1;
        Admission::Listed
    }

    /// The same bytes under header fields that may be newer; they keep their numbers.
    fn refresh(&mut self, place: Option<usize>, object: &Object) -> Admission {
        if let Some(entry) = place.and_then(|place| self.entries.get_mut(place)) {
            let newer = Entry::new(object, entry.first);
            if *entry != newer {
                *entry = newer;
                self.version += 1;
            }
        }
        Admission::Known
    }

    /// Takes an object off the list that may not be shared any more; its numbers stay taken.
    pub fn retire(&mut self, url: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.url != url);
        let retired = self.entries.len() < before;
        self.version += u64::from(retired);
        retired
    }

    /// What newcomers are told of now, in the order of chunk numbers. What has gone stale is left out: then they ask the
    /// origin, and an object that it confirms is listed again under its old numbers.
    pub fn current(&self, now: SystemTime) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.is_current(now))
    }

    /// What is listed, stale or not, in the order of chunk numbers.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of an object by its name.
    #[must_use]
    pub fn find(&self, digest: &Digest) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.digest == *digest)
    }

    /// Chunk numbers given so far, retired ones included.
    #[must_use]
    pub fn chunks(&self) -> u32 {
        self.next
    }

    /// Grows with every change, so that what is made of the list can be kept until then.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }
}

/// Chunks up to which an object's digests stand in the page: 128 are 2 MiB of object and 2.7 KiB of base64.
pub const INLINE: usize = 128;
/// Chunk numbers of one page: 2^20 are 16 GiB of objects in all versions, and 16 MiB of digests if all were listed. The wire
/// allows 2^24 (`docs/protocol.md`), so a list that is ever longer breaks no visitor.
const MAX_CHUNKS: u32 = 1 << 20;
/// What a response from the swarm must repeat: how it is to be shown, kept and confined.
const HEADERS: [(HeaderName, &str); 7] = [
    (CONTENT_DISPOSITION, "content-disposition"),
    (CONTENT_LANGUAGE, "content-language"),
    (CACHE_CONTROL, "cache-control"),
    (LAST_MODIFIED, "last-modified"),
    (X_CONTENT_TYPE_OPTIONS, "x-content-type-options"),
    (CONTENT_SECURITY_POLICY, "content-security-policy"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "cross-origin-resource-policy",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{
        Verdict,
        chunk::CHUNK,
        tests::{at, bytes, lead, parts, put, store},
    };

    const IMAGE: [(&str, &str); 4] = [
        ("cache-control", "max-age=60"),
        ("content-type", "image/png"),
        ("etag", "\"x\""),
        ("server", "s"),
    ];

    fn object(path: &str, body: &[u8]) -> std::sync::Arc<Object> {
        put(&store(), path, &IMAGE, body, at(0)).expect("is stored")
    }

    #[test]
    fn the_json_is_that_of_the_protocol() {
        let mut manifest = Manifest::default();
        let body = bytes(CHUNK + 1);
        assert_eq!(
            manifest.admit(&object("/img/a.png?v=1", &body), 9),
            Admission::Listed
        );
        let digests = Digests::of(&body);
        let expected = serde_json::json!([{
            "url": "/img/a.png?v=1", "type": "image/png", "length": CHUNK + 1, "etag": "\"x\"", "first": 0,
            "digest": digests.object.to_string(), "chunks": STANDARD.encode(digests.list()),
            "headers": {"cache-control": "max-age=60"},
        }]);
        assert_eq!(
            serde_json::to_value(manifest.entries()).expect("is JSON"),
            expected
        );
    }

    #[test]
    fn a_long_list_of_digests_is_left_out() {
        let mut manifest = Manifest::default();
        manifest.admit(&object("/at", &bytes(INLINE * CHUNK)), 9);
        manifest.admit(&object("/above", &bytes(INLINE * CHUNK + 1)), 9);
        let [at, above] = manifest.entries() else {
            panic!("both are listed")
        };
        assert!(at.chunks.is_some() && above.chunks.is_none());
        assert_eq!(
            (above.first, above.chunk_count()),
            (INLINE as u32, INLINE as u32 + 1)
        );
        assert_eq!(above.digests().list().len(), 16 * (INLINE + 1));
    }

    #[test]
    fn numbers_are_never_given_twice() {
        let mut manifest = Manifest::default();
        let (old, other, new) = (bytes(20_000), bytes(9_000), bytes(50_000));
        manifest.admit(&object("/a", &old), 9);
        manifest.admit(&object("/b", &other), 9);
        let version = manifest.version();
        assert_eq!(manifest.admit(&object("/a", &old), 9), Admission::Known);
        assert_eq!(manifest.version(), version);
        assert_eq!(manifest.admit(&object("/a", &new), 9), Admission::Listed);
        let listed: Vec<_> = manifest
            .entries()
            .iter()
            .map(|entry| (entry.url.as_str(), entry.first))
            .collect();
        assert_eq!(listed, [("/b", 2), ("/a", 3)]);
        assert!(manifest.find(&Digests::of(&old).object).is_none());
        assert!(manifest.find(&Digests::of(&new).object).is_some());
        assert!(manifest.retire("/a") && !manifest.retire("/a"));
        manifest.admit(&object("/a", &new), 9);
        assert_eq!((manifest.entries()[1].first, manifest.chunks()), (7, 11));
    }

    #[test]
    fn the_list_is_bounded_and_a_known_object_may_still_change() {
        let mut manifest = Manifest::default();
        assert_eq!(manifest.admit(&object("/a", &bytes(9_000)), 1), Admission::Listed);
        assert_eq!(manifest.admit(&object("/b", &bytes(9_000)), 1), Admission::Full);
        assert_eq!(manifest.admit(&object("/a", &bytes(9_001)), 1), Admission::Listed);
        manifest.next = MAX_CHUNKS - 1;
        assert_eq!(
            manifest.admit(&object("/a", &bytes(20_000)), 1),
            Admission::NoNumbers
        );
        assert!(
            manifest.entries().is_empty(),
            "the older version is not listed either"
        );
        assert_eq!(manifest.admit(&object("/a", &bytes(9_002)), 1), Admission::Listed);
    }

    #[test]
    fn newcomers_are_not_told_of_what_is_stale_until_the_origin_confirms_it() {
        let mut manifest = Manifest::default();
        let store = store();
        let older = put(&store, "/a", &IMAGE, &bytes(9000), at(0)).expect("is stored");
        manifest.admit(&object("/b", &bytes(9000)), 9);
        manifest.admit(&older, 9);
        assert_eq!(
            (manifest.current(at(59)).count(), manifest.current(at(60)).count()),
            (2, 0)
        );
        let confirmed = lead(&store, "/a", &[], at(60)).head(&parts(304, &[]), None, at(60));
        let Verdict::Stored(newer) = confirmed else {
            panic!("should be confirmed")
        };
        assert_eq!(manifest.admit(&newer, 9), Admission::Known);
        let told: Vec<_> = manifest
            .current(at(60))
            .map(|entry| (entry.url.as_str(), entry.first))
            .collect();
        assert_eq!(told, [("/a", 1)]);
    }

    #[test]
    fn media_that_may_differ_by_cookie_is_not_listed() {
        for (field, admission) in [
            (("etag", "\"x\""), Admission::Listed),
            (("server", "s"), Admission::NotCarried),
        ] {
            let (store, fields) = (store(), [("content-type", "image/png"), field]);
            assert!(put(&store, "/a", &fields, &bytes(9000), at(0)).is_none());
            let object = put(&store, "/a", &fields, &bytes(9000), at(1)).expect("two agree");
            assert_eq!(Manifest::default().admit(&object, 9), admission, "{field:?}");
        }
    }

    #[test]
    fn what_is_small_or_text_is_not_listed() {
        let mut manifest = Manifest::default();
        assert_eq!(
            manifest.admit(&object("/a", &bytes(8191)), 9),
            Admission::NotCarried
        );
        let text = [("cache-control", "max-age=60"), ("content-type", "text/css")];
        let text = put(&store(), "/b", &text, &bytes(9000), at(0)).expect("is stored");
        assert_eq!(manifest.admit(&text, 9), Admission::NotCarried);
    }
}
