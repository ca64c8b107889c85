//! What came of a scenario: percentiles of time, bytes by who sent them, faults.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::sim::{scenario::Scenario, tally::Tally};

/// The outcome of a scenario; its JSON is that of `simulate --json`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Visitors that arrived.
    pub visitors: u64,
    /// Those that got the whole page.
    pub completed: u64,
    /// Those that are measured: honest, staying, arrived at full load.
    pub measured: u64,
    /// Of those and of those who understate their credit, who never got the page.
    pub unfinished: u64,
    /// From the first packet to the whole page.
    pub seconds: Seconds,
    /// Arrival rate × page ÷ origin uplink.
    pub load: f64,
    /// From the first packet until what only the origin sends was there: at depth `media` the text.
    pub first: Seconds,
    /// Of those who understate their credit, if there are any: what it gained them.
    pub understating: Option<Seconds>,
    /// The fluid bound for the median.
    pub bound_s: f64,
    /// The median over it.
    pub ratio: Option<f64>,
    /// Where bytes came from.
    pub bytes: Bytes,
    /// 1 − all that the origin sent ÷ what visitors got.
    pub saved: f64,
    /// Introductions.
    pub signals: Signals,
    /// Those who do not play fair.
    pub cheats: Cheats,
    /// Messages between visitors, by name: how many, and their bytes without headers.
    pub messages: BTreeMap<&'static str, (u64, u64)>,
    /// Packets in which they went, each with headers of 93 bytes; handshakes and acknowledgements not counted.
    pub packets: u64,
    /// Neighbours let go, by fault.
    pub faults: BTreeMap<&'static str, u64>,
    /// Blocks that left without credit: law 3.
    pub law3_violations: u64,
    /// Bytes that counted and were not the origin's: law 2.
    pub wrong_bytes: u64,
    /// How long it took to play; whoever measures sets it.
    pub wall_s: f64,
}

/// Percentiles of those who are measured; none where so many never got the page.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seconds {
    /// The median.
    pub p50: Option<f64>,
    /// Nine of ten are faster.
    pub p90: Option<f64>,
    /// 99 of 100 are.
    pub p99: Option<f64>,
}

/// Bytes, with all headers for the origin, of payload for the rest.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Bytes {
    /// All that the origin sent.
    pub origin: u64,
    /// Payload between visitors.
    pub peer: u64,
    /// All that visitors sent.
    pub peer_wire: u64,
    /// Of those, what was sent again because it was lost.
    pub again: u64,
    /// The origin's, by purpose.
    pub pages: u64,
    /// One chunk for each newcomer.
    pub seeds: u64,
    /// What the origin had time for.
    pub spare: u64,
    /// The broker's messages.
    pub signalling: u64,
}

/// Introductions, by who made them.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Signals {
    /// The broker.
    pub broker: u64,
    /// A neighbour.
    pub peer: u64,
}

/// Those who do not play fair, and what became of them.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Cheats {
    /// Accusations that the broker counted.
    pub accusations: u64,
    /// Visitors that cheat and that the broker introduces no more.
    pub caught: u64,
    /// Visitors that do not cheat and that it introduces no more all the same.
    pub slandered: u64,
    /// New numbers that Sybils took.
    pub renamed: u64,
}

impl Report {
    pub(super) fn new(scenario: &Scenario, mut tally: Tally) -> Self {
        let measured = tally.seconds.count();
        let seconds = tally.seconds.percentiles();
        let bound = scenario.bound();
        let origin = tally.origin_wire();
        Self {
            visitors: tally.arrived,
            completed: tally.completed,
            measured,
            unfinished: tally.seconds.unfinished + tally.understating.unfinished,
            seconds,
            load: scenario.load(),
            first: tally.first.percentiles(),
            understating: (tally.understating.count() > 0).then(|| tally.understating.percentiles()),
            bound_s: bound,
            ratio: seconds.p50.map(|median| median / bound),
            bytes: Bytes {
                origin,
                peer: tally.peer,
                peer_wire: tally.peer_wire,
                again: tally.again,
                pages: tally.pages,
                seeds: tally.seeds,
                spare: tally.spare,
                signalling: tally.signals,
            },
            saved: 1.0 - origin as f64 / tally.got.max(1) as f64,
            signals: Signals {
                broker: tally.by_broker,
                peer: tally.by_neighbour,
            },
            cheats: Cheats {
                accusations: tally.accusations,
                caught: tally.caught,
                slandered: tally.slandered,
                renamed: tally.again_joined,
            },
            messages: tally.messages(),
            packets: tally.packets,
            faults: tally
                .faults
                .into_iter()
                .map(|(fault, count)| (fault.as_str(), count))
                .collect(),
            law3_violations: tally.law3,
            wrong_bytes: tally.wrong,
            wall_s: 0.0,
        }
    }
}
