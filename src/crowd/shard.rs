//! A part of the tracked pages, under one lock: a bounded table whose coldest page makes room for a warmer one.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{Key, audience::Clients, epoch::Moment, plan::Plan, sketch::Sketch, track::Track};

/// The pages whose names fall to this shard.
#[derive(Debug)]
pub(super) struct Shard {
    /// In blocks that never move: a table that grew as a whole would leave holes in the memory, of many times its size.
    tracks: Vec<Vec<Track>>,
    places: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
    /// Places at most.
    bound: usize,
    door: Sketch,
    random: SmallRng,
    pub(super) site: Tally,
}

impl Shard {
    pub(super) fn new(bound: usize, seed: u64) -> Self {
        Self {
            tracks: Vec::new(),
            places: HashMap::default(),
            bound,
            door: Sketch::default(),
            random: SmallRng::seed_from_u64(seed),
            site: Tally::default(),
        }
    }

    /// Where a page is tracked. Good until the next page is admitted.
    pub(super) fn place(&self, name: u64) -> Option<Place> {
        self.places.get(&name).copied().map(Place)
    }

    /// The page at a place.
    pub(super) fn at(&mut self, Place(place): Place) -> &mut Track {
        &mut self.tracks[place as usize / BLOCK][place as usize % BLOCK]
    }

    /// Looks up pages that will be asked for, all at once: the loads of one do not wait for those of another.
    pub(super) fn warm(&self, names: &[u64], places: &mut Places) {
        places.clear();
        places.extend(names.iter().filter_map(|name| self.place(*name)));
        let states = places.iter().map(|place| self.look(*place).state() as u32);
        std::hint::black_box(states.fold(0, |all, state| all ^ state));
        let rest = places.iter().map(|place| self.look(*place).warm());
        std::hint::black_box(rest.fold(0, |all, word| all ^ word));
    }

    pub(super) fn get(&self, name: u64) -> Option<&Track> {
        self.place(name).map(|place| self.look(place))
    }

    pub(super) fn get_mut(&mut self, name: u64) -> Option<&mut Track> {
        self.place(name).map(|place| self.at(place))
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().flatten()
    }

    pub(super) fn tracks_mut(&mut self) -> impl Iterator<Item = &mut Track> {
        self.tracks.iter_mut().flatten()
    }

    /// Begins to track a page if there is room, or if it was asked more often of late than the coldest of a few was.
    pub(super) fn admit(
        &mut self,
        plan: &Plan,
        now: Moment,
        name: u64,
        key: impl FnOnce() -> Key,
    ) -> Option<Place> {
        let place = if self.len() < self.bound {
            self.push(Track::new(name, key(), now.epoch))
        } else {
            let count = self.door.add(name);
            if count < 2 {
                return None;
            }
            let victim = self.coldest(plan, now, count)?;
            let track = self.at(victim);
            let gone = std::mem::replace(track, Track::new(name, key(), now.epoch));
            self.places.remove(&gone.name);
            victim
        };
        self.places.insert(name, place.0);
        Some(place)
    }

    fn look(&self, Place(place): Place) -> &Track {
        &self.tracks[place as usize / BLOCK][place as usize % BLOCK]
    }

    fn push(&mut self, track: Track) -> Place {
        let place = Place(self.len() as u32);
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
    fn coldest(&mut self, plan: &Plan, now: Moment, count: u8) -> Option<Place> {
        let all = self.len() as u32;
        let drawn: [Place; DRAWN] = std::array::from_fn(|_| Place(self.random.random_range(0..all)));
        let dispensable = drawn.into_iter().filter(|place| self.look(*place).dispensable());
        let warmth = dispensable.map(|place| (place, self.look(place).warmth(plan, now)));
        let (place, warmth) = warmth.min_by(|a, b| a.1.total_cmp(&b.1))?;
        (warmth < f64::from(count)).then_some(place)
    }
}

/// Where a page stands in its shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place(u32);

/// Where several pages stand.
pub(super) type Places = Vec<Place>;

/// Requests of this shard by epoch, on their way to the site as a whole.
#[derive(Debug, Default)]
pub(super) struct Tally {
    epochs: Vec<(u32, u32)>,
    clients: Clients,
}

impl Tally {
    pub(super) fn add(&mut self, epoch: u32, client: u64) {
        self.clients.insert_hash(client);
        self.add_many(epoch, 1);
    }

    pub(super) fn add_many(&mut self, epoch: u32, requests: u32) {
        let full = self.epochs.len() >= PENDING;
        match self.epochs.last_mut() {
            Some((last, count)) if *last >= epoch || full => *count = count.saturating_add(requests),
            _ => self.epochs.push((epoch, requests)),
        }
    }

    /// Takes what lies before an epoch, and the clients of all of it.
    pub(super) fn take(&mut self, before: u32) -> (Vec<(u32, u32)>, Clients) {
        let split = self.epochs.partition_point(|(epoch, _)| *epoch < before);
        let rest = self.epochs.split_off(split);
        (
            std::mem::replace(&mut self.epochs, rest),
            std::mem::take(&mut self.clients),
        )
    }
}

/// Names are hashes already.
#[derive(Debug, Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, name: u64) {
        self.0 = name;
    }

    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "only names are hashed");
    }
}

/// Places added at a time: 24 KiB, so that a full table wastes little.
const BLOCK: usize = 64;
/// Pages compared to find a cold one: the coldest of eight is in the coldest quarter nine times in ten.
const DRAWN: usize = 8;
/// Epochs that wait for the next tick at most; beyond, they count in the last.
const PENDING: usize = 16;
