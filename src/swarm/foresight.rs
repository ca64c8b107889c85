//! What the simulator reads of a visitor ahead of its turn (`sim/foresight.rs`). What it gives means nothing, but that it was
//! read.

use crate::swarm::{Payload, Swarm, neighbour::Neighbour};

impl<P: Payload> Swarm<P> {
    /// Touches what any message needs.
    pub(crate) fn foresee(&self) -> u64 {
        let numbers = self.neighbours().next().map_or(0, u64::from);
        let marks = self.held.first() + self.proven.first();
        let blocks = self.next.first().copied().map_or(0, u64::from);
        numbers + marks + blocks + self.ledger.given() + self.told.micros() + self.outputs.len() as u64
    }

    /// A neighbour, to be touched.
    pub(crate) fn foreseen(&self, link: u32) -> Option<&Neighbour> {
        self.place(link).and_then(|place| self.neighbours.get(place))
    }

    /// The link on which the next block goes, most likely.
    pub(crate) const fn foreseen_giving(&self) -> Option<u32> {
        self.giving
    }
}

impl Neighbour {
    /// Touches what a block needs.
    pub(crate) fn foresee(&self) -> u64 {
        let ends = u64::from(self.link) + self.pair.given + u64::from(self.words);
        ends + u64::from(self.sending.unwrap_or(0)) + self.held.first()
    }
}
