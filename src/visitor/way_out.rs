//! The way out (law 4): what the swarm or the socket does not bring is asked of the site by HTTP ranges. Patient, for
//! visitors that ask the origin when they are impatient melt it down.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{StatusCode, header};

use super::site::Site;

/// When to ask, and for how much. It decides; `carry.rs` asks.
#[derive(Debug)]
pub(super) struct WayOut {
    /// When the last verified byte came, a link opened, or the wait began.
    progress: Instant,
    /// Each visitor has its own, so that those who wait for the same do not ask at once.
    patience: Duration,
    /// The site wants to be left alone until then.
    deferred: Option<Instant>,
}

/// What a visitor can hope for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hope {
    /// The broker is there.
    pub(super) broker: bool,
    /// It has sent bytes of the page.
    pub(super) seeds: bool,
    /// Links that are open.
    pub(super) links: usize,
    /// Links that may open yet.
    pub(super) opening: usize,
}

/// Requests at a time, chunks of each, and how long to wait until the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) requests: usize,
    pub(super) run: u32,
    pub(super) pause: Duration,
}

impl WayOut {
    /// `share` is a random number below 1.
    pub(super) fn new(share: f64, now: Instant) -> Self {
        Self {
            progress: now,
            patience: PATIENCE.mul_f64(0.75 + share / 2.0),
            deferred: None,
        }
    }

    /// There is hope: a link has opened, or something verified has come while there was one.
    pub(super) fn progressed(&mut self, now: Instant) {
        self.progress = now;
    }

    /// The site is saturated, and said for how long.
    pub(super) fn defer(&mut self, span: Duration, now: Instant) {
        self.deferred = Some(now + span.min(DEFER_MAX));
    }

    /// What may be asked now; none while there is hope.
    pub(super) fn allowance(&self, hope: Hope, now: Instant) -> Option<Allowance> {
        (now >= self.wake(hope)).then_some(match hope {
            Hope { links: 1.., .. }
            | Hope {
                broker: true,
                seeds: false,
                ..
            } => A_LITTLE,
            Hope { broker: true, .. } => ALONE,
            _ => EVERYTHING,
        })
    }

    /// When to look again.
    pub(super) fn wake(&self, hope: Hope) -> Instant {
        let hopeless = !hope.broker && hope.links == 0 && hope.opening == 0;
        let patience = match (hopeless, hope.seeds) {
            (true, _) => Duration::ZERO,
            (false, true) => self.patience,
            (false, false) => self.patience / UNSEEDED,
        };
        let wake = self.progress + patience;
        self.deferred.map_or(wake, |until| wake.max(until))
    }
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Came {
    /// The bytes that were asked for; not verified.
    Bytes(Bytes),
    /// The site is saturated.
    Later(Duration),
    /// It broke: worth another try.
    Broken,
    /// It has them not: the object's own URL is what is left.
    Gone,
}

/// Asks for a part of what `path` names, which has `length` bytes in all.
pub(super) async fn fetch(site: &Site, path: &str, bytes: Range<u64>, length: u64) -> Came {
    let Ok(answer) = site.range(path, bytes.start, bytes.end).await else {
        return Came::Broken;
    };
    if answer.status == StatusCode::SERVICE_UNAVAILABLE {
        let after = answer.headers.get(header::RETRY_AFTER);
        let seconds = after.and_then(|after| after.to_str().ok()?.parse().ok());
        return Came::Later(Duration::from_secs(seconds.unwrap_or(1)));
    }
    // The one header that says both that it is a part and that it is the right one, of the right length.
    let right = format!("bytes {}-{}/{length}", bytes.start, bytes.end.saturating_sub(1));
    let said = answer.headers.get(header::CONTENT_RANGE);
    if said.is_none_or(|said| said != right.as_str()) || answer.body.len() as u64 != bytes.end - bytes.start {
        return Came::Gone;
    }
    Came::Bytes(answer.body)
}

/// Without a byte until the site is asked. Blocks come every few milliseconds; a stalled ask is taken elsewhere after half
/// a second, so this is several chances.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many times less patient is one whom the broker sends nothing: nobody makes credit for it, and without credit nothing
/// moves.
const UNSEEDED: u32 = 8;
/// Longer than a page waits: an ordinary request, which is never deferred, is better then.
const DEFER_MAX: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(250);
/// What the swarm failed, at 128 KB a second: whoever waits for the others' credit goes on waiting for it.
const A_LITTLE: Allowance = Allowance {
    requests: 1,
    run: 2,
    pause: LOOK,
};
/// With whom nobody links yet gets 1 MB a second, as an ordinary link would bring; it may be linked with meanwhile.
const ALONE: Allowance = Allowance {
    requests: 1,
    run: 16,
    pause: LOOK,
};
const EVERYTHING: Allowance = Allowance {
    requests: 4,
    run: 16,
    pause: Duration::ZERO,
};

#[cfg(test)]
mod tests {
    use super::*;

    const FORSAKEN: Hope = Hope {
        broker: false,
        seeds: false,
        links: 0,
        opening: 0,
    };

    #[test]
    fn who_has_no_hope_asks_for_everything_at_once() {
        let now = Instant::now();
        assert_eq!(WayOut::new(0.5, now).allowance(FORSAKEN, now), Some(EVERYTHING));
        let opening = Hope {
            opening: 1,
            ..FORSAKEN
        };
        assert_eq!(WayOut::new(0.5, now).allowance(opening, now), None);
    }

    #[test]
    fn who_has_neighbours_waits_and_asks_for_little() {
        let now = Instant::now();
        let hope = Hope {
            broker: true,
            seeds: true,
            links: 2,
            ..FORSAKEN
        };
        let mut way_out = WayOut::new(0.5, now);
        assert_eq!(way_out.allowance(hope, now + PATIENCE / 2), None);
        assert_eq!(way_out.allowance(hope, now + PATIENCE), Some(A_LITTLE));
        way_out.progressed(now + PATIENCE);
        assert_eq!(way_out.allowance(hope, now + PATIENCE), None);
        let unseeded = Hope { seeds: false, ..hope };
        assert_eq!(
            way_out.allowance(unseeded, now + PATIENCE * 9 / 8),
            Some(A_LITTLE)
        );
    }

    #[test]
    fn whom_nobody_links_with_asks_for_more() {
        let now = Instant::now();
        let hope = Hope {
            broker: true,
            seeds: true,
            ..FORSAKEN
        };
        let way_out = WayOut::new(0.5, now);
        assert_eq!(way_out.allowance(hope, now + PATIENCE / 2), None);
        assert_eq!(way_out.allowance(hope, now + PATIENCE), Some(ALONE));
    }

    #[test]
    fn who_was_sent_away_comes_back_when_told() {
        let now = Instant::now();
        let mut way_out = WayOut::new(0.5, now);
        way_out.defer(Duration::from_secs(1), now);
        assert_eq!(way_out.allowance(FORSAKEN, now), None);
        assert_eq!(
            way_out.allowance(FORSAKEN, now + Duration::from_secs(1)),
            Some(EVERYTHING)
        );
        way_out.defer(Duration::from_secs(3_600), now);
        assert!(way_out.allowance(FORSAKEN, now + DEFER_MAX).is_some());
    }
}
