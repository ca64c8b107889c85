//! What was learnt of objects that are not stored, so that a crowd learns it once: that they pass (hit-for-pass), or that they need
//! two fetches that agree. Bounded in number and in time.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use quick_cache::sync::Cache;

use super::{chunk::Digest, key::ObjectKey, reason::Reason};

/// At most one mark for an object.
pub(super) struct Marks(Cache<ObjectKey, Mark>);

#[derive(Clone, Copy, Debug)]
enum Mark {
    /// It may not be shared.
    Pass { reason: Reason, until: SystemTime },
    /// Its origin gives no explicit freshness: only fetches without cookies count, and two must agree.
    Silent { seen: Option<Digest>, until: SystemTime },
}

impl Marks {
    /// Why a request for the object passes at once.
    pub(super) fn passes(&self, key: &ObjectKey, cookie: bool, now: SystemTime) -> Option<Reason> {
        match self.0.get(key)? {
            Mark::Pass { reason, until } => (now < until).then_some(reason),
            Mark::Silent { until, .. } => (cookie && now < until).then_some(Reason::Cookie),
        }
    }

    /// Lets later requests pass for a while, if the reason lies in the object.
    pub(super) fn pass(&self, key: &ObjectKey, reason: Reason, now: SystemTime) {
        if let Some(rest) = reason.rest() {
            self.0.insert(
                key.clone(),
                Mark::Pass {
                    reason,
                    until: now + rest,
                },
            );
        }
    }

    /// Remembers that an object has no explicit freshness, and what it was when last seen.
    pub(super) fn silent(&self, key: &ObjectKey, seen: Option<Digest>, now: SystemTime) {
        let seen = seen.or_else(|| self.seen(key, now));
        self.0.insert(
            key.clone(),
            Mark::Silent {
                seen,
                until: now + AGREE,
            },
        );
    }

    /// What an object without explicit freshness was when last fetched without a cookie.
    pub(super) fn seen(&self, key: &ObjectKey, now: SystemTime) -> Option<Digest> {
        match self.0.get(key)? {
            Mark::Silent { seen, until } if now < until => seen,
            _ => None,
        }
    }

    /// It is stored now.
    pub(super) fn clear(&self, key: &ObjectKey) {
        self.0.remove(key);
    }
}

impl Default for Marks {
    fn default() -> Self {
        Self(Cache::new(MAX_MARKS))
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Marks").field(&self.0.len()).finish()
    }
}

/// Several hot pages' worth; at most 8 MiB with the longest keys.
const MAX_MARKS: usize = 4096;
/// Two fetches that agree must lie within this time; a crowd's are seconds apart.
const AGREE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Encoding, tests::at};

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let marks = Marks::default();
        for number in 0..3 * MAX_MARKS {
            let key = ObjectKey::new("example.org", &format!("/{number}"), Encoding::Identity);
            marks.pass(&key, Reason::Private, at(0));
            assert_eq!(marks.passes(&key, false, at(1)), Some(Reason::Private));
        }
        assert!(marks.0.len() <= MAX_MARKS);
    }

    #[test]
    fn what_is_learnt_with_a_cookie_does_not_wipe_out_what_was_seen_without() {
        let (marks, key) = (
            Marks::default(),
            ObjectKey::new("example.org", "/", Encoding::Identity),
        );
        marks.silent(&key, Some(Digest::of(b"x")), at(0));
        marks.silent(&key, None, at(1));
        assert_eq!(marks.seen(&key, at(2)), Some(Digest::of(b"x")));
    }
}
