//! Where epochs begin: time cut into half epochs of every scale, all multiples of the shortest.

use super::{Settings, Time};

/// The scales as multiples of the shortest, and where their epochs begin.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    start: Time,
    /// Half of the shortest epoch, in nanoseconds: the unit of all counts.
    base: u64,
    /// Halves of each scale's epoch in that unit.
    multiples: Vec<u32>,
}

/// An instant on the grid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: Time,
    /// Time since the detector's start.
    since: Time,
    /// Number of the shortest half epoch that holds it.
    pub(super) epoch: u32,
}

impl Moment {
    /// Seconds since the detector's start: most requests never ask.
    pub(super) fn seconds(&self) -> f64 {
        self.since.as_secs_f64()
    }

    /// The same instant, for what is counted late, in an epoch that is over.
    pub(super) fn counting(self, epoch: u32) -> Self {
        Self { epoch, ..self }
    }
}

impl Grid {
    pub(super) fn new(settings: &Settings, start: Time) -> Self {
        let shortest = settings.scales[0].as_nanos();
        let multiples = settings
            .scales
            .iter()
            .map(|scale| (scale.as_nanos() / shortest) as u32)
            .collect();
        Self {
            start,
            base: shortest as u64 / 2,
            multiples,
        }
    }

    pub(super) fn moment(&self, now: Time) -> Moment {
        self.moment_near(now, 0)
    }

    /// The same, the faster if the epoch is the one expected: multiplying is cheaper than dividing.
    pub(super) fn moment_near(&self, now: Time, expected: u32) -> Moment {
        let since = now.saturating_sub(self.start);
        // 584 years of nanoseconds fit; dividing 128 bits would cost more than all else here.
        let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        let begun = self.base.saturating_mul(expected.into());
        let epoch = if nanoseconds >= begun && nanoseconds - begun < self.base {
            expected
        } else {
            (nanoseconds / self.base).min(LAST.into()) as u32
        };
        Moment {
            at: now,
            since,
            epoch,
        }
    }

    pub(super) fn scales(&self) -> std::ops::Range<usize> {
        0..self.multiples.len()
    }

    pub(super) fn longest(&self) -> usize {
        self.multiples.len() - 1
    }

    /// Length of the longest epoch in units.
    pub(super) fn span(&self) -> u32 {
        2 * self.multiples[self.longest()]
    }

    /// Length of an epoch in seconds.
    pub(super) fn seconds(&self, scale: usize) -> f64 {
        2.0 * self.base as f64 * f64::from(self.multiples[scale]) / 1e9
    }

    /// Number of the half epoch of this scale that holds a shortest one.
    pub(super) fn half(&self, scale: usize, epoch: u32) -> u32 {
        epoch / self.multiples[scale]
    }

    /// When a half epoch of this scale begins.
    pub(super) fn begins(&self, scale: usize, half: u32) -> Time {
        let units = u64::from(self.multiples[scale]) * u64::from(half);
        self.start
            .saturating_add(Time::from_nanos(self.base.saturating_mul(units)))
    }
}

/// The last half epoch: 34 years of half seconds from the start. Room above it lets places be reckoned without overflow.
const LAST: u32 = u32::MAX / 2;
