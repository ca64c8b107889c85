//! The visitor's own link, as slow as a rehearsal wants it: a token bucket for each direction. It delays; it drops nothing.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::unit::BitRate;

/// One direction of a link. Without a rate it costs nothing and never waits.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Option<BitRate>,
    /// When what was sent so far has left.
    free: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(rate: Option<BitRate>, now: Instant) -> Self {
        Self {
            rate,
            free: Mutex::new(now),
        }
    }

    /// Books `bytes` that travel now, and says until when the link is busy with more than a short queue; none if more may
    /// follow at once.
    pub(super) fn take(&self, bytes: usize, now: Instant) -> Option<Instant> {
        let rate = self.rate?;
        let span = Duration::from_secs_f64(bytes as f64 * 8.0 / rate.bits_per_second() as f64);
        let mut free = self
            .free
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        *free = (*free).max(now) + span;
        Self::wait(*free, now)
    }

    /// Until when nothing more should be sent; none if something may.
    pub(super) fn busy(&self, now: Instant) -> Option<Instant> {
        self.rate?;
        let free = *self
            .free
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Self::wait(free, now)
    }

    fn wait(free: Instant, now: Instant) -> Option<Instant> {
        let until = free.checked_sub(QUEUE)?;
        (until > now).then_some(until)
    }
}

/// What a modem queues: less, and timers of a millisecond would leave gaps.
const QUEUE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_carries_what_its_rate_allows() {
        let start = Instant::now();
        let pace = Pace::new(Some(BitRate::from_bits_per_second(8_000)), start);
        let (mut now, mut sent) = (start, 0);
        while now < start + Duration::from_secs(10) {
            sent += 100;
            now = pace.take(100, now).unwrap_or(now);
        }
        assert!(
            (10_000..=10_200).contains(&sent),
            "{sent} bytes in 10 s of 1,000 a second"
        );
        assert_eq!(pace.busy(now + Duration::from_secs(1)), None);
    }

    #[test]
    fn a_link_without_a_rate_never_waits() {
        let now = Instant::now();
        let pace = Pace::new(None, now);
        assert_eq!(pace.take(usize::MAX, now), None);
        assert_eq!(pace.busy(now), None);
    }

    #[test]
    fn rest_is_not_saved_up() {
        let start = Instant::now();
        let pace = Pace::new(Some(BitRate::from_bits_per_second(8_000)), start);
        let later = start + Duration::from_secs(60);
        assert!(pace.take(1_000, later).is_some(), "an hour of rest is no burst");
    }
}
