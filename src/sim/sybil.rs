//! Sybils: free riders that are many numbers of few. Whoever is let go comes again under a new number, with the chunks that it
//! has; what its numbers cost is what all their neighbours gave before they knew. That they hand chunks to each other is left
//! out: they would need the less of the crowd.

use crate::sim::{
    cost,
    event::Event,
    visitor::{Kind, Visitor},
    world::World,
};

impl World<'_> {
    /// A neighbour let it go.
    pub(super) fn let_go(&mut self, visitor: u32) {
        let Some(them) = self.get(visitor).filter(|them| them.kind == Kind::Sybil) else {
            return;
        };
        them.let_go = them.let_go.saturating_add(1);
        if them.let_go == PATIENCE {
            self.later(self.half(), Event::Again(visitor));
        }
    }

    /// A Sybil remembers what it got.
    pub(super) fn keep(&mut self, visitor: u32, chunk: u32) {
        if let Some(them) = self.get(visitor).filter(|them| them.kind == Kind::Sybil) {
            them.kept.push(chunk);
        }
    }

    /// It leaves, and is another: it has the page's manifest, and only joins again.
    pub(super) fn come_again(&mut self, visitor: u32) {
        let Some(them) = self.get(visitor).filter(|them| !them.complete) else {
            return;
        };
        let next = Visitor {
            kept: std::mem::take(&mut them.kept),
            dwell: them.dwell,
            nat: them.nat,
            ..Visitor::new(Kind::Sybil, them.arrived, 0)
        };
        let up = self.wires[visitor as usize].up;
        self.depart(visitor);
        let number = self.enter(next, up);
        self.tally.again_joined += 1;
        self.later(cost::socket(self.scenario.rtt, true), Event::Join(number));
    }

    /// What it brought from its last number is there at once; it counts as nobody's.
    pub(super) fn unpack(&mut self, visitor: u32) {
        let Some(them) = self.get(visitor).filter(|them| !them.kept.is_empty()) else {
            return;
        };
        let kept = std::mem::take(&mut them.kept);
        for chunk in kept {
            self.chunk(visitor, chunk);
        }
        if let Some(them) = self.get(visitor) {
            them.brought = them.swarm.as_ref().map_or(0, |swarm| swarm.ledger().got());
        }
    }
}

/// As many as make the broker introduce it no more.
const PATIENCE: u8 = crate::sim::visitor::ACCUSERS as u8;
