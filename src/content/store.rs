//! The store: objects bounded in bytes, what was learnt about the rest, and the fetches under way. It answers every look-up at once;
//! what a leader then does is in `coalesce.rs`.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use dashmap::DashMap;
use http::HeaderMap;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, UnitWeighter, Weighter, sync::Cache};

use super::{
    budget::Budget,
    chunk::Digest,
    coalesce::Leader,
    eligible::{Asker, Reason},
    filling::{Ended, Filling, Follower},
    freshness::Use,
    key::{Encoding, ObjectKey},
    object::Object,
    settings::{Settings, SettingsError},
};

/// Objects of hot pages, shared by all clones.
#[derive(Clone, Debug)]
pub struct Store {
    pub(super) shelf: Arc<Shelf>,
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
        self.shelf.by_digest.get(digest)?.upgrade()
    }

    /// Bytes that stored objects take.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.shelf.objects.weight()
    }

    /// Bytes reserved for bodies under way.
    #[must_use]
    pub fn filling(&self) -> u64 {
        self.shelf.budget.used()
    }

    /// Fetches under way.
    #[must_use]
    pub fn fills(&self) -> usize {
        self.shelf.fills().len()
    }

    /// Objects that can be had by name.
    #[must_use]
    pub fn names(&self) -> usize {
        self.shelf.by_digest.len()
    }

    /// Its limits.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shelf.settings
    }
}

/// What the clones of a store share.
pub(super) struct Shelf {
    pub(super) settings: Settings,
    pub(super) budget: Arc<Budget>,
    objects: Cache<ObjectKey, Arc<Object>, Weigh, DefaultHashBuilder, Evicted>,
    /// Weak, so that only `objects` decides what stays.
    by_digest: DashMap<Digest, Weak<Object>>,
    marks: Cache<ObjectKey, Mark>,
    fills: Mutex<HashMap<ObjectKey, Arc<Filling>>>,
}

/// What was learnt of an object that is not stored.
#[derive(Clone, Copy, Debug)]
enum Mark {
    /// It may not be shared.
    Pass { reason: Reason, until: SystemTime },
    /// Its origin gives no explicit freshness: only fetches without cookies count, and two must agree.
    Silent { seen: Option<Digest>, until: SystemTime },
}

impl Shelf {
    fn new(settings: Settings) -> Self {
        let capacity = settings.store.as_u64();
        let options = OptionsBuilder::new()
            // A shard must hold the largest object; the median object of a page has some 20 KiB.
            .shards(
                usize::try_from(capacity / (4 * settings.max_object.as_u64()))
                    .unwrap_or(1)
                    .clamp(1, 16),
            )
            .estimated_items_capacity(usize::try_from(capacity / 20_480).unwrap_or(usize::MAX).max(512))
            .weight_capacity(capacity)
            .build()
            .expect("both capacities are given");
        Self {
            budget: Budget::new(settings.filling.as_u64()),
            objects: Cache::with_options(options, Weigh, DefaultHashBuilder::default(), Evicted),
            by_digest: DashMap::new(),
            marks: Cache::with(
                MAX_MARKS,
                MAX_MARKS as u64,
                UnitWeighter,
                DefaultHashBuilder::default(),
                Default::default(),
            ),
            fills: Mutex::new(HashMap::new()),
            settings,
        }
    }

    fn lookup(self: &Arc<Self>, key: &ObjectKey, asker: Asker, now: SystemTime) -> Lookup {
        let stored = self.stored(key);
        if let Some(object) = &stored {
            if !object.answers(asker.cookie) {
                return Lookup::Pass(Reason::Cookie);
            }
            match object.freshness().usable(now) {
                Use::Fresh => return Lookup::Fresh(Arc::clone(object)),
                Use::Revalidate => {
                    return Lookup::Stale(Arc::clone(object), self.refresh(key, asker, object, now));
                }
                // The origin failed just now: asking it again for everybody would be the crowd on its neck.
                Use::IfError if self.marked(key, asker, now).is_some() => {
                    return Lookup::Stale(Arc::clone(object), None);
                }
                Use::IfError | Use::No => {}
            }
        }
        if let Some(reason) = self.marked(key, asker, now) {
            return Lookup::Pass(reason);
        }
        self.follow_or_lead(key, asker, stored, now)
    }

    /// The stored object for a key, or the one that is the same for every encoding.
    fn stored(&self, key: &ObjectKey) -> Option<Arc<Object>> {
        self.objects.get(key).or_else(|| {
            let plain = (key.encoding != Encoding::Identity).then(|| key.with(Encoding::Identity))?;
            self.objects.get(&plain).filter(|object| object.is_universal())
        })
    }

    fn marked(&self, key: &ObjectKey, asker: Asker, now: SystemTime) -> Option<Reason> {
        match self.marks.get(key)? {
            Mark::Pass { reason, until } => (now < until).then_some(reason),
            Mark::Silent { until, .. } => (asker.cookie && now < until).then_some(Reason::Cookie),
        }
    }

    /// One leader for a stale object, if none is under way.
    fn refresh(
        self: &Arc<Self>,
        key: &ObjectKey,
        asker: Asker,
        object: &Arc<Object>,
        now: SystemTime,
    ) -> Option<Leader> {
        if self.marked(key, asker, now).is_some() || (asker.cookie && !object.freshness().explicit()) {
            return None;
        }
        let mut fills = self.fills();
        let bound = fills.len() >= self.settings.max_fills;
        match fills.entry(key.clone()) {
            Entry::Vacant(place) if !bound => {
                let filling = self.filling(key, Some(Arc::clone(object)));
                place.insert(Arc::clone(&filling));
                Some(Leader::new(self, filling, asker.cookie))
            }
            _ => None,
        }
    }

    fn follow_or_lead(
        self: &Arc<Self>,
        key: &ObjectKey,
        asker: Asker,
        mut stored: Option<Arc<Object>>,
        now: SystemTime,
    ) -> Lookup {
        let mut fills = self.fills();
        if let Some(filling) = fills.get(key) {
            return match filling.ticket() {
                Ok(ticket) => Lookup::Filling(Follower::new(ticket, asker.cookie)),
                Err(reason) => Lookup::Pass(reason),
            };
        }
        // A fetch may have ended since the first look: it stores before it leaves the list.
        if let Some(object) = self.stored(key) {
            if object.freshness().usable(now) == Use::Fresh && object.answers(asker.cookie) {
                return Lookup::Fresh(object);
            }
            stored = Some(object);
        }
        if asker.out_of_range {
            return Lookup::Pass(Reason::Range);
        }
        if asker.cookie
            && stored
                .as_ref()
                .is_some_and(|object| !object.freshness().explicit())
        {
            return Lookup::Pass(Reason::Cookie);
        }
        if fills.len() >= self.settings.max_fills {
            return Lookup::Pass(Reason::Busy);
        }
        let filling = self.filling(key, stored);
        fills.insert(key.clone(), Arc::clone(&filling));
        Lookup::Lead(Leader::new(self, filling, asker.cookie))
    }

    fn filling(&self, key: &ObjectKey, older: Option<Arc<Object>>) -> Arc<Filling> {
        Arc::new(Filling::new(
            key.clone(),
            older,
            self.settings.max_waiters,
            self.budget.reservation(),
        ))
    }

    /// A panic of another thread leaves the list whole: every change is one statement.
    fn fills(&self) -> MutexGuard<'_, HashMap<ObjectKey, Arc<Filling>>> {
        self.fills.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a fetch for all who wait. What is to be stored must be stored before.
    pub(super) fn settle(&self, filling: &Arc<Filling>, ended: Ended) {
        {
            let mut fills = self.fills();
            if fills
                .get(&filling.key)
                .is_some_and(|known| Arc::ptr_eq(known, filling))
            {
                fills.remove(&filling.key);
            }
        }
        filling.change(|state| {
            state.outcome.get_or_insert(ended);
        });
    }

    /// Puts an object in the place of its older version.
    pub(super) fn insert(&self, object: &Arc<Object>) {
        let older = self.objects.peek(object.key());
        self.by_digest
            .insert(object.digests().object, Arc::downgrade(object));
        let mut evicted = Vec::new();
        self.objects
            .insert_with_lifecycle(object.key().clone(), Arc::clone(object), &mut evicted);
        evicted
            .iter()
            .chain(&older)
            .for_each(|object| self.forget(object));
    }

    /// Removes what may not be shared any more.
    pub(super) fn remove(&self, object: &Arc<Object>) {
        if let Some((_, removed)) = self.objects.remove(object.key()) {
            self.forget(&removed);
        }
    }

    fn forget(&self, object: &Arc<Object>) {
        self.by_digest.remove_if(&object.digests().object, |_, known| {
            known.as_ptr() == Arc::as_ptr(object)
        });
    }

    /// Lets later requests pass for a while, if the reason lies in the object.
    pub(super) fn mark_pass(&self, key: &ObjectKey, reason: Reason, now: SystemTime) {
        if let Some(rest) = reason.rest() {
            self.marks.insert(
                key.clone(),
                Mark::Pass {
                    reason,
                    until: now + rest,
                },
            );
        }
    }

    /// Remembers that an object has no explicit freshness, and what it was when last seen.
    pub(super) fn mark_silent(&self, key: &ObjectKey, seen: Option<Digest>, now: SystemTime) {
        let seen = seen.or_else(|| self.seen(key, now));
        self.marks.insert(
            key.clone(),
            Mark::Silent {
                seen,
                until: now + SILENT,
            },
        );
    }

    /// What an object without explicit freshness was when last fetched without a cookie.
    pub(super) fn seen(&self, key: &ObjectKey, now: SystemTime) -> Option<Digest> {
        match self.marks.get(key)? {
            Mark::Silent { seen, until } if now < until => seen,
            _ => None,
        }
    }

    pub(super) fn unmark(&self, key: &ObjectKey) {
        self.marks.remove(key);
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("weight", &self.objects.weight())
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Weigh;

impl Weighter<ObjectKey, Arc<Object>> for Weigh {
    fn weight(&self, _: &ObjectKey, object: &Arc<Object>) -> u64 {
        object.weight()
    }
}

/// Collects what an insertion pushed out.
#[derive(Clone)]
struct Evicted;

impl Lifecycle<ObjectKey, Arc<Object>> for Evicted {
    type RequestState = Vec<Arc<Object>>;

    fn on_evict(&self, evicted: &mut Self::RequestState, _: ObjectKey, object: Arc<Object>) {
        evicted.push(object);
    }
}

/// Longer addresses are not worth a place in any map: browsers' own URLs rarely pass 2 KiB.
const MAX_KEY: usize = 2048;
/// Objects of which it is remembered that they pass: several hot pages' worth, at most 8 MiB with the longest keys.
const MAX_MARKS: usize = 4096;
/// Two fetches that agree must lie within this time; a crowd's are seconds apart.
const SILENT: Duration = Duration::from_secs(60);
