//! The site as a whole: one more page, whose requests are those of all. Told what the shards have counted, it is judged with
//! each tick.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    Change, Crowd, Key, Settings, Time,
    audience::Seen,
    front::Front,
    grid::{Grid, Moment},
    page::Page,
    plan::Plan,
    track::Track,
};

/// The site as a whole.
#[derive(Debug)]
pub(super) struct Site {
    /// Its own: it is asked other questions than a page.
    plan: Plan,
    whole: Mutex<Whole>,
    /// Whether its clients are looked at: asked with every request.
    watched: AtomicBool,
}

#[derive(Debug)]
struct Whole {
    front: Front,
    track: Track,
    /// When the shards were last asked.
    asked: Time,
}

impl Site {
    /// `remembered` as for [`Plan::new`].
    pub(super) fn new(settings: &Settings, start: Time, remembered: f64) -> Self {
        let whole = Whole {
            front: Front::new(0, 0, 0),
            track: Track::new(0, Key::site()),
            asked: start,
        };
        Self {
            plan: Plan::new(settings.for_site(), start, 0, remembered),
            whole: Mutex::new(whole),
            watched: AtomicBool::new(false),
        }
    }

    /// Whether the clients of all requests are to be gathered.
    pub(super) fn is_watched(&self) -> bool {
        self.watched.load(Relaxed)
    }

    /// Whether it is worth asking the shards: a hundred times in its shortest half epoch.
    pub(super) fn is_due(&self, now: Time) -> bool {
        let mut whole = self.lock();
        let pause = self.plan.settings.scales[0] / 200;
        let due = now.saturating_sub(whole.asked) >= pause || now < whole.asked;
        if due {
            whole.asked = now;
        }
        due
    }

    /// Counts requests by epochs that are over, on the pages' grid, and who was gathered meanwhile.
    pub(super) fn judge(
        &self,
        now: Time,
        grid: &Grid,
        epochs: BTreeMap<u32, u32>,
        seen: &Seen,
    ) -> [Option<Change>; 2] {
        let plan = &self.plan;
        let now = self.moment(now);
        let mut whole = self.lock();
        let mut page = whole.page();
        let requests = epochs.values().sum();
        for (epoch, count) in epochs {
            let begun = self.moment(grid.begins(0, epoch));
            page.observe_many(plan, now.counting(begun.epoch), count);
        }
        // Requests whose clients nobody gathered say nothing of them.
        if self.is_watched() {
            page.meet(requests, seen);
        }
        let judged = page.judge(plan, now, |_| true);
        let settled = page.settle(plan, now);
        drop(page);
        self.watched.store(whole.front.is_watched(), Relaxed);
        [judged, settled]
    }

    /// What an operator is shown of it, unless it is calm.
    pub(super) fn crowd(&self, now: Time) -> Option<Crowd> {
        self.lock().page().crowd(&self.plan, self.moment(now))
    }

    /// Its mean as it was before the start.
    pub(super) fn remember(&self, mean: f64) {
        self.lock().page().remember(&self.plan, mean);
    }

    /// What is to be remembered of it.
    pub(super) fn mean(&self, now: Time) -> f64 {
        self.lock().page().mean(&self.plan, self.moment(now))
    }

    fn moment(&self, now: Time) -> Moment {
        self.plan.grid.moment(now)
    }

    /// One that panicked holds counts, which are as good as before.
    fn lock(&self) -> MutexGuard<'_, Whole> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Whole {
    fn page(&mut self) -> Page<'_> {
        Page {
            front: &mut self.front,
            track: &mut self.track,
        }
    }
}
