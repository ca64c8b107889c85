//! What is to happen, in the order of its time: a calendar of short days for the near future, a heap for the rest. It is
//! a priority queue whose push and pop cost the same however many events wait, because almost all of them lie within a
//! second.

use std::{cmp::Ordering, collections::BinaryHeap};

use crate::swarm::Moment;

/// A queue of events. Those of one day (16 µs) come in the order in which they were pushed: two runs are the same run.
#[derive(Debug)]
pub(super) struct Queue<E> {
    /// The near future, a ring of days; the first is that of `today`.
    days: Vec<Vec<E>>,
    /// What is beyond it, by day.
    later: BinaryHeap<Later<E>>,
    /// The day that is being emptied, last event first.
    open: Vec<E>,
    /// Emptied days, for their memory.
    blank: Vec<Vec<E>>,
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
            days: (0..DAYS).map(|_| Vec::new()).collect(),
            later: BinaryHeap::new(),
            open: Vec::new(),
            blank: Vec::new(),
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
        if day - self.today < DAYS {
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
            while count < events && until < self.today + DAYS_AHEAD {
                count += self.days[(until % DAYS) as usize].len();
                until += 1;
            }
            self.foreseen = until - 1;
        }
        (from..until).map(|day| self.days[(day % DAYS) as usize].as_slice())
    }

    /// Events that wait.
    pub(super) const fn len(&self) -> usize {
        self.waiting
    }

    fn dawn(&mut self) {
        self.today += 1;
        // What lay too far ahead yesterday: the heap's order is that of pushing, and nothing else is in that day yet.
        while self
            .later
            .peek()
            .is_some_and(|later| later.day < self.today + DAYS)
        {
            if let Some(Later { day, event, .. }) = self.later.pop() {
                self.enter(day, event);
            }
        }
        let day = &mut self.days[(self.today % DAYS) as usize];
        if !day.is_empty() {
            let empty = std::mem::replace(&mut self.open, std::mem::take(day));
            self.blank.push(empty);
            self.open.reverse();
        }
    }

    fn enter(&mut self, day: u64, event: E) {
        let day = &mut self.days[(day % DAYS) as usize];
        if day.capacity() == 0 {
            *day = self.blank.pop().unwrap_or_default();
        }
        day.push(event);
    }
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
/// Days ahead that are kept in the ring, one second.
const DAYS: u64 = 1 << 16;
/// Days that are looked at ahead: what happens in more than a millisecond would be out of the cache again.
const DAYS_AHEAD: u64 = 64;

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
