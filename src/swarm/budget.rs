//! How much of the origin's uplink there is for seeds and spare chunks: what its pages leave. It is told the time and what
//! was sent; who gets the chunks is decided in the [valve](super::valve), beside which it stands for the same reason.

use std::time::Duration;

use crate::content::CHUNK;

/// Bytes that may be sent now; below zero, what was sent too much.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    level: f64,
    /// Bytes per second.
    pace: f64,
    /// What had been sent by HTTP when it was looked at last, and when that was.
    sent: u64,
    at: Duration,
}

impl Budget {
    /// Time has passed, counted from any one start; `sent` bytes went by HTTP since that start. Pages come first: what
    /// they take is missing here, and if they take more than the pace, nothing is left.
    pub(crate) fn look(&mut self, pace: u64, sent: u64, now: Duration) {
        self.pace = pace.max(1) as f64;
        let earned = now.saturating_sub(self.at).as_secs_f64() * self.pace;
        let spent = sent.saturating_sub(self.sent) as f64;
        let most = (SLACK.as_secs_f64() * self.pace).max(CHUNK as f64);
        let least = -DEBT_MAX.as_secs_f64() * self.pace;
        self.level = (self.level + earned - spent).clamp(least, most);
        (self.sent, self.at) = (sent, now);
    }

    /// A chunk of so many bytes goes out.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.level -= bytes as f64;
    }

    /// How long until a chunk may go; nothing if one may now.
    pub(crate) fn wait(&self) -> Duration {
        if self.level >= 0.0 {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(-self.level / self.pace.max(1.0)).max(SHORTEST)
        }
    }

    /// How far pages are ahead of the pace.
    #[cfg(any(feature = "layer", test))]
    pub(crate) fn debt(&self) -> Duration {
        Duration::from_secs_f64((-self.level).max(0.0) / self.pace.max(1.0))
    }
}

/// What may go at once after a pause: an uplink that was idle cannot be made up for.
const SLACK: Duration = Duration::from_millis(50);
/// What is forgiven above it: a burst of pages costs newcomers their seeds for this long, not for minutes.
const DEBT_MAX: Duration = Duration::from_secs(4);
/// Timers are no finer.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: u64 = 1_000_000;

    fn after(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn chunks_go_at_the_pace_and_no_pause_is_made_up_for() {
        let mut budget = Budget::default();
        let mut sent = 0;
        for milli in 0..10_000 {
            budget.look(PACE, 0, after(3_600_000 + milli));
            while budget.wait().is_zero() {
                budget.spend(CHUNK);
                sent += CHUNK as u64;
            }
        }
        let allowed = PACE * 10 + PACE / 20;
        assert!(sent <= allowed + CHUNK as u64, "{sent} of {allowed}");
        assert!(sent >= PACE * 10 - CHUNK as u64, "it is work-conserving: {sent}");
    }

    #[test]
    fn pages_come_first_and_what_they_take_too_much_is_owed() {
        let mut budget = Budget::default();
        budget.look(PACE, 0, after(1_000));
        budget.look(PACE, 3 * PACE + PACE / 20, after(2_000));
        assert_eq!(budget.debt(), after(2_000));
        assert_eq!(budget.wait(), after(2_000));
        budget.look(PACE, 3 * PACE + PACE / 20, after(4_000));
        assert!(budget.wait().is_zero());
        budget.look(PACE, 1_000 * PACE, after(4_000));
        assert_eq!(budget.debt(), DEBT_MAX, "a burst is forgiven in time");
    }
}
