//! The hot pages of this process: which there are, what belongs to each, and what each has cost so far.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use dashmap::DashMap;
use http::{HeaderMap, header};
use url::Url;

use super::introducer::Introducer;
use crate::{
    content::{Page, RoomId},
    crowd::Key,
};

/// A page while a crowd looks at it.
#[derive(Debug)]
pub(crate) struct HotPage {
    /// The key under which the crowd was seen.
    pub(crate) key: Key,
    /// Its room at the broker. Each crowd has a new one.
    pub(crate) room: RoomId,
    opened: AtomicBool,
    page: Mutex<Page>,
    /// Bytes that the inner service sent for it since it is hot.
    pub(crate) origin_bytes: AtomicU64,
    /// Bytes that were sent for it from memory.
    pub(crate) store_bytes: AtomicU64,
}

impl HotPage {
    /// What belongs to the page. Held for look-ups and small insertions only, never across an await.
    pub(super) fn page(&self) -> MutexGuard<'_, Page> {
        // A panic while it was held leaves at worst an object unlisted.
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the room when the first visitor is about to be told of it: an image that is hot by itself needs none.
    pub(super) fn open_room(&self, introducer: &dyn Introducer) {
        if !self.opened.swap(true, Relaxed) {
            introducer.open(self.room);
        }
    }

    pub(super) fn close_room(&self, introducer: &dyn Introducer) {
        if self.opened.swap(false, Relaxed) {
            introducer.close(self.room);
        }
    }
}

/// All hot pages. Bounded by the detector's `max_hot`.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    by_key: DashMap<Key, Arc<HotPage>>,
    count: AtomicUsize,
}

impl Pages {
    /// Whether any page is hot: one relaxed load, for each request of a calm site.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Relaxed) > 0
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<HotPage>> {
        self.by_key.get(key).map(|page| Arc::clone(&page))
    }

    /// Every hot page, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<HotPage>> {
        self.by_key.iter().map(|page| Arc::clone(&page)).collect()
    }

    /// Makes `key` hot; one that is hot already keeps its room.
    pub(super) fn open(&self, key: &Key, page: Page) {
        self.by_key.entry(key.clone()).or_insert_with(|| {
            Arc::new(HotPage {
                key: key.clone(),
                room: RoomId(rand::random()),
                opened: AtomicBool::new(false),
                page: Mutex::new(page),
                origin_bytes: AtomicU64::new(0),
                store_bytes: AtomicU64::new(0),
            })
        });
        self.count.store(self.by_key.len(), Relaxed);
    }

    pub(super) fn close(&self, key: &Key) -> Option<Arc<HotPage>> {
        let closed = self.by_key.remove(key).map(|(_, page)| page);
        self.count.store(self.by_key.len(), Relaxed);
        closed
    }

    /// The hot page that an object belongs to: the one whose HTML names it, or the one that it was requested from.
    pub(super) fn owner(&self, host: &str, path_and_query: &str, referring: Option<&Key>) -> Option<Arc<HotPage>> {
        if let Some(page) = referring.and_then(|key| self.get(key)) {
            return Some(page);
        }
        self.by_key
            .iter()
            .find(|page| page.key.host() == host && page.page().refers_to(path_and_query))
            .map(|page| Arc::clone(&page))
    }
}

/// The page of the same site that a request comes from, by its Referer.
pub(super) fn referring_page(headers: &HeaderMap, host: &str) -> Option<Url> {
    let referer = Url::parse(headers.get(header::REFERER)?.to_str().ok()?).ok()?;
    let authority = referer.host_str().map(|name| match referer.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    });
    (authority.as_deref() == Some(host)).then_some(referer)
}
