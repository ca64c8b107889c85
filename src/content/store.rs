//! The store, as its users see it: every look-up is answered at once. What is kept, and how it is decided, is in `shelf.rs`; what a
//! leader then does in `leader.rs`.

use std::{sync::Arc, time::SystemTime};

use http::HeaderMap;

use super::{
    chunk::Digest,
    eligible::Asker,
    follower::Follower,
    key::ObjectKey,
    leader::Leader,
    object::Object,
    reason::Reason,
    settings::{Settings, SettingsError},
    shelf::Shelf,
};

/// Objects of hot pages, shared by all clones.
#[derive(Clone, Debug)]
pub struct Store {
    shelf: Arc<Shelf>,
}

/// What to do with a GET for an object of a hot page.
#[derive(Debug)]
pub enum Lookup {
    /// Answer with [`Object::answer`].
    Fresh(Arc<Object>),
    /// Answer with it all the same; whoever gets the leader also fetches anew, in the background.
    Stale(Arc<Object>, Option<Leader>),
    /// Another request fetches it: await the outcome, with a deadline.
    Filling(Follower),
    /// Fetch it.
    Lead(Leader),
    /// Let the request through untouched.
    Pass(Reason),
}

impl Store {
    /// An empty store.
    ///
    /// # Errors
    /// Names the first setting that cannot work.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self {
            shelf: Arc::new(Shelf::new(settings)),
        })
    }

    /// What to do with a GET for this object, with these header fields.
    #[must_use]
    pub fn lookup(&self, key: &ObjectKey, request: &HeaderMap, now: SystemTime) -> Lookup {
        if key.size() > MAX_KEY {
            return Lookup::Pass(Reason::Address);
        }
        match Asker::of(request, &self.shelf.settings) {
            Ok(asker) => self.shelf.lookup(key, asker, now),
            Err(reason) => Lookup::Pass(reason),
        }
    }

    /// A stored object by its name, whatever its freshness: a visitor that holds its manifest asks for this version and no other.
    #[must_use]
    pub fn by_digest(&self, digest: &Digest) -> Option<Arc<Object>> {
        self.shelf.by_digest(digest)
    }

    /// Bytes that stored objects take.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.shelf.weight()
    }

    /// Bytes reserved for bodies under way.
    #[must_use]
    pub fn filling(&self) -> u64 {
        self.shelf.budget.used()
    }

    /// Fetches under way.
    #[must_use]
    pub fn fills(&self) -> usize {
        self.shelf.under_way()
    }

    /// Objects that can be had by name.
    #[must_use]
    pub fn names(&self) -> usize {
        self.shelf.names()
    }

    /// Its limits.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shelf.settings
    }
}

/// Longer addresses are not worth a place in any map: browsers' own URLs rarely pass 2 KiB.
const MAX_KEY: usize = 2048;
