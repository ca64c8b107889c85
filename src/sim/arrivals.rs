//! Who comes when, and what kind of visitor it is. It draws from a chance of its own, so that a seed is the same crowd
//! whatever the rules of the exchange.

use std::time::Duration;

use rand::RngExt;

use crate::{
    sim::{
        event::Event,
        nat::Nat,
        network::Wire,
        scenario::Arrivals,
        visitor::{Kind, Visitor},
        world::World,
    },
    swarm::Moment,
    unit::BitRate,
};

impl World<'_> {
    /// The next visitor opens the page; the one after it is on its way.
    pub(super) fn arrive(&mut self) {
        let number = self.visitors.len() as u32;
        let late = self.arrival_after(self.tally.arrived as u32);
        match late {
            Some(span) => self.later(span, Event::Arrival),
            None => self.closed = true,
        }
        let kind = self.kind();
        let mut them = Visitor::new(kind, self.now, self.scenario.page);
        let churns = self.crowd.random_bool(self.scenario.churn);
        if churns {
            let span = Duration::from_secs_f64(self.crowd.random_range(0.0..10.0));
            self.later(span, Event::Leave(number));
        }
        let scenario = self.scenario;
        them.dwell = scenario.dwell.draw(&mut self.traits);
        them.nat = Nat::draw(scenario.symmetric, scenario.restricted, &mut self.traits);
        let mix = scenario.mix.as_ref();
        let up = mix.map_or(scenario.up, |mix| mix.draw(&mut self.traits));
        them.measured = kind.is_fair() && !churns && self.now >= self.hold();
        self.enter(them, up);
        self.tally.arrived += 1;
        // TCP and TLS 1.3, each a round trip, and half of one for the request.
        self.later(self.scenario.rtt * 5 / 2, Event::Request(number));
    }

    /// When the first one comes.
    pub(super) fn first(&self) -> Moment {
        let span = match &self.scenario.arrivals {
            Arrivals::Log(times) => times.first().copied().unwrap_or_default(),
            Arrivals::Flash | Arrivals::Poisson | Arrivals::All => Duration::ZERO,
        };
        Moment::default().after(span)
    }

    fn kind(&mut self) -> Kind {
        let scenario = self.scenario;
        let kinds = [
            (Kind::FreeRider, scenario.free_riders),
            (Kind::Liar, scenario.liars),
            (Kind::Understating, scenario.understating),
            (Kind::Sybil, scenario.sybils),
        ];
        let (draw, mut sum) = (self.crowd.random::<f64>(), 0.0);
        let kind = kinds.into_iter().find(|(_, share)| {
            sum += share;
            draw < sum
        });
        kind.map_or(Kind::Honest, |(kind, _)| kind)
    }

    /// Gives a visitor its number.
    pub(super) fn enter(&mut self, them: Visitor, up: BitRate) -> u32 {
        let number = self.visitors.len() as u32;
        self.visitors.push(Some(Box::new(them)));
        self.wires.push(Wire::new(up));
        self.present += 1;
        number
    }

    /// When the crowd is at its load: who arrives from then on is measured.
    fn hold(&self) -> Moment {
        Moment::default().after(match &self.scenario.arrivals {
            Arrivals::Flash => self.ramp(),
            Arrivals::Poisson | Arrivals::All | Arrivals::Log(_) => Duration::ZERO,
        })
    }

    fn ramp(&self) -> Duration {
        DOUBLING.mul_f64((self.scenario.load / LOAD_BEFORE).log2().max(0.0))
    }

    /// How long after this arrival, of so many before it, the next one is; none after the last.
    fn arrival_after(&mut self, number: u32) -> Option<Duration> {
        let most = self.scenario.visitors.unwrap_or(u32::MAX);
        if number + 1 >= most {
            return None;
        }
        let since = self.now.since(Moment::default());
        match &self.scenario.arrivals {
            Arrivals::All => return Some(Duration::ZERO),
            Arrivals::Log(times) => {
                let next = times.get(number as usize + 1)?;
                return Some(next.saturating_sub(since));
            }
            Arrivals::Flash | Arrivals::Poisson => {}
        }
        let since = since.as_secs_f64();
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
