//! A part of the tracked pages, under one lock: a bounded table whose coldest page makes room for a warmer one.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    Key,
    audience::Clients,
    epoch::Moment,
    sketch::Sketch,
    track::{Plan, Track},
};

/// The pages whose names fall to this shard.
#[derive(Debug)]
pub(super) struct Shard {
    tracks: Vec<Track>,
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

    pub(super) fn get(&self, name: u64) -> Option<&Track> {
        self.places.get(&name).map(|place| &self.tracks[*place as usize])
    }

    pub(super) fn get_mut(&mut self, name: u64) -> Option<&mut Track> {
        self.places
            .get(&name)
            .map(|place| &mut self.tracks[*place as usize])
    }

    pub(super) fn len(&self) -> usize {
        self.tracks.len()
    }

    pub(super) fn tracks(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter()
    }

    pub(super) fn tracks_mut(&mut self) -> impl Iterator<Item = &mut Track> {
        self.tracks.iter_mut()
    }

    /// Begins to track a page if there is room, or if it was asked more often of late than the coldest of a few was.
    pub(super) fn admit(
        &mut self,
        plan: &Plan,
        now: Moment,
        name: u64,
        key: impl FnOnce() -> Key,
    ) -> Option<&mut Track> {
        let place = if self.tracks.len() < self.bound {
            if self.tracks.len() == self.tracks.capacity() {
                self.tracks
                    .reserve_exact(self.bound.min(STEP).min(self.bound - self.tracks.len()));
            }
            self.tracks.push(Track::new(name, key(), now.epoch));
            self.tracks.len() - 1
        } else {
            let count = self.door.add(name);
            if count < 2 {
                return None;
            }
            let victim = self.coldest(plan, now, count)?;
            self.places.remove(&self.tracks[victim].name);
            self.tracks[victim] = Track::new(name, key(), now.epoch);
            victim
        };
        self.places.insert(name, place as u32);
        self.tracks.get_mut(place)
    }

    /// The place of the coldest of a few pages, if it is colder than a newcomer with so many requests.
    fn coldest(&mut self, plan: &Plan, now: Moment, count: u8) -> Option<usize> {
        let drawn: [usize; DRAWN] = std::array::from_fn(|_| self.random.random_range(0..self.tracks.len()));
        let dispensable = drawn
            .into_iter()
            .filter(|place| self.tracks[*place].dispensable());
        let warmth = dispensable.map(|place| (place, self.tracks[place].warmth(plan, now)));
        let (place, warmth) = warmth.min_by(|a, b| a.1.total_cmp(&b.1))?;
        (warmth < f64::from(count)).then_some(place)
    }
}

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

/// Places added at a time, so that a full table wastes none.
const STEP: usize = 64;
/// Pages compared to find a cold one: the coldest of eight is in the coldest quarter nine times in ten.
const DRAWN: usize = 8;
/// Epochs that wait for the next tick at most; beyond, they count in the last.
const PENDING: usize = 16;
