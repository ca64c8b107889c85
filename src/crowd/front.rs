//! What most requests need of a page, in one line of the cache: among 100,000 pages each line more is a walk to the memory.

use super::{epoch::Heads, plan::Plan};

/// The front of a tracked page. The rest of it is looked at only when an epoch is over, or when it is watched.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Front {
    pub(super) name: u64,
    pub(super) heads: Heads,
    /// From the highest bit on: where the rest stands, the page's habit, and whether it is watched.
    rest: u32,
}

impl Front {
    pub(super) fn new(name: u64, epoch: u32, place: usize) -> Self {
        debug_assert!(place < MAX_PLACES, "{place}");
        Self {
            name,
            heads: Heads::new(epoch),
            rest: (place as u32) << PLACE,
        }
    }

    /// Where the rest of the page stands.
    pub(super) fn place(&self) -> usize {
        (self.rest >> PLACE) as usize
    }

    /// Whether the page is not calm, or its clients are looked at.
    pub(super) fn is_watched(&self) -> bool {
        self.rest & 1 == 1
    }

    pub(super) fn watch(&mut self, watched: bool) {
        self.rest = self.rest & !1 | u32::from(watched);
    }

    /// Whether so many requests as it has had of late are worth a look at the whole page. Seldom too often, never too seldom.
    pub(super) fn is_lively(&self, plan: &Plan, everyday: f64) -> bool {
        let habit = f32::from_bits((self.rest & HABIT) << SHIFT);
        self.heads.reach(&plan.lively) && plan.exceeds(&self.heads, f64::from(habit) * everyday)
    }

    /// Keeps a page's decayed count of requests, a fifth too low at most: its exponent and two digits.
    pub(super) fn accustom(&mut self, count: f32) {
        self.rest = self.rest & !HABIT | count.to_bits() >> SHIFT & HABIT;
    }
}

/// Bits below the place: ten of habit and one more.
const PLACE: u32 = 11;
/// The habit's bits, and how far they are from where an `f32` has them.
const HABIT: u32 = 0x7FE;
const SHIFT: u32 = 20;
/// Places that can be named: as many as a shard may have.
pub(super) const MAX_PLACES: usize = 1 << (32 - PLACE);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_front_is_one_line_of_the_cache() {
        assert_eq!(size_of::<Front>(), 64);
        let mut front = Front::new(7, 3, 5);
        front.watch(true);
        assert_eq!((front.place(), front.is_watched()), (5, true));
        front.accustom(1000.0);
        front.watch(false);
        assert_eq!((front.place(), front.is_watched()), (5, false));
    }

    proptest! {
        /// Never above the count, and not far below: a page must not be passed over.
        #[test]
        fn a_habit_is_the_count_rounded_down(count in 0f32..1e12) {
            let mut front = Front::new(7, 3, MAX_PLACES - 1);
            front.accustom(count);
            let habit = f32::from_bits((front.rest & HABIT) << SHIFT);
            prop_assert!(habit <= count && habit >= 0.79 * count || count < 1e-37, "{habit}");
            prop_assert_eq!((front.place(), front.is_watched()), (MAX_PLACES - 1, false));
        }
    }
}
