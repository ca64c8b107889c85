//! How a visitor introduces its neighbours to each other, and hands on what they say before they have a link: once, within
//! bounds, and only between two that it has introduced. It remembers no longer than an introduction is good.

use std::collections::VecDeque;

use rand::seq::SliceRandom;
use smallvec::SmallVec;

use crate::swarm::{
    Message, Moment, Payload, Said, Swarm,
    message::{Meet, Relayed, Seek, Signal},
};

/// Pairs that this visitor introduced lately, the oldest first. At most [`PAIRS_MAX`].
#[derive(Debug, Default)]
pub(super) struct Introduced(VecDeque<Pair>);

/// Two neighbours, and what each said to the other.
#[derive(Clone, Copy, Debug)]
struct Pair {
    sides: [(u32, Said); 2],
    since: Moment,
}

impl Introduced {
    /// A neighbour has left: nothing is handed on to it, or from it.
    pub(super) fn forget(&mut self, link: u32) {
        self.0
            .retain(|pair| pair.sides.iter().all(|(side, _)| *side != link));
    }

    fn expire(&mut self, good: impl Fn(Moment) -> bool) {
        while self.0.front().is_some_and(|pair| !good(pair.since)) {
            self.0.pop_front();
        }
    }

    fn knows(&self, one: u32, two: u32) -> bool {
        self.0.iter().any(|pair| pair.is(one, two))
    }

    /// How often a neighbour was introduced lately.
    fn count(&self, link: u32) -> usize {
        let of = |pair: &&Pair| pair.sides.iter().any(|(side, _)| *side == link);
        self.0.iter().filter(of).count()
    }

    /// What `from` said to `to` so far, if they were introduced.
    fn said(&mut self, from: u32, to: u32) -> Option<&mut Said> {
        let pair = self.0.iter_mut().find(|pair| pair.is(from, to))?;
        let side = pair.sides.iter_mut().find(|(side, _)| *side == from)?;
        Some(&mut side.1)
    }
}

impl Pair {
    fn is(&self, one: u32, two: u32) -> bool {
        let [(left, _), (right, _)] = self.sides;
        (left, right) == (one, two) || (right, left) == (one, two)
    }
}

impl<P: Payload> Swarm<P> {
    /// Introduces some of the neighbours to one that seeks more.
    pub(super) fn sought(&mut self, place: usize, seek: &Seek, now: Moment) -> bool {
        let them = &mut self.neighbours[place];
        let link = them.link;
        let hasty = them
            .sought
            .is_some_and(|before| now < before.after(self.rules.seek / 2));
        // Whoever takes to its limit and owes an answer is no neighbour that one would introduce.
        if hasty || them.limit_since.is_some() {
            return false;
        }
        them.sought = Some(now);
        self.expire_introductions(now);
        let free = PAIRS_MAX - self.introduced.0.len();
        let suits = |other: &u32| {
            *other != link && !seek.known.contains(other) && !self.introduced.knows(link, *other)
        };
        let mut others: SmallVec<[u32; 12]> = self
            .neighbours
            .iter()
            .filter(|other| other.greeted && other.limit_since.is_none())
            .map(|other| other.link)
            .filter(suits)
            .collect();
        // Those first who were introduced to the fewest, for whoever has links enough takes no more, and who lack most: they
        // stay longest, and a link costs two handshakes.
        others.shuffle(&mut self.random);
        others.sort_by_key(|other| self.introduced.count(*other) as u32 * AGE + self.held_by(*other));
        others.truncate(free.min(seek.count.into()));
        others
            .into_iter()
            .for_each(|other| self.introduce(link, other, now));
        false
    }

    /// Hands on what one neighbour says to another that it was introduced to. All else is dropped in silence: an
    /// introduction may have ended before the news came.
    pub(super) fn relay(&mut self, from: u32, signal: Signal, now: Moment) -> bool {
        let Signal { to, body } = signal;
        self.expire_introductions(now);
        if let Some(body) = body.reachable(self.rules.lan)
            && let Some(said) = self.introduced.said(from, to)
            && said.may_add(&body)
        {
            self.say(to, Message::Relayed(Relayed { from, body }));
        }
        false
    }

    /// How much of the page a neighbour holds, in 64ths of it.
    fn held_by(&self, link: u32) -> u32 {
        let held = self
            .place(link)
            .map_or(0, |place| self.neighbours[place].held.count());
        held * 64 / self.page.chunks().max(1)
    }

    fn introduce(&mut self, one: u32, two: u32, now: Moment) {
        self.introduced.0.push_back(Pair {
            sides: [(one, Said::default()), (two, Said::default())],
            since: now,
        });
        for (to, visitor) in [(one, two), (two, one)] {
            let them = self.place(visitor).map(|place| &self.neighbours[place]);
            let gives = them.is_some_and(|them| them.pair.received > 0);
            self.say(to, Message::Meet(Meet { visitor, gives }));
        }
    }

    fn expire_introductions(&mut self, now: Moment) {
        let meet = self.rules.meet;
        self.introduced.expire(|since| now < since.after(meet));
    }
}

/// One introduction more weighs as much as a quarter of the page.
const AGE: u32 = 16;
/// Pairs within the time that an introduction is good: two newcomers that each are introduced to everybody, and as much
/// again. Each costs our uplink two introductions and at most eighteen signals, about 2 KB.
const PAIRS_MAX: usize = 32;
