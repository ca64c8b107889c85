//! The rules of a surge: rule 1 (doublings), rule 2 (a peak far above the page's own mean), the floor, and the evidence
//! that past and surge are not the same steady traffic. Pure arithmetic over counts; the audience is judged elsewhere.

use super::{
    Reading, Settings,
    baseline::{Baseline, History, Past, Since},
    epoch::{DEPTH, Series, Window},
    grid::{Grid, Moment},
};

/// A surge that the rules found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Surge {
    pub(super) scale: usize,
    /// Number of the half epoch that it began in, on its scale.
    pub(super) onset: u32,
    /// Requests per second in its highest epoch.
    pub(super) rate: f64,
    /// Requests per second before it, long-run.
    pub(super) average: f64,
    /// Requests since its onset.
    pub(super) requests: u64,
}

/// What the rules look at.
#[derive(Clone, Copy)]
pub(super) struct Look<'a> {
    pub(super) settings: &'a Settings,
    pub(super) past: &'a Past,
    pub(super) grid: &'a Grid,
    pub(super) now: Moment,
    pub(super) series: Series<'a>,
    pub(super) baseline: &'a Baseline,
}

impl Look<'_> {
    /// Looks for a surge on every scale, the shortest first, in both phases, the latest first.
    pub(super) fn surge(&self) -> Option<Surge> {
        let mut peak = Peak::default();
        self.grid.scales().find_map(|scale| {
            // Floor and peak may be reached on a shorter scale than the surge is seen on: a slow rise has busy seconds, too.
            peak = peak.or(self.series.heads.latest(scale), self.grid.seconds(scale));
            if peak.rate < self.settings.min_rate {
                return None;
            }
            [0, 1].into_iter().find_map(|phase| {
                let window = self.series.window(self.grid, scale, phase);
                let earliest = DEPTH - 1 - self.settings.doublings as usize;
                (0..=earliest)
                    .rev()
                    .find_map(|low| self.surge_after(&window, scale, low, peak))
            })
        })
    }

    fn surge_after(&self, window: &Window, scale: usize, low: usize, peak: Peak) -> Option<Surge> {
        rises(window, low, self.settings).then_some(())?;
        let onset = window.begins(low + 1)?;
        let seconds = self.grid.seconds(scale);
        let since = Since {
            requests: window.since(low + 1),
            seconds: (self.now.seconds() - f64::from(onset) * seconds / 2.0).max(f64::EPSILON),
        };
        let history = self
            .baseline
            .before(self.past, self.grid, self.now, self.series, since);
        let highest = window.counts[low + 1..].iter().max().copied().unwrap_or(0);
        let Peak { rate, sure } = peak.or(highest, seconds);
        let average = history.mean();
        let bar = self.settings.ratio * average;
        let high = rate > bar && sure > bar / 2.0;
        let asked = self.settings.evidence + TURNS * (history.seconds / 3600.0).ln_1p();
        (high && evidence(history, since) >= asked).then_some(Surge {
            scale,
            onset,
            rate,
            average,
            requests: since.requests,
        })
    }
}

/// The highest rate so far, over epochs of several lengths.
#[derive(Clone, Copy, Default)]
struct Peak {
    /// Requests per second, as counted.
    rate: f64,
    /// The same less its standard deviation. Half of the bar is asked of it: three requests that fall into one second are
    /// three per second, but no peak.
    sure: f64,
}

impl Peak {
    fn or(self, count: u32, seconds: f64) -> Self {
        let count = f64::from(count);
        if count < FEW {
            return self;
        }
        Self {
            rate: self.rate.max(count / seconds),
            sure: self.sure.max((count - count.sqrt()) / seconds),
        }
    }
}

/// Rule 1: whether the window doubles `k` times from the epoch at `low` on.
fn rises(window: &Window, low: usize, settings: &Settings) -> bool {
    // The first epoch since the start may be half unseen: only silence is certain in it.
    match window.begins(low) {
        None => return false,
        Some(0) if window.counts[low] > 0 => return false,
        Some(_) => {}
    }
    let after = &window.counts[low + 1..];
    match settings.reading {
        Reading::Envelope => {
            let bottom = u64::from(window.counts[low].max(1));
            after
                .iter()
                .take(settings.doublings as usize)
                .zip(1u32..)
                .all(|(count, i)| u64::from(*count) > bottom << i)
        }
        Reading::Strict => {
            let steps = window.counts[low..].windows(2).take(settings.doublings as usize);
            steps
                .into_iter()
                .all(|pair| u64::from(pair[1]) > 2 * u64::from(pair[0].max(1)))
        }
    }
}

/// How unlikely it is, in nats, that one Poisson source with an everyday swing made both the history and the surge: the
/// Chernoff bound of the binomial that splits all requests over the two times. A history too short to tell gives none.
fn evidence(history: History, surge: Since) -> f64 {
    let (n, c) = (history.requests, surge.requests as f64);
    let (t, w) = (history.seconds, surge.seconds * SWING);
    if t <= 0.0 || c / w <= n / t {
        return 0.0;
    }
    let steady = (n + c) / (t + w);
    let part = |count: f64, time: f64| {
        if count > 0.0 {
            count * (count / (time * steady)).ln()
        } else {
            0.0
        }
    };
    part(n, t) + part(c, w)
}

/// How far above its mean a page may be for hours on end, as the daily rhythm has it, before that counts as evidence.
const SWING: f64 = 1.4;
/// How fast the evidence asked for grows with the hours that a page is known: the longer it is watched, the more often
/// chance has had its turn.
const TURNS: f64 = 5.0;
/// Requests in an epoch that say anything at all.
pub(super) const FEW: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn window(counts: [u32; DEPTH]) -> Window {
        Window::new(counts, 100)
    }

    fn rises_somewhere(counts: [u32; DEPTH], settings: &Settings) -> bool {
        (0..=DEPTH - 1 - settings.doublings as usize).any(|low| rises(&window(counts), low, settings))
    }

    #[test]
    fn a_step_is_several_doublings_at_once_but_not_by_the_letter() {
        let mut settings = Settings {
            doublings: 3,
            ..Settings::default()
        };
        let step = [0, 0, 0, 0, 130, 329, 279, 225];
        assert!(rises_somewhere(step, &settings));
        settings.reading = Reading::Strict;
        assert!(!rises_somewhere(step, &settings));
        assert!(rises_somewhere([5, 5, 5, 11, 23, 47, 50, 50], &settings));
    }

    #[test]
    fn steady_and_single_epochs_do_not_rise() {
        let settings = Settings::default();
        assert!(!rises_somewhere([20, 22, 18, 25, 19, 24, 20, 21], &settings));
        assert!(!rises_somewhere([0, 0, 0, 0, 500, 0, 0, 0], &settings));
        assert!(
            !rises_somewhere([0, 2, 0, 3, 1, 2, 0, 3], &settings),
            "few clicks are noise, not doublings"
        );
    }

    #[test]
    fn the_first_epoch_is_a_past_only_if_silent() {
        let settings = Settings::default();
        let mut young = Window::new([0, 0, 0, 0, 0, 3, 40, 40], 4);
        assert!(
            !(0..6).any(|low| rises(&young, low, &settings)),
            "it may have been as busy before the start"
        );
        young.counts[5] = 0;
        assert!((0..6).any(|low| rises(&young, low, &settings)));
    }

    #[test]
    fn evidence_grows_with_counts_and_history() {
        let at = |n: f64, t: f64, c: u64, w: f64| {
            evidence(
                History {
                    requests: n,
                    seconds: t,
                },
                Since {
                    requests: c,
                    seconds: w,
                },
            )
        };
        assert_eq!(at(0.0, 0.0, 100, 1.0), 0.0, "no past, no evidence");
        assert!(at(0.0, 2.0, 30, 2.0) > 15.0, "30 after 2 silent seconds");
        assert!(
            at(0.0, 1.0, 6, 1.0) < 6.0,
            "6 after one silent second may be luck"
        );
        assert!(at(100.0, 100.0, 4, 2.0) < 2.0);
        assert_eq!(at(100.0, 10.0, 10, 2.0), 0.0, "slower than before");
    }
}
