//! What is simulated: the page, the links, the crowd and those in it who do not play fair. A value; `world.rs` plays it.

use std::{ops::RangeInclusive, time::Duration};

use crate::{swarm::Rules, unit::BitRate};

/// One crowd at one page.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// Bytes of the page that visitors may carry: `F`.
    pub page: u64,
    /// Bytes that only the origin can send to each visitor: shell, script, worker and manifest. With signalling, which is
    /// counted message by message, this is `b`.
    pub own: u64,
    /// A visitor's downlink.
    pub down: BitRate,
    /// A visitor's uplink.
    pub up: BitRate,
    /// The origin's uplink.
    pub origin_up: BitRate,
    /// Between any two of them.
    pub rtt: Duration,
    /// How visitors arrive.
    pub arrivals: Arrivals,
    /// Arrival rate × page ÷ origin uplink, once the crowd is there.
    pub load: f64,
    /// Visitors at most; none is what `load` brings in its ramp and a minute at it.
    pub visitors: Option<u32>,
    /// How long a visitor stays once it has the page.
    pub dwell: Duration,
    /// Share that leaves within 10 s of arriving, whether it has the page or not.
    pub churn: f64,
    /// Share that takes and does not give, and claims to be poor.
    pub free_riders: f64,
    /// Share that gives false bytes.
    pub liars: f64,
    /// Whether liars also accuse every neighbour they have.
    pub slander: bool,
    /// Share of pairs that cannot reach each other.
    pub unreachable: f64,
    /// When the broker dies, from the beginning.
    pub broker_dies: Option<Duration>,
    /// Nobody carries anything: the origin alone.
    pub origin_only: bool,
    /// What chance begins with.
    pub seed: u64,
    /// What the exchange goes by.
    pub rules: Rules,
}

/// How visitors arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// A flash crowd: at half the origin's capacity, doubled every 10 s until `load`, then a minute at it.
    Flash,
    /// A minute at `load`, from nothing.
    Poisson,
    /// All at once.
    All,
}

impl Default for Scenario {
    /// The crowd of the budgets: links as of DSL, everybody leaves with the page.
    fn default() -> Self {
        Self {
            page: 1_000_000,
            own: OWN,
            down: BitRate::from_bits_per_second(8_000_000),
            up: BitRate::from_bits_per_second(1_000_000),
            origin_up: BitRate::from_bits_per_second(10_000_000),
            rtt: Duration::from_millis(50),
            arrivals: Arrivals::Flash,
            load: 4.0,
            visitors: None,
            dwell: Duration::ZERO,
            churn: 0.0,
            free_riders: 0.0,
            liars: 0.0,
            slander: false,
            unreachable: 0.15,
            broker_dies: None,
            origin_only: false,
            seed: 1,
            rules: Rules::default(),
        }
    }
}

impl Scenario {
    /// Checks what chance and arithmetic need.
    ///
    /// # Errors
    /// The first value that cannot be simulated.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let shares = [
            ("churn", self.churn),
            ("free riders", self.free_riders),
            ("liars", self.liars),
            ("unreachable", self.unreachable),
            ("free riders and liars", self.free_riders + self.liars),
        ];
        if let Some((name, share)) = shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
            return Err(ScenarioError::Share(name, share));
        }
        if !(LOADS.contains(&self.load)) {
            return Err(ScenarioError::Load(self.load));
        }
        if !PAGES.contains(&self.page) {
            return Err(ScenarioError::Page(self.page));
        }
        if self.arrivals == Arrivals::All && self.visitors.is_none() {
            return Err(ScenarioError::Visitors);
        }
        Ok(())
    }

    /// Arrivals per second at `load`.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.load * self.origin_up.bytes_per_second() as f64 / self.page as f64
    }

    /// The fluid bound for the median completion, in seconds: no system that keeps law 3 is faster, headers and start-up
    /// not counted. For a crowd that arrives all at once it is that of the group.
    #[must_use]
    pub fn bound(&self) -> f64 {
        let (page, own, origin) = (
            self.page as f64,
            self.own as f64,
            self.origin_up.bytes_per_second() as f64,
        );
        let (down, up) = (
            self.down.bytes_per_second() as f64,
            self.up.bytes_per_second() as f64,
        );
        let shared = match (self.arrivals, self.visitors) {
            (Arrivals::All, Some(visitors)) => {
                let visitors = f64::from(visitors);
                visitors * page / (origin + visitors * up)
            }
            _ => (page - (origin / self.rate() - own).max(0.0)) / up - self.dwell.as_secs_f64(),
        };
        shared.max(page / down)
    }
}

/// A scenario that cannot be simulated.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// A share is not one.
    #[error("{0}: {1} is no share; write 0 to 1")]
    Share(&'static str, f64),
    /// No load, or more than any crowd brings.
    #[error("a load of {0} cannot be simulated; write 0.01 to 1000")]
    Load(f64),
    /// No page, or one that is no page.
    #[error("a page of {0} bytes cannot be simulated; write 16 KiB to 100 MB")]
    Page(u64),
    /// All arrive at once, and nobody said how many.
    #[error("a crowd that arrives at once needs a number of visitors")]
    Visitors,
}

const LOADS: RangeInclusive<f64> = 0.01..=1_000.0;
const PAGES: RangeInclusive<u64> = 16 * 1024..=100_000_000;
/// At depth `page`: a shell of 2 KB, `client.js` (10.9 KB) and `sw.js` (2.0 KB) as gzip, a manifest of 62 chunks.
const OWN: u64 = 15 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of design.md §9, where the own bytes are 13 KB.
    #[test]
    fn the_bound_is_the_known_one() {
        for (load, bound) in [
            (0.5, 1.0),
            (1.0, 1.0),
            (2.0, 4.1),
            (4.0, 6.1),
            (8.0, 7.1),
            (16.0, 7.6),
            (32.0, 7.85),
        ] {
            let scenario = Scenario {
                load,
                own: 13_000,
                ..Scenario::default()
            };
            assert!(
                (scenario.bound() - bound).abs() < 0.011,
                "{} at {load}",
                scenario.bound()
            );
        }
    }
}
