//! A bound on the bytes of all bodies under way.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts what is reserved against a limit.
#[derive(Debug)]
pub(super) struct Budget {
    used: AtomicU64,
    limit: u64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            used: AtomicU64::new(0),
            limit,
        })
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Nothing yet.
    pub(super) fn reservation(self: &Arc<Self>) -> Reservation {
        Reservation {
            budget: Arc::clone(self),
            size: 0,
        }
    }
}

/// A part of a [`Budget`], given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Arc<Budget>,
    size: u64,
}

impl Reservation {
    /// Grows to at least that size; false, and unchanged, if the budget does not hold it.
    pub(super) fn reach(&mut self, size: u64) -> bool {
        let Some(more) = size.checked_sub(self.size) else {
            return true;
        };
        let grown = self
            .budget
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|used| *used <= self.budget.limit)
            });
        if grown.is_ok() {
            self.size = size;
        }
        grown.is_ok()
    }

    /// Gives all of it back.
    pub(super) fn release(&mut self) {
        self.budget
            .used
            .fetch_sub(std::mem::take(&mut self.size), Ordering::Relaxed);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (budget.reservation(), budget.reservation());
        assert!(one.reach(6) && one.reach(3) && other.reach(4));
        assert!(!other.reach(5) && !other.reach(u64::MAX));
        assert_eq!(budget.used(), 10);
        drop(one);
        assert!(other.reach(10));
        drop(other);
        assert_eq!(budget.used(), 0);
    }
}
