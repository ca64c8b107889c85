//! All pages of a site: shards behind locks, the site as a whole, and the changes that wait to be told.

mod batch;
mod recall;
mod room;

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    net::IpAddr,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use super::{
    Change, Crowd, ForceError, Key, Memory, Mode, Settings, SettingsError, State, Time, audience::Seen,
    clock::Clock, grid::Moment, page::Page, pins::Pins, plan::Plan, shard::Shard, site::Site,
};

/// One request, as the detector sees it.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// Host asked for.
    pub host: &'a str,
    /// Path asked for, without query.
    pub path: &'a str,
    /// Query, without the question mark.
    pub query: Option<&'a str>,
    /// Address of the visitor: the peer's, or the forwarded one from a trusted proxy.
    pub client: IpAddr,
    /// The Referer, as it was sent.
    pub referrer: Option<&'a str>,
}

/// The detector. See the [module docs](super).
#[derive(Debug)]
pub struct Crowds {
    plan: Plan,
    shards: Box<[Mutex<Shard>]>,
    /// The site as a whole.
    site: Site,
    pins: RwLock<Pins>,
    pinned: AtomicBool,
    /// Pages hot now, those forced by hand included; the site as a whole is not.
    hot: AtomicUsize,
    /// Pins that may make a page hot which has not been seen yet.
    hot_pins: AtomicBool,
    /// Pages hot or cooling.
    places: AtomicUsize,
    /// Strength of the weakest of them, as an `f64`, where there is no place left; once a second another may take it.
    weakest: AtomicU64,
    /// Names of the pages that are not calm. Taken after a shard's lock, never before.
    active: Mutex<HashSet<u64>>,
    changes: Mutex<VecDeque<Change>>,
    /// Whether there are any: asked with every request.
    changed: AtomicBool,
    clock: Clock,
}

impl Crowds {
    /// A detector that begins to watch at `start`: what was before it does not know, and silence since then it does.
    /// The seed names pages and clients by keyed hashes; make it random where strangers choose the URLs.
    ///
    /// # Errors
    /// The first setting that cannot work.
    pub fn new(settings: Settings, start: Time, seed: u64) -> Result<Self, SettingsError> {
        Self::with_memory(settings, start, seed, &Memory::default())
    }

    /// A detector that knows its pages' past: a restart is no crowd.
    ///
    /// # Errors
    /// The first setting that cannot work.
    pub fn with_memory(
        settings: Settings,
        start: Time,
        seed: u64,
        memory: &Memory,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let bound = settings.max_keys.div_ceil(SHARDS);
        let site = Site::new(&settings, start, memory.seconds);
        let plan = Plan::new(settings, start, seed, memory.seconds);
        let shards = (0..SHARDS as u64)
            .map(|number| Mutex::new(Shard::new(bound, seed ^ number)))
            .collect();
        let crowds = Self {
            plan,
            shards,
            site,
            pins: RwLock::default(),
            pinned: AtomicBool::new(false),
            hot: AtomicUsize::new(0),
            hot_pins: AtomicBool::new(false),
            places: AtomicUsize::new(0),
            weakest: AtomicU64::new(f64::INFINITY.to_bits()),
            active: Mutex::default(),
            changes: Mutex::default(),
            changed: AtomicBool::new(false),
            clock: Clock::default(),
        };
        crowds.recall(memory);
        Ok(crowds)
    }

    /// Counts a request and tells the state of its page. A known page needs no allocation.
    pub fn observe(&self, now: Time, sighting: &Sighting<'_>) -> State {
        let now = self.clock.moment(&self.plan, now);
        self.count(now, sighting.name(&self.plan.naming), sighting)
    }

    fn count(&self, now: Moment, name: u64, sighting: &Sighting<'_>) -> State {
        let mut guard = lock(self.shard(name));
        let shard = &mut *guard;
        shard.site.add(now.epoch, 1);
        if self.site.is_watched() {
            let client = self.plan.naming.client(sighting.client);
            shard.site.meet(client, sighting.referrer);
        }
        let mut change = None;
        let mut attend = |mut page: Page<'_>, due| {
            let client = self.plan.naming.client(sighting.client);
            page.attend(&self.plan, now, due, client, sighting.referrer);
            if due {
                change = page.judge(&self.plan, now, |rate| self.has_room(rate));
            }
            page.state()
        };
        let state = match shard.count(&self.plan, now, name, &mut attend) {
            None if self.admit(shard, now, name, sighting) => shard.count(&self.plan, now, name, attend),
            state => state,
        };
        let Some(state) = state else {
            return self.forced(sighting.host, sighting.path);
        };
        if change.is_some() {
            self.note(name, change);
            drop(guard);
            self.make_room(now, name);
        }
        state
    }

    /// The key under which a page is counted.
    pub fn key(&self, host: &str, path: &str, query: Option<&str>) -> Key {
        let naming = &self.plan.naming;
        naming.key(naming.page(host, path, query), host, path, query)
    }

    /// Counts requests that someone else has counted already, as logs by the minute have: all of one page, in one epoch, by
    /// one client as far as the audience is concerned.
    pub fn observe_many(&self, now: Time, sighting: &Sighting<'_>, requests: u32) -> State {
        let state = self.observe(now, sighting);
        let Some(more) = requests.checked_sub(1).filter(|more| *more > 0) else {
            return state;
        };
        let now = self.clock.moment(&self.plan, now);
        let name = sighting.name(&self.plan.naming);
        let mut shard = lock(self.shard(name));
        shard.site.add(now.epoch, more);
        let Some(mut page) = shard.page(name) else {
            return state;
        };
        page.observe_many(&self.plan, now, more);
        let change = page.judge(&self.plan, now, |rate| self.has_room(rate));
        let state = page.state();
        drop(page);
        self.note(name, change);
        drop(shard);
        self.make_room(now, name);
        state
    }

    /// The state of a page, without counting.
    pub fn state(&self, host: &str, path: &str, query: Option<&str>) -> State {
        let name = self.plan.naming.page(host, path, query);
        let known = lock(self.shard(name)).page(name).map(|page| page.state());
        known.unwrap_or_else(|| self.forced(host, path))
    }

    /// Whether any page is hot: one relaxed load. The site as a whole does not count.
    pub fn any_hot(&self) -> bool {
        self.hot.load(Relaxed) > 0 || self.hot_pins.load(Relaxed)
    }

    /// Lets time pass: hot pages cool, cooling ones become calm, and the site as a whole is judged. To be called about once
    /// a second; more seldom only delays this.
    pub fn tick(&self, now: Time) {
        let now = self.clock.moment(&self.plan, now);
        let active: Vec<u64> = lock(&self.active).iter().copied().collect();
        let mut weakest = f64::INFINITY;
        for name in active {
            let mut shard = lock(self.shard(name));
            let Some(mut page) = shard.page(name) else {
                continue;
            };
            let change = page.settle(&self.plan, now);
            weakest = page
                .strength(&self.plan, now)
                .map_or(weakest, |strength| strength.min(weakest));
            drop(page);
            self.note(name, change);
        }
        self.weakest.store(weakest.to_bits(), Relaxed);
        if self.site.is_due(now.at) {
            self.judge_site(now);
        }
    }

    /// Whether there are changes to be taken: one relaxed load.
    #[inline]
    pub fn has_changed(&self) -> bool {
        self.changed.load(Relaxed)
    }

    /// Takes the changes since the last call, oldest first. At most 1,024 are kept; of more the oldest are lost.
    pub fn changes(&self) -> Vec<Change> {
        if !self.has_changed() {
            return Vec::new();
        }
        let mut changes = lock(&self.changes);
        // Under the lock, so that no change is told between the two.
        self.changed.store(false, Relaxed);
        changes.drain(..).collect()
    }

    /// Makes a path hot or calm by hand, or leaves it to the rules again; without a host, on every host. All queries of
    /// the path are meant.
    ///
    /// # Errors
    /// The path is none, or too many pages are forced already.
    pub fn force(&self, now: Time, host: Option<&str>, path: &str, mode: Mode) -> Result<(), ForceError> {
        let now = self.clock.moment(&self.plan, now);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        {
            let mut pins = self.pins.write().unwrap_or_else(PoisonError::into_inner);
            pins.set(host, path, mode)?;
            self.pinned.store(!pins.is_empty(), Relaxed);
            self.hot_pins.store(pins.any_hot(), Relaxed);
        }
        if let (Some(host), Mode::Hot) = (host, mode) {
            let name = self.plan.naming.page(host, path, None);
            let mut shard = lock(self.shard(name));
            if shard.page(name).is_none() {
                shard.admit(&self.plan, now, name, || {
                    self.plan.naming.key(name, host, path, None)
                });
            }
        }
        for shard in &self.shards {
            lock(shard).each(|mut page| {
                let key = &page.track.key;
                let meant =
                    key.path() == path && host.is_none_or(|host| key.host().eq_ignore_ascii_case(host));
                if meant {
                    let change = page.force(&self.plan, now, mode);
                    self.note(page.front.name, change);
                }
            });
        }
        Ok(())
    }

    /// The pages that are hot or cooling, the busiest first; the site as a whole, if it is, before them.
    pub fn crowds(&self, now: Time) -> Vec<Crowd> {
        let now = self.clock.moment(&self.plan, now);
        let active: Vec<u64> = lock(&self.active).iter().copied().collect();
        let mut crowds: Vec<Crowd> = active
            .into_iter()
            .filter_map(|name| {
                lock(self.shard(name))
                    .page(name)
                    .and_then(|page| page.crowd(&self.plan, now))
            })
            .collect();
        crowds.sort_by(|a, b| b.rate.total_cmp(&a.rate).then_with(|| a.key.cmp(&b.key)));
        let site = self.site.crowd(now.at);
        site.into_iter().chain(crowds).collect()
    }

    /// Pages tracked now.
    pub fn tracked(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.plan.settings
    }

    fn shard(&self, name: u64) -> &Mutex<Shard> {
        &self.shards[shard_of(name)]
    }

    /// Tracks a page that is new, as it was forced if it was.
    #[cold]
    fn admit(&self, shard: &mut Shard, now: Moment, name: u64, sighting: &Sighting<'_>) -> bool {
        let naming = &self.plan.naming;
        let key = || naming.key(name, sighting.host, sighting.path, sighting.query);
        let Some(mut page) = shard.admit(&self.plan, now, name, key) else {
            return false;
        };
        if self.pinned.load(Relaxed) {
            let mode = self
                .pins
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .mode(sighting.host, sighting.path);
            let change = page.force(&self.plan, now, mode);
            self.note(name, change);
        }
        true
    }

    /// The state of a page that is not tracked.
    fn forced(&self, host: &str, path: &str) -> State {
        if !self.hot_pins.load(Relaxed) {
            return State::Calm;
        }
        match self
            .pins
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .mode(host, path)
        {
            Mode::Hot => State::Hot,
            Mode::Calm | Mode::Auto => State::Calm,
        }
    }

    fn tell(&self, change: Change) {
        let mut changes = lock(&self.changes);
        if changes.len() >= MAX_CHANGES {
            changes.pop_front();
        }
        changes.push_back(change);
        self.changed.store(true, Relaxed);
    }

    /// Gathers the shards' counts of whole epochs and judges the site by them.
    fn judge_site(&self, now: Moment) {
        let mut epochs = BTreeMap::<u32, u32>::new();
        let mut seen = Seen::default();
        for shard in &self.shards {
            let (counts, theirs) = lock(shard).site.take(now.epoch);
            seen.merge(&theirs);
            for (epoch, count) in counts {
                *epochs.entry(epoch).or_default() += count;
            }
        }
        let changes = self.site.judge(now.at, &self.plan.grid, epochs, &seen);
        changes.into_iter().flatten().for_each(|change| self.tell(change));
    }
}

/// A shard that panicked holds counts, which are as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shard_of(name: u64) -> usize {
    (name >> 32) as usize % SHARDS
}

/// Locks that requests are spread over: many more than cores.
const SHARDS: usize = 64;
/// Changes kept for a shell that does not ask: each is some hundred bytes.
const MAX_CHANGES: usize = 1024;

#[cfg(test)]
mod tests;
