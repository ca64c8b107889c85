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
