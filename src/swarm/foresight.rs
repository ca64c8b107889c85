//! What the simulator reads of a visitor ahead of its turn. A large crowd does not fit the cache, and a visitor that is
//! touched line by line waits for the memory each time; read beforehand, many visitors wait at once. It decides nothing.

use crate::swarm::{Payload, Swarm};

impl<P: Payload> Swarm<P> {
    /// Touches what any message needs. What it gives means nothing, but that it was read.
    pub(crate) fn foresee(&self) -> u64 {
        let numbers = self.neighbours().next().map_or(0, u64::from);
        let marks = u64::from(self.held.is_empty()) + u64::from(self.proven.is_empty());
        let blocks = self.next.first().copied().map_or(0, u64::from);
        numbers + marks + blocks + self.ledger.given() + self.told.micros() + self.outputs.len() as u64
    }

    /// Touches a neighbour.
    pub(crate) fn foresee_link(&self, link: u32) -> u64 {
        let Some(them) = self.place(link).and_then(|place| self.neighbours.get(place)) else {
            return 0;
        };
        let wish = them.wish.map_or(0, |wish| wish.since.micros());
        wish + them.pair.given + u64::from(them.words) + u64::from(them.held.is_empty())
    }

    /// Touches the neighbour to whom it gives.
    pub(crate) fn foresee_giving(&self) -> u64 {
        self.giving.map_or(0, |link| self.foresee_link(link))
    }
}
