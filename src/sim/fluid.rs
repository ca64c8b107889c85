//! The same crowd as a fluid: what an exchange would take whose uplinks never rest. Visitors come when they do in the
//! simulation, the origin serves whoever came first or all alike, and all uplinks together fill all downlinks alike. Headers, the
//! round trips until a first link is open, and law 3 are counted; handshakes, messages, chunks, and who holds what are not. What
//! the exchange takes beyond it is its own doing; what is between it and the bound is headers and chance.

use std::time::Duration;

use crate::{
    sim::{
        arrivals::{Comer, Crowd},
        cost,
        report::Seconds,
        scenario::Scenario,
        tally::Times,
        world::PATIENCE,
    },
    swarm::{Moment, valve::CROWD},
    unit::BitRate,
};

/// Plays the crowd of a scenario, and gives the percentiles of the order in which the median is lower: with few visitors that is
/// one after the other, with many all alike. NATs and loss are left out, a free rider has no uplink, and lies do not happen.
#[must_use]
pub fn fluid(scenario: &Scenario) -> Seconds {
    let [eldest, alike] = [Order::Eldest, Order::Alike].map(|order| Fluid::new(scenario, order).run());
    let median = |seconds: Seconds| seconds.p50.unwrap_or(f64::INFINITY);
    if median(eldest) < median(alike) {
        eldest
    } else {
        alike
    }
}

/// A visitor: bytes are fractions of bytes.
#[derive(Debug)]
struct Peer {
    came: Duration,
    /// Of what only the origin can send, with headers, still to come.
    own: f64,
    /// Of the page, still to come.
    rest: f64,
    /// Law 3: what it got, less what it gave.
    credit: f64,
    /// Bytes per second of its uplink.
    up: f64,
    /// When it joins, which is when the origin begins with the rest; not known until it has what only the origin can send.
    joined: Option<Duration>,
    dwell: Duration,
    /// When it leaves.
    leaves: Option<Duration>,
    measured: bool,
    /// Whether it has all of it.
    full: bool,
    /// In this step: what its downlink still takes, and what its uplink gives at most.
    room: f64,
    most: f64,
    /// In this step: what neighbours bring.
    brought: f64,
}

impl Peer {
    /// Whether it joined so long ago.
    fn is_in(&self, since: Duration, now: Duration) -> bool {
        self.joined.is_some_and(|joined| now >= joined + since)
    }
}

/// Whom the origin serves first with what is left of its uplink.
#[derive(Clone, Copy, Debug)]
enum Order {
    Eldest,
    Alike,
}

struct Fluid<'a> {
    scenario: &'a Scenario,
    order: Order,
    crowd: Crowd<'a>,
    peers: Vec<Peer>,
    now: Duration,
    times: Times,
}

impl<'a> Fluid<'a> {
    fn new(scenario: &'a Scenario, order: Order) -> Self {
        Self {
            scenario,
            order,
            crowd: Crowd::new(scenario),
            peers: Vec::new(),
            now: Duration::ZERO,
            times: Times::default(),
        }
    }

    fn run(mut self) -> Seconds {
        let mut end = Duration::MAX;
        while (self.crowd.due().is_some() || !self.peers.is_empty()) && self.now < end {
            self.now += STEP;
            while let Some(due) = self.crowd.due().filter(|due| span(*due) <= self.now) {
                let Some(comer) = self.crowd.come(due) else {
                    break;
                };
                self.admit(due, &comer);
                if self.crowd.due().is_none() {
                    end = span(due) + PATIENCE;
                }
            }
            let origin = self.shells();
            self.exchange();
            self.remainder(origin);
            self.depart();
        }
        let left = self.peers.iter().filter(|peer| peer.measured && !peer.full);
        self.times.unfinished = left.count() as u64;
        self.times.percentiles()
    }

    fn admit(&mut self, at: Moment, comer: &Comer) {
        let came = span(at);
        let unlisted = self.peers.len() >= CROWD;
        self.peers.push(Peer {
            came,
            own: cost::origin(cost::shell(self.scenario, unlisted)) as f64,
            rest: self.scenario.page as f64,
            credit: 0.0,
            up: if comer.kind.gives() {
                comer.up.bytes_per_second() as f64
            } else {
                0.0
            },
            joined: None,
            dwell: comer.dwell,
            leaves: comer.churns.map(|churns| came + churns),
            measured: comer.measured,
            full: false,
            room: 0.0,
            most: 0.0,
            brought: 0.0,
        });
    }

    /// What only the origin can send, to whoever came first, whatever the budget is. Gives what is left of that.
    fn shells(&mut self) -> f64 {
        let rtt = self.scenario.rtt;
        let in_step = |rate: BitRate| rate.bytes_per_second() as f64 * STEP.as_secs_f64();
        let (uplink, down) = (in_step(self.scenario.origin_up), in_step(self.scenario.down));
        let mut origin = uplink;
        let joins = rtt / 2 + cost::socket(rtt, self.scenario.http1);
        for peer in &mut self.peers {
            let asked = self.now >= peer.came + cost::request(rtt);
            let mut room = if asked { down } else { 0.0 };
            let own = peer.own.min(room).min(origin);
            peer.own -= own;
            origin -= own;
            room -= own;
            if peer.own < NOTHING && asked && peer.joined.is_none() {
                peer.joined = Some(self.now + joins);
            }
            let joined = peer.is_in(Duration::ZERO, self.now);
            peer.room = if joined {
                (room / cost::of_origin()).min(peer.rest)
            } else {
                0.0
            };
        }
        let kept = uplink - in_step(self.scenario.budget());
        (origin - kept).max(0.0) / cost::of_origin()
    }

    /// All uplinks fill those who have links, alike; nobody brings anything to itself.
    fn exchange(&mut self) {
        let share = STEP.as_secs_f64() / cost::of_neighbour();
        let (now, opens) = (self.now, cost::link(self.scenario.rtt));
        for peer in &mut self.peers {
            let linked = peer.is_in(opens, now);
            peer.most = if linked {
                (peer.up * share).min(peer.credit)
            } else {
                0.0
            };
        }
        let all: f64 = self.peers.iter().map(|peer| peer.most).sum();
        let takes = |peer: &Peer| {
            let linked = peer.is_in(opens, now);
            if linked {
                peer.room.min(all - peer.most)
            } else {
                0.0
            }
        };
        let mut taken: Vec<f64> = self.peers.iter().map(takes).collect();
        let level = water_level(&taken, all);
        taken.iter_mut().for_each(|taken| *taken = taken.min(level));
        let drawn = taken.iter().sum::<f64>() / all.max(NOTHING);
        for (peer, taken) in self.peers.iter_mut().zip(taken) {
            peer.brought = taken;
            peer.credit += taken - peer.most * drawn;
        }
    }

    /// The rest of the origin's uplink.
    fn remainder(&mut self, mut origin: f64) {
        let lacks = |peer: &Peer| (peer.room - peer.brought).max(0.0);
        let lacking: Vec<f64> = self.peers.iter().map(lacks).collect();
        let most = match self.order {
            Order::Alike => water_level(&lacking, origin),
            Order::Eldest => f64::INFINITY,
        };
        for (peer, lacking) in self.peers.iter_mut().zip(lacking) {
            let bytes = lacking.min(most).min(origin);
            origin -= bytes;
            peer.credit += bytes;
            peer.rest -= bytes + peer.brought;
        }
    }

    /// Whoever has all of it is measured, and leaves when it has stayed.
    fn depart(&mut self) {
        let (now, half) = (self.now, self.scenario.rtt / 2);
        for peer in &mut self.peers {
            if peer.full || peer.rest + peer.own > NOTHING {
                continue;
            }
            peer.full = true;
            let leaves = now + peer.dwell;
            peer.leaves = Some(peer.leaves.map_or(leaves, |churns| churns.min(leaves)));
            if peer.measured {
                self.times.push(now + half - peer.came);
            }
        }
        self.peers
            .retain(|peer| peer.leaves.is_none_or(|leaves| leaves > now));
    }
}

/// How much each may take at most so that all together take what there is, or all that they want: max-min fairness, by water-filling.
fn water_level(takes: &[f64], all: f64) -> f64 {
    let mut level = 0.0;
    loop {
        // Who wants less than the level leaves more to the others, and the level rises.
        let (satisfied, others) = takes.iter().fold((0.0, 0_u32), |(satisfied, others), take| {
            if *take <= level {
                (satisfied + take, others)
            } else {
                (satisfied, others + 1)
            }
        });
        let next = (all - satisfied) / f64::from(others);
        if others == 0 || next - level < NOTHING {
            return level;
        }
        level = next;
    }
}

fn span(at: Moment) -> Duration {
    at.since(Moment::default())
}

/// Fine beside the seconds that a page takes, and beside a round trip.
const STEP: Duration = Duration::from_millis(10);
/// Less than this is nothing.
const NOTHING: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sim::{Arrivals, simulate};

    fn median(seconds: Seconds) -> f64 {
        seconds.p50.expect("half of them have the page")
    }

    #[test]
    fn it_stands_between_the_bound_and_the_exchange() {
        for load in [0.5, 2.0, 4.0] {
            let scenario = Scenario {
                load,
                ..Scenario::default()
            };
            let (bound, fluid_median, played) = (
                scenario.bound(),
                median(fluid(&scenario)),
                median(simulate(&scenario).seconds),
            );
            assert!(
                bound < fluid_median && fluid_median < played,
                "{bound} {fluid_median} {played}"
            );
        }
    }

    /// One alone has the origin to itself: the request, what only the origin can send, and the page at the rate of its downlink.
    #[test]
    fn one_visitor_takes_what_can_be_reckoned() {
        let scenario = Scenario {
            visitors: Some(1),
            arrivals: Arrivals::Poisson,
            ..Scenario::default()
        };
        let bytes = cost::origin(scenario.own) as f64 + scenario.page as f64 * cost::of_origin();
        // To ask, to be answered, to join, and to be answered again.
        let seconds = (scenario.rtt * 5 / 2 + scenario.rtt / 2 * 3).as_secs_f64()
            + bytes / scenario.down.bytes_per_second() as f64;
        let fluid_median = median(fluid(&scenario));
        assert!(
            (fluid_median - seconds).abs() <= 2.0 * STEP.as_secs_f64(),
            "{fluid_median} {seconds}"
        );
    }

    #[test]
    fn who_gives_nothing_makes_others_wait() {
        let rides = |share| Scenario {
            free_riders: share,
            ..Scenario::default()
        };
        let (none, half) = (median(fluid(&rides(0.0))), median(fluid(&rides(0.5))));
        assert!(half > 1.1 * none, "{none} {half}");
    }

    proptest! {
        #[test]
        fn a_level_takes_all_there_is_or_all_that_is_wanted(
            takes in prop::collection::vec(0.0..1e4_f64, 0..40),
            all in 0.0..1e5_f64,
        ) {
            let level = water_level(&takes, all);
            let taken: f64 = takes.iter().map(|take| take.min(level)).sum();
            let wanted: f64 = takes.iter().sum();
            prop_assert!((taken - all.min(wanted)).abs() < 1e-3, "{taken} of {all} for {wanted}");
        }
    }
}
