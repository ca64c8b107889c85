//! Counts of the request path. A request adds to plain atomics; once a second they are published to the metrics
//! recorder, whose look-ups would cost each calm request more than everything else we do to it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{
    crowd::{Change, State},
    telemetry::metric,
};

/// What the layer counts.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    calm: AtomicU64,
    hot: AtomicU64,
    cooling: AtomicU64,
    pub(crate) origin_bytes: AtomicU64,
    pub(crate) store_bytes: AtomicU64,
}

impl Tally {
    /// One request, in the state that its URL was in.
    pub(super) fn request(&self, state: State) {
        let counter = match state {
            State::Calm => &self.calm,
            State::Hot => &self.hot,
            State::Cooling => &self.cooling,
        };
        counter.fetch_add(1, Relaxed);
    }
}
