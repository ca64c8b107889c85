//! What the broker knows of one visitor: whom it was introduced to, and what became of it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::{
    broker::signal::{Body, Report},
    swarm::Said,
};

/// One visitor in a room.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// Its place in the room's list, from which partners are drawn.
    pub(super) place: usize,
    /// Those it was ever introduced to and who are still here, so that no pair meets twice. At most [`MET_MAX`].
    met: Vec<Acquaintance>,
    /// Introductions that were not reported to have failed.
    links_ever: u32,
    complaints: u32,
    /// Its seed waits too long: the first neighbour is to give it one.
    pub(super) wants_sponsor: bool,
    pub(super) report: Report,
    /// Links as it said last, and introductions since, less those that are over since.
    reckoned: i32,
}

/// One side of an introduction.
#[derive(Debug)]
pub(super) struct Acquaintance {
    /// The other.
    pub(super) id: u32,
    /// Failed, lost or let go: the pair does not meet again.
    pub(super) over: bool,
    /// Its outcome was told, by either side.
    pub(super) told: bool,
    /// This side has told that its end is open.
    pub(super) open: bool,
    /// This side has accused the other: once is enough.
    pub(super) accused: bool,
    said: Said,
}

impl Visitor {
    /// A newcomer at that place.
    pub(super) fn at(place: usize) -> Self {
        Self {
            place,
            ..Self::default()
        }
    }

    /// Whether it may be introduced to anyone, with at most `links` links.
    pub(super) fn is_open(&self, links: usize) -> bool {
        !self.is_barred() && self.met.len() < MET_MAX && self.links() < links
    }

    /// Accused by two, so that one liar bars nobody, and by half of its links, so that a visitor that stays for hours is not
    /// barred by the sum of all liars it met. A free rider takes little of each link: it is to have few (`docs/swarm.md`).
    pub(super) const fn is_barred(&self) -> bool {
        self.complaints >= COMPLAINTS && self.complaints * 2 >= self.links_ever
    }

    /// Whether anybody accused it.
    pub(super) const fn is_suspect(&self) -> bool {
        self.complaints > 0
    }

    /// Links it has or is opening: those that were made here, or what it says of all, most of which neighbours made. One that has as
    /// many as it may would decline.
    pub(super) fn links(&self) -> usize {
        let made = self.met.iter().filter(|other| !other.over).count();
        made.max(self.reckoned.max(0) as usize)
    }

    /// Takes what it says of itself.
    pub(super) fn reports(&mut self, report: Report) {
        self.report = report;
        self.reckoned = report.links.into();
    }

    /// It asks to meet somebody: so it has room, whatever it said last.
    pub(super) const fn asks(&mut self) {
        self.reckoned = 0;
    }

    pub(super) fn knows(&self, id: u32) -> bool {
        self.met.iter().any(|other| other.id == id)
    }

    pub(super) fn acquaintance(&mut self, id: u32) -> Option<&mut Acquaintance> {
        self.met.iter_mut().find(|other| other.id == id)
    }

    pub(super) fn meet(&mut self, id: u32) {
        self.links_ever += 1;
        self.reckoned += 1;
        self.met.push(Acquaintance {
            id,
            over: false,
            told: false,
            open: false,
            accused: false,
            said: Said::default(),
        });
    }

    /// The pair is over, and never was a link if `failed`.
    pub(super) fn part(&mut self, id: u32, failed: bool) {
        let Some(other) = self.acquaintance(id).filter(|other| !other.over) else {
            return;
        };
        other.over = true;
        self.links_ever -= u32::from(failed);
        self.reckoned -= 1;
    }

    /// The other has left.
    pub(super) fn forget(&mut self, id: u32) {
        self.part(id, false);
        self.met.retain(|other| other.id != id);
    }

    pub(super) const fn complain(&mut self) {
        self.complaints += 1;
    }

    /// Those it was introduced to, most recent last.
    pub(super) fn met(&self) -> impl Iterator<Item = &Acquaintance> {
        self.met.iter()
    }
}

impl Acquaintance {
    /// Whether this side may still send that to the other; counts it if so.
    pub(super) const fn may_send(&mut self, body: &Body) -> bool {
        !self.over && self.said.may_add(body)
    }
}

/// Introductions that are remembered. Eight times the links of a visitor: who needs more has met everyone there is, or
/// is collecting addresses.
const MET_MAX: usize = 64;

const COMPLAINTS: u32 = 2;
