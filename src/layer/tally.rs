//! Counts of the request path. A request adds to plain atomics; once a second they are published to the metrics
//! recorder, whose look-ups would cost each calm request more than everything else we do to it. What happens only on hot
//! pages is recorded at once.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use metrics::{counter, gauge, histogram};

use super::{Depth, inject::Outcome};
use crate::{
    crowd::{Change, Rule, State},
    telemetry::metric,
};

/// What the layer counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    requests: [AtomicU64; 3],
    /// Bytes of hot pages and their objects that the inner service sent.
    pub(crate) origin_bytes: AtomicU64,
    /// Bytes of them that were sent from memory.
    pub(crate) store_bytes: AtomicU64,
    crowds: AtomicU64,
    faults: AtomicU64,
}

/// Sums since the process started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) requests: u64,
    pub(crate) crowds: u64,
    pub(crate) faults: u64,
    pub(crate) origin_bytes: u64,
    pub(crate) store_bytes: u64,
}

impl Tally {
    /// One request, in the state that its URL was in.
    pub(super) fn request(&self, state: State) {
        self.requests[state as usize].fetch_add(1, Relaxed);
    }

    /// A page, an object or a request that went through as it was.
    pub(super) fn passed(&self, reason: &'static str) {
        counter!(metric::PASSED, "reason" => reason).increment(1);
    }

    /// The inner service was asked for something that is to serve everybody.
    pub(super) fn origin_fetch(&self) {
        counter!(metric::ORIGIN_FETCHES).increment(1);
    }

    /// A part of ours could not do its work; the visitor got the origin's response.
    pub(super) fn fault(&self, kind: &'static str) {
        self.faults.fetch_add(1, Relaxed);
        counter!(metric::FAULTS, "kind" => kind).increment(1);
    }

    /// What became of a page that was to carry the script.
    pub(super) fn injected(&self, outcome: &Outcome) {
        if outcome.injected {
            counter!(metric::INJECTED).increment(1);
        }
        if let Some(fault) = outcome.fault {
            tracing::debug!(
                fault = fault.as_str(),
                injected = outcome.injected,
                "page passed as it was"
            );
            self.fault(metric::INJECT);
        }
    }

    /// A carried page went out whole, or its visitor hung up.
    pub(super) fn page(&self, depth: Depth, took: Duration) {
        histogram!(metric::PAGE, "depth" => depth.as_str()).record(took.as_secs_f64());
    }

    /// A change of state.
    pub(super) fn change(&self, change: &Change) {
        counter!(metric::CROWD_CHANGES, "to" => change.to.as_str(), "rule" => change.rule.as_str())
            .increment(1);
        if change.to == State::Hot && change.from == State::Calm {
            self.crowds.fetch_add(1, Relaxed);
            // What an operator makes hot was not detected.
            if change.rule == Rule::Surge {
                histogram!(metric::DETECTION_DELAY)
                    .record(change.at.saturating_sub(change.onset).as_secs_f64());
            }
        }
    }

    /// Hands the counts to the recorder. `hot` pages are hot or cooling now; visitors report `peer_bytes`.
    pub(crate) fn publish(&self, hot: usize, peer_bytes: u64) {
        for state in [State::Calm, State::Hot, State::Cooling] {
            let count = self.requests[state as usize].load(Relaxed);
            counter!(metric::REQUESTS, "state" => state.as_str()).absolute(count);
        }
        let Sums {
            origin_bytes,
            store_bytes,
            ..
        } = self.sums();
        counter!(metric::BYTES, "source" => "origin").absolute(origin_bytes);
        counter!(metric::BYTES, "source" => "store").absolute(store_bytes);
        gauge!(metric::CROWDS).set(hot as f64);
        let all = origin_bytes + store_bytes + peer_bytes;
        gauge!(metric::OFFLOAD_RATIO).set(if all == 0 {
            0.0
        } else {
            peer_bytes as f64 / all as f64
        });
    }

    pub(crate) fn sums(&self) -> Sums {
        Sums {
            requests: self.requests.iter().map(|count| count.load(Relaxed)).sum(),
            crowds: self.crowds.load(Relaxed),
            faults: self.faults.load(Relaxed),
            origin_bytes: self.origin_bytes.load(Relaxed),
            store_bytes: self.store_bytes.load(Relaxed),
        }
    }
}
