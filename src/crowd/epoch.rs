//! Counts of one page in the last eight epochs of every scale. It knows no rule and no page: numbers in, numbers out.
//!
//! Counts are kept by half epochs, so that epochs can be read in two phases, half an epoch apart: a step that falls in
//! the midst of an epoch of one phase is clear in the other.

use super::{grid::Grid, settings::MAX_SCALES};

/// The half epoch under way of each scale and the two before it: all that most requests need of a page. Requests count in the
/// shortest alone; the others get them when it is over.
#[derive(Clone, Debug)]
pub(super) struct Heads {
    epoch: u32,
    heads: [Head; MAX_SCALES],
}

/// The last half epochs of a scale.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    now: u32,
    before: u32,
    earlier: u32,
}

/// All whole half epochs, each scale's in a line of the cache; the place of the one under way is empty.
#[derive(Clone, Debug, Default)]
#[repr(align(64))]
pub(super) struct Rings([[u32; HALVES]; MAX_SCALES]);

/// The counts of one page. A page never seen has counts of zero since the start: it was silent, and that is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series<'a> {
    pub(super) heads: &'a Heads,
    pub(super) rings: &'a Rings,
}

impl Heads {
    pub(super) fn new(epoch: u32) -> Self {
        Self {
            epoch,
            heads: [Head::default(); MAX_SCALES],
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

    /// Moves on to an epoch. A past one changes nothing: late requests count where the series stands. `left` is told
    /// each half epoch's count that leaves the longest ring, and the half epochs it took to leave.
    pub(super) fn advance(
        &mut self,
        rings: &mut Rings,
        grid: &Grid,
        epoch: u32,
        mut left: impl FnMut(u32, u32),
    ) {
        if epoch <= self.epoch {
            return;
        }
        let fresh = self.heads[0].now;
        for scale in grid.scales() {
            let (from, to) = (grid.half(scale, self.epoch), grid.half(scale, epoch));
            let (head, ring) = (&mut self.heads[scale], &mut rings.0[scale]);
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
            if scale == grid.longest() {
                leave(ring, from, steps, &mut left);
            } else if steps >= HALVES as u32 {
                *ring = [0; HALVES];
            } else {
                // Nobody waits for what is only written.
                (1..=steps).for_each(|step| ring[(from + step) as usize % HALVES] = 0);
            }
        }
        self.epoch = epoch;
    }

    /// Requests that a scale's head does not hold yet.
    fn pending(&self, scale: usize) -> u32 {
        if scale == 0 { 0 } else { self.heads[0].now }
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

    /// Whether the largest recent epoch of any scale has so many requests. Scales that are not used ask for too many.
    pub(super) fn reach(&self, counts: &[u32; MAX_SCALES]) -> bool {
        (0..MAX_SCALES).any(|scale| self.latest(scale) >= counts[scale])
    }
}

impl Rings {
    /// Reads what moving on from an epoch would write first.
    pub(super) fn warm(&self, epoch: u32) -> u32 {
        self.0[0][epoch as usize % HALVES]
    }
}

impl Series<'_> {
    /// The last eight epochs of a scale, oldest first, in a phase: 0 or 1. The last is under way.
    pub(super) fn window(&self, grid: &Grid, scale: usize, phase: u32) -> Window {
        let newest = grid.half(scale, self.heads.epoch);
        let mut ring = self.rings.0[scale];
        ring[newest as usize % HALVES] = self.heads.heads[scale].now;
        // The last epoch of phase 0 is in its second half, that of phase 1 in its first.
        let oldest = newest as usize + 1 + phase as usize;
        let mut counts = std::array::from_fn(|place| {
            let (first, second) = (oldest + 2 * place, oldest + 2 * place + 1);
            let ahead = phase == 1 && place == DEPTH - 1;
            ring[first % HALVES].saturating_add(if ahead { 0 } else { ring[second % HALVES] })
        });
        counts[DEPTH - 1] = u32::saturating_add(counts[DEPTH - 1], self.heads.pending(scale));
        Window {
            counts,
            last: i64::from(newest) - 1 + i64::from(phase),
        }
    }

    /// Requests in the longest scale's window.
    pub(super) fn recent(&self, grid: &Grid) -> u64 {
        let longest = grid.longest();
        let whole = self.rings.0[longest].iter().map(|count| u64::from(*count));
        whole.sum::<u64>() + u64::from(self.heads.heads[longest].now) + u64::from(self.heads.pending(longest))
    }
}

/// Empties the places of the half epochs that the longest scale moves on by, and tells what was in them; silence at once.
fn leave(ring: &mut [u32; HALVES], from: u32, steps: u32, left: &mut impl FnMut(u32, u32)) {
    let mut silent = 0;
    for step in 1..=steps.min(HALVES as u32) {
        match std::mem::take(&mut ring[(from + step) as usize % HALVES]) {
            0 => silent += 1,
            count => {
                if silent > 0 {
                    left(0, std::mem::take(&mut silent));
                }
                left(count, 1);
            }
        }
    }
    silent += steps.saturating_sub(HALVES as u32);
    if silent > 0 {
        left(0, silent);
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

/// Epochs kept per scale: up to six doublings, the epoch before them and one for a late second look.
pub(super) const DEPTH: usize = 8;
/// The same in half epochs.
pub(super) const HALVES: usize = 2 * DEPTH;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crowd::{Settings, Time};

    proptest! {
        /// The stupid twin: all sightings in a list, counted anew for each epoch.
        #[test]
        fn windows_equal_a_recount(mut seen in prop::collection::vec(0u32..2_000, 1..300)) {
            seen.sort_unstable();
            let grid = Grid::new(&Settings::default(), Time::ZERO);
            let (mut heads, mut rings) = (Heads::new(0), Rings::default());
            let mut gone = 0u64;
            for epoch in &seen {
                heads.advance(&mut rings, &grid, *epoch, |count, _| gone += u64::from(count));
                heads.add(1);
            }
            let series = Series { heads: &heads, rings: &rings };
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
                prop_assert_eq!(heads.latest(scale), whole.max(latest[1][DEPTH - 1]));
            }
            prop_assert_eq!(gone + series.recent(&grid), seen.len() as u64);
        }
    }

    #[test]
    fn late_requests_count_where_the_series_stands() {
        let grid = Grid::new(&Settings::default(), Time::from_secs(100));
        let (mut heads, mut rings) = (Heads::new(50), Rings::default());
        heads.add(1);
        heads.advance(&mut rings, &grid, 20, |_, _| panic!("nothing leaves"));
        assert_eq!(heads.add(1), 2);
        assert_eq!(
            grid.moment(Time::from_secs(90)).epoch,
            0,
            "before the start is the start"
        );
    }
}
