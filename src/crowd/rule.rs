//! The rules of a surge: rule 1 (doublings), rule 2 (a peak far above the page's own mean), the floor, and the evidence
//! that past and surge are not the same steady traffic. Pure arithmetic over counts; the audience is judged elsewhere.

use super::{
    Reading, Settings,
    baseline::{Baseline, History, Past, Since},
    epoch::{DEPTH, Grid, Moment, Series, Window},
};

/// A surge that the rules found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Surge {
    pub(super) scale: usize,
    /// Number of the epoch that it began in, on its scale.
    pub(super) onset: u32,
    /// Requests per second in its highest epoch.
    pub(super) rate: f64,
    /// Requests per second before it, long-run.
    pub(super) average: f64,
}

/// Looks for a surge on every scale, the shortest first.
pub(super) fn surge(
    settings: &Settings,
    past: &Past,
    grid: &Grid,
    now: Moment,
    series: &Series,
    baseline: &Baseline,
) -> Option<Surge> {
    let longest = series.window(grid, grid.longest());
    grid.scales().find_map(|scale| {
        let window = series.window(grid, scale);
        let floor = settings.min_rate * grid.seconds(scale);
        if f64::from(window.latest()) < floor {
            return None;
        }
        let earliest = DEPTH - 1 - settings.doublings as usize;
        (0..=earliest).rev().find_map(|low| {
            rises(&window, low, settings).then_some(())?;
            let began = window.index(low + 1)?;
            let since = Since {
                requests: window.since(low + 1),
                seconds: (now.seconds - f64::from(began) * grid.seconds(scale)).max(f64::EPSILON),
            };
            let history = baseline.before(past, grid, now, &longest, since);
            let peak = window.counts[low + 1..].iter().max().copied().unwrap_or(0);
            let rate = f64::from(peak) / grid.seconds(scale);
            let average = history.mean();
            let sure = rate > settings.ratio * average && evidence(history, since) >= settings.evidence;
            sure.then_some(Surge {
                scale,
                onset: began,
                rate,
                average,
            })
        })
    })
}

/// Rule 1: whether the window doubles `k` times from the epoch at `low` on.
fn rises(window: &Window, low: usize, settings: &Settings) -> bool {
    // The first epoch since the start may be half unseen: only silence is certain in it.
    match window.index(low) {
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

/// How unlikely it is, in nats, that one steady Poisson source made both the history and the surge: the Chernoff bound of
/// the binomial that splits all requests over the two times. A history too short to tell gives none.
fn evidence(history: History, surge: Since) -> f64 {
    let (n, c) = (history.requests, surge.requests as f64);
    let (t, w) = (history.seconds, surge.seconds);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn window(counts: [u32; DEPTH]) -> Window {
        Window { counts, newest: 100 }
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
        let mut young = window([0, 0, 0, 0, 0, 3, 40, 40]);
        young.newest = 2;
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
