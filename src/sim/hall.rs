//! Who meets whom: the broker's introductions and its memory of accusations, and what visitors who are introduced do, by
//! whomever. The introductions by neighbours are messages of the exchange itself.

use std::time::Duration;

use rand::{RngExt, rngs::SmallRng};

use crate::{
    sim::{
        cost,
        event::Event,
        nat::Nat,
        network::TIMER,
        visitor::{Kind, Visitor},
        world::World,
    },
    swarm::{
        Body, Candidate, Identity, Input, Swarm,
        candidate::{Host, Kind as How},
    },
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
    /// The broker finds so many neighbours for a visitor, or as many as it does at once.
    pub(super) fn introduce(&mut self, visitor: u32, count: u8, newcomer: bool) {
        for _ in 0..count.min(self.scenario.rules.introductions) {
            let Some(peer) = self.by_broker(visitor) else {
                return;
            };
            for (one, other) in [(visitor, peer), (peer, visitor)] {
                if let Some(them) = self.get(one) {
                    them.met.push(other);
                }
                self.charge(one, cost::INTRODUCTION);
                self.tell(one, Input::Met(other));
            }
            self.tally.introduction(newcomer);
            self.punch(visitor, peer, cost::link(self.scenario.rtt));
        }
    }

    /// A neighbour introduced somebody: says who it is and where.
    pub(super) fn greet(&mut self, visitor: u32, peer: u32) {
        let Ok(identity) = Identity::new("four", "twenty+four+characters++", [0; 32]) else {
            return;
        };
        let candidate = |last| {
            Body::Candidate(Candidate {
                kind: How::Reflexive,
                priority: 0,
                host: Host::Address([1, 1, 1, last].into()),
                port: 1,
            })
        };
        // The identity goes with the first candidate; one of another family or interface comes after it.
        let now = self.now;
        if let Some(swarm) = self.get(visitor).and_then(|them| them.swarm.as_mut()) {
            swarm.handle(Input::Signal(peer, Body::Identity(identity)), now);
        }
        for candidate in [candidate(1), candidate(2)] {
            self.tell(visitor, Input::Signal(peer, candidate));
        }
    }

    /// What another said of itself is here; who both know of each other connect.
    pub(super) fn signalled(&mut self, visitor: u32, peer: u32, body: &Body) {
        if !matches!(body, Body::Identity(_)) {
            return;
        }
        if let Some(them) = self.get(visitor) {
            them.heard.push(peer);
        }
        let mutual = |them: &mut Visitor| {
            let place = them.heard.iter().position(|heard| *heard == visitor);
            place.map(|place| them.heard.swap_remove(place)).is_some()
        };
        if self.get(peer).is_some_and(mutual) {
            self.get(visitor)
                .into_iter()
                .for_each(|them| them.heard.retain(|heard| *heard != peer));
            self.tally.by_neighbour += 1;
            self.punch(visitor, peer, self.scenario.rtt * 2);
        }
    }

    pub(super) fn opened(&mut self, visitor: u32, peer: u32) {
        let present = self.get(peer).is_some_and(|them| them.swarm.is_some());
        if !present {
            return self.tell(visitor, Input::Missed(peer));
        }
        let Some(them) = self.get(visitor) else {
            return;
        };
        let liar = them.kind == Kind::Liar;
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
        // Not one that came later, or was accused: it may have nothing to give, or never give.
        if peer > visitor || !self.get(peer).is_some_and(|them| them.accusers.is_empty()) {
            return;
        }
        if let Some(them) = self.get(visitor)
            && std::mem::take(&mut them.unsponsored)
        {
            self.tally.signal(cost::SIGNAL);
            self.tell(peer, Input::Sponsor(visitor));
        }
    }

    /// Only of somebody it was introduced to, and once.
    pub(super) fn accuse(&mut self, accuser: u32, accused: u32) {
        self.charge(accuser, cost::SIGNAL);
        if let Some(them) = self.get(accused)
            && them.met.contains(&accuser)
            && !them.accusers.contains(&accuser)
        {
            let before = them.is_bad();
            them.accusers.push(accuser);
            let (fair, after) = (them.kind.is_fair(), them.is_bad());
            self.tally.accused(fair, !before && after);
        }
    }

    fn by_broker(&mut self, visitor: u32) -> Option<u32> {
        if self.is_broker_dead() || self.get(visitor)?.is_bad() {
            return None;
        }
        for left in (0..TRIES).rev() {
            let drawn = self.hall.draw(&mut self.random)?;
            // Who was accused at all is introduced if nobody else is found.
            let them = self.get(drawn)?;
            if them.is_bad() || (left > TRIES / 2 && !them.accusers.is_empty()) {
                continue;
            }
            if self.suits(visitor, drawn) {
                return Some(drawn);
            }
        }
        None
    }

    fn suits(&mut self, visitor: u32, drawn: u32) -> bool {
        let known = self.get(visitor).is_none_or(|them| {
            let linked = them
                .swarm
                .iter()
                .flat_map(Swarm::neighbours)
                .any(|link| link == drawn);
            linked || them.met.contains(&drawn)
        });
        let room = self
            .get(drawn)
            .and_then(|them| them.swarm.as_ref())
            .is_some_and(Swarm::has_room);
        visitor != drawn && !known && room
    }

    /// Two visitors who know of each other open a link, if their networks let them.
    fn punch(&mut self, one: u32, other: u32, span: Duration) {
        let near = !self.random.random_bool(self.scenario.unreachable);
        let nat = |world: &mut Self, visitor| world.get(visitor).map_or(Nat::Open, |them| them.nat);
        let (left, right) = (nat(self, one), nat(self, other));
        let reachable = near && left.meets(right);
        let span = span + self.losses_of_handshake();
        let bytes = if reachable { cost::HANDSHAKE } else { cost::CHECKS };
        for (one, other) in [(one, other), (other, one)] {
            self.charge(one, bytes);
            if reachable {
                self.later(span, Event::Opened(one, other));
            } else {
                self.later(UNREACHABLE, Event::Missed(one, other));
            }
        }
    }

    /// A packet of a handshake that is lost waits for the timer; all of them are needed.
    fn losses_of_handshake(&mut self) -> Duration {
        if self.scenario.loss <= 0.0 {
            return Duration::ZERO;
        }
        let lost: u32 = (0..FLIGHTS).map(|_| self.losses.times(self.scenario.loss)).sum();
        TIMER * lost
    }

    fn is_broker_dead(&self) -> bool {
        self.scenario
            .broker_dies
            .is_some_and(|end| self.now.micros() >= end.as_micros() as u64)
    }
}

/// Packets that one after the other open a link: ICE's check and answer, six of DTLS, four of SCTP.
const FLIGHTS: u32 = 12;
const ABSENT: u32 = u32::MAX;
/// Draws for one neighbour; a crowd in which 16 at random do not suit is one where nobody does.
const TRIES: usize = 16;
/// When two visitors give each other up.
const UNREACHABLE: Duration = Duration::from_secs(3);
