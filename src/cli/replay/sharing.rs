//! What a cooperative cache, all visitors as one, would have saved over greedy ones, each visitor alone: the question of
//! Going Viral, asked of a crowd's own requests.

use std::{
    collections::HashSet,
    hash::{BuildHasher, DefaultHasher},
};

use cardinality_estimator::CardinalityEstimator;
use foldhash::quality::FixedState;
use tower_flashback::crowd::log::Line;

/// Requests of a crowd's visitors, and how many of them were repetitions.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    requests: u64,
    /// Hashes of their paths and queries: counted up to a bound, and no further.
    objects: HashSet<u64, FixedState>,
    /// The same with the clients.
    views: CardinalityEstimator<u64, DefaultHasher, 14>,
}

impl Sharing {
    pub(super) fn add(&mut self, line: &Line<'_>) {
        self.requests += 1;
        let hashes = FixedState::default();
        let object = hashes.hash_one((line.path, line.query));
        self.views.insert_hash(hashes.hash_one((line.client, object)));
        if self.objects.len() < MAX_OBJECTS {
            self.objects.insert(object);
        }
    }

    /// Different URLs asked for.
    pub(super) fn objects(&self) -> usize {
        self.objects.len()
    }

    /// Shares of requests that caches save: each visitor's own, and one that all share.
    pub(super) fn savings(&self) -> (f64, f64) {
        let share = |misses: usize| {
            let requests = self.requests.max(1) as f64;
            (1.0 - misses as f64 / requests).clamp(0.0, 1.0)
        };
        let (objects, views) = (self.objects.len(), self.views.estimate());
        (share(views.max(objects)), share(objects))
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }
}

/// Objects counted per crowd: a stranger chooses the URLs.
const MAX_OBJECTS: usize = 10_000;
