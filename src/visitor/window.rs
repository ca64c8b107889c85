//! How much may be on its way to one neighbour. What waits in the library or in a modem was decided too early: whoever asks
//! next waits behind it, and the modem drops it in the end. So little as keeps the link busy, and on fast links and long ways
//! more: it grows while the way is free, and halves when acknowledgements come late.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The bytes between one visitor and one neighbour that were not acknowledged yet.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    outstanding: usize,
    sent: u64,
    /// Where each message ends among all that was sent, and when it left.
    under_way: VecDeque<(u64, Instant)>,
    /// The shortest time until an acknowledgement: the way itself, without what waits on it.
    least: Duration,
    halved: Option<Instant>,
}

impl Window {
    pub(super) const fn new() -> Self {
        Self {
            limit: LEAST,
            outstanding: 0,
            sent: 0,
            under_way: VecDeque::new(),
            least: Duration::MAX,
            halved: None,
        }
    }

    /// Whether a message may follow.
    pub(super) const fn has_room(&self) -> bool {
        self.outstanding < self.limit
    }

    /// When so little is outstanding that a message may follow.
    pub(super) const fn low(&self) -> u32 {
        (self.limit - BLOCK) as u32
    }

    pub(super) fn sent(&mut self, bytes: usize, now: Instant) {
        self.sent += bytes as u64;
        self.outstanding += bytes;
        self.under_way.push_back((self.sent, now));
    }

    /// So much is outstanding. `prompt` says that this was looked at as soon as it shrank: else it says nothing of the time.
    pub(super) fn look(&mut self, outstanding: usize, prompt: bool, now: Instant) {
        let acknowledged = self.sent.saturating_sub(outstanding as u64);
        self.outstanding = outstanding;
        let mut last = None;
        while self
            .under_way
            .front()
            .is_some_and(|(end, _)| *end <= acknowledged)
        {
            last = self.under_way.pop_front();
        }
        if let Some((_, left)) = last.filter(|_| prompt) {
            self.adjust(now.saturating_duration_since(left), now);
        }
    }

    fn adjust(&mut self, span: Duration, now: Instant) {
        self.least = self.least.min(span);
        let waited = span - self.least;
        if waited < FREE {
            self.limit = (self.limit + BLOCK).min(MOST);
        } else if waited > LATE && self.halved.is_none_or(|at| now >= at + span) {
            self.limit = (self.limit / 2).max(LEAST);
            self.halved = Some(now);
        }
    }
}

/// A block and its head.
const BLOCK: usize = 1_100;
/// Two packets, for every second one is acknowledged at once. With four, six links fill a modem's 100 ms by themselves, and
/// ten times as many packets are lost.
const LEAST: usize = 2 * BLOCK;
/// As much as the library holds for a link.
pub(super) const MOST: usize = 64 * 1024;
/// Behind this nothing waits that is worth a word: one block on an uplink of 1 Mbit/s.
const FREE: Duration = Duration::from_millis(10);
/// A tenth of the time after which a neighbour asks elsewhere.
const LATE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends for 5 s over a link of so many bytes per second with so long a way, which nobody else uses; gives what arrived.
    fn over(rate: f64, way: Duration) -> (u64, usize) {
        let (mut window, start) = (Window::new(), Instant::now());
        let (mut now, mut free, mut arrivals) = (start, start, VecDeque::new());
        let mut arrived = 0;
        while now < start + Duration::from_secs(5) {
            while window.has_room() {
                window.sent(BLOCK, now);
                free = free.max(now) + Duration::from_secs_f64(BLOCK as f64 / rate);
                arrivals.push_back(free + way);
            }
            now = arrivals.pop_front().expect("something is under way");
            arrived += BLOCK as u64;
            window.look(arrivals.len() * BLOCK, true, now);
        }
        (arrived, window.limit)
    }

    #[test]
    fn a_slow_link_is_busy_and_nothing_waits_on_it() {
        let (arrived, limit) = over(125_000.0, Duration::from_millis(10));
        assert!(arrived > 600_000, "{arrived} of 625,000 bytes");
        assert!(limit < 16 * 1024, "{limit} bytes wait");
    }

    #[test]
    fn a_fast_link_and_a_long_way_are_used() {
        let (arrived, _) = over(1_250_000.0, Duration::from_millis(50));
        assert!(arrived > 5_000_000, "{arrived} of 6,250,000 bytes");
    }

    #[test]
    fn late_acknowledgements_halve_it_once() {
        let (mut window, start) = (Window::new(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        for turn in 0..20 {
            window.sent(BLOCK, at(turn));
            window.look(0, true, at(turn + 1));
        }
        let grown = window.limit;
        assert_eq!(grown, LEAST + 20 * BLOCK);
        (0..2).for_each(|_| window.sent(BLOCK, at(100)));
        window.look(BLOCK, true, at(300));
        window.look(0, true, at(301));
        assert_eq!(window.limit, grown / 2);
    }

    #[test]
    fn what_is_looked_at_late_says_nothing() {
        let (mut window, start) = (Window::new(), Instant::now());
        window.sent(BLOCK, start);
        window.look(0, false, start + Duration::from_secs(9));
        assert_eq!((window.limit, window.has_room()), (LEAST, true));
    }
}
