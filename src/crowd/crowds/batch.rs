//! Many requests at once, as whoever reads a log has them. They are counted one by one, in their order, exactly as alone;
//! but all pages of a batch are looked up before, so that the walks to the memory that 100,000 pages cost overlap.

use super::{Crowds, SHARDS, Sighting, State, Time, lock, shard_of};

impl Crowds {
    /// Counts requests, each with its time, and tells the state of each one's page by the request's place, as
    /// [`observe`](Self::observe) would have: the next request is counted when `tell` returns, which may ask for changes
    /// and let time pass.
    pub fn observe_all(&self, sightings: &[(Time, Sighting<'_>)], mut tell: impl FnMut(usize, State)) {
        let mut batch = Batch::default();
        let mut place = 0;
        for sightings in sightings.chunks(BATCH) {
            batch.name(self, sightings);
            batch.warm(self, sightings[sightings.len() - 1].0);
            for ((now, sighting), name) in sightings.iter().zip(&batch.names) {
                let now = self.clock.moment(&self.plan, *now);
                tell(place, self.count(now, *name, sighting));
                place += 1;
            }
        }
    }
}

/// The names of a batch's pages.
#[derive(Default)]
struct Batch {
    /// In the order of the requests.
    names: Vec<u64>,
    /// Shard by shard.
    sorted: Vec<u64>,
    places: Vec<(u32, u32)>,
}

impl Batch {
    fn name(&mut self, crowds: &Crowds, sightings: &[(Time, Sighting<'_>)]) {
        let naming = &crowds.plan.naming;
        self.names.clear();
        self.names
            .extend(sightings.iter().map(|(_, sighting)| sighting.name(naming)));
    }

    /// Brings what the batch will need near. One lock per shard: each is a fence, behind which no load begins early.
    fn warm(&mut self, crowds: &Crowds, until: Time) {
        if self.names.len() < FEW {
            return;
        }
        let epoch = crowds.plan.grid.moment(until).epoch;
        let mut begins = [0usize; SHARDS + 1];
        for name in &self.names {
            begins[shard_of(*name) + 1] += 1;
        }
        for shard in 0..SHARDS {
            begins[shard + 1] += begins[shard];
        }
        let mut next = begins;
        self.sorted.resize(self.names.len(), 0);
        for name in &self.names {
            let place = &mut next[shard_of(*name)];
            self.sorted[*place] = *name;
            *place += 1;
        }
        for (number, shard) in crowds.shards.iter().enumerate() {
            let names = &self.sorted[begins[number]..begins[number + 1]];
            if !names.is_empty() {
                lock(shard).warm(names, epoch, &mut self.places);
            }
        }
    }
}

/// Requests whose pages are looked up together: several per shard, and no more than stay near until they are counted.
const BATCH: usize = 512;
/// Requests for which no page is looked up ahead: with one per shard there is nothing to overlap.
const FEW: usize = SHARDS;
