//! Counts of one page in the last eight epochs of every scale. It knows no rule and no page: numbers in, numbers out.

use super::{Settings, Time, settings::MAX_SCALES};

/// The scales as multiples of the shortest, and where their epochs begin.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    start: Time,
    /// Length of the shortest epoch in nanoseconds.
    base: u64,
    multiples: Vec<u32>,
}

/// An instant on the grid.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: Time,
    /// Number of the shortest epoch that holds it.
    pub(super) epoch: u32,
    /// Seconds since the detector's start.
    pub(super) seconds: f64,
}

impl Grid {
    pub(super) fn new(settings: &Settings, start: Time) -> Self {
        let base = settings.scales[0].as_nanos() as u64;
        let multiples = settings
            .scales
            .iter()
            .map(|scale| (scale.as_nanos() as u64 / base) as u32)
            .collect();
        Self {
            start,
            base,
            multiples,
        }
    }

    pub(super) fn moment(&self, now: Time) -> Moment {
        let since = now.saturating_sub(self.start);
        let epoch = u32::try_from(since.as_nanos() / u128::from(self.base))
            .unwrap_or(u32::MAX)
            .min(LAST);
        Moment {
            at: now,
            epoch,
            seconds: since.as_secs_f64(),
        }
    }

    pub(super) fn scales(&self) -> std::ops::Range<usize> {
        0..self.multiples.len()
    }

    pub(super) fn longest(&self) -> usize {
        self.multiples.len() - 1
    }

    /// Length of the longest epoch in shortest ones.
    pub(super) fn span(&self) -> u32 {
        self.multiples[self.longest()]
    }

    /// Length of an epoch in seconds.
    pub(super) fn seconds(&self, scale: usize) -> f64 {
        self.base as f64 * f64::from(self.multiples[scale]) / 1e9
    }

    /// Number of the epoch of this scale that holds a shortest epoch.
    pub(super) fn index(&self, scale: usize, epoch: u32) -> u32 {
        epoch / self.multiples[scale]
    }

    /// When an epoch of this scale begins.
    pub(super) fn begins(&self, scale: usize, index: u32) -> Time {
        let epochs = u64::from(self.multiples[scale]) * u64::from(index);
        self.start
            .saturating_add(Time::from_nanos(self.base.saturating_mul(epochs)))
    }
}

/// The counts of one page. A page never seen has counts of zero since the start: it was silent, and that is known.
#[derive(Clone, Debug)]
pub(super) struct Series {
    epoch: u32,
    /// Requests in the shortest epoch now, not yet in the rings: one increment per request, whatever the scales.
    fresh: u32,
    rings: [[u32; DEPTH]; MAX_SCALES],
}

impl Series {
    pub(super) fn new(epoch: u32) -> Self {
        Self {
            epoch,
            fresh: 0,
            rings: [[0; DEPTH]; MAX_SCALES],
        }
    }

    /// Counts requests in the epoch that was last advanced to.
    pub(super) fn add(&mut self, requests: u32) -> u32 {
        self.fresh = self.fresh.saturating_add(requests);
        self.fresh
    }

    /// The epoch that requests are counted in.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Moves on to an epoch. A past one changes nothing: late requests count where the series stands. `left` is told
    /// each count that leaves the longest ring, and the epochs it took to leave.
    pub(super) fn advance(&mut self, grid: &Grid, epoch: u32, mut left: impl FnMut(u32, u32)) {
        if epoch <= self.epoch {
            return;
        }
        for scale in grid.scales() {
            let (from, to) = (grid.index(scale, self.epoch), grid.index(scale, epoch));
            let ring = &mut self.rings[scale];
            let newest = &mut ring[from as usize % DEPTH];
            *newest = newest.saturating_add(self.fresh);
            let steps = to - from;
            for step in 1..=steps.min(DEPTH as u32) {
                let gone = std::mem::take(&mut ring[(from as usize + step as usize) % DEPTH]);
                if scale == grid.longest() {
                    left(gone, 1);
                }
            }
            if scale == grid.longest() && steps > DEPTH as u32 {
                left(0, steps - DEPTH as u32);
            }
        }
        self.fresh = 0;
        self.epoch = epoch;
    }

    /// The last eight epochs of a scale, oldest first; the last is under way.
    pub(super) fn window(&self, grid: &Grid, scale: usize) -> Window {
        let newest = grid.index(scale, self.epoch);
        let ring = &self.rings[scale];
        let mut counts: [u32; DEPTH] = std::array::from_fn(|back| ring[(newest as usize + 1 + back) % DEPTH]);
        counts[DEPTH - 1] = counts[DEPTH - 1].saturating_add(self.fresh);
        Window { counts, newest }
    }

    /// Requests in the longest scale's window.
    pub(super) fn recent(&self, grid: &Grid) -> u64 {
        let ring = &self.rings[grid.longest()];
        ring.iter().map(|count| u64::from(*count)).sum::<u64>() + u64::from(self.fresh)
    }
}

/// The counts of the last epochs of one scale, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) counts: [u32; DEPTH],
    /// Number of the last epoch.
    pub(super) newest: u32,
}

impl Window {
    /// Number of the epoch at a place, or none if that was before the detector's start.
    pub(super) fn index(&self, place: usize) -> Option<u32> {
        (self.newest + place as u32).checked_sub(DEPTH as u32 - 1)
    }

    /// Requests from a place on.
    pub(super) fn since(&self, place: usize) -> u64 {
        self.counts[place..].iter().map(|count| u64::from(*count)).sum()
    }

    /// The larger of the last whole epoch and the one under way.
    pub(super) fn latest(&self) -> u32 {
        self.counts[DEPTH - 1].max(self.counts[DEPTH - 2])
    }
}

/// The last epoch: 68 years of seconds from the start. Room above it lets places be reckoned without overflow.
const LAST: u32 = u32::MAX / 2;
/// Epochs kept per scale: up to six doublings, the epoch before them and one for a late second look.
pub(super) const DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The stupid twin: all sightings in a list, counted anew for each epoch.
        #[test]
        fn windows_equal_a_recount(mut seen in prop::collection::vec(0u32..2_000, 1..300)) {
            seen.sort_unstable();
            let grid = Grid::new(&Settings::default(), Time::ZERO);
            let mut series = Series::new(0);
            let mut gone = 0u64;
            for epoch in &seen {
                series.advance(&grid, *epoch, |count, _| gone += u64::from(count));
                series.add(1);
            }
            for scale in grid.scales() {
                let window = series.window(&grid, scale);
                for (place, count) in window.counts.iter().enumerate() {
                    let index = window.index(place);
                    let truth = seen.iter().filter(|epoch| Some(grid.index(scale, **epoch)) == index).count();
                    prop_assert_eq!(*count as usize, truth, "scale {} place {}", scale, place);
                }
            }
            prop_assert_eq!(gone + series.recent(&grid), seen.len() as u64);
        }
    }

    #[test]
    fn late_requests_count_where_the_series_stands() {
        let grid = Grid::new(&Settings::default(), Time::from_secs(100));
        let mut series = Series::new(50);
        series.add(1);
        series.advance(&grid, 20, |_, _| panic!("nothing leaves"));
        assert_eq!(series.add(1), 2);
        assert_eq!(
            grid.moment(Time::from_secs(90)).epoch,
            0,
            "before the start is the start"
        );
    }
}
