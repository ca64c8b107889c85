//! What the simulator reads of a visitor ahead of its turn. A large crowd does not fit the cache, and a visitor that is
//! touched line by line waits for the memory each time; read beforehand, many visitors wait at once. It decides nothing.

use crate::swarm::{Payload, Swarm};

impl<P: Payload> Swarm<P> {
    /// Touches what any message needs. What it gives means nothing, but that it was read.
    pub(crate) fn foresee(&self) -> u64 {
        let marks = u64::from(self.held.has(0)) + u64::from(self.proven.has(0)) + u64::from(self.fresh.has(0));
        let found = self.place(u32::MAX).is_some() || self.outputs.front().is_some();
        marks + self.ledger.got() + self.told.micros() + u64::from(found) + self.next.len() as u64
    }

    /// Touches a neighbour.
    pub(crate) fn foresee_link(&self, link: u32) -> u64 {
        let Some(them) = self.place(link).and_then(|place| self.neighbours.get(place)) else {
            return 0;
        };
        let ask = them.ask.map_or(0, |ask| ask.chunk);
        let wish = them.wish.map_or(0, |wish| wish.chunk);
        u64::from(ask + wish)
            + them.pair.given
            + u64::from(them.held.has(0))
            + them.opened.micros()
            + u64::from(them.words)
            + them.expected.len() as u64
    }

    /// Touches the neighbour to whom it gives.
    pub(crate) fn foresee_giving(&self) -> u64 {
        self.giving.map_or(0, |link| self.foresee_link(link))
    }
}
