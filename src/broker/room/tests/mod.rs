//! A room on a stage: messages go in, and what everyone is told comes out.

mod meeting;
mod promises;
mod reports;
mod signals;

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use rand::{SeedableRng, rngs::SmallRng};

use super::*;
use crate::swarm::{
    Candidate, Identity,
    candidate::{Host, Kind},
};

const RULES: Rules = Rules {
    visitors: 50,
    introductions: 4,
    links: 12,
    lan: false,
    report: 1_000_000,
};

/// A room, its dice, and what everyone was told.
struct Stage {
    room: Room,
    rng: SmallRng,
    mail: Vec<Envelope>,
}

impl Stage {
    fn new(rules: Rules) -> Self {
        Self {
            room: Room::new(rules),
            rng: SmallRng::seed_from_u64(7),
            mail: Vec::new(),
        }
    }

    fn join(&mut self) -> u32 {
        self.room
            .join(&mut self.rng, &mut self.mail)
            .expect("the room has space")
            .0
    }

    fn hear(&mut self, from: u32, message: FromVisitor) -> Heard {
        self.room
            .hear(from, message, &mut self.rng, &mut self.mail)
            .expect("no fault")
    }

    fn accuse(&mut self, from: u32, visitor: u32) -> Heard {
        self.hear(
            from,
            FromVisitor::Accuse {
                visitor,
                fault: PeerFault::Digest,
            },
        )
    }

    fn linked(&mut self, from: u32, visitor: u32, outcome: Outcome) -> Heard {
        self.hear(
            from,
            FromVisitor::Linked {
                visitor,
                outcome,
                milliseconds: 70,
            },
        )
    }

    /// What was told since the last time.
    fn told(&mut self) -> Vec<Envelope> {
        std::mem::take(&mut self.mail)
    }

    fn met(&mut self, by: u32) -> Vec<u32> {
        let told = self.told().into_iter().filter(|envelope| envelope.to == by);
        told.filter_map(|envelope| match envelope.message {
            FromBroker::Meet { visitor } => Some(visitor),
            _ => None,
        })
        .collect()
    }
}

fn identity() -> Body {
    Body::Identity(Identity::new("abcd", "0123456789abcdefghijkl", [7; 32]).expect("an identity"))
}

fn candidate(address: &str) -> Body {
    let host = Host::Address(address.parse().expect("an address"));
    Body::Candidate(Candidate {
        kind: Kind::Host,
        priority: 1,
        host,
        port: 9,
    })
}
