//! What the store keeps: objects bounded in bytes, marks on what is not stored, and the list of fetches under way; and the decision
//! what a look-up gets.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::SystemTime,
};

use dashmap::DashMap;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter, sync::Cache};

use super::{
    budget::Budget,
    chunk::Digest,
    eligible::Asker,
    filling::{Ended, Filling},
    follower::Follower,
    freshness::Use,
    key::{Encoding, ObjectKey},
    leader::Leader,
    marks::Marks,
    object::Object,
    reason::Reason,
    settings::Settings,
    store::Lookup,
};

/// What the clones of a store share.
pub(super) struct Shelf {
    pub(super) settings: Settings,
    pub(super) budget: Arc<Budget>,
    objects: Cache<ObjectKey, Arc<Object>, Weigh, DefaultHashBuilder, Evicted>,
    /// Weak, so that only `objects` decides what stays.
    by_digest: DashMap<Digest, Weak<Object>>,
    pub(super) marks: Marks,
    fills: Mutex<HashMap<ObjectKey, Arc<Filling>>>,
}

impl Shelf {
    pub(super) fn new(settings: Settings) -> Self {
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
            marks: Marks::default(),
            fills: Mutex::new(HashMap::new()),
            settings,
        }
    }

    pub(super) fn lookup(self: &Arc<Self>, key: &ObjectKey, asker: Asker, now: SystemTime) -> Lookup {
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
                Use::IfError if self.marks.passes(key, asker.cookie, now).is_some() => {
                    return Lookup::Stale(Arc::clone(object), None);
                }
                Use::IfError | Use::No => {}
            }
        }
        if let Some(reason) = self.marks.passes(key, asker.cookie, now) {
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

    /// One leader for a stale object, if none is under way.
    fn refresh(
        self: &Arc<Self>,
        key: &ObjectKey,
        asker: Asker,
        object: &Arc<Object>,
        now: SystemTime,
    ) -> Option<Leader> {
        if self.marks.passes(key, asker.cookie, now).is_some() {
            return None;
        }
        let mut fills = self.fills();
        // A refresh may have ended since the look at the object: it stores before it leaves the list.
        if !self
            .stored(key)
            .is_some_and(|stored| Arc::ptr_eq(&stored, object))
        {
            return None;
        }
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

    pub(super) fn by_digest(&self, digest: &Digest) -> Option<Arc<Object>> {
        self.by_digest.get(digest)?.upgrade()
    }

    pub(super) fn weight(&self) -> u64 {
        self.objects.weight()
    }

    pub(super) fn under_way(&self) -> usize {
        self.fills().len()
    }

    pub(super) fn names(&self) -> usize {
        self.by_digest.len()
    }

    /// Puts an object in the place of its older version.
    pub(super) fn insert(&self, object: &Arc<Object>) {
        self.by_digest
            .insert(object.digests().object, Arc::downgrade(object));
        let mut gone = Vec::new();
        self.objects
            .insert_with_lifecycle(object.key().clone(), Arc::clone(object), &mut gone);
        gone.iter().for_each(|object| self.forget(object));
    }

    /// Removes what may not be shared any more.
    pub(super) fn remove(&self, object: &Arc<Object>) {
        let same = |known: &Arc<Object>| Arc::ptr_eq(known, object);
        if self.objects.remove_if(object.key(), same).is_some() {
            self.forget(object);
        }
    }

    fn forget(&self, object: &Arc<Object>) {
        self.by_digest.remove_if(&object.digests().object, |_, known| {
            known.as_ptr() == Arc::as_ptr(object)
        });
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

/// Collects what an insertion pushed out or replaced.
#[derive(Clone)]
struct Evicted;

impl Lifecycle<ObjectKey, Arc<Object>> for Evicted {
    type RequestState = Vec<Arc<Object>>;

    fn on_evict(&self, evicted: &mut Self::RequestState, _: ObjectKey, object: Arc<Object>) {
        evicted.push(object);
    }
}
