//! What is simulated: the page, the links, the crowd and those in it who do not play fair. A value; `world.rs` plays it.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use crate::{
    sim::{dwell::Dwell, uplinks::Uplinks},
    swarm::Rules,
    unit::BitRate,
};

/// One crowd at one page.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// Bytes of the page that visitors may carry: `F`.
    pub page: u64,
    /// Bytes that only the origin can send to each visitor: shell, script, worker and manifest. With signalling, which is
    /// counted message by message, this is `b`. In a crowd the digests of chunks are left out of it: neighbours tell them.
    pub own: u64,
    /// A visitor's downlink.
    pub down: BitRate,
    /// A visitor's uplink.
    pub up: BitRate,
    /// Uplinks of different visitors, in place of `up`.
    pub mix: Option<Uplinks>,
    /// The origin's uplink.
    pub origin_up: BitRate,
    /// What of it pages, seeds and spare chunks may take: all, unless it is said. The pages of a crowd come first, whatever that is.
    pub budget: Option<BitRate>,
    /// Between any two of them.
    pub rtt: Duration,
    /// Share of packets that are lost; each is sent again until it arrives, and what is behind it on its link waits.
    pub loss: f64,
    /// How visitors arrive.
    pub arrivals: Arrivals,
    /// Arrival rate × page ÷ origin uplink, once the crowd is there.
    pub load: f64,
    /// Visitors at most; none is what `load` brings in its ramp and a minute at it.
    pub visitors: Option<u32>,
    /// How long a visitor stays once it has the page.
    pub dwell: Dwell,
    /// Share that leaves within 10 s of arriving, whether it has the page or not.
    pub churn: f64,
    /// Share that takes and does not give, and claims to be poor.
    pub free_riders: f64,
    /// Share that does so, and comes again under a new number, with what it has, when three neighbours let it go.
    pub sybils: f64,
    /// Share that gives as the rules say, but always states that it has nothing to give: it hopes to be given to sooner.
    pub understating: f64,
    /// Share that gives false bytes.
    pub liars: f64,
    /// Whether liars also accuse every neighbour they have.
    pub slander: bool,
    /// Share of pairs that cannot reach each other, whatever they are behind.
    pub unreachable: f64,
    /// Share behind a symmetric NAT: two of them never meet, nor does one of them meet a restricted one.
    pub symmetric: f64,
    /// Share behind a port-restricted NAT.
    pub restricted: f64,
    /// When the broker dies, from the beginning.
    pub broker_dies: Option<Duration>,
    /// Nobody carries anything: the origin alone.
    pub origin_only: bool,
    /// Whether the signalling socket is a connection of its own, as where the site's front speaks HTTP/1.1: else it is one more stream
    /// of the page's (RFC 8441).
    pub http1: bool,
    /// What chance begins with.
    pub seed: u64,
    /// What the exchange goes by.
    pub rules: Rules,
}

/// How visitors arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// A flash crowd: at half the origin's capacity, doubled every 10 s until `load`, then a minute at it.
    Flash,
    /// A minute at `load`, from nothing.
    Poisson,
    /// All at once.
    All,
    /// When they did: so long after the beginning, in order.
    Log(Arc<[Duration]>),
}

/// How much of the page visitors carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All of it: the origin sends a shell, scripts and the manifest.
    Page,
    /// Images, video and the like: HTML, style sheets and scripts come from the origin as well, and first.
    Media,
}

impl Default for Scenario {
    /// The crowd of the budgets: links as of DSL, everybody leaves with the page.
    fn default() -> Self {
        Self {
            page: 1_000_000,
            own: OWN,
            down: BitRate::from_bits_per_second(8_000_000),
            up: BitRate::from_bits_per_second(1_000_000),
            mix: None,
            origin_up: BitRate::from_bits_per_second(10_000_000),
            budget: None,
            rtt: Duration::from_millis(50),
            loss: 0.0,
            arrivals: Arrivals::Flash,
            load: 4.0,
            visitors: None,
            dwell: Dwell::Fixed(Duration::ZERO),
            churn: 0.0,
            free_riders: 0.0,
            sybils: 0.0,
            understating: 0.0,
            liars: 0.0,
            slander: false,
            unreachable: 0.15,
            symmetric: 0.0,
            restricted: 0.0,
            broker_dies: None,
            origin_only: false,
            http1: false,
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
        let cheats = self.free_riders + self.sybils + self.understating + self.liars;
        let shares = [
            ("churn", self.churn),
            ("free riders", self.free_riders),
            ("sybils", self.sybils),
            ("understating", self.understating),
            ("liars", self.liars),
            ("free riders, sybils, understating and liars together", cheats),
            ("unreachable", self.unreachable),
            ("symmetric", self.symmetric),
            ("restricted", self.restricted),
            (
                "symmetric and restricted together",
                self.symmetric + self.restricted,
            ),
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
        if !LOSSES.contains(&self.loss) {
            return Err(ScenarioError::Loss(self.loss));
        }
        if let Some(budget) = self.budget.filter(|budget| *budget > self.origin_up) {
            return Err(ScenarioError::Budget(budget, self.origin_up));
        }
        if self.visitors == Some(0) {
            return Err(ScenarioError::Nobody);
        }
        match &self.arrivals {
            Arrivals::All if self.visitors.is_none() => Err(ScenarioError::Visitors),
            Arrivals::Log(times) if times.is_empty() => Err(ScenarioError::Nobody),
            Arrivals::Log(times) if !times.is_sorted() => Err(ScenarioError::Disorder),
            _ => Ok(()),
        }
    }

    /// Whether nobody cheats or leaves early.
    #[must_use]
    pub fn is_fair(&self) -> bool {
        let unfair = self.churn + self.free_riders + self.sybils + self.understating + self.liars;
        unfair <= 0.0
    }

    /// A crowd of the same size at the same page in which nobody cheats or leaves early.
    #[must_use]
    pub fn fair(&self) -> Self {
        Self {
            churn: 0.0,
            free_riders: 0.0,
            sybils: 0.0,
            understating: 0.0,
            liars: 0.0,
            slander: false,
            ..self.clone()
        }
    }

    /// The mean uplink.
    #[must_use]
    pub fn mean_up(&self) -> BitRate {
        self.mix.as_ref().map_or(self.up, Uplinks::mean)
    }

    /// What the origin may send.
    pub(super) fn budget(&self) -> BitRate {
        self.budget.unwrap_or(self.origin_up)
    }

    /// Arrivals per second at `load`, or in the busiest minute of a log.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let capacity = self.origin_up.bytes_per_second() as f64 / self.page as f64;
        match &self.arrivals {
            Arrivals::Log(times) => busiest(times) as f64 / MINUTE.as_secs_f64(),
            _ => self.load * capacity,
        }
    }

    /// Arrival rate × page ÷ origin uplink: what was asked for, or what the log brings.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.rate() * self.page as f64 / self.origin_up.bytes_per_second() as f64
    }

    /// The fluid bound for the median completion, in seconds: no system that keeps law 3 is faster, headers and start-up
    /// not counted. For a crowd that arrives all at once it is that of the group; for mixed uplinks and dwells that of
    /// their means.
    #[must_use]
    pub fn bound(&self) -> f64 {
        let (page, own, origin) = (
            self.page as f64,
            self.own as f64,
            self.origin_up.bytes_per_second() as f64,
        );
        let (down, up) = (
            self.down.bytes_per_second() as f64,
            self.mean_up().bytes_per_second() as f64,
        );
        let shared = match (&self.arrivals, self.visitors) {
            (Arrivals::All, Some(visitors)) => {
                let visitors = f64::from(visitors);
                visitors * page / (origin + visitors * up)
            }
            _ => (page - (origin / self.rate() - own).max(0.0)) / up - self.dwell.mean().as_secs_f64(),
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
    /// More is lost than arrives.
    #[error("a loss of {0} cannot be simulated; write 0 to 0.5")]
    Loss(f64),
    /// The origin may send more than its uplink takes.
    #[error("a budget of {0} is more than the uplink of {1}")]
    Budget(BitRate, BitRate),
    /// A crowd of nobody.
    #[error("a crowd needs at least one visitor")]
    Nobody,
    /// The times of a log go back.
    #[error("the times of the arrivals are not in order")]
    Disorder,
    /// All arrive at once, and nobody said how many.
    #[error("a crowd that arrives at once needs a number of visitors")]
    Visitors,
}

/// The most arrivals in a minute.
fn busiest(times: &[Duration]) -> usize {
    let until = |start: &Duration| times.partition_point(|time| *time < *start + MINUTE);
    let counts = times
        .iter()
        .enumerate()
        .map(|(index, start)| until(start) - index);
    counts.max().unwrap_or(0)
}

const MINUTE: Duration = Duration::from_secs(60);
const LOSSES: RangeInclusive<f64> = 0.0..=0.5;
const LOADS: RangeInclusive<f64> = 0.01..=1_000.0;
const PAGES: RangeInclusive<u64> = 16 * 1024..=100_000_000;
/// At depth `page`: a shell of 2,048 bytes with the manifest, `client.js` (9,425) and `sw.js` (1,698) as brotli, and what HTTP/2 puts
/// ahead of three bodies (137, 75 and 42 bytes of heads, 9 for each frame of data; `docs/simulate.md`).
const OWN: u64 = 13_450;

impl Depth {
    /// What only the origin can send at this depth, unless the page is known better.
    #[must_use]
    pub const fn own(self) -> u64 {
        match self {
            Self::Page => OWN,
            Self::Media => OWN + TEXT,
        }
    }
}

/// The site's own text at depth `media`, compressed: 15 KB of HTML, and as much of style sheets and scripts. A page with more
/// of it says so by `own`.
const TEXT: u64 = 30 * 1024;

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
