//! What is simulated: the page, the links, the crowd and those in it who do not play fair. A value; `world.rs` plays it.

use std::time::Duration;

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
    /// Introductions of each visitor by the broker; the neighbours make the others.
    pub introductions: u32,
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
            introductions: 2,
            broker_dies: None,
            origin_only: false,
            seed: 1,
            rules: Rules::default(),
        }
    }
}

impl Scenario {
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
