//! What is on its way to one neighbour, and how long it takes to be acknowledged.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::uplink::Part;

/// The bytes between one visitor and one neighbour that were not acknowledged yet.
#[derive(Debug)]
pub(super) struct Window {
    part: Arc<Part>,
    sent: u64,
    acknowledged: u64,
    /// What was acknowledged, or is given up.
    released: u64,
    /// Where each message ends among all that was sent, and when it left.
    under_way: VecDeque<(u64, Instant)>,
    /// The shortest time until an acknowledgement: the way itself, without what waits on it.
    least: Duration,
}

impl Window {
    pub(super) const fn new(part: Arc<Part>) -> Self {
        Self {
            part,
            sent: 0,
            acknowledged: 0,
            released: 0,
            under_way: VecDeque::new(),
            least: Duration::MAX,
        }
    }

    /// Whether an acknowledgement is waited for.
    pub(super) fn is_waiting(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// What is outstanding once the next message is acknowledged.
    pub(super) fn low(&self) -> u32 {
        self.under_way
            .front()
            .map_or(0, |(end, _)| (self.sent - end) as u32)
    }

    pub(super) fn sent(&mut self, bytes: usize, now: Instant) {
        self.part.sent(bytes);
        self.sent += bytes as u64;
        self.under_way.push_back((self.sent, now));
    }

    /// So much is outstanding. `prompt` says that this was looked at as soon as it shrank: else it says nothing of the time.
    pub(super) fn look(&mut self, outstanding: usize, prompt: bool, now: Instant) {
        let acknowledged = self
            .acknowledged
            .max(self.sent.saturating_sub(outstanding as u64));
        self.part
            .acknowledged((acknowledged - self.acknowledged) as usize);
        self.acknowledged = acknowledged;
        let mut last = None;
        while self
            .under_way
            .front()
            .is_some_and(|(end, _)| *end <= acknowledged)
        {
            last = self.under_way.pop_front();
        }
        if let Some((_, left)) = last.filter(|_| prompt) {
            let span = now.saturating_duration_since(left);
            self.least = self.least.min(span);
            self.part.timed(span - self.least, span, now);
        }
        let stale = self.under_way.iter().take_while(|(_, left)| now >= *left + STALE);
        let released = stale.last().map_or(acknowledged, |(end, _)| *end);
        self.part.release(released.saturating_sub(self.released) as usize);
        self.released = self.released.max(released);
    }
}

/// What was not acknowledged for so long is in no queue of ours any more: it is lost, or waits elsewhere.
const STALE: Duration = Duration::from_millis(500);
