//! What came of a crowd, beside what the simulator says of the same one, and the budgets that it is held to.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use tower_flashback::{
    sim::{self, Scenario, simulate},
    unit::BitRate,
    visitor::Visit,
};

use crate::{network::Rates, origin::Page};

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) visitors: u64,
    pub(crate) completed: u64,
    /// Arrivals per second × page ÷ the origin's uplink.
    pub(crate) load: f64,
    /// The same, by the time from the first arrival to the last page: what the origin sent after the last arrival is its
    /// share of a crowd that comes and goes, too.
    pub(crate) load_while_present: f64,
    /// What of its uplink the origin gave the crowd, if not all.
    pub(crate) budget: Option<BitRate>,
    pub(crate) seconds: Seconds,
    /// No system that keeps law 3 is faster in the long run, arrivals going on for ever.
    pub(crate) bound_s: f64,
    /// Nor with so many visitors and no more, while the origin sends as long as they load.
    pub(crate) bound_of_group_s: f64,
    pub(crate) simulated: Simulated,
    pub(crate) bytes: Bytes,
    /// 1 − all that the origin's interface sent ÷ what visitors got.
    pub(crate) saved: f64,
    pub(crate) signals: Signals,
    pub(crate) ranges: u64,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Blocks that left while less had been got than given, and looks at somebody who had given more than got.
    pub(crate) law3_violations: u64,
    /// Visitors whose page is not the origin's, byte for byte.
    pub(crate) wrong_pages: u64,
    pub(crate) failures: Vec<String>,
    pub(crate) processor: Processor,
    /// Packets that visitors' uplinks had no room for.
    pub(crate) dropped: u64,
    pub(crate) wall_s: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Seconds {
    pub(crate) p50: Option<f64>,
    pub(crate) p90: Option<f64>,
    pub(crate) p99: Option<f64>,
}

/// The simulator, given the same links, page, arrivals and own bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Simulated {
    pub(crate) p50: Option<f64>,
    pub(crate) saved: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Bytes {
    /// All that the origin's interface sent, Ethernet's headers included.
    pub(crate) origin: u64,
    /// What only the origin can send to each visitor: page, script, manifest and HTTP's headers.
    pub(crate) own: f64,
    /// Seeds, spare chunks and ranges: payload from the origin.
    pub(crate) chunks: u64,
    /// Of these, what a neighbour had brought before.
    pub(crate) vain: u64,
    /// What the proxy's metrics say of the last two: payload of hot pages from origin and store.
    pub(crate) told: Option<f64>,
    /// Payload between visitors.
    pub(crate) peer: u64,
    /// Of one page.
    pub(crate) page: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Signals {
    /// Introductions that became links, seen from both ends.
    pub(crate) broker: u64,
    pub(crate) peer: u64,
    /// Messages between a visitor and the broker by which visitors meet, both ways, per visitor.
    pub(crate) meeting: f64,
    /// Reports and wishes, per visitor.
    pub(crate) others: f64,
    /// Links by neighbours since the broker was killed.
    pub(crate) after_broker: Option<u64>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Processor {
    /// Processor seconds of all visitors together.
    pub(crate) visitors_s: f64,
    /// Those of the proxy.
    pub(crate) proxy_s: f64,
    /// How long each visitor was ready to go on, and had no processor, in the mean: it is part of all times here, and of none
    /// that are simulated.
    pub(crate) waited_s: f64,
    /// How busy the machine was, others' work included.
    pub(crate) machine: f64,
}

/// What an outcome is made of.
pub(crate) struct Measured<'a> {
    pub(crate) rates: Rates,
    pub(crate) page: &'a Page,
    pub(crate) over: Duration,
    pub(crate) dwell: Duration,
    pub(crate) budget: Option<BitRate>,
    pub(crate) broker_dies: Option<Duration>,
    pub(crate) visitors: u64,
    pub(crate) visits: &'a [Visit],
    pub(crate) failures: Vec<String>,
    pub(crate) law3_samples: u64,
    pub(crate) origin: u64,
    pub(crate) told: Option<f64>,
    pub(crate) after_broker: Option<u64>,
    pub(crate) processor: Processor,
    pub(crate) dropped: u64,
    pub(crate) wall: Duration,
}

impl Outcome {
    pub(crate) fn of(measured: Measured<'_>) -> Self {
        let Measured {
            visits,
            page,
            visitors,
            ..
        } = measured;
        let sum = |of: fn(&Visit) -> u64| visits.iter().map(of).sum::<u64>();
        let mean = |of: fn(&Visit) -> u64| sum(of) as f64 / visits.len().max(1) as f64;
        let mut took: Vec<_> = visits.iter().map(|visit| visit.took.as_secs_f64()).collect();
        took.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| took.get((visitors as f64 * share) as usize).copied();
        let own = mean(|visit| visit.site.saturating_sub(from_origin(visit) + visit.talk.heard));
        let scenario = scenario(&measured, own);
        let mut faults = BTreeMap::new();
        for (fault, count) in visits.iter().flat_map(|visit| &visit.faults) {
            *faults.entry(*fault).or_default() += count;
        }
        let all = visitors as f64 * page.bytes() as f64;
        let origin_up = measured.rates.origin_up.bytes_per_second() as f64;
        Self {
            visitors,
            load_while_present: all / (origin_up * measured.wall.as_secs_f64()),
            budget: measured.budget,
            completed: visits.len() as u64,
            load: scenario.load,
            seconds: Seconds {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
            },
            bound_s: scenario.bound(),
            bound_of_group_s: bound_of_group(&scenario, measured.over),
            simulated: simulated(&scenario),
            bytes: Bytes {
                origin: measured.origin,
                own,
                chunks: sum(from_origin),
                vain: sum(|visit| from_origin(visit).saturating_sub(visit.got - visit.peer)),
                told: measured.told,
                peer: sum(|visit| visit.peer),
                page: page.bytes(),
            },
            saved: 1.0 - measured.origin as f64 / (visits.len() as f64 * page.bytes() as f64).max(1.0),
            signals: Signals {
                broker: sum(|visit| visit.met_by_broker),
                peer: sum(|visit| visit.met_by_neighbour),
                meeting: mean(|visit| visit.talk.meeting),
                others: mean(|visit| visit.talk.others),
                after_broker: measured.after_broker,
            },
            ranges: sum(|visit| visit.ranges),
            faults,
            law3_violations: sum(|visit| visit.law3_violations) + measured.law3_samples,
            wrong_pages: visits
                .iter()
                .filter(|visit| visit.wrong_bytes > 0 || !page.is_whole(visit))
                .count() as u64,
            failures: measured.failures,
            processor: measured.processor,
            dropped: measured.dropped,
            wall_s: measured.wall.as_secs_f64(),
        }
    }
}

fn from_origin(visit: &Visit) -> u64 {
    visit.talk.chunks + visit.ranged
}

fn scenario(measured: &Measured<'_>, own: f64) -> Scenario {
    let rates = measured.rates;
    let mut scenario = Scenario::default();
    scenario.page = measured.page.bytes();
    scenario.own = own as u64;
    scenario.down = rates.down;
    scenario.up = rates.up;
    scenario.origin_up = rates.origin_up;
    scenario.budget = measured.budget;
    scenario.rtt = RTT;
    scenario.arrivals = sim::Arrivals::Poisson;
    let arrivals = measured.visitors as f64 / measured.over.as_secs_f64();
    scenario.load = arrivals * scenario.page as f64 / rates.origin_up.bytes_per_second() as f64;
    scenario.visitors = u32::try_from(measured.visitors).ok();
    scenario.dwell = sim::Dwell::Fixed(measured.dwell);
    scenario.broker_dies = measured.broker_dies;
    // All namespaces reach each other.
    scenario.unreachable = 0.0;
    scenario
}

/// The middle of some crowds: one of 8 is much at the mercy of chance.
fn simulated(scenario: &Scenario) -> Simulated {
    let reports: Vec<_> = (1..=SEEDS)
        .map(|seed| {
            let mut scenario = scenario.clone();
            scenario.seed = seed;
            simulate(&scenario)
        })
        .collect();
    let mut medians: Vec<_> = reports.iter().filter_map(|report| report.seconds.p50).collect();
    medians.sort_unstable_by(f64::total_cmp);
    let saved: f64 = reports.iter().map(|report| report.saved).sum();
    Simulated {
        p50: medians.get(medians.len() / 2).copied(),
        saved: saved / SEEDS as f64,
    }
}

/// `N` pages are no more than the origin sends from the first arrival until the last has its page, and what visitors send
/// meanwhile: `N · F ≤ s · (A + T) + N · u · T`.
fn bound_of_group(scenario: &Scenario, over: Duration) -> f64 {
    let count = f64::from(scenario.visitors.unwrap_or(1));
    let (page, own) = (scenario.page as f64, scenario.own as f64);
    let rate = |rate: BitRate| rate.bytes_per_second() as f64;
    let (origin, up) = (rate(scenario.origin_up), rate(scenario.up));
    let needed = count * (page + own) - origin * over.as_secs_f64();
    (needed / (origin + count * up)).max(page / rate(scenario.down))
}

const SEEDS: u64 = 9;
/// What a packet takes from namespace to namespace and back, threads to be woken included, while the links are idle.
const RTT: Duration = Duration::from_millis(1);
