//! One simulated visitor: the exchange itself, and the hand that obeys it or cheats.

use std::time::Duration;

use crate::{
    sim::counted::Counted,
    swarm::{Message, Moment, Swarm},
};

/// What kind of neighbour somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Honest,
    /// Takes, never gives, and says that it is poor.
    FreeRider,
    /// Gives false bytes.
    Liar,
}

/// A visitor, from the first packet until it leaves.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) kind: Kind,
    pub(super) arrived: Moment,
    /// Whether its time is one of the figures.
    pub(super) measured: bool,
    /// It leaves then, with the page or without.
    pub(super) leaves: Option<Moment>,
    /// The exchange, once it has joined.
    pub(super) swarm: Option<Swarm<Counted>>,
    /// A block is on its uplink.
    pub(super) sending: bool,
    /// When it will be told that time has passed.
    pub(super) tick: Moment,
    /// Payload bytes that left: what law 3 is about, counted apart from the ledger.
    pub(super) sent: u64,
    /// Whom the broker introduced it to, ever: a pair that failed or parted does not meet again.
    pub(super) met: Vec<u32>,
    /// Who said through a neighbour who they are, and were not told yet by this one.
    pub(super) heard: Vec<u32>,
    /// Who accused it.
    pub(super) accusers: Vec<u32>,
    /// It got no seed from the origin: the first neighbour is to be its sponsor.
    pub(super) unsponsored: bool,
    pub(super) complete: bool,
    /// Origin-only: bytes of the page still to come.
    pub(super) rest: u64,
}

impl Visitor {
    pub(super) const fn new(kind: Kind, arrived: Moment, rest: u64) -> Self {
        Self {
            kind,
            arrived,
            measured: false,
            leaves: None,
            swarm: None,
            sending: false,
            tick: Moment::from_micros(u64::MAX),
            sent: 0,
            met: Vec::new(),
            heard: Vec::new(),
            accusers: Vec::new(),
            unsponsored: false,
            complete: false,
            rest,
        }
    }

    /// Touches what any event needs (`swarm/foresight.rs`).
    pub(super) fn foresee(&self) -> u64 {
        let own = self.tick.micros() + u64::from(self.sending) + self.sent;
        own + self.swarm.as_ref().map_or(0, Swarm::foresee)
    }

    /// Whether the broker introduces it no more: accused by half of those it met, and by more than one.
    pub(super) fn is_bad(&self) -> bool {
        self.accusers.len() >= ACCUSERS && self.accusers.len() * 2 >= self.met.len()
    }

    /// Whether the origin serves it all the same: one who was slandered gets the page in the end.
    pub(super) fn is_served(&self, now: Moment) -> bool {
        !self.is_bad() || now.since(self.arrived) > GRACE
    }

    /// What it says, as its kind says it.
    pub(super) fn disguise(&self, message: Message) -> Message {
        match (self.kind, message) {
            (Kind::FreeRider, Message::Have(mut have)) => {
                have.credit = 0;
                Message::Have(have)
            }
            (Kind::FreeRider, Message::Ask(mut ask)) => {
                ask.credit = 0;
                Message::Ask(ask)
            }
            (_, message) => message,
        }
    }
}

const ACCUSERS: usize = 2;
const GRACE: Duration = Duration::from_secs(20);
