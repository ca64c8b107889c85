//! A part of the tracked pages, under one lock: a bounded table whose coldest page makes room for a warmer one.

use hashbrown::HashTable;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    Key, State, audience::Seen, front::Front, grid::Moment, page::Page, plan::Plan, sketch::Sketch,
    track::Track,
};

/// The pages whose names fall to this shard.
#[derive(Debug)]
pub(super) struct Shard {
    /// By their names, which are hashes already.
    fronts: HashTable<Front>,
    /// In blocks that never move: a table that grew as a whole would leave holes in the memory, of many times its size.
    tracks: Vec<Vec<Track>>,
    /// Places at most.
    bound: usize,
    everyday: Everyday,
    door: Sketch,
    random: SmallRng,
    pub(super) site: Tally,
}

impl Shard {
    pub(super) fn new(bound: usize, seed: u64) -> Self {
        Self {
            fronts: HashTable::new(),
            tracks: Vec::new(),
            bound,
            everyday: Everyday::default(),
            door: Sketch::default(),
            random: SmallRng::seed_from_u64(seed),
            site: Tally::default(),
        }
    }

    /// Counts a request of a page and tells the page's state, or nothing if it is not tracked. What nearly every request
    /// needs is the page's front; `attend` gets the whole of a page that is watched, or may have to be from now on, and is
    /// told whether the rules are worth a look: at the first request of an epoch, the second, the fourth…
    pub(super) fn count(
        &mut self,
        plan: &Plan,
        now: Moment,
        name: u64,
        attend: impl FnOnce(Page<'_>, bool) -> State,
    ) -> Option<State> {
        let front = self.fronts.find_mut(name, |front| front.name == name)?;
        let turned = now.epoch > front.heads.epoch();
        if turned {
            track(&mut self.tracks, front.place()).advance(front, plan, now);
        }
        let fresh = front.heads.add(1);
        let due = turned || fresh.is_power_of_two();
        let mut everyday = || self.everyday.at(plan, front.heads.epoch());
        let worth = front.is_watched() || due && front.is_lively(plan, everyday());
        if !worth {
            return Some(State::Calm);
        }
        let track = track(&mut self.tracks, front.place());
        Some(attend(Page { front, track }, due))
    }

    /// Looks up pages that will be asked for by an epoch, all at once: the loads of one do not wait for those of another.
    pub(super) fn warm(&self, names: &[u64], epoch: u32, places: &mut Vec<(u32, u32)>) {
        places.clear();
        let fronts = names
            .iter()
            .filter_map(|name| self.fronts.find(*name, |front| front.name == *name));
        places.extend(fronts.map(|front| {
            let needed = front.heads.epoch() < epoch || front.is_watched();
            (if needed { front.place() as u32 } else { 0 }, front.heads.epoch())
        }));
        let words = places.iter().map(|(place, epoch)| {
            let place = *place as usize;
            self.tracks[place / BLOCK][place % BLOCK].warm(*epoch)
        });
        std::hint::black_box(words.fold(0, |all, word| all ^ word));
    }

    /// A page, if it is tracked.
    pub(super) fn page(&mut self, name: u64) -> Option<Page<'_>> {
        let front = self.fronts.find_mut(name, |front| front.name == name)?;
        let track = track(&mut self.tracks, front.place());
        Some(Page { front, track })
    }

    pub(super) fn len(&self) -> usize {
        self.fronts.len()
    }

    /// Shows all pages.
    pub(super) fn each(&mut self, mut show: impl FnMut(Page<'_>)) {
        for front in &mut self.fronts {
            let track = track(&mut self.tracks, front.place());
            show(Page { front, track });
        }
    }

    /// Begins to track a page if there is room, or if it was asked more often of late than the coldest of a few was.
    pub(super) fn admit(
        &mut self,
        plan: &Plan,
        now: Moment,
        name: u64,
        key: impl FnOnce() -> Key,
    ) -> Option<Page<'_>> {
        let place = if self.len() < self.bound {
            self.push(Track::new(name, key()))
        } else {
            let count = self.door.add(name);
            if count < 2 {
                return None;
            }
            let victim = self.coldest(plan, now, count)?;
            let track = track(&mut self.tracks, victim);
            let gone = std::mem::replace(track, Track::new(name, key())).name;
            if let Ok(front) = self.fronts.find_entry(gone, |front| front.name == gone) {
                front.remove();
            }
            victim
        };
        let front = Front::new(name, now.epoch, place);
        let front = self
            .fronts
            .insert_unique(name, front, |front| front.name)
            .into_mut();
        let track = track(&mut self.tracks, place);
        Some(Page { front, track })
    }

    fn push(&mut self, track: Track) -> usize {
        let place = self.len();
        match self.tracks.last_mut() {
            Some(block) if block.len() < BLOCK => block.push(track),
            _ => {
                let mut block = Vec::with_capacity(BLOCK.min(self.bound - self.len()));
                block.push(track);
                self.tracks.push(block);
            }
        }
        place
    }

    /// The place of the coldest of a few pages, if it is colder than a newcomer with so many requests.
    fn coldest(&mut self, plan: &Plan, now: Moment, count: u8) -> Option<usize> {
        let mut coldest = (None, f64::from(count));
        for _ in 0..DRAWN {
            let place = self.random.random_range(0..self.len());
            let name = self.tracks[place / BLOCK][place % BLOCK].name;
            let Some(page) = self.page(name).filter(|page| page.track.dispensable()) else {
                continue;
            };
            let warmth = page.warmth(plan, now);
            if warmth < coldest.1 {
                coldest = (Some(place), warmth);
            }
        }
        coldest.0
    }
}

/// What a habit amounts to per second, worked out once for all pages of a half epoch of the longest scale.
#[derive(Debug, Default)]
struct Everyday {
    /// The half epoch's number, and one more.
    half: u32,
    share: f64,
}

impl Everyday {
    fn at(&mut self, plan: &Plan, epoch: u32) -> f64 {
        let half = plan.grid.half(plan.grid.longest(), epoch);
        if self.half != half + 1 {
            *self = Self {
                half: half + 1,
                share: plan.past.everyday(half),
            };
        }
        self.share
    }
}

/// The rest of a page, at the place that its front names.
fn track(tracks: &mut [Vec<Track>], place: usize) -> &mut Track {
    &mut tracks[place / BLOCK][place % BLOCK]
}

/// Requests of this shard by epoch, on their way to the site as a whole.
#[derive(Debug, Default)]
pub(super) struct Tally {
    epochs: Vec<(u32, u32)>,
    seen: Seen,
}

impl Tally {
    pub(super) fn meet(&mut self, client: u64, referrer: Option<&str>) {
        self.seen.clients.insert_hash(client);
        self.seen.referrers.add(referrer);
    }

    pub(super) fn add(&mut self, epoch: u32, requests: u32) {
        let full = self.epochs.len() >= PENDING;
        match self.epochs.last_mut() {
            Some((last, count)) if *last >= epoch || full => *count = count.saturating_add(requests),
            _ => self.epochs.push((epoch, requests)),
        }
    }

    /// Takes what lies before an epoch, and who made all of it.
    pub(super) fn take(&mut self, before: u32) -> (Vec<(u32, u32)>, Seen) {
        let split = self.epochs.partition_point(|(epoch, _)| *epoch < before);
        let rest = self.epochs.split_off(split);
        (
            std::mem::replace(&mut self.epochs, rest),
            std::mem::take(&mut self.seen),
        )
    }
}

/// Places added at a time: 24 KiB, so that a full table wastes little.
const BLOCK: usize = 64;
/// Pages compared to find a cold one: the coldest of eight is in the coldest quarter nine times in ten.
const DRAWN: usize = 8;
/// Epochs that wait for the next tick at most; beyond, they count in the last.
const PENDING: usize = 32;
