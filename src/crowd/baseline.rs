//! A page's own long-run mean, which rule 2 measures peaks against. It is fed only with epochs that have left the window
//! in which surges are judged, so a crowd cannot raise its own bar while it is judged, and with no more of an
//! epoch than the bar itself, so that it raises the next one's little.

use super::{
    Settings,
    epoch::{HALVES, Series},
    grid::{Grid, Moment},
};

/// What all pages' means have in common: the decay, and the time they are taken over.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// What is left of a count after half an epoch of the longest scale.
    decay: f64,
    /// The same after all but one of the window's.
    window_decay: f64,
    /// Its length in seconds.
    span: f64,
    /// Rule 2's factor and the floor: together the bar that clips.
    ratio: f64,
    min_rate: f64,
    /// Seconds remembered from before the start.
    remembered: f64,
}

impl Past {
    pub(super) fn new(settings: &Settings, remembered: f64) -> Self {
        let span = settings.longest().as_secs_f64() / 2.0;
        let decay = (-std::f64::consts::LN_2 * span / settings.half_life.as_secs_f64()).exp();
        Self {
            decay,
            window_decay: decay.powf((HALVES - 1) as f64),
            span,
            ratio: settings.ratio,
            min_rate: settings.min_rate,
            remembered,
        }
    }

    /// Seconds known in all, the window included.
    pub(super) fn known(&self, newest: u32, now: f64) -> f64 {
        let start = f64::from(newest.saturating_sub(HALVES as u32 - 1)) * self.span;
        self.duration(newest) + (now - start).max(0.0)
    }

    /// What is left of a count after the half epochs of the window, as many as there have been.
    fn within(&self, newest: u32) -> f64 {
        if newest < HALVES as u32 - 1 {
            self.decay.powf(newest.into())
        } else {
            self.window_decay
        }
    }

    /// What a decayed count amounts to per second, beyond the window, once that is longer than the window itself: then no
    /// surge's history has a mean of less than half of it. Zero before.
    pub(super) fn everyday(&self, newest: u32) -> f64 {
        let duration = self.duration(newest);
        if duration >= self.window() {
            1.0 / duration
        } else {
            0.0
        }
    }

    /// Seconds that the window spans.
    fn window(&self) -> f64 {
        HALVES as f64 * self.span
    }

    /// Seconds of the past beyond the window, decayed as the counts are. The same for every page: a page that was not
    /// seen was silent.
    fn duration(&self, newest: u32) -> f64 {
        let left = self.decay.powf(newest.saturating_sub(HALVES as u32 - 1).into());
        let watched = self.span * (1.0 - left) / (1.0 - self.decay);
        // One power for both: this is asked with every look at a lively page.
        watched + self.remembered * left * self.within(newest)
    }
}

/// One page's past beyond the window: its decayed count of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Baseline(f32);

impl Baseline {
    /// A mean remembered from before the start.
    pub(super) fn remembered(past: &Past, mean: f64) -> Self {
        Self((mean * past.remembered) as f32)
    }

    /// A half epoch has left the window, `halves` of them at once; `newest` was the last of the longest scale before.
    pub(super) fn learn(&mut self, past: &Past, newest: u32, count: u32, halves: u32) {
        let decay = if halves == 1 {
            past.decay
        } else {
            past.decay.powf(halves.into())
        };
        let kept = f64::from(self.0) * decay;
        // Silence is the most frequent.
        let counted = if count == 0 {
            0.0
        } else {
            f64::from(count).min(self.bar(past, newest))
        };
        self.0 = (kept + counted) as f32;
    }

    /// What counts of a half epoch at most.
    fn bar(self, past: &Past, newest: u32) -> f64 {
        let duration = past.duration(newest);
        let mean = if duration > 0.0 {
            f64::from(self.0) / duration
        } else {
            0.0
        };
        (past.ratio * mean).max(past.min_rate) * past.span
    }

    /// Requests and seconds until now, but for those of a surge.
    pub(super) fn before(
        &self,
        past: &Past,
        grid: &Grid,
        now: Moment,
        series: Series<'_>,
        since: Since,
    ) -> History {
        let newest = grid.half(grid.longest(), series.heads.epoch());
        let window = series.recent(grid).saturating_sub(since.requests) as f64;
        let seconds = (past.known(newest, now.seconds()) - since.seconds).max(0.0);
        History {
            requests: f64::from(self.0) + window,
            seconds,
        }
    }

    /// The mean until now.
    pub(super) fn mean(&self, past: &Past, grid: &Grid, now: Moment, series: Series<'_>) -> f64 {
        self.before(
            past,
            grid,
            now,
            series,
            Since {
                requests: 0,
                seconds: 0.0,
            },
        )
        .mean()
    }

    /// What has become normal beyond the window, once a quarter of what it is taken over is known.
    pub(super) fn settled(&self, past: &Past, newest: u32) -> Option<f64> {
        let duration = past.duration(newest);
        let whole = past.span / (1.0 - past.decay);
        (duration >= whole / 4.0).then(|| f64::from(self.0) / duration)
    }

    /// The decayed count.
    pub(super) fn count(self) -> f32 {
        self.0
    }

    /// The same, to reckon with.
    pub(super) fn weight(self) -> f64 {
        self.0.into()
    }
}

/// What is to be left out of a history: the surge under judgement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    pub(super) requests: u64,
    pub(super) seconds: f64,
}

/// What is known of a page before a surge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct History {
    pub(super) requests: f64,
    pub(super) seconds: f64,
}

impl History {
    /// Requests per second; zero where nothing is known.
    pub(super) fn mean(&self) -> f64 {
        if self.seconds > 0.0 {
            self.requests / self.seconds
        } else {
            0.0
        }
    }
}
