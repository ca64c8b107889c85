//! Notices that wait for their receiver. When more come than it takes, the oldest go: whoever scales on a crowd needs to know
//! how things are, not how they were.

use std::collections::VecDeque;

use metrics::counter;

use super::delivery::Notice;
use crate::telemetry::metric;

#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Notice>,
    bound: usize,
}

impl Queue {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            bound: bound.max(1),
        }
    }

    pub(super) fn push(&mut self, notice: Notice) {
        if self.waiting.len() >= self.bound {
            self.waiting.pop_front();
            self.lose(1);
        }
        self.waiting.push_back(notice);
    }

    pub(super) fn next(&mut self) -> Option<Notice> {
        self.waiting.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Counts notices that nobody will get.
    pub(super) fn lose(&self, notices: u64) {
        tracing::warn!(notices, "the webhook's receiver was not told of changes");
        counter!(metric::SHED, "reason" => "webhook").increment(notices);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::telemetry::Event;

    #[test]
    fn the_oldest_make_room() {
        let mut queue = Queue::new(2);
        for key in ["a", "b", "c"] {
            queue.push(Notice::of(&Event::new(
                SystemTime::UNIX_EPOCH,
                key,
                "calm",
                "hot",
                "surge",
            )));
        }
        let bodies: Vec<_> = std::iter::from_fn(|| queue.next())
            .map(|notice| notice.body)
            .collect();
        assert_eq!(bodies.len(), 2);
        assert!(bodies[0].windows(9).any(|part| part == b"\"key\":\"b\""));
        assert!(queue.is_empty());
    }
}
