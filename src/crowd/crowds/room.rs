//! The places of hot and cooling pages: who has one, who gets one, and who must give his up.

use std::sync::atomic::Ordering::Relaxed;

use super::{Crowds, lock};
use crate::crowd::{Change, State, grid::Moment};

impl Crowds {
    /// Whether a page of this rate may become hot.
    pub(super) fn has_room(&self, rate: f64) -> bool {
        self.places.load(Relaxed) < self.plan.settings.max_hot
            || rate > STRONGER * f64::from_bits(self.weakest.load(Relaxed))
    }

    /// Lets the weakest page go if there is one too many. Called without any lock.
    pub(super) fn make_room(&self, now: Moment, newcomer: u64) {
        if self.places.load(Relaxed) <= self.plan.settings.max_hot {
            return;
        }
        // Until the next tick nobody else takes a place: looking for the weakest takes a while.
        self.weakest.store(f64::INFINITY.to_bits(), Relaxed);
        let others: Vec<u64> = lock(&self.active).iter().copied().collect();
        let strength = |name: u64| lock(self.shard(name)).page(name)?.strength(&self.plan, now);
        let weakest = others
            .into_iter()
            .filter(|name| *name != newcomer)
            .filter_map(|name| Some((name, strength(name)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((name, _)) = weakest {
            let mut shard = lock(self.shard(name));
            let change = shard
                .page(name)
                .and_then(|mut page| page.displace(&self.plan, now));
            self.note(name, change);
        }
    }

    /// Keeps the books of a change.
    pub(super) fn note(&self, name: u64, change: Option<Change>) {
        let Some(change) = change else { return };
        match (change.from, change.to) {
            (State::Hot, _) => _ = self.hot.fetch_sub(1, Relaxed),
            (_, State::Hot) => _ = self.hot.fetch_add(1, Relaxed),
            _ => {}
        }
        let places = {
            let mut active = lock(&self.active);
            match change.to {
                State::Calm => active.remove(&name),
                State::Hot | State::Cooling => active.insert(name),
            };
            active.len()
        };
        self.places.store(places, Relaxed);
        self.tell(change);
    }
}

/// How many times as strong as the weakest a page must be to take its place: so two never take turns.
const STRONGER: f64 = 2.0;
