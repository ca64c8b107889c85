//! Who meets whom: the first introductions by the broker, the others by neighbours, and the broker's memory of accusations.

use std::time::Duration;

use rand::{RngExt, rngs::SmallRng};

use crate::{
    sim::{
        cost,
        visitor::Kind,
        world::{Event, World},
    },
    swarm::Input,
};

/// The visitors that have joined, so that one can be drawn at random.
#[derive(Debug, Default)]
pub(super) struct Hall {
    present: Vec<u32>,
    /// Where each visitor stands in `present`.
    place: Vec<u32>,
}

impl Hall {
    pub(super) fn enter(&mut self, visitor: u32) {
        let index = visitor as usize;
        if self.place.len() <= index {
            self.place.resize(index + 1, ABSENT);
        }
        self.place[index] = self.present.len() as u32;
        self.present.push(visitor);
    }

    pub(super) fn leave(&mut self, visitor: u32) {
        let Some(place) = self.place.get_mut(visitor as usize) else {
            return;
        };
        let place = std::mem::replace(place, ABSENT);
        if place == ABSENT {
            return;
        }
        self.present.swap_remove(place as usize);
        if let Some(moved) = self.present.get(place as usize) {
            self.place[*moved as usize] = place;
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.present.len()
    }

    fn draw(&self, random: &mut SmallRng) -> Option<u32> {
        let index = (!self.present.is_empty()).then(|| random.random_range(0..self.present.len()))?;
        Some(self.present[index])
    }
}

impl World<'_> {
    /// Finds so many neighbours for a visitor: through the broker at first, then through those it has.
    pub(super) fn introduce(&mut self, visitor: u32, count: u8) {
        for _ in 0..count {
            let Some(them) = self.get(visitor) else {
                return;
            };
            let by_broker = them.introduced < self.scenario.introductions;
            let found = if by_broker {
                self.by_broker(visitor)
            } else {
                self.by_neighbour(visitor)
            };
            match found {
                Some(peer) => self.meet(visitor, peer, by_broker),
                None => self.tell(visitor, Input::Missed),
            }
        }
    }

    pub(super) fn opened(&mut self, visitor: u32, peer: u32) {
        let present = self.get(peer).is_some_and(|them| them.swarm.is_some());
        if !present {
            return self.missed(visitor);
        }
        let Some(them) = self.get(visitor) else {
            return;
        };
        them.pending = them.pending.saturating_sub(1);
        let liar = them.kind == Kind::Liar;
        self.charge(visitor, cost::HANDSHAKE);
        self.tell(visitor, Input::Opened(peer));
        self.sponsor(visitor, peer);
        self.sponsor(peer, visitor);
        if liar && self.scenario.slander {
            self.accuse(visitor, peer);
        }
    }

    /// Names a neighbour that is to give what the origin could not, once the link is open at both ends.
    fn sponsor(&mut self, visitor: u32, peer: u32) {
        let open = |world: &mut Self, one, other| {
            let swarm = world.get(one).and_then(|them| them.swarm.as_ref());
            swarm.is_some_and(|swarm| swarm.neighbours().any(|link| link == other))
        };
        if !open(self, visitor, peer) || !open(self, peer, visitor) {
            return;
        }
        if let Some(them) = self.get(visitor)
            && std::mem::take(&mut them.unsponsored)
        {
            self.tally.signal(cost::SIGNAL);
            self.tell(peer, Input::Sponsor(visitor));
        }
    }

    pub(super) fn missed(&mut self, visitor: u32) {
        if let Some(them) = self.get(visitor) {
            them.pending = them.pending.saturating_sub(1);
            self.tell(visitor, Input::Missed);
        }
    }

    /// Only of somebody it was introduced to, and once.
    pub(super) fn accuse(&mut self, accuser: u32, accused: u32) {
        self.charge(accuser, cost::SIGNAL);
        if let Some(them) = self.get(accused)
            && them.met.contains(&accuser)
            && !them.accusers.contains(&accuser)
        {
            them.accusers.push(accuser);
        }
    }

    fn by_broker(&mut self, visitor: u32) -> Option<u32> {
        if self.is_broker_dead() || self.get(visitor)?.is_bad() {
            return None;
        }
        for _ in 0..TRIES {
            let drawn = self.hall.draw(&mut self.random)?;
            if self.suits(visitor, drawn) && !self.get(drawn)?.is_bad() {
                self.get(visitor)?.introduced += 1;
                return Some(drawn);
            }
        }
        None
    }

    /// A neighbour of a neighbour.
    fn by_neighbour(&mut self, visitor: u32) -> Option<u32> {
        for _ in 0..TRIES {
            let friend = self.neighbour_of(visitor)?;
            let Some(drawn) = self.neighbour_of(friend) else {
                continue;
            };
            if self.suits(visitor, drawn) {
                // It passes an identity and two candidates on, each way.
                self.charge(friend, 2 * cost::INTRODUCTION);
                return Some(drawn);
            }
        }
        None
    }

    fn neighbour_of(&mut self, visitor: u32) -> Option<u32> {
        let swarm = self.visitors.get(visitor as usize)?.as_ref()?.swarm.as_ref()?;
        let count = swarm.links();
        let index = (count > 0).then(|| self.random.random_range(0..count))?;
        swarm.neighbours().nth(index)
    }

    fn suits(&mut self, visitor: u32, drawn: u32) -> bool {
        let most = usize::from(self.scenario.rules.links_max);
        let met = self.get(visitor).is_none_or(|them| them.met.contains(&drawn));
        let room = self
            .get(drawn)
            .is_some_and(|them| them.swarm.is_some() && them.links() + (them.pending as usize) < most);
        visitor != drawn && !met && room
    }

    fn meet(&mut self, visitor: u32, peer: u32, by_broker: bool) {
        let reachable = !self.random.random_bool(self.scenario.unreachable);
        for (one, other) in [(visitor, peer), (peer, visitor)] {
            if let Some(them) = self.get(one) {
                them.pending += 1;
                them.met.push(other);
                self.charge(one, cost::INTRODUCTION);
            }
            let event = if reachable {
                Event::Opened(one, other)
            } else {
                Event::Missed(one)
            };
            let span = if reachable {
                // Through a neighbour it takes one leg more.
                self.scenario.rtt * if by_broker { 3 } else { 4 }
            } else {
                UNREACHABLE
            };
            self.later(span, event);
        }
        self.tally.introduction(by_broker);
    }

    fn is_broker_dead(&self) -> bool {
        self.scenario
            .broker_dies
            .is_some_and(|end| self.now.micros() >= end.as_micros() as u64)
    }
}

const ABSENT: u32 = u32::MAX;
/// Draws for one neighbour; a crowd in which 16 at random do not suit is one where nobody does.
const TRIES: usize = 16;
/// When two visitors give each other up.
const UNREACHABLE: Duration = Duration::from_secs(3);
