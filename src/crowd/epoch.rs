//! Counts of one page in the last eight epochs of every scale. It knows no rule and no page: numbers in, numbers out.
//!
//! Counts are kept by half epochs, so that epochs can be read in two phases, half an epoch apart: a step that falls in
//! the midst of an epoch of one phase is clear in the other.

use super::{Settings, Time, settings::MAX_SCALES};

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

/// The counts of one page. A page never seen has counts of zero since the start: it was silent, and that is known.
#[derive(Clone, Debug)]
#[repr(C)]
pub(super) struct Series {
    epoch: u32,
    /// Each scale's half epoch under way and the two before it: what most requests need, in one line of the cache.
    /// Requests count in the first alone; the others get them when the shortest half epoch is over.
    heads: [Head; MAX_SCALES],
    /// All whole half epochs; the place of the one under way is empty.
    rings: [[u32; HALVES]; MAX_SCALES],
}

/// The last half epochs of a scale.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    now: u32,
    before: u32,
    earlier: u32,
}

impl Series {
    pub(super) fn new(epoch: u32) -> Self {
        Self {
            epoch,
            heads: [Head::default(); MAX_SCALES],
            rings: [[0; HALVES]; MAX_SCALES],
        }
    }

    /// Counts requests in the epoch that was last advanced to.
    pub(super) fn add(&mut self, requests: u32) -> u32 {
        let fresh = &mut self.heads[0].now;
        *fresh = fresh.saturating_add(requests);
        *fresh
    }

    /// The epoch that requests are counted in.
    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Reads what moving on would write first.
    pub(super) fn warm(&self) -> u32 {
        self.rings[0][self.epoch as usize % HALVES]
    }

    /// Moves on to an epoch. A past one changes nothing: late requests count where the series stands. `left` is told
    /// each half epoch's count that leaves the longest ring, and the half epochs it took to leave.
    pub(super) fn advance(&mut self, grid: &Grid, epoch: u32, mut left: impl FnMut(u32, u32)) {
        if epoch <= self.epoch {
            return;
        }
        let fresh = self.heads[0].now;
        for scale in grid.scales() {
            let (from, to) = (grid.half(scale, self.epoch), grid.half(scale, epoch));
            let (head, ring) = (&mut self.heads[scale], &mut self.rings[scale]);
            if scale > 0 {
                head.now = head.now.saturating_add(fresh);
            }
            let steps = to - from;
            if steps == 0 {
                continue;
            }
            ring[from as usize % HALVES] = head.now;
            *head = Head {
                now: 0,
                before: if steps == 1 { head.now } else { 0 },
                earlier: match steps {
                    1 => head.before,
                    2 => head.now,
                    _ => 0,
                },
            };
            for step in 1..=steps.min(HALVES as u32) {
                let gone = std::mem::take(&mut ring[(from as usize + step as usize) % HALVES]);
                if scale == grid.longest() {
                    left(gone, 1);
                }
            }
            if scale == grid.longest() && steps > HALVES as u32 {
                left(0, steps - HALVES as u32);
            }
        }
        self.epoch = epoch;
    }

    /// Requests that a scale's head does not hold yet.
    fn pending(&self, scale: usize) -> u32 {
        if scale == 0 { 0 } else { self.heads[0].now }
    }

    /// The last eight epochs of a scale, oldest first, in a phase: 0 or 1. The last is under way.
    pub(super) fn window(&self, grid: &Grid, scale: usize, phase: u32) -> Window {
        let newest = grid.half(scale, self.epoch);
        let mut ring = self.rings[scale];
        ring[newest as usize % HALVES] = self.heads[scale].now;
        // The last epoch of phase 0 is in its second half, that of phase 1 in its first.
        let oldest = newest as usize + 1 + phase as usize;
        let mut counts = std::array::from_fn(|place| {
            let (first, second) = (oldest + 2 * place, oldest + 2 * place + 1);
            let ahead = phase == 1 && place == DEPTH - 1;
            ring[first % HALVES].saturating_add(if ahead { 0 } else { ring[second % HALVES] })
        });
        counts[DEPTH - 1] = u32::saturating_add(counts[DEPTH - 1], self.pending(scale));
        Window {
            counts,
            last: i64::from(newest) - 1 + i64::from(phase),
        }
    }

    /// Requests in the last epoch's length, sliding; `part` of the half epoch under way has passed.
    pub(super) fn sliding(&self, scale: usize, part: f64) -> f64 {
        let Head { now, before, earlier } = self.heads[scale];
        f64::from(earlier) * (1.0 - part)
            + f64::from(before)
            + f64::from(now)
            + f64::from(self.pending(scale))
    }

    /// The largest count of an epoch that is whole or under way.
    pub(super) fn latest(&self, scale: usize) -> u32 {
        let Head { now, before, earlier } = self.heads[scale];
        let recent = now.saturating_add(self.pending(scale));
        before.saturating_add(recent.max(earlier))
    }

    /// Requests in the longest scale's window.
    pub(super) fn recent(&self, grid: &Grid) -> u64 {
        let longest = grid.longest();
        let whole = self.rings[longest].iter().map(|count| u64::from(*count));
        whole.sum::<u64>() + u64::from(self.heads[longest].now) + u64::from(self.pending(longest))
    }
}

/// The counts of the last epochs of one scale, oldest first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) counts: [u32; DEPTH],
    /// Number of the half epoch that the last epoch begins with; before the start it is negative.
    last: i64,
}

impl Window {
    /// Counts whose last epoch begins with a half epoch of this number.
    #[cfg(test)]
    pub(super) fn new(counts: [u32; DEPTH], last: i64) -> Self {
        Self { counts, last }
    }

    /// Number of the half epoch that the epoch at a place begins with, or none if that was before the detector's start.
    pub(super) fn begins(&self, place: usize) -> Option<u32> {
        u32::try_from(self.last - 2 * (DEPTH - 1 - place) as i64).ok()
    }

    /// Requests from a place on.
    pub(super) fn since(&self, place: usize) -> u64 {
        self.counts[place..].iter().map(|count| u64::from(*count)).sum()
    }
}

/// The last half epoch: 34 years of half seconds from the start. Room above it lets places be reckoned without overflow.
const LAST: u32 = u32::MAX / 2;
/// Epochs kept per scale: up to six doublings, the epoch before them and one for a late second look.
pub(super) const DEPTH: usize = 8;
/// The same in half epochs.
pub(super) const HALVES: usize = 2 * DEPTH;

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
            for (scale, phase) in grid.scales().flat_map(|scale| [(scale, 0), (scale, 1)]) {
                let window = series.window(&grid, scale, phase);
                for (place, count) in window.counts.iter().enumerate() {
                    let first = window.begins(place).map_or(-1, i64::from);
                    let halves = seen.iter().map(|epoch| i64::from(grid.half(scale, *epoch)));
                    let truth = halves.filter(|half| *half == first || *half == first + 1).count();
                    if first >= 0 {
                        prop_assert_eq!(*count as usize, truth, "scale {} phase {} place {}", scale, phase, place);
                    }
                }
                let latest = [0, 1].map(|phase| series.window(&grid, scale, phase).counts);
                let whole = latest[1][DEPTH - 2].max(latest[0][DEPTH - 1]);
                prop_assert_eq!(series.latest(scale), whole.max(latest[1][DEPTH - 1]));
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
