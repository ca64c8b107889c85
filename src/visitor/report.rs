//! The report of a rehearsal: what many visits come to, as people and programs read it.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use super::{Exchanged, Visit};

/// What came of a rehearsal; its JSON is that of `rehearse --json`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Visitors that were sent.
    pub visitors: u64,
    /// Those that got the whole page.
    pub completed: u64,
    /// Those that found it hot.
    pub hot: u64,
    /// Those that the site itself failed.
    pub failed: u64,
    /// Why the first of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// From the first packet to the whole page.
    pub seconds: Seconds,
    /// The fluid bound for the median, where all links are known.
    pub bound_s: Option<f64>,
    /// Where bytes came from.
    pub bytes: Bytes,
    /// 1 − all that the site sent ÷ what visitors got.
    pub saved: Option<f64>,
    /// Introductions that became links, seen from both ends.
    pub signals: Signals,
    /// Payload bytes exchanged with visitors that are none of these: browsers on the same page.
    pub strangers: Exchanged,
    /// Requests to the way out: swarm or socket did not bring what was needed.
    pub ranges: u64,
    /// Neighbours let go, by fault.
    pub faults: BTreeMap<&'static str, u64>,
    /// Blocks that left without credit: law 3.
    pub law3_violations: u64,
    /// Bytes that visitors had and the site has not: law 2.
    pub wrong_bytes: u64,
    /// How long it took.
    pub wall_s: f64,
}

/// Percentiles of all who were sent; none where so many did not get the page.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Seconds {
    /// The median.
    pub p50: Option<f64>,
    /// Nine of ten are faster.
    pub p90: Option<f64>,
    /// 99 of 100 are.
    pub p99: Option<f64>,
}

/// Where bytes came from.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Bytes {
    /// All that came over connections to the site: pages, scripts, headers, signalling, seeds, ranges.
    pub origin: u64,
    /// Payload between visitors.
    pub peer: u64,
    /// What visitors got in all: the objects of their pages.
    pub page: u64,
}

/// Introductions that became links.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Signals {
    /// By the broker.
    pub broker: u64,
    /// By a neighbour.
    pub peer: u64,
}

/// What was exchanged with whoever is not among these.
pub(super) fn strangers(visits: &[Visit]) -> Exchanged {
    let own: HashSet<_> = visits.iter().filter_map(|visit| visit.id).collect();
    let others = visits.iter().flat_map(|visit| &visit.exchanged);
    others.filter(|(neighbour, _)| !own.contains(neighbour)).fold(
        Exchanged::default(),
        |sum, (_, exchanged)| Exchanged {
            got: sum.got + exchanged.got,
            given: sum.given + exchanged.given,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_those_who_are_not_of_the_rehearsal() {
        let exchanged = |got, given| Exchanged { got, given };
        let visit = |id, exchanged| Visit {
            id: Some(id),
            exchanged,
            ..Visit::default()
        };
        let visits = [
            visit(1, BTreeMap::from([(2, exchanged(5, 7)), (3, exchanged(10, 20))])),
            visit(
                2,
                BTreeMap::from([(1, exchanged(7, 5)), (4, exchanged(100, 200))]),
            ),
        ];
        assert_eq!(strangers(&visits), exchanged(110, 220));
    }
}
