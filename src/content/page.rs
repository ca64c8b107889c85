//! What belongs to one hot page: the references its HTML names, the requests that followed it, and the manifest of those that are
//! carried. It holds names and digests, never bodies: those are the store's alone, so that its bound holds.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::SystemTime,
};

use super::{
    chunk::Digest,
    manifest::{Admission, Entry, Manifest},
    object::Object,
    settings::Settings,
};

/// How a reference is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The page's HTML names it.
    Named,
    /// A request for it came with the page as its referrer. Anybody can send that, so these have a share of the bounds of
    /// their own and never crowd out the named.
    Followed,
}

/// One hot page's objects.
#[derive(Clone, Debug)]
pub struct Page {
    named: HashSet<Arc<str>>,
    followed: HashSet<Arc<str>>,
    /// The followed in the order they came: the oldest makes room.
    order: VecDeque<Arc<str>>,
    manifest: Manifest,
    max_references: usize,
    max_objects: usize,
}

impl Page {
    /// A page of which nothing is known yet.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self {
            named: HashSet::new(),
            followed: HashSet::new(),
            order: VecDeque::new(),
            manifest: Manifest::default(),
            max_references: settings.max_references,
            max_objects: settings.max_objects,
        }
    }

    /// Adds a reference of the same origin, as path and query. False if it is not kept.
    pub fn refer(&mut self, path_and_query: &str, reference: Reference) -> bool {
        if path_and_query.len() > MAX_REFERENCE {
            return false;
        }
        match reference {
            _ if self.named.contains(path_and_query) => true,
            Reference::Named => {
                let room = self.named.len() < self.max_references;
                if room {
                    self.named.insert(path_and_query.into());
                }
                room
            }
            Reference::Followed => {
                self.follow(path_and_query);
                true
            }
        }
    }

    fn follow(&mut self, path_and_query: &str) {
        if self.followed.contains(path_and_query) {
            return;
        }
        if self.order.len() >= self.max_references.div_ceil(FOLLOWED_SHARE)
            && let Some(oldest) = self.order.pop_front()
        {
            self.followed.remove(&oldest);
        }
        let reference: Arc<str> = path_and_query.into();
        self.followed.insert(Arc::clone(&reference));
        self.order.push_back(reference);
    }

    /// Whether the page is known to use this.
    #[must_use]
    pub fn refers_to(&self, path_and_query: &str) -> bool {
        self.named.contains(path_and_query) || self.followed.contains(path_and_query)
    }

    /// Lists a stored object, if the page refers to it and visitors may carry it.
    pub fn admit(&mut self, object: &Arc<Object>) -> Admission {
        let url = &*object.key().path_and_query;
        let share = if self.named.contains(url) {
            self.max_objects
        } else if self.followed.contains(url) {
            self.max_objects.div_ceil(FOLLOWED_SHARE)
        } else {
            return Admission::NotReferred;
        };
        self.manifest.admit(object, share)
    }

    /// Takes an object off the list that may not be shared any more.
    pub fn retire(&mut self, path_and_query: &str) -> bool {
        self.manifest.retire(path_and_query)
    }

    /// What newcomers are told of now: see [`Manifest::current`].
    pub fn current(&self, now: SystemTime) -> impl Iterator<Item = &Entry> {
        self.manifest.current(now)
    }

    /// What is listed, stale or not.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        self.manifest.entries()
    }

    /// A listed object by its name.
    #[must_use]
    pub fn find(&self, digest: &Digest) -> Option<&Entry> {
        self.manifest.find(digest)
    }

    /// The list itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// As in the store: a longer address is never an object of ours.
const MAX_REFERENCE: usize = 2048;
/// Followed references have half the room of named ones.
const FOLLOWED_SHARE: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tests::{at, bytes, put, store};

    fn page(max_references: usize, max_objects: usize) -> Page {
        Page::new(&Settings {
            max_references,
            max_objects,
            ..Settings::default()
        })
    }

    fn image(path: &str) -> Arc<Object> {
        let fields = [("cache-control", "max-age=60"), ("content-type", "image/png")];
        put(&store(), path, &fields, &bytes(9000), at(0)).expect("is stored")
    }

    #[test]
    fn only_what_the_page_refers_to_is_listed() {
        let mut page = page(9, 9);
        let object = image("/a.png");
        assert_eq!(page.admit(&object), Admission::NotReferred);
        assert!(page.refer("/a.png", Reference::Named) && page.refers_to("/a.png"));
        assert_eq!(page.admit(&object), Admission::Listed);
        assert_eq!(
            page.find(&object.digests().object).expect("is listed").url,
            "/a.png"
        );
        assert!(page.retire("/a.png") && page.entries().is_empty());
    }

    #[test]
    fn a_flood_of_referrers_crowds_out_nothing_that_the_page_names() {
        let mut page = page(4, 4);
        for path in ["/1", "/2", "/3", "/4"] {
            assert!(page.refer(path, Reference::Named));
        }
        assert!(!page.refer("/5", Reference::Named));
        for number in 0..1000 {
            page.refer(&format!("/flood/{number}"), Reference::Followed);
            page.admit(&image(&format!("/flood/{number}")));
        }
        assert!(!page.refers_to("/flood/0") && page.refers_to("/flood/999"));
        assert_eq!(page.entries().len(), 2);
        assert_eq!(
            (page.named.len(), page.followed.len(), page.order.len()),
            (4, 2, 2)
        );
        for path in ["/1", "/2"] {
            assert_eq!(page.admit(&image(path)), Admission::Listed, "{path}");
        }
    }

    #[test]
    fn an_endless_address_is_not_kept() {
        assert!(!page(9, 9).refer(&"/".repeat(2049), Reference::Named));
    }
}
