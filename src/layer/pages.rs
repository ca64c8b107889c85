//! The hot pages of this process: which there are, what belongs to each, and what each has cost so far.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::SystemTime,
};

use dashmap::DashMap;
use http::{HeaderMap, header};
use url::Url;

use super::{
    inject::{Carried, Objects},
    introducer::Introducer,
};
use crate::{
    content::{CHUNK, Digest, Entry, INLINE, Page, RoomId},
    crowd::{Key, Pressure},
    swarm::message::Digests,
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
    listed: Mutex<Listed>,
    /// Whether its load asks for visitors' help.
    carried: AtomicBool,
    /// Bytes that the inner service sent for it since it is hot.
    pub(crate) origin_bytes: AtomicU64,
    /// Bytes that were sent for it from memory.
    pub(crate) store_bytes: AtomicU64,
    /// Requests per second when it became hot.
    rate: f64,
}

impl HotPage {
    /// What belongs to the page. Held for look-ups and small insertions only, never across an await.
    pub(super) fn page(&self) -> MutexGuard<'_, Page> {
        // A panic while it was held leaves at worst an object unlisted.
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether visitors carry it: it is hot, and heavy enough for the origin's uplink, as far as that is known.
    pub(crate) fn is_carried(&self) -> bool {
        self.carried.load(Relaxed)
    }

    /// Bytes of what its visitors can carry for each other.
    pub(crate) fn bytes(&self) -> u64 {
        self.page().entries().iter().map(|entry| entry.length).sum()
    }

    /// Decides anew whether it is carried, now that it is asked for at this rate; what an operator ordered is.
    pub(super) fn weigh(&self, pressure: &Pressure, rate: f64, ordered: bool) {
        let carried = ordered || pressure.engages(rate, self.bytes(), self.is_carried());
        if self.carried.swap(carried, Relaxed) != carried {
            tracing::info!(key = %self.key, carried, load = pressure.load(rate, self.bytes()), "load");
        }
    }

    /// Opens the room when the first visitor is about to be told of it: an image that is hot by itself needs none.
    /// False if the broker has no room left: then the page is not carried.
    pub(super) fn open_room(&self, introducer: &dyn Introducer) -> bool {
        // Visitors who come at the same moment may both open it; the second time changes nothing.
        if !self.opened.load(Relaxed) {
            self.opened.store(introducer.open(self.room), Relaxed);
        }
        self.opened.load(Relaxed)
    }

    /// The manifest as pages are told it, written anew only when it has changed.
    pub(super) fn listed(&self, now: SystemTime) -> Listed {
        let page = self.page();
        // What is listed, and how much of it is still fresh: an entry goes stale without a new version.
        let version = (page.manifest().version(), page.current(now).count());
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.version != Some(version) {
            *listed = Listed::of(&page.current(now).collect::<Vec<_>>(), version);
        }
        listed.clone()
    }

    /// Runs of whole chunks that newcomers are told of; where there is none, all chunks.
    pub(crate) fn seeds(&self, now: SystemTime) -> Vec<Range<u32>> {
        let page = self.page();
        let whole = |entry: &Entry| entry.first..entry.first + (entry.length / CHUNK as u64) as u32;
        let runs: Vec<_> = page
            .current(now)
            .map(whole)
            .filter(|run| !run.is_empty())
            .collect();
        if runs.is_empty() {
            let all = |entry: &Entry| entry.first..entry.first + entry.chunk_count();
            return page.current(now).map(all).collect();
        }
        runs
    }

    /// The object that a chunk is of, and its number within it.
    pub(crate) fn locate(&self, chunk: u32) -> Option<(Digest, u32)> {
        let page = self.page();
        let mut entries = page.entries().iter();
        entries.find_map(|entry| {
            let within = chunk.checked_sub(entry.first)?;
            (within < entry.chunk_count()).then_some((entry.digest, within))
        })
    }

    /// Bytes per second that visitors asked for when the page became hot, as far as they can be carried.
    fn rate_when_hot(&self) -> f64 {
        let page = self.page();
        let bytes: u64 = page.entries().iter().map(|entry| entry.length).sum();
        self.rate * bytes as f64
    }

    pub(super) fn close_room(&self, introducer: &dyn Introducer) {
        if self.opened.swap(false, Relaxed) {
            introducer.close(self.room);
        }
    }
}

const _: () = assert!(
    INLINE == Digests::COUNT_MAX,
    "what the page lists, neighbours tell"
);

/// A manifest in the forms that a page needs.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    version: Option<(u64, usize)>,
    /// The JSON list.
    pub(super) objects: Objects,
    /// The same without the digests of chunks, which neighbours tell.
    pub(super) unlisted: Objects,
    /// What may be held.
    pub(super) carried: Arc<Carried>,
    empty: bool,
}

impl Listed {
    fn of(entries: &[&Entry], version: (u64, usize)) -> Self {
        let carried = Carried::new(
            entries
                .iter()
                .map(|entry| (entry.url.as_str(), entry.kind.as_str())),
        );
        let unlisted = entries.iter().map(|entry| entry.without_chunks());
        match (Objects::new(entries), Objects::new(unlisted)) {
            (Ok(objects), Ok(unlisted)) => Self {
                version: Some(version),
                objects,
                unlisted,
                carried: Arc::new(carried),
                empty: entries.is_empty(),
            },
            // Strings and numbers are always JSON; were they not, the page would go out as it is.
            _ => Self {
                version: Some(version),
                ..Self::default()
            },
        }
    }

    /// Whether there is nothing to carry yet.
    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }
}

impl Default for Listed {
    fn default() -> Self {
        Self {
            version: None,
            objects: Objects::none(),
            unlisted: Objects::none(),
            carried: Arc::default(),
            empty: true,
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

    pub(crate) fn len(&self) -> usize {
        self.count.load(Relaxed)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<HotPage>> {
        self.by_key.get(key).map(|page| Arc::clone(&page))
    }

    /// Every hot page, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<HotPage>> {
        self.by_key.iter().map(|page| Arc::clone(&page)).collect()
    }

    /// Makes `key` hot, which was asked for at this rate per second, and carried at once or once it is weighed; one that is
    /// hot already keeps its room.
    pub(super) fn open(&self, key: &Key, page: Page, rate: f64, carried: bool) {
        self.by_key.entry(key.clone()).or_insert_with(|| {
            Arc::new(HotPage {
                key: key.clone(),
                room: RoomId(rand::random()),
                opened: AtomicBool::new(false),
                page: Mutex::new(page),
                listed: Mutex::default(),
                carried: AtomicBool::new(carried),
                origin_bytes: AtomicU64::new(0),
                store_bytes: AtomicU64::new(0),
                rate,
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
    pub(super) fn owner(
        &self,
        host: &str,
        path_and_query: &str,
        referring: Option<&Key>,
    ) -> Option<Arc<HotPage>> {
        if let Some(page) = referring.and_then(|key| self.get(key)) {
            return Some(page);
        }
        self.by_key
            .iter()
            .find(|page| page.key.host().eq_ignore_ascii_case(host) && page.page().refers_to(path_and_query))
            .map(|page| Arc::clone(&page))
    }

    /// The page whose visitors meet there. Hot pages are few.
    pub(crate) fn in_room(&self, room: RoomId) -> Option<Arc<HotPage>> {
        self.by_key
            .iter()
            .find(|page| page.room == room)
            .map(|page| Arc::clone(&page))
    }

    /// Bytes per second that were asked for of all hot pages when they became hot.
    pub(crate) fn rate_when_hot(&self) -> f64 {
        self.by_key.iter().map(|page| page.rate_when_hot()).sum()
    }

    /// A hot page whose manifest lists this object. What no hot page lists is not given out by its digest.
    pub(super) fn holding(&self, digest: &Digest) -> Option<Arc<HotPage>> {
        self.by_key
            .iter()
            .find(|page| page.page().find(digest).is_some())
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
    authority
        .is_some_and(|authority| authority.eq_ignore_ascii_case(host))
        .then_some(referer)
}
