//! A room: the visitors of one hot page, and who of them meets whom. It is told the randomness, holds no socket, and
//! relays nothing between visitors that it did not introduce.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod meeting;
mod reported;
mod sample;

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rand::Rng;
use smallvec::SmallVec;

use crate::{
    broker::{
        acquaintance::Visitor,
        signal::{Body, FromBroker, FromVisitor, Outcome, Report},
    },
    swarm::PeerFault,
};

pub use reported::Reported;
pub use sample::{Sample, Seen};

/// The rules of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Visitors it holds.
    pub visitors: usize,
    /// Others that each visitor meets when it comes, or of those who come next; at most so many on one Need, too.
    pub introductions: usize,
    /// Links after which a visitor is introduced to nobody.
    pub links: usize,
    /// Whether candidates of private networks are handed on.
    pub lan: bool,
    /// Bytes above which a visitor's figures are not believed.
    pub report: u64,
}

/// Visitors of one page.
#[derive(Debug)]
pub struct Room {
    rules: Rules,
    visitors: HashMap<u32, Visitor, RandomState>,
    /// Their ids in no order, to draw from.
    places: Vec<u32>,
    last: u32,
    /// Who met fewer than they should when they came, as often as they lack one: they meet those who come next.
    owed: Vec<u32>,
    reported: Reported,
}

/// A message and whom it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The visitor.
    pub to: u32,
    /// What it is told.
    pub message: FromBroker,
}

/// What came of a visitor's message, for those who count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing to count.
    Nothing,
    /// So many pairs were introduced.
    Introduced(usize),
    /// An introduction ended so, after so many milliseconds; each is told once.
    Linked(Outcome, u16),
    /// A neighbour introduced a pair, as one of the two says.
    LinkedByNeighbour,
    /// A neighbour was accused of this by one that it was introduced to.
    Accused(PeerFault),
    /// The visit's figures grew by this much.
    Reported(Reported),
    /// The visit's figures cannot be, and were not taken.
    Disbelieved,
}

/// The room is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the room holds {0} visitors")]
pub struct Full(pub usize);

impl Room {
    /// An empty room.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            visitors: HashMap::default(),
            places: Vec::new(),
            last: 0,
            owed: Vec::new(),
            reported: Reported::default(),
        }
    }

    /// Lets a visitor in: it is welcomed and meets its first neighbours. Returns its number and how many it meets.
    ///
    /// # Errors
    /// [`Full`], and nothing is told to anyone.
    pub fn join(&mut self, rng: &mut impl Rng, mail: &mut Vec<Envelope>) -> Result<(u32, usize), Full> {
        let full = Full(self.rules.visitors);
        if self.places.len() >= self.rules.visitors {
            return Err(full);
        }
        // Never given twice, so that a late message cannot reach a stranger.
        let id = self.last.checked_add(1).ok_or(full)?;
        self.last = id;
        let others = u16::try_from(self.places.len()).unwrap_or(u16::MAX);
        self.visitors.insert(id, Visitor::at(self.places.len()));
        self.places.push(id);
        mail.push(Envelope {
            to: id,
            message: FromBroker::Welcome { id, others },
        });
        let met = self.receive(id, rng, mail);
        Ok((id, met))
    }

    /// Lets a visitor go: those it was introduced to are told. Returns its last report, if it was there.
    pub fn leave(&mut self, id: u32, mail: &mut Vec<Envelope>) -> Option<Report> {
        let visitor = self.visitors.remove(&id)?;
        self.owed.retain(|owed| *owed != id);
        self.places.swap_remove(visitor.place);
        if let Some(moved) = self
            .places
            .get(visitor.place)
            .and_then(|moved| self.visitors.get_mut(moved))
        {
            moved.place = visitor.place;
        }
        for met in visitor.met() {
            if let Some(other) = self.visitors.get_mut(&met.id) {
                // Whoever has a link to it sees it end.
                let linked = other.acquaintance(id).is_some_and(|own| own.open);
                other.forget(id);
                if !met.over && !linked {
                    mail.push(Envelope {
                        to: met.id,
                        message: FromBroker::Gone { visitor: id },
                    });
                }
            }
        }
        Some(visitor.report)
    }

    /// Takes a message of a visitor that has joined.
    ///
    /// # Errors
    /// [`PeerFault::Order`] for a second Join.
    pub fn hear(
        &mut self,
        from: u32,
        message: FromVisitor,
        rng: &mut impl Rng,
        mail: &mut Vec<Envelope>,
    ) -> Result<Heard, PeerFault> {
        Ok(match message {
            FromVisitor::Join { .. } => return Err(PeerFault::Order),
            FromVisitor::Signal { to, body } => self.relay(from, to, body, mail),
            FromVisitor::Need { count } => {
                let count = usize::from(count).min(self.rules.introductions);
                self.visitors.get_mut(&from).into_iter().for_each(Visitor::asks);
                Heard::Introduced(self.introduce(from, count, rng, mail))
            }
            FromVisitor::Accuse { visitor, fault } => self.accuse(from, visitor, fault),
            FromVisitor::Report(report) => self.report(from, report),
            FromVisitor::Linked {
                visitor,
                outcome,
                milliseconds,
            } => {
                let heard = self.linked(from, visitor, outcome, milliseconds);
                if outcome == Outcome::Open {
                    self.sponsor(from, visitor, mail);
                }
                heard
            }
            // For the origin: see `Hall`.
            FromVisitor::Spare(_) => Heard::Nothing,
        })
    }

    /// A newcomer's seed waits too long: the first with whom it has a link is named its sponsor.
    pub fn wants_sponsor(&mut self, id: u32) {
        if let Some(visitor) = self.visitors.get_mut(&id) {
            visitor.wants_sponsor = true;
        }
    }

    /// The first to whom a visitor was introduced, four at most: its seed is to be of use to them.
    #[must_use]
    pub fn met(&self, id: u32) -> SmallVec<[u32; 4]> {
        let met = self.visitors.get(&id).into_iter().flat_map(Visitor::met);
        met.filter(|met| !met.over).map(|met| met.id).take(4).collect()
    }

    /// Whether a visitor is introduced to nobody any more, for it is often accused.
    #[must_use]
    pub fn is_barred(&self, id: u32) -> bool {
        self.visitors.get(&id).is_some_and(Visitor::is_barred)
    }

    /// Visitors in the room.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nobody is there.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What all visitors reported, those who have left included.
    #[must_use]
    pub const fn reported(&self) -> Reported {
        self.reported
    }

    /// What is for somebody unknown, gone or let go is dropped in silence: it may have been sent before the news came.
    fn relay(&mut self, from: u32, to: u32, body: Body, mail: &mut Vec<Envelope>) -> Heard {
        let body = body.reachable(self.rules.lan);
        let sender = self
            .visitors
            .get_mut(&from)
            .and_then(|sender| sender.acquaintance(to));
        if let (Some(body), Some(pair)) = (body, sender)
            && pair.may_send(&body)
        {
            mail.push(Envelope {
                to,
                message: FromBroker::Signal { from, body },
            });
        }
        Heard::Nothing
    }

    /// Only who was introduced may accuse, and each pair once each way: slander needs as many visitors as it has words.
    fn accuse(&mut self, from: u32, accused: u32, fault: PeerFault) -> Heard {
        let pair = self
            .visitors
            .get_mut(&from)
            .and_then(|accuser| accuser.acquaintance(accused));
        let Some(pair) = pair.filter(|pair| !pair.accused) else {
            return Heard::Nothing;
        };
        pair.accused = true;
        if let Some(visitor) = self.visitors.get_mut(&accused) {
            visitor.complain();
        }
        self.part(from, accused, false);
        Heard::Accused(fault)
    }

    fn linked(&mut self, from: u32, to: u32, outcome: Outcome, milliseconds: u16) -> Heard {
        let pair = self
            .visitors
            .get_mut(&from)
            .and_then(|visitor| visitor.acquaintance(to));
        let Some(pair) = pair else {
            // Both say so, and one of them is counted; it is a claim, and moves nothing.
            let counts = outcome == Outcome::Open && from < to && self.visitors.contains_key(&to);
            return if counts {
                Heard::LinkedByNeighbour
            } else {
                Heard::Nothing
            };
        };
        if pair.over {
            return Heard::Nothing;
        }
        pair.open |= outcome == Outcome::Open;
        let told = std::mem::replace(&mut pair.told, true);
        if let Some(other) = self
            .visitors
            .get_mut(&to)
            .and_then(|other| other.acquaintance(from))
        {
            other.told = true;
        }
        // A link that is told to be open and then to have failed was lost: a slot is free, and it counts as a link.
        if outcome == Outcome::Failed {
            self.part(from, to, !told);
        }
        if told {
            Heard::Nothing
        } else {
            Heard::Linked(outcome, milliseconds)
        }
    }

    /// Names a sponsor, once both ends of the link are open: named before, it does not know whom it is to give to.
    fn sponsor(&mut self, one: u32, two: u32, mail: &mut Vec<Envelope>) {
        let open = [(one, two), (two, one)].into_iter().all(|(visitor, other)| {
            self.visitors
                .get_mut(&visitor)
                .and_then(|visitor| visitor.acquaintance(other))
                .is_some_and(|pair| pair.open && !pair.over)
        });
        // Not the one that came later, nor one that was accused: it may have nothing to give, or never give.
        let (sponsor, visitor) = (one.min(two), one.max(two));
        let able = self
            .visitors
            .get(&sponsor)
            .is_some_and(|sponsor| !sponsor.is_suspect());
        if open
            && able
            && let Some(newcomer) = self.visitors.get_mut(&visitor)
            && std::mem::take(&mut newcomer.wants_sponsor)
        {
            mail.push(Envelope {
                to: sponsor,
                message: FromBroker::Sponsor { visitor },
            });
        }
    }

    fn part(&mut self, one: u32, two: u32, failed: bool) {
        for (visitor, other) in [(one, two), (two, one)] {
            if let Some(visitor) = self.visitors.get_mut(&visitor) {
                visitor.part(other, failed);
            }
        }
    }

    /// Figures only grow, keep law 3 and have a bound; others are a liar's, and are left out of the sums.
    fn report(&mut self, from: u32, report: Report) -> Heard {
        let Some(visitor) = self.visitors.get_mut(&from) else {
            return Heard::Nothing;
        };
        let grown = |new: u64, old: u64| new.checked_sub(old).filter(|_| new <= self.rules.report);
        let old = visitor.report;
        let (Some(origin), Some(peer), Some(given)) = (
            grown(report.origin, old.origin),
            grown(report.peer, old.peer),
            grown(report.given, old.given),
        ) else {
            return Heard::Disbelieved;
        };
        if report.given > report.origin.saturating_add(report.peer) {
            return Heard::Disbelieved;
        }
        visitor.reports(report);
        let grown = Reported { origin, peer, given };
        self.reported.add(grown);
        Heard::Reported(grown)
    }
}

#[cfg(test)]
mod tests;
