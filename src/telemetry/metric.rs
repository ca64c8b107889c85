//! The one list of all metrics. Whoever records one takes the name from here; dashboards, documentation and the
//! recorder's buckets are checked against it. No label has an open set of values: pages, visitors and addresses are
//! never labels, because a stranger could then grow the registry by asking for random URLs.

use metrics::Unit;

use super::label::{
    BY, DEPTH, FAULT, Label, OUTCOME, PASS_REASON, REPORTED, RULE, SHED_REASON, SOURCE, STATE, TO, VIA,
};

/// One metric: everything that a recorder, a dashboard or a reader needs to know of it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// The whole name, with prefix and unit.
    pub name: &'static str,
    /// What may be done with its values.
    pub kind: Kind,
    /// What its values count.
    pub unit: Unit,
    /// One sentence for the operator.
    pub help: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
}

/// What kind of series a metric makes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Only grows; look at its rate.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations counted in buckets with these upper bounds.
    Histogram(&'static [f64]),
}

/// Requests that reached the layer.
pub const REQUESTS: &str = "flashback_requests_total";
/// Pages that are hot or cooling.
pub const CROWDS: &str = "flashback_crowds";
/// Changes of state.
pub const CROWD_CHANGES: &str = "flashback_crowd_changes_total";
/// From the start of a surge to the decision.
pub const DETECTION_DELAY: &str = "flashback_detection_delay_seconds";
/// Pages that got the script.
pub const INJECTED: &str = "flashback_injected_total";
/// Responses of hot pages that went through untouched.
pub const PASSED: &str = "flashback_passed_total";
/// Fetches of objects from the origin.
pub const ORIGIN_FETCHES: &str = "flashback_origin_fetches_total";
/// Payload bytes of hot pages.
pub const BYTES: &str = "flashback_bytes_total";
/// Share of the payload that visitors carried.
pub const OFFLOAD_RATIO: &str = "flashback_offload_ratio";
/// Visitors with an open signalling socket.
pub const VISITORS: &str = "flashback_visitors";
/// Introductions of two visitors.
pub const INTRODUCTIONS: &str = "flashback_introductions_total";
/// Attempts to open a connection between two visitors.
pub const PUNCHES: &str = "flashback_punches_total";
/// How long a connection between two visitors took to open.
pub const PUNCH: &str = "flashback_punch_seconds";
/// What a visitor gave over what it got.
pub const GIVEN_RATIO: &str = "flashback_visitor_given_ratio";
/// How long the HTML of a carried page took to go out.
pub const PAGE: &str = "flashback_page_seconds";
/// Failures of ours, and what the visitor or the origin did wrong.
pub const FAULTS: &str = "flashback_faults_total";
/// STUN requests that were answered.
pub const STUN_REQUESTS: &str = "flashback_stun_requests_total";
/// Work that was refused because a bound was reached.
pub const SHED: &str = "flashback_shed_total";

/// Every metric there is, in the order of `design.md` §7.
pub const ALL: &[Metric] = &[
    counter(
        REQUESTS,
        Unit::Count,
        "Requests that reached the layer, by the state of their page.",
        &[STATE],
    ),
    gauge(CROWDS, "Pages that are hot or cooling.", &[]),
    counter(
        CROWD_CHANGES,
        Unit::Count,
        "Changes of state, by the new state and the rule that decided.",
        &[TO, RULE],
    ),
    histogram(
        DETECTION_DELAY,
        Unit::Seconds,
        SECONDS,
        "From the start of a surge until its page was hot.",
        &[],
    ),
    counter(INJECTED, Unit::Count, "Pages that got the script.", &[]),
    counter(
        PASSED,
        Unit::Count,
        "Responses on hot pages that went through untouched, by reason.",
        &[PASS_REASON],
    ),
    counter(
        ORIGIN_FETCHES,
        Unit::Count,
        "Objects fetched from the origin to be carried.",
        &[],
    ),
    counter(
        BYTES,
        Unit::Bytes,
        "Payload bytes of hot pages, by who sent them; those of peers are reported by visitors.",
        &[SOURCE, REPORTED],
    ),
    gauge(
        OFFLOAD_RATIO,
        "Share of the payload of hot pages that visitors carried, 0 to 1; reported by visitors.",
        &[],
    ),
    gauge(VISITORS, "Visitors with an open signalling socket.", &[]),
    counter(
        INTRODUCTIONS,
        Unit::Count,
        "Introductions of two visitors, by who introduced them; those by peers are reported by visitors.",
        &[VIA],
    ),
    counter(
        PUNCHES,
        Unit::Count,
        "Attempts to open a connection between two visitors; reported by visitors.",
        &[OUTCOME],
    ),
    histogram(
        PUNCH,
        Unit::Seconds,
        SECONDS,
        "How long a connection between two visitors took to open; reported by visitors.",
        &[],
    ),
    histogram(
        GIVEN_RATIO,
        Unit::Count,
        RATIO,
        "What a visitor gave over what it got, at most 1; reported by visitors.",
        &[],
    ),
    histogram(
        PAGE,
        Unit::Seconds,
        SECONDS,
        "From the request of a carried page until its last byte was handed on, by how far it is carried.",
        &[DEPTH],
    ),
    counter(
        FAULTS,
        Unit::Count,
        "What failed, by whose part it was; the visitor still got the page.",
        &[FAULT, BY],
    ),
    counter(
        STUN_REQUESTS,
        Unit::Count,
        "STUN Binding requests that were answered.",
        &[],
    ),
    counter(
        SHED,
        Unit::Count,
        "Work refused because a bound was reached, by the bound.",
        &[SHED_REASON],
    ),
];

/// The metric of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    ALL.iter().find(|metric| metric.name == name)
}

/// Tells the installed recorder the unit and the help of every metric. Without a recorder it does nothing.
pub fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.unit, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.help),
            Kind::Histogram(_) => metrics::describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
}

const fn counter(name: &'static str, unit: Unit, help: &'static str, labels: &'static [Label]) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        unit,
        help,
        labels,
    }
}

const fn gauge(name: &'static str, help: &'static str, labels: &'static [Label]) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        unit: Unit::Count,
        help,
        labels,
    }
}

const fn histogram(
    name: &'static str,
    unit: Unit,
    buckets: &'static [f64],
    help: &'static str,
    labels: &'static [Label],
) -> Metric {
    Metric {
        name,
        kind: Kind::Histogram(buckets),
        unit,
        help,
        labels,
    }
}

/// Kind of fault: the origin broke off, refused, or spoke no HTTP.
pub const ORIGIN: &str = "origin";
/// Kind of fault: the origin took too long to begin.
pub const ORIGIN_TIMEOUT: &str = "origin_timeout";
/// Kind of fault: a page could not be rewritten to its end.
pub const INJECT: &str = "inject";
/// Kind of fault: ours.
pub const INTERNAL: &str = "internal";

/// From a connection on a local network to the patience of a visitor: each bound about twice the one before, so that
/// a quantile read from them is within a factor of √2.
const SECONDS: &[f64] = &[
    0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 25.0, 50.0, 100.0,
];

/// Law 3 keeps the ratio at most 1; the bucket above it exists to show that none is there.
const RATIO: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for metric in ALL {
            let name = metric.name;
            assert!(name.starts_with("flashback_"), "{name}");
            assert_eq!(
                matches!(metric.kind, Kind::Counter),
                name.ends_with("_total"),
                "{name}"
            );
            assert_eq!(metric.unit == Unit::Seconds, name.ends_with("_seconds"), "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
            assert_eq!(
                ALL.iter().filter(|other| other.name == name).count(),
                1,
                "{name} is listed twice"
            );
            assert_eq!(find(name), Some(metric));
        }
    }

    #[test]
    fn buckets_rise_and_labels_are_closed() {
        for metric in ALL {
            if let Kind::Histogram(buckets) = metric.kind {
                assert!(
                    buckets.windows(2).all(|pair| pair[0] < pair[1]),
                    "{}",
                    metric.name
                );
            }
            for label in metric.labels {
                assert!(!label.values.is_empty(), "{} {}", metric.name, label.name);
            }
        }
    }
}
