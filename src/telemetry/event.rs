//! One change of state of one page, in plain values. It is what `/events` streams and what logs say, not what the
//! detector keeps.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::rfc3339;
use crate::crowd::Change;

/// A page, or the site, changed its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// When it was decided.
    #[serde(with = "rfc3339")]
    pub at: SystemTime,
    /// Host and path of the page, or the site's own key.
    pub key: String,
    /// The state before: `calm`, `hot` or `cooling`.
    pub from: String,
    /// The state now.
    pub to: String,
    /// The rule that decided.
    pub rule: String,
    /// Length of the epochs that the rule judged, in seconds; 0 where no rule was asked (an operator's order).
    pub scale_s: u64,
    /// Requests per second in the epoch that decided.
    pub rate: f64,
    /// The page's own long-run mean, in requests per second.
    pub average: f64,
    /// Distinct clients over requests, 0 to 1.
    pub audience: f64,
    /// Where the crowd comes from, the greatest share first.
    pub referrers: Vec<Referrer>,
}

impl Event {
    /// A change that the detector made, at the wall clock's `at`.
    #[must_use]
    pub fn of(change: &Change, at: SystemTime) -> Self {
        let referrers = change.referrers.iter().map(|(host, share)| Referrer {
            host: host.to_string(),
            share: *share,
        });
        Self {
            scale_s: change.scale.as_secs(),
            rate: change.rate,
            average: change.average,
            audience: change.audience,
            referrers: referrers.collect(),
            ..Self::new(
                at,
                change.key.as_str(),
                change.from.as_str(),
                change.to.as_str(),
                change.rule.as_str(),
            )
        }
    }

    /// A change from one state to another; the figures are zero until they are set.
    #[must_use]
    pub fn new(at: SystemTime, key: impl Into<String>, from: &str, to: &str, rule: &str) -> Self {
        Self {
            at,
            key: key.into(),
            from: from.to_owned(),
            to: to.to_owned(),
            rule: rule.to_owned(),
            scale_s: 0,
            rate: 0.0,
            average: 0.0,
            audience: 0.0,
            referrers: Vec::new(),
        }
    }
}

/// A host that sends visitors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Referrer {
    /// The host of the `Referer` header; empty for visits without one.
    pub host: String,
    /// Its share of the page's requests, 0 to 1.
    pub share: f64,
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn an_event_is_json_with_rfc_3339_times() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let mut event = Event::new(at, "example.org/a", "calm", "hot", "surge");
        event.scale_s = 10;
        event.referrers = vec![Referrer {
            host: "news.example".into(),
            share: 0.75,
        }];
        let json = serde_json::to_value(&event).expect("an event is JSON");
        assert_eq!(json["at"], "2023-11-14T22:13:20.123Z");
        assert_eq!(json["scale_s"], 10);
        assert_eq!(json["referrers"][0]["host"], "news.example");
        assert_eq!(
            serde_json::from_value::<Event>(json).expect("what was written is read"),
            event
        );
    }
}
