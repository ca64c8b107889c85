//! What a cooperative cache, all visitors as one, would have saved over greedy ones, each visitor alone: the question of
//! Going Viral, asked of a crowd's own requests.

use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, DefaultHasher},
    net::IpAddr,
};

use cardinality_estimator::CardinalityEstimator;
use tower_flashback::crowd::log::Line;

/// Requests of a crowd's visitors, and how many of them were repetitions.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    requests: u64,
    objects: Distinct<(String, String)>,
    views: CardinalityEstimator<(IpAddr, String, String), DefaultHasher, 14>,
}

/// Counts exactly up to a bound, and stays there.
#[derive(Debug)]
struct Distinct<T>(HashSet<T, BuildHasherDefault<DefaultHasher>>);

impl<T> Default for Distinct<T> {
    fn default() -> Self {
        Self(HashSet::default())
    }
}

impl Sharing {
    pub(super) fn add(&mut self, line: &Line<'_>) {
        self.requests += 1;
        let object = (line.path.to_owned(), line.query.unwrap_or_default().to_owned());
        self.views
            .insert(&(line.client, object.0.clone(), object.1.clone()));
        if self.objects.0.len() < MAX_OBJECTS {
            self.objects.0.insert(object);
        }
    }

    /// Different URLs asked for.
    pub(super) fn objects(&self) -> usize {
        self.objects.0.len()
    }

    /// Shares of requests that caches save: each visitor's own, and one that all share.
    pub(super) fn savings(&self) -> (f64, f64) {
        let share = |misses: usize| {
            let requests = self.requests.max(1) as f64;
            (1.0 - misses as f64 / requests).clamp(0.0, 1.0)
        };
        let (objects, views) = (self.objects.0.len(), self.views.estimate());
        (share(views.max(objects)), share(objects))
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests
    }
}

/// Objects counted per crowd: a stranger chooses the URLs.
const MAX_OBJECTS: usize = 10_000;
