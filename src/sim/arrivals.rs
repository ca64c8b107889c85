//! Who comes when, and what kind of visitor it is. It draws from a chance of its own, so that a seed is the same crowd
//! whatever the rules of the exchange.

use std::time::Duration;

use rand::RngExt;

use crate::{
    sim::{
        event::Event,
        scenario::Arrivals,
        visitor::{Kind, Visitor},
        world::{Wire, World},
    },
    swarm::Moment,
};

impl World<'_> {
    /// The next visitor opens the page; the one after it is on its way.
    pub(super) fn arrive(&mut self) {
        let number = self.visitors.len() as u32;
        let late = self.arrival_after(number);
        if let Some(span) = late {
            self.later(span, Event::Arrival);
        }
        let draw: f64 = self.crowd.random();
        let kind = if draw < self.scenario.free_riders {
            Kind::FreeRider
        } else if draw < self.scenario.free_riders + self.scenario.liars {
            Kind::Liar
        } else {
            Kind::Honest
        };
        let mut them = Visitor::new(kind, self.now, self.scenario.page);
        let churns = self.crowd.random_bool(self.scenario.churn);
        if churns {
            let span = Duration::from_secs_f64(self.crowd.random_range(0.0..10.0));
            them.leaves = Some(self.now.after(span));
            self.later(span, Event::Leave(number));
        }
        them.measured = kind == Kind::Honest && !churns && self.now >= self.hold();
        self.visitors.push(Some(Box::new(them)));
        self.wires.push(Wire::default());
        self.present += 1;
        self.tally.arrived += 1;
        // TCP and TLS 1.3, each a round trip, and half of one for the request.
        self.later(self.scenario.rtt * 5 / 2, Event::Request(number));
    }

    /// When the crowd is at its load: who arrives from then on is measured.
    fn hold(&self) -> Moment {
        Moment::default().after(match self.scenario.arrivals {
            Arrivals::Flash => self.ramp(),
            Arrivals::Poisson | Arrivals::All => Duration::ZERO,
        })
    }

    fn ramp(&self) -> Duration {
        DOUBLING.mul_f64((self.scenario.load / LOAD_BEFORE).log2().max(0.0))
    }

    /// How long after this arrival the next one is; none after the last.
    fn arrival_after(&mut self, number: u32) -> Option<Duration> {
        let most = self.scenario.visitors.unwrap_or(u32::MAX);
        if number + 1 >= most {
            return None;
        }
        if self.scenario.arrivals == Arrivals::All {
            return Some(Duration::ZERO);
        }
        let since = self.now.since(Moment::default()).as_secs_f64();
        let early = self.hold().since(Moment::default()).as_secs_f64() - since;
        let share = (early.max(0.0) / -DOUBLING.as_secs_f64()).exp2();
        let draw: f64 = self.crowd.random();
        let span = Duration::from_secs_f64(-(1.0 - draw).ln() / (self.scenario.rate() * share));
        let end = self.hold().after(HOLD);
        (self.scenario.visitors.is_some() || self.now.after(span) < end).then_some(span)
    }
}

/// The load at which a flash crowd begins, and how fast it grows.
const LOAD_BEFORE: f64 = 0.5;
const DOUBLING: Duration = Duration::from_secs(10);
/// How long it stays.
const HOLD: Duration = Duration::from_secs(60);
