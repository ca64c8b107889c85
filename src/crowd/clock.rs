//! The caller's clock, kept from running backwards. It reads no clock of its own.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::{Time, grid::Moment, plan::Plan};

/// Keeps time from running backwards, whatever the caller's clock does.
#[derive(Debug, Default)]
pub(super) struct Clock {
    latest: AtomicU32,
    /// Nanoseconds by which the caller's clock has fallen back in all.
    fallen: AtomicU64,
}

impl Clock {
    /// The moment that the caller's `now` is, and never one much before the latest.
    pub(super) fn moment(&self, plan: &Plan, now: Time) -> Moment {
        let fallen = self.fallen.load(Relaxed);
        let latest = self.latest.load(Relaxed);
        let now = if fallen == 0 {
            now
        } else {
            now.saturating_add(Time::from_nanos(fallen))
        };
        let moment = plan.grid.moment_near(now, latest);
        if moment.epoch == latest {
            return moment;
        }
        if moment.epoch > latest {
            self.latest.fetch_max(moment.epoch, Relaxed);
        } else if moment.epoch.saturating_add(LATE) < latest {
            let behind = plan.grid.begins(0, latest).saturating_sub(moment.at).as_nanos() as u64;
            // Whoever comes second finds it done.
            _ = self
                .fallen
                .compare_exchange(fallen, fallen.saturating_add(behind), Relaxed, Relaxed);
            return plan.grid.moment(plan.grid.begins(0, latest));
        }
        moment
    }
}

/// Shortest half epochs that a request may be late, as threads are; beyond, the clock has been set back.
const LATE: u32 = 4;
