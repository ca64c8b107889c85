//! Held ranges: the set of chunks that a visitor holds, as NOIS of Flashback kept partial pages. It is a set of
//! numbers and nothing more: it knows no bytes, no page and no neighbour.

use std::ops::Range;

use crate::swarm::{
    PeerFault,
    wire::{CHUNKS, Reader, put_varint},
};

/// A set of chunk numbers as disjoint, sorted ranges that do not touch, so that equal sets are equal values.
///
/// A page is mostly held in few long runs; every operation costs the number of runs, not of chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<Range<u32>>);

impl Ranges {
    /// Ranges in one message: with a range of at least 2 bytes it stays below [`MESSAGE_MAX`], and a set that is more
    /// broken than that is told in several messages.
    ///
    /// [`MESSAGE_MAX`]: crate::swarm::message::MESSAGE_MAX
    pub const WIRE_MAX: usize = 4_096;

    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The set of these numbers, which ascend: nothing is searched for.
    pub(crate) fn of_ascending(numbers: impl Iterator<Item = u32>) -> Self {
        let mut runs: Vec<Range<u32>> = Vec::new();
        for number in numbers {
            match runs.last_mut() {
                Some(run) if run.end == number => run.end += 1,
                _ => runs.push(number..number + 1),
            }
        }
        Self(runs)
    }

    /// Adds every number of `range`; an empty range adds none.
    pub fn insert(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        // Runs that overlap or touch melt into one.
        let first = self.0.partition_point(|run| run.end < range.start);
        let last = self.0.partition_point(|run| run.start <= range.end);
        let merged = match self.0.get(first..last) {
            Some([]) | None => range,
            Some(melted) => range.start.min(melted[0].start)..range.end.max(melted[melted.len() - 1].end),
        };
        self.0.splice(first..last, [merged]);
    }

    /// Takes every number of `range` out.
    pub fn remove(&mut self, range: Range<u32>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|run| run.end <= range.start);
        let last = self.0.partition_point(|run| run.start < range.end);
        let Some([head, .., tail] | [head @ tail]) = self.0.get(first..last) else {
            return;
        };
        let left = head.start..range.start;
        let right = range.end..tail.end;
        let kept = [left, right].into_iter().filter(|run| !run.is_empty());
        self.0.splice(first..last, kept);
    }

    /// Whether it holds `number`.
    #[must_use]
    pub fn contains(&self, number: u32) -> bool {
        let after = self.0.partition_point(|run| run.start <= number);
        after > 0 && number < self.0[after - 1].end
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: &Self) {
        other.runs().for_each(|run| self.insert(run));
    }

    /// What this set holds and `other` does not: with the whole page on the left, what is missing.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut kept = Vec::new();
        let mut cuts = other.0.iter().peekable();
        for run in &self.0 {
            let mut start = run.start;
            while let Some(cut) = cuts.peek().filter(|cut| cut.start < run.end) {
                if start < cut.start {
                    kept.push(start..cut.start);
                }
                start = start.max(cut.end);
                if cut.end >= run.end {
                    break;
                }
                cuts.next();
            }
            if start < run.end {
                kept.push(start..run.end);
            }
        }
        Self(kept)
    }

    /// What both hold: with what is missing on the left and a neighbour's on the right, what to ask for.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut common = Vec::new();
        while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
            let both = a.start.max(b.start)..a.end.min(b.end);
            if a.end <= b.end {
                left.next();
            } else {
                right.next();
            }
            if !both.is_empty() {
                common.push(both);
            }
        }
        Self(common)
    }

    /// How many numbers it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|run| u64::from(run.end - run.start)).sum()
    }

    /// Whether it holds none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The runs, ascending.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = Range<u32>> + '_ {
        self.0.iter().cloned()
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.runs().flatten()
    }

    /// The `index`-th number, counted from the smallest: a fair choice needs only a number below [`count`](Self::count).
    #[must_use]
    pub fn nth(&self, mut index: u64) -> Option<u32> {
        for run in &self.0 {
            let length = u64::from(run.end - run.start);
            if index < length {
                return Some(run.start + index as u32);
            }
            index -= length;
        }
        None
    }

    /// The set in parts that each fit one message ([`WIRE_MAX`](Self::WIRE_MAX) runs).
    pub fn parts(&self) -> impl Iterator<Item = Self> + '_ {
        self.0.chunks(Self::WIRE_MAX).map(|runs| Self(runs.to_vec()))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        debug_assert!(self.0.len() <= Self::WIRE_MAX, "a larger set is sent in parts");
        put_varint(out, self.0.len() as u32);
        let mut end = 0;
        for run in &self.0 {
            put_varint(out, run.start - end);
            put_varint(out, run.end - run.start);
            end = run.end;
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let count = reader.varint()? as usize;
        if count > Self::WIRE_MAX {
            return Err(PeerFault::Ranges);
        }
        // A count is cheap to claim: nothing is reserved that the bytes could not hold.
        let mut runs: Vec<Range<u32>> = Vec::with_capacity(count.min(reader.remaining() / 2));
        for index in 0..count {
            let (gap, length) = (reader.varint()?, reader.varint()?);
            if length == 0 || (gap == 0 && index > 0) {
                return Err(PeerFault::Ranges);
            }
            let start = runs.last().map_or(0, |run| run.end).checked_add(gap);
            let run = start.and_then(|start| Some(start..start.checked_add(length)?));
            runs.push(run.filter(|run| run.end <= CHUNKS).ok_or(PeerFault::Chunk)?);
        }
        Ok(Self(runs))
    }
}

impl FromIterator<Range<u32>> for Ranges {
    fn from_iter<I: IntoIterator<Item = Range<u32>>>(ranges: I) -> Self {
        let mut set = Self::new();
        ranges.into_iter().for_each(|range| set.insert(range));
        set
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The stupid twin: one flag per number.
    const SPAN: u32 = 96;

    fn flags(set: &Ranges) -> Vec<bool> {
        (0..SPAN).map(|number| set.contains(number)).collect()
    }

    fn steps() -> impl Strategy<Value = Vec<(bool, u32, u32)>> {
        prop::collection::vec((prop::bool::weighted(0.7), 0..SPAN, 0..16_u32), 0..60)
    }

    /// Runs the steps on both twins and checks that they agree after each.
    fn build(steps: Vec<(bool, u32, u32)>) -> (Ranges, Vec<bool>) {
        let (mut set, mut twin) = (Ranges::new(), vec![false; SPAN as usize]);
        for (insert, start, length) in steps {
            let range = start..(start + length).min(SPAN);
            if insert {
                set.insert(range.clone())
            } else {
                set.remove(range.clone())
            }
            range.for_each(|number| twin[number as usize] = insert);
            assert_eq!(flags(&set), twin);
            assert_canonical(&set);
        }
        (set, twin)
    }

    fn assert_canonical(set: &Ranges) {
        assert!(
            set.0.iter().all(|run| run.start < run.end),
            "an empty run in {set:?}"
        );
        assert!(
            set.0.windows(2).all(|pair| pair[0].end < pair[1].start),
            "runs touch in {set:?}"
        );
    }

    fn combine(left: &[bool], right: &[bool], rule: impl Fn(bool, bool) -> bool) -> Vec<bool> {
        left.iter()
            .zip(right)
            .map(|(left, right)| rule(*left, *right))
            .collect()
    }

    proptest! {
        #[test]
        fn a_set_agrees_with_its_twin(steps in steps()) {
            let (set, twin) = build(steps);
            let numbers: Vec<u32> = (0..SPAN).filter(|number| twin[*number as usize]).collect();
            prop_assert_eq!(&set.iter().collect::<Vec<_>>(), &numbers);
            prop_assert_eq!(set.count(), numbers.len() as u64);
            prop_assert_eq!(set.is_empty(), numbers.is_empty());
            for (index, number) in numbers.iter().enumerate() {
                prop_assert_eq!(set.nth(index as u64), Some(*number));
            }
            prop_assert_eq!(set.nth(set.count()), None);
            prop_assert_eq!(set.runs().collect::<Ranges>(), set);
        }

        #[test]
        fn two_sets_combine_as_their_twins(left in steps(), right in steps()) {
            let ((left, left_twin), (right, right_twin)) = (build(left), build(right));
            let missing = left.subtract(&right);
            let common = left.intersect(&right);
            let both: Ranges = left.runs().chain(right.runs()).collect();
            for set in [&missing, &common, &both] {
                assert_canonical(set);
            }
            prop_assert_eq!(flags(&missing), combine(&left_twin, &right_twin, |a, b| a && !b));
            prop_assert_eq!(flags(&common), combine(&left_twin, &right_twin, |a, b| a && b));
            prop_assert_eq!(flags(&both), combine(&left_twin, &right_twin, |a, b| a || b));
        }

        #[test]
        fn a_set_survives_the_wire(steps in steps()) {
            let (set, _) = build(steps);
            let mut bytes = Vec::new();
            set.write(&mut bytes);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(Ranges::read(&mut reader), Ok(set));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        /// A set that was read is canonical whatever the bytes were, or the twins above prove nothing.
        #[test]
        fn what_is_read_is_canonical(bytes in prop::collection::vec(0..4_u8, 0..24)) {
            if let Ok(set) = Ranges::read(&mut Reader::new(&bytes)) {
                assert_canonical(&set);
            }
        }
    }

    #[test]
    fn a_broken_set_is_told_in_parts() {
        let set: Ranges = (0..10_000).map(|number| number * 2..number * 2 + 1).collect();
        let parts: Vec<_> = set.parts().collect();
        assert_eq!(parts.len(), 3);
        let mut whole = Ranges::new();
        parts.iter().for_each(|part| whole.extend(part));
        assert_eq!(whole, set);
    }

    #[test]
    fn the_largest_wire_form_fits_a_message() {
        // The most bytes that 2^24 numbers buy: all gaps and lengths of two bytes, then as many of three as remain.
        let set: Ranges = (0..Ranges::WIRE_MAX as u32)
            .map(|run| run * 4_096..run * 4_096 + 2_048)
            .collect();
        let mut bytes = Vec::new();
        set.write(&mut bytes);
        assert!(
            bytes.len() < crate::swarm::message::MESSAGE_MAX / 2 + 1_024,
            "{} bytes",
            bytes.len()
        );
    }
}
