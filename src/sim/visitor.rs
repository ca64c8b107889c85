//! One simulated visitor: the exchange itself, and the hand that obeys it or cheats.

use std::time::Duration;

use crate::{
    sim::{counted::Counted, nat::Nat},
    swarm::{Message, Moment, Swarm},
};

/// What kind of neighbour somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Honest,
    /// Takes, never gives, and says that it is poor.
    FreeRider,
    /// A free rider that comes again under a new number.
    Sybil,
    /// Gives, and says that it is poor.
    Understating,
    /// Gives false bytes.
    Liar,
}

impl Kind {
    pub(super) const fn gives(self) -> bool {
        !matches!(self, Self::FreeRider | Self::Sybil)
    }

    /// Whether what it says of its credit is always that it has none.
    const fn claims_to_be_poor(self) -> bool {
        matches!(self, Self::FreeRider | Self::Sybil | Self::Understating)
    }

    /// A message, as its kind says it.
    pub(super) fn disguise(self, mut message: Message) -> Message {
        if self.claims_to_be_poor() {
            match &mut message {
                Message::Have(have) => have.credit = 0,
                Message::Ask(ask) => ask.credit = 0,
                Message::Block(block) => block.credit = 0,
                _ => {}
            }
        }
        message
    }

    /// Whether it gives as it should, and so should have its page in time.
    pub(super) const fn is_fair(self) -> bool {
        matches!(self, Self::Honest | Self::Understating)
    }
}

/// A visitor, from the first packet until it leaves.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) kind: Kind,
    pub(super) arrived: Moment,
    /// Whether its time is one of the figures.
    pub(super) measured: bool,
    /// How long it stays with the page.
    pub(super) dwell: Duration,
    pub(super) nat: Nat,
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
    /// Something of the page is here.
    pub(super) began: bool,
    /// Its shell came without the digests of chunks.
    pub(super) unlisted: bool,
    /// Neighbours that let it go.
    pub(super) let_go: u8,
    /// A Sybil's chunks: it takes them along to its next number.
    pub(super) kept: Vec<u32>,
    /// Bytes that it came with.
    pub(super) brought: u64,
    /// Origin-only: bytes of the page still to come.
    pub(super) rest: u64,
}

impl Visitor {
    pub(super) const fn new(kind: Kind, arrived: Moment, rest: u64) -> Self {
        Self {
            kind,
            arrived,
            measured: false,
            dwell: Duration::ZERO,
            nat: Nat::Open,
            swarm: None,
            sending: false,
            tick: Moment::from_micros(u64::MAX),
            sent: 0,
            met: Vec::new(),
            heard: Vec::new(),
            accusers: Vec::new(),
            unsponsored: false,
            complete: false,
            began: false,
            unlisted: false,
            let_go: 0,
            kept: Vec::new(),
            brought: 0,
            rest,
        }
    }

    /// Whether the broker introduces it no more: accused by half of those it met, and by more than one.
    pub(super) fn is_bad(&self) -> bool {
        self.accusers.len() >= ACCUSERS && self.accusers.len() * 2 >= self.met.len()
    }

    /// Whether the origin serves it all the same: one who was slandered gets the page in the end.
    pub(super) fn is_served(&self, now: Moment) -> bool {
        !self.is_bad() || now.since(self.arrived) > GRACE
    }
}

/// Accusers from which on the broker introduces somebody no more.
pub(super) const ACCUSERS: usize = 2;
const GRACE: Duration = Duration::from_secs(20);
