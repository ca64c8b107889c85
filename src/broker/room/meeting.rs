//! Who meets whom: a room introduces its visitors.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use rand::{Rng, seq::index};

use super::{Envelope, Room};
use crate::broker::{acquaintance::Visitor, signal::FromBroker};

impl Room {
    /// A newcomer meets as many as each is to meet. Where there are fewer, it is owed the rest, by those who come next: what the
    /// broker says for each visitor is then the same in a room of eight and in one of thousands.
    pub(super) fn receive(&mut self, id: u32, rng: &mut impl Rng, mail: &mut Vec<Envelope>) -> usize {
        let met = self.introduce(id, self.rules.introductions, rng, mail);
        let settled = self.settle(id, mail);
        let lacking = self.rules.introductions.saturating_sub(met);
        self.owed.extend(std::iter::repeat_n(id, lacking));
        self.owed.truncate(OWED_MAX);
        met + settled
    }

    /// Random partners: in simulation by age, by recency or by fewest links was no better, and chance is hardest to steer.
    pub(super) fn introduce(
        &mut self,
        id: u32,
        count: usize,
        rng: &mut impl Rng,
        mail: &mut Vec<Envelope>,
    ) -> usize {
        let Some(visitor) = self
            .visitors
            .get(&id)
            .filter(|visitor| visitor.is_open(self.rules.links))
        else {
            return 0;
        };
        let wanted = count.min(self.rules.links.saturating_sub(visitor.links()));
        let mut chosen = Vec::with_capacity(wanted);
        let mut suspects = Vec::new();
        for place in index::sample(rng, self.places.len(), self.places.len().min(PROBES)) {
            if chosen.len() == wanted {
                break;
            }
            let other = self.places[place];
            match self.fits(id, other).map(Visitor::is_suspect) {
                Some(true) => suspects.push(other),
                Some(false) => chosen.push(other),
                None => {}
            }
        }
        // Who was accused at all is introduced if there is nobody else: one liar must not make anybody lonely.
        chosen.extend(suspects.into_iter().take(wanted - chosen.len()));
        chosen.iter().for_each(|other| self.meet(id, *other, mail));
        chosen.len()
    }

    /// A newcomer meets some of those who are owed an introduction. Who was accused waits until it asks.
    fn settle(&mut self, id: u32, mail: &mut Vec<Envelope>) -> usize {
        let mut owed = std::mem::take(&mut self.owed);
        let mut settled = 0;
        owed.retain(|other| {
            let fits = settled < self.rules.introductions
                && self.fits(*other, id).is_some()
                && self.fits(id, *other).is_some_and(|them| !them.is_suspect());
            if fits {
                self.meet(id, *other, mail);
                settled += 1;
            }
            !fits
        });
        self.owed = owed;
        settled
    }

    /// The other, if it may be introduced to this one.
    fn fits(&self, id: u32, other: u32) -> Option<&Visitor> {
        let known = self.visitors.get(&id)?.knows(other);
        self.visitors
            .get(&other)
            .filter(|them| other != id && !known && them.is_open(self.rules.links))
    }

    fn meet(&mut self, one: u32, two: u32, mail: &mut Vec<Envelope>) {
        for (to, visitor) in [(one, two), (two, one)] {
            if let Some(known) = self.visitors.get_mut(&to) {
                known.meet(visitor);
                mail.push(Envelope {
                    to,
                    message: FromBroker::Meet { visitor },
                });
            }
        }
    }
}

/// Visitors that are looked at for one introduction: all of a small room, and of a large one so many that eight in ten
/// may be unfit and four are still found nine times in ten.
const PROBES: usize = 32;
/// Introductions that a room owes at most: those of the first few, before there was anybody.
const OWED_MAX: usize = 8;
