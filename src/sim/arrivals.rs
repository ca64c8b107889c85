//! Who comes when, and what kind of visitor it is. It draws from a chance of its own, so that a seed is the same crowd
//! whatever the rules of the exchange.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{
    sim::{
        cost,
        event::Event,
        nat::Nat,
        network::Wire,
        scenario::{Arrivals, Scenario},
        visitor::{Kind, Visitor},
        world::World,
    },
    swarm::Moment,
    unit::BitRate,
};

/// The visitors of a scenario, in the order in which they come.
#[derive(Debug)]
pub(super) struct Crowd<'a> {
    scenario: &'a Scenario,
    /// When the next one comes; none after the last.
    due: Option<Moment>,
    /// Visitors that have come.
    came: u32,
    /// Who comes when, and who does not play fair.
    random: SmallRng,
    /// What they are behind and how long they stay: apart, so that the same visitors come at the same times whatever that is.
    traits: SmallRng,
}

/// One who comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comer {
    pub(super) kind: Kind,
    pub(super) up: BitRate,
    pub(super) nat: Nat,
    /// How long it stays with the page.
    pub(super) dwell: Duration,
    /// How long after it came it leaves, with the page or without.
    pub(super) churns: Option<Duration>,
    /// Whether its time is one of the figures: honest, staying, there at full load.
    pub(super) measured: bool,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let first = match &scenario.arrivals {
            Arrivals::Log(times) => times.first().copied().unwrap_or_default(),
            Arrivals::Flash | Arrivals::Poisson | Arrivals::All => Duration::ZERO,
        };
        Self {
            scenario,
            due: Some(Moment::default().after(first)),
            came: 0,
            random: SmallRng::seed_from_u64(!scenario.seed),
            traits: SmallRng::seed_from_u64(scenario.seed.rotate_left(16)),
        }
    }

    /// When the next one comes; none if nobody does any more.
    pub(super) const fn due(&self) -> Option<Moment> {
        self.due
    }

    /// The next visitor comes, now; none if nobody does any more.
    pub(super) fn come(&mut self, now: Moment) -> Option<Comer> {
        let scenario = self.scenario;
        self.due?;
        self.due = self.gap(now).map(|span| now.after(span));
        self.came += 1;
        let kind = self.kind();
        let churns = self.random.random_bool(scenario.churn);
        let churns = churns.then(|| Duration::from_secs_f64(self.random.random_range(0.0..10.0)));
        let mix = scenario.mix.as_ref();
        Some(Comer {
            kind,
            dwell: scenario.dwell.draw(&mut self.traits),
            nat: Nat::draw(scenario.symmetric, scenario.restricted, &mut self.traits),
            up: mix.map_or(scenario.up, |mix| mix.draw(&mut self.traits)),
            churns,
            measured: kind.is_fair() && churns.is_none() && now >= self.hold(),
        })
    }

    fn kind(&mut self) -> Kind {
        let scenario = self.scenario;
        let kinds = [
            (Kind::FreeRider, scenario.free_riders),
            (Kind::Liar, scenario.liars),
            (Kind::Understating, scenario.understating),
            (Kind::Sybil, scenario.sybils),
        ];
        let (draw, mut sum) = (self.random.random::<f64>(), 0.0);
        let kind = kinds.into_iter().find(|(_, share)| {
            sum += share;
            draw < sum
        });
        kind.map_or(Kind::Honest, |(kind, _)| kind)
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

    /// How long after the one that comes now the next one does; none if it is the last.
    fn gap(&mut self, now: Moment) -> Option<Duration> {
        let most = self.scenario.visitors.unwrap_or(u32::MAX);
        if self.came + 1 >= most {
            return None;
        }
        let since = now.since(Moment::default());
        match &self.scenario.arrivals {
            Arrivals::All => return Some(Duration::ZERO),
            Arrivals::Log(times) => {
                let next = times.get(self.came as usize + 1)?;
                return Some(next.saturating_sub(since));
            }
            Arrivals::Flash | Arrivals::Poisson => {}
        }
        let since = since.as_secs_f64();
        let early = self.hold().since(Moment::default()).as_secs_f64() - since;
        let share = (early.max(0.0) / -DOUBLING.as_secs_f64()).exp2();
        let draw: f64 = self.random.random();
        let span = Duration::from_secs_f64(-(1.0 - draw).ln() / (self.scenario.rate() * share));
        let end = self.hold().after(HOLD);
        (self.scenario.visitors.is_some() || now.after(span) < end).then_some(span)
    }
}

impl World<'_> {
    /// The next visitor opens the page; the one after it is on its way.
    pub(super) fn arrive(&mut self) {
        let number = self.visitors.len() as u32;
        let Some(comer) = self.crowd.come(self.now) else {
            return;
        };
        match self.crowd.due() {
            Some(due) => self.queue.push(due, Event::Arrival),
            None => self.closed = true,
        }
        if let Some(span) = comer.churns {
            self.later(span, Event::Leave(number));
        }
        let them = Visitor {
            measured: comer.measured,
            dwell: comer.dwell,
            nat: comer.nat,
            ..Visitor::new(comer.kind, self.now, self.scenario.page)
        };
        self.enter(them, comer.up);
        self.tally.arrived += 1;
        self.later(cost::request(self.scenario.rtt), Event::Request(number));
    }

    /// Gives a visitor its number.
    pub(super) fn enter(&mut self, them: Visitor, up: BitRate) -> u32 {
        let number = self.visitors.len() as u32;
        self.visitors.push(Some(Box::new(them)));
        self.wires.push(Wire::new(up));
        self.present += 1;
        number
    }
}

/// The load at which a flash crowd begins, and how fast it grows.
const LOAD_BEFORE: f64 = 0.5;
const DOUBLING: Duration = Duration::from_secs(10);
/// How long it stays.
const HOLD: Duration = Duration::from_secs(60);
