//! What is to happen, in the order of its time: a timing wheel of two levels for the next second, a heap for the rest. It is
//! a priority queue whose push and pop cost the same however many events wait, because almost all of them lie within a
//! second; and as most go to the ends of a few spans, the cache holds what is written. (G. Varghese, T. Lauck, Hashed and
//! hierarchical timing wheels, 1987.)

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::swarm::Moment;

/// A queue of events. Those of one day (16 µs) come in the order in which they were pushed: two runs are the same run.
#[derive(Debug)]
pub(super) struct Queue<E> {
    /// The days of this span and of the next, a ring.
    days: Vec<Vec<E>>,
    /// The spans behind them, a ring: which day of it, and what.
    spans: Vec<Vec<(u8, E)>>,
    /// What is beyond them, by day.
    later: BinaryHeap<Later<E>>,
    /// The day that is being emptied, last event first.
    open: Vec<E>,
    today: u64,
    /// The last day that was looked at ahead.
    foreseen: u64,
    waiting: usize,
    pushed: u64,
}

#[derive(Debug)]
struct Later<E> {
    day: u64,
    number: u64,
    event: E,
}

impl<E> Queue<E> {
    pub(super) fn new() -> Self {
        Self {
            days: (0..2 * SPAN).map(|_| Vec::new()).collect(),
            spans: (0..SPANS).map(|_| Vec::new()).collect(),
            later: BinaryHeap::new(),
            open: Vec::new(),
            today: 0,
            foreseen: 0,
            waiting: 0,
            pushed: 0,
        }
    }

    /// An event for a moment; what is late happens next.
    pub(super) fn push(&mut self, at: Moment, event: E) {
        // A day that is being emptied takes no more: its events would come before those already there.
        let day = at.micros().div_ceil(DAY).max(self.today + 1);
        self.waiting += 1;
        self.pushed += 1;
        if day / SPAN < self.today / SPAN + SPANS {
            self.enter(day, event);
        } else {
            let number = self.pushed;
            self.later.push(Later { day, number, event });
        }
    }

    /// The next event and its time, rounded up to its day.
    pub(super) fn pop(&mut self) -> Option<(Moment, E)> {
        let now = self.open()?;
        self.waiting -= 1;
        let event = self.open.pop()?;
        Some((now, event))
    }

    /// Begins the next day on which anything happens, if this one is over; gives its time.
    pub(super) fn open(&mut self) -> Option<Moment> {
        while self.open.is_empty() {
            if self.waiting == 0 {
                return None;
            }
            self.dawn();
        }
        Some(Moment::from_micros(self.today * DAY))
    }

    /// Days to come that were not asked for before, until there are so many events in them: what each day holds so far.
    /// Nothing while those asked for last are not over.
    pub(super) fn ahead(&mut self, events: usize) -> impl Iterator<Item = &[E]> {
        let from = self.foreseen.max(self.today) + 1;
        let mut until = from;
        if self.today >= self.foreseen {
            let mut count = 0;
            while count < events && until < self.today + SPAN {
                count += self.days[of_two(until)].len();
                until += 1;
            }
            self.foreseen = until - 1;
        }
        (from..until).map(|day| self.days[of_two(day)].as_slice())
    }

    /// Events that wait.
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    fn dawn(&mut self) {
        self.today += 1;
        if self.today.is_multiple_of(SPAN) {
            self.turn();
        }
        let day = &mut self.days[of_two(self.today)];
        std::mem::swap(&mut self.open, day);
        self.open.reverse();
    }

    /// A span begins: what lay too far ahead comes into the ring, and the span behind it is told apart by days. Both keep the order
    /// of pushing, for nothing else is there yet.
    fn turn(&mut self) {
        let span = self.today / SPAN;
        while self
            .later
            .peek()
            .is_some_and(|later| later.day / SPAN < span + SPANS)
        {
            if let Some(Later { day, event, .. }) = self.later.pop() {
                self.enter(day, event);
            }
        }
        let next = span + 1;
        // Its memory is given back: a span that was kept would be as long as the longest that ever was.
        for (day, event) in std::mem::take(&mut self.spans[(next % SPANS) as usize]) {
            self.days[of_two(next * SPAN + u64::from(day))].push(event);
        }
    }

    fn enter(&mut self, day: u64, event: E) {
        let span = day / SPAN;
        if span <= self.today / SPAN + 1 {
            return self.days[of_two(day)].push(event);
        }
        self.spans[(span % SPANS) as usize].push(((day % SPAN) as u8, event));
    }
}

/// A day's place among those of two spans.
const fn of_two(day: u64) -> usize {
    (day % (2 * SPAN)) as usize
}

impl<E> Later<E> {
    const fn key(&self) -> (u64, u64) {
        (self.day, self.number)
    }
}

impl<E> Ord for Later<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl<E> PartialOrd for Later<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Later<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Later<E> {}

/// Microseconds of a day: fine beside the 8 ms that a block takes on an uplink of 1 Mbit/s.
const DAY: u64 = 16;
/// Days of a span, a millisecond: as far is looked ahead, for what happens later would be out of the cache again.
const SPAN: u64 = 64;
/// Spans of the ring, a second.
const SPANS: u64 = 1 << 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        /// Against a sorted list: by day, then in the order of pushing, however pushes and pops alternate.
        #[test]
        fn events_come_in_order(steps in prop::collection::vec((any::<bool>(), prop_oneof![0..40_u64, 0..3_000_000_u64]), 0..300)) {
            let (mut queue, mut twin, mut now) = (Queue::new(), Vec::new(), Moment::default());
            for (number, (push, ahead)) in steps.into_iter().enumerate() {
                if push {
                    let at = Moment::from_micros(now.micros() + ahead);
                    queue.push(at, number);
                    twin.push((at.micros().div_ceil(DAY).max(now.micros() / DAY + 1), number));
                } else if let Some((at, event)) = queue.pop() {
                    twin.sort_unstable();
                    prop_assert_eq!(twin.remove(0), (at.micros() / DAY, event));
                    now = at;
                } else {
                    prop_assert!(twin.is_empty());
                }
                prop_assert_eq!(queue.len(), twin.len());
            }
        }
    }
}
