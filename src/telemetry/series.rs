//! Every counter and histogram from the first moment on, at zero. A series that appears with its first step hides this
//! step from Prometheus, whose `rate` and `increase` need two samples: the first crowd, or the first fault, would raise no
//! alert, and the first crowd would have no detection delay.

use metrics::{Label as Pair, counter, gauge, histogram};

use super::metric::{self, ALL, INJECT, INTERNAL, Kind, Metric, ORIGIN, ORIGIN_TIMEOUT};

/// Tells the installed recorder all series of all counters and histograms. Without a recorder it does nothing.
pub(crate) fn begin() {
    for metric in ALL {
        for pairs in series(metric) {
            match metric.kind {
                Kind::Counter => counter!(metric.name, pairs).increment(0),
                // Registered without an observation.
                Kind::Histogram(_) => drop(histogram!(metric.name, pairs)),
                Kind::Gauge => {}
            }
        }
    }
    gauge!(metric::VISITORS).increment(0.0);
}

/// The labels of each series that a metric can have. There are few: the sets of values are closed.
fn series(metric: &Metric) -> Vec<Vec<Pair>> {
    let mut all = vec![Vec::new()];
    for label in metric.labels {
        let mut longer = Vec::new();
        for pairs in all {
            // What the server measured itself has no witness.
            if label.name == "by"
                && pairs
                    .first()
                    .is_some_and(|pair: &Pair| OURS.contains(&pair.value()))
            {
                longer.push(pairs);
                continue;
            }
            longer.extend(label.values.iter().map(|value| {
                let mut pairs = pairs.clone();
                pairs.push(Pair::from_static_parts(label.name, value));
                pairs
            }));
        }
        all = longer;
    }
    all
}

/// Faults and sources that the server knows by itself.
const OURS: [&str; 5] = [ORIGIN, "store", ORIGIN_TIMEOUT, INJECT, INTERNAL];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Vec<Vec<(String, String)>> {
        let pair = |pair: &Pair| (pair.key().to_owned(), pair.value().to_owned());
        let series = series(metric::find(name).expect("is listed"));
        series
            .iter()
            .map(|pairs| pairs.iter().map(pair).collect())
            .collect()
    }

    #[test]
    fn a_series_has_one_value_of_each_label() {
        assert_eq!(of(metric::INJECTED), [[]]);
        assert_eq!(of(metric::CROWD_CHANGES).len(), 3 * 6);
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            of(metric::BYTES),
            [
                vec![pair("source", "origin")],
                vec![pair("source", "store")],
                vec![pair("source", "peer"), pair("by", "visitors")],
            ]
        );
    }

    #[test]
    fn counters_and_histograms_are_there_before_they_step() {
        let recorder = metrics_util::debugging::DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        metrics::with_local_recorder(&recorder, begin);
        let begun = snapshotter.snapshot().into_vec();
        let begun: Vec<_> = begun.iter().map(|(key, ..)| key.key().name()).collect();
        for metric in ALL.iter().filter(|metric| metric.kind != Kind::Gauge) {
            assert!(begun.contains(&metric.name), "{}", metric.name);
        }
    }

    #[test]
    fn a_listener_pays_for_few_series() {
        let all: usize = ALL.iter().map(|metric| series(metric).len()).sum();
        assert!(all < 200, "{all} series before the first visitor");
    }
}
