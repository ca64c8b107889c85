//! The list of a hot page's carried objects, as it stands in the page (`docs/protocol.md`, "In the page"). Chunk numbers are given
//! once and never again: visitors who came earlier know fewer objects, and still speak of the same chunks.

use std::collections::BTreeMap;

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
    /// Base64 of the digests of its chunks; absent above [`INLINE`] chunks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chunks: Option<String>,
    /// What else the response must say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<&'static str, String>,
    #[serde(skip)]
    digests: Digests,
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
        }
    }

    /// The digests of the object and its chunks.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        &self.digests
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
        let Some(next) = self.next.checked_add(count).filter(|next| *next <= MAX_CHUNKS) else {
            return Admission::NoNumbers;
        };
        if let Some(place) = place {
            self.entries.remove(place);
        }
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

    /// What is listed, in the order of chunk numbers.
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
