//! A stored object: a verified copy of one representation, as its origin sent it. It never changes; a newer version is another object.

use std::time::SystemTime;

use bytes::Bytes;
use http::{
    HeaderMap,
    header::{ACCEPT_RANGES, AGE, CONTENT_LENGTH, ETAG, LAST_MODIFIED},
};

use super::{
    eligible::Judgement,
    freshness::Freshness,
    hasher::Digests,
    head,
    key::{Encoding, ObjectKey},
    kind,
    settings::Settings,
};

/// An object of the origin, complete and shareable.
#[derive(Debug)]
pub struct Object {
    key: ObjectKey,
    headers: HeaderMap,
    body: Bytes,
    digests: Digests,
    freshness: Freshness,
    universal: bool,
    carried: bool,
}

impl Object {
    pub(super) fn new(
        key: &ObjectKey,
        judgement: Judgement,
        body: Bytes,
        digests: Digests,
        settings: &Settings,
    ) -> Self {
        let Judgement {
            headers,
            freshness,
            universal,
            ..
        } = judgement;
        let mut object = Self {
            // What is the same for every encoding is kept once.
            key: if universal {
                key.with(Encoding::Identity)
            } else {
                key.clone()
            },
            headers: stored(headers),
            body,
            digests,
            freshness,
            universal,
            carried: false,
        };
        object.carried = object.length() >= settings.min_object.as_u64()
            && kind::is_carriable(&object.headers)
            // A service worker cannot see whether a request would have carried a cookie.
            && object.answers(true);
        object
    }

    /// The same body under newer header fields, as a 304 brought them.
    pub(super) fn refreshed(&self, judgement: Judgement, settings: &Settings) -> Self {
        Self::new(
            &self.key,
            judgement,
            self.body.clone(),
            self.digests.clone(),
            settings,
        )
    }

    /// Where it is stored.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The end-to-end header fields of the origin, without `Content-Length`, `Accept-Ranges` and `Age`: those each answer sets.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// All bytes.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Bytes of the body.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.body.len() as u64
    }

    /// The names of the object and of its chunks.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// How long it may be used.
    #[must_use]
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Whether visitors may carry it to each other: it belongs in the manifest of the page.
    #[must_use]
    pub fn is_carried(&self) -> bool {
        self.carried
    }

    /// Whether it is the same whatever `Accept-Encoding` says.
    pub(super) fn is_universal(&self) -> bool {
        self.universal
    }

    /// Whether a visitor with (or without) a cookie may be answered with it.
    ///
    /// Where the origin gave explicit freshness it said that all may share. Where it was silent, only media that look
    /// like files (they have a validator) go to visitors with cookies: anything else may be made for one of them.
    pub(super) fn answers(&self, cookie: bool) -> bool {
        let file = || self.headers.contains_key(ETAG) || self.headers.contains_key(LAST_MODIFIED);
        !cookie || self.freshness.explicit() || (kind::is_media(&self.headers) && file())
    }

    /// Bytes of memory that it takes.
    pub(super) fn weight(&self) -> u64 {
        let beside = self.digests.size() + head::size(&self.headers) + self.key.size() + OVERHEAD;
        self.length() + beside as u64
    }

    /// Seconds since the origin made it.
    pub(super) fn age(&self, now: SystemTime) -> u64 {
        self.freshness.age(now).as_secs()
    }
}

/// The fields as they are kept.
pub(super) fn stored(mut headers: HeaderMap) -> HeaderMap {
    for name in [CONTENT_LENGTH, ACCEPT_RANGES, AGE] {
        headers.remove(name);
    }
    headers
}

/// The object itself, its place in two maps and their spare room: without it, empty objects would cost nothing and
/// a store of them would have no bound.
const OVERHEAD: usize = 1024;
