//! Many visitors of one page, arriving as a crowd does, and what came of them in one report: the fire drill behind `flashback
//! rehearse` and the crowd of `flashback demo`.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng, RngExt};
use tokio::{
    task::{JoinError, JoinSet},
    time::sleep,
};
use url::Url;

use super::{Arrived, Bytes, Conduct, Gauge, Report, Seconds, Settings, Signals, SiteError, Visit, Visitor};
use crate::{content::Digest, unit::BitRate};

/// Who comes, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rehearsal {
    /// The page.
    pub url: Url,
    /// How many come.
    pub visitors: u32,
    /// In which pattern.
    pub arrivals: Arrivals,
    /// Within which time.
    pub over: Duration,
    /// Each of them.
    pub settings: Settings,
    /// Addresses that they take in turns; none leaves it to the system.
    pub addresses: Vec<IpAddr>,
    /// Share that takes and does not give.
    pub free_riders: f64,
    /// Share that gives false bytes.
    pub liars: f64,
    /// The origin's uplink, if it is known: the fluid bound needs it.
    pub origin_up: Option<BitRate>,
}

/// The pattern in which a crowd arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Twice as many in each fifth of the time as in the one before.
    Flash,
    /// Whenever, as many at any time.
    Poisson,
    /// At once.
    All,
}

/// A rehearsal under way. Whoever drops it ends all visits.
#[derive(Debug)]
pub struct Running {
    url: Url,
    started: Instant,
    settings: Settings,
    origin_up: Option<BitRate>,
    over: Duration,
    gauges: Vec<Arc<Gauge>>,
    visits: JoinSet<(Conduct, Result<Visit, SiteError>)>,
    ended: Vec<Visit>,
    failed: u64,
    first_failure: Option<String>,
}

/// All visits as they stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// Visitors that have come.
    pub arrived: u64,
    /// Those that found the page hot.
    pub hot: u64,
    /// Those that have the page.
    pub complete: u64,
    /// Bytes from the site, all counted.
    pub site: u64,
    /// Payload bytes from neighbours.
    pub peer: u64,
    /// Open links, seen from both ends.
    pub links: u64,
}

impl Rehearsal {
    /// Honest visitors that come at once.
    #[must_use]
    pub fn new(url: Url, visitors: u32) -> Self {
        Self {
            url,
            visitors,
            arrivals: Arrivals::All,
            over: Duration::ZERO,
            settings: Settings::default(),
            addresses: Vec::new(),
            free_riders: 0.0,
            liars: 0.0,
            origin_up: None,
        }
    }

    /// Sends them. It needs a Tokio runtime.
    #[must_use]
    pub fn begin(self, random: &mut impl Rng) -> Running {
        let mut running = Running {
            url: self.url.clone(),
            started: Instant::now(),
            settings: self.settings.clone(),
            origin_up: self.origin_up,
            over: self.over,
            gauges: Vec::new(),
            visits: JoinSet::new(),
            ended: Vec::new(),
            failed: 0,
            first_failure: None,
        };
        for number in 0..self.visitors {
            let late = self.arrivals.late(random.random(), self.over);
            let conduct = match random.random::<f64>() {
                draw if draw < self.free_riders => Conduct::FreeRider,
                draw if draw < self.free_riders + self.liars => Conduct::Liar,
                _ => Conduct::Honest,
            };
            let turn = number as usize % self.addresses.len().max(1);
            let settings = Settings {
                address: self.addresses.get(turn).copied().or(self.settings.address),
                conduct,
                ..self.settings.clone()
            };
            let visitor = Visitor::new(self.url.clone(), settings);
            running.gauges.push(visitor.gauge());
            running.visits.spawn(async move {
                sleep(late).await;
                (conduct, visitor.visit().await)
            });
        }
        running
    }
}

impl Arrivals {
    /// How late one comes whose turn is `share` of all.
    fn late(self, share: f64, over: Duration) -> Duration {
        over.mul_f64(match self {
            Self::All => 0.0,
            Self::Poisson => share,
            // The inverse of (2^(5t) − 1) / (2^5 − 1), which doubles in each fifth.
            Self::Flash => (1.0 + 31.0 * share).log2() / 5.0,
        })
    }
}

impl Running {
    /// How the visits stand.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.gauges.iter().fold(Standing::default(), |sum, gauge| {
            let sample = gauge.sample();
            Standing {
                arrived: sum.arrived + u64::from(sample.site > 0),
                hot: sum.hot + u64::from(sample.hot),
                complete: sum.complete + u64::from(sample.complete),
                site: sum.site + sample.site,
                peer: sum.peer + sample.peer,
                links: sum.links + u64::from(sample.links),
            }
        })
    }

    /// Waits for the next visit to end; false if none is left. Nothing is lost if it is dropped.
    pub async fn next(&mut self) -> bool {
        match self.visits.join_next().await {
            Some(visit) => {
                self.took(visit);
                true
            }
            None => false,
        }
    }

    /// What came of the visits that have ended; the rest is ended now and counts as not complete. Objects are held against
    /// what the site itself answers now.
    pub async fn end(mut self) -> Report {
        self.visits.abort_all();
        while self.next().await {}
        let truth = self.truth().await;
        self.report(&truth)
    }

    fn took(&mut self, visit: Result<(Conduct, Result<Visit, SiteError>), JoinError>) {
        match visit {
            Ok((_, Ok(visit))) => self.ended.push(visit),
            Ok((_, Err(error))) => {
                self.failed += 1;
                self.first_failure.get_or_insert_with(|| error.to_string());
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Ended by us.
            Err(_) => {}
        }
    }

    /// What the site says its objects are, asked once for each and without the swarm.
    async fn truth(&self) -> HashMap<String, Digest> {
        let mut truth = HashMap::new();
        let urls = self.ended.iter().flat_map(|visit| &visit.objects);
        for Arrived { url, .. } in urls {
            if !truth.contains_key(url)
                && let Ok(digest) = super::visitor::digest(&self.url, &self.settings, url).await
            {
                truth.insert(url.clone(), digest);
            }
        }
        truth
    }

    fn report(self, truth: &HashMap<String, Digest>) -> Report {
        let standing = self.standing();
        let mut took: Vec<_> = self.ended.iter().map(|visit| visit.took.as_secs_f64()).collect();
        took.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| took.get((self.gauges.len() as f64 * share) as usize).copied();
        let sum = |of: fn(&Visit) -> u64| self.ended.iter().map(of).sum::<u64>();
        let page = sum(|visit| visit.objects.iter().map(|object| object.length).sum());
        let wrong = self.ended.iter().map(|visit| wrong(visit, truth)).sum();
        let completed = self.ended.len() as u64;
        let mut faults = BTreeMap::new();
        for (fault, count) in self.ended.iter().flat_map(|visit| &visit.faults) {
            *faults.entry(*fault).or_default() += count;
        }
        Report {
            visitors: self.gauges.len() as u64,
            completed,
            hot: standing.hot,
            failed: self.failed,
            first_failure: self.first_failure.clone(),
            seconds: Seconds {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
            },
            bound_s: self.bound(page, completed, standing),
            bytes: Bytes {
                origin: standing.site,
                peer: standing.peer,
                page,
            },
            saved: (page > 0).then(|| 1.0 - standing.site as f64 / page as f64),
            signals: Signals {
                broker: sum(|visit| visit.met_by_broker),
                peer: sum(|visit| visit.met_by_neighbour),
            },
            strangers: super::report::strangers(&self.ended),
            ranges: sum(|visit| visit.ranges),
            faults,
            law3_violations: sum(|visit| visit.law3_violations),
            wrong_bytes: wrong,
            wall_s: self.started.elapsed().as_secs_f64(),
        }
    }

    /// The fluid bound for the median (`docs/swarm.md`): none unless both links and the origin's uplink are known.
    fn bound(&self, page: u64, completed: u64, standing: Standing) -> Option<f64> {
        let rate = |rate: Option<BitRate>| rate.map(|rate| rate.bytes_per_second() as f64);
        let (up, down) = (rate(self.settings.up)?, rate(self.settings.down)?);
        let (origin, count) = (rate(self.origin_up)?, completed as f64);
        if completed == 0 {
            return None;
        }
        let bytes = page as f64 / count;
        let together = if self.over.is_zero() {
            count * bytes / (origin + count * up)
        } else {
            let arrivals = count / self.over.as_secs_f64();
            let own = standing.site.saturating_sub(page.saturating_sub(standing.peer)) as f64 / count;
            (bytes - (origin - arrivals * own) / arrivals) / up - self.settings.dwell.as_secs_f64()
        };
        Some((bytes / down).max(together))
    }
}

/// Bytes that a visitor shows and the site does not have.
fn wrong(visit: &Visit, truth: &HashMap<String, Digest>) -> u64 {
    let differs = |object: &&Arrived| {
        truth
            .get(&object.url)
            .is_some_and(|digest| *digest != object.digest)
    };
    let objects = visit.objects.iter().filter(differs);
    visit.wrong_bytes + objects.map(|object| object.length).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flash_crowd_doubles_in_each_fifth() {
        let over = Duration::from_secs(5);
        let before = |span: u64| {
            let all = 31_000;
            (0..all)
                .map(|turn| Arrivals::Flash.late(f64::from(turn) / f64::from(all), over))
                .filter(|late| *late < Duration::from_secs(span))
                .count()
        };
        let fifths: Vec<_> = (1..=5).map(|end| before(end) - before(end - 1)).collect();
        for (expected, got) in [1_000, 2_000, 4_000, 8_000, 16_000].into_iter().zip(fifths) {
            assert!(got.abs_diff(expected) <= 1, "{got}, not {expected}");
        }
        assert_eq!(Arrivals::All.late(0.7, over), Duration::ZERO);
        assert_eq!(Arrivals::Poisson.late(0.4, over), Duration::from_secs(2));
    }
}
