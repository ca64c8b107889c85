//! The shapes of `/status.json` and `/room.json`. Fields may be added, never renamed: scripts and dashboards of operators read it.
//! Times are RFC 3339, rates per second, sizes in bytes. It is filled elsewhere, from one moment of the whole.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{event::Referrer, rfc3339};

/// Everything that is not calm, and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Visitors with an open signalling socket.
    pub visitors: u64,
    /// Pages that are hot or cooling, the fastest first.
    pub crowds: Vec<Crowd>,
    /// Since the process started.
    pub totals: Totals,
}

/// A page that is not calm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crowd {
    /// Host and path.
    pub key: String,
    /// Hot or cooling: calm pages are not listed.
    pub state: CrowdState,
    /// When it became so.
    #[serde(with = "rfc3339")]
    pub since: SystemTime,
    /// The rule that decided.
    pub rule: String,
    /// Length of the epochs that the rule judged, in seconds.
    pub scale_s: u64,
    /// Requests per second now.
    pub rate: f64,
    /// The page's own long-run mean, in requests per second.
    pub average: f64,
    /// Distinct clients over requests, 0 to 1.
    pub audience: f64,
    /// Where the crowd comes from, the greatest share first.
    pub referrers: Vec<Referrer>,
    /// Visitors in the page's room.
    pub visitors: u64,
    /// Who carried the page since it became hot.
    pub bytes: Bytes,
    /// Whether its visitors are given the script: not below the load from which that pays, and never the site as a whole.
    pub carried: bool,
    /// Arrivals per second × bytes that visitors can carry ÷ the origin's uplink, where that is known.
    pub load: Option<f64>,
}

/// The states that a listed page can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrowdState {
    /// Carried by its crowd.
    Hot,
    /// The crowd is leaving; still carried, so that a second wave finds it ready.
    Cooling,
}

/// Payload bytes by who sent them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Asked of the origin.
    pub origin: u64,
    /// Sent from verified copies in memory.
    pub store: u64,
    /// Sent by visitors to each other. Reported by them, within bounds: not a measurement of ours.
    pub peer: u64,
}

/// The shape of `/room.json`: some of a page's visitors, and their open links.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Visitors in the room. More than are listed, if there are too many to be looked at.
    pub visitors: u64,
    /// Some of them, or all.
    pub sample: Vec<Visitor>,
    /// Open links between those listed, by their numbers. Which way bytes go over one only its two ends know.
    pub links: Vec<(u32, u32)>,
}

/// A visitor, as it reports itself: payload bytes of its visit, within bounds, not a measurement of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// Its number in the room; never its address.
    pub id: u32,
    /// Got from the origin.
    pub origin: u64,
    /// Got from other visitors.
    pub peer: u64,
    /// Given to other visitors.
    pub given: u64,
}

/// Sums since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests of any state.
    pub requests: u64,
    /// Pages that became hot.
    pub crowds: u64,
    /// Introductions of two visitors by the broker.
    pub introductions: u64,
    /// Times that a part of ours failed and the origin's response went through untouched.
    pub faults: u64,
    /// Payload bytes by who sent them.
    pub bytes: Bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_the_documented_one() {
        let status = Status {
            crowds: vec![crowd()],
            ..Status::default()
        };
        let json = serde_json::to_value(&status).expect("a status is JSON");
        assert_eq!(keys(&json), ["crowds", "totals", "visitors"]);
        let crowd = &json["crowds"][0];
        assert_eq!(
            keys(crowd),
            [
                "audience",
                "average",
                "bytes",
                "carried",
                "key",
                "load",
                "rate",
                "referrers",
                "rule",
                "scale_s",
                "since",
                "state",
                "visitors"
            ]
        );
        assert_eq!(keys(&crowd["bytes"]), ["origin", "peer", "store"]);
        assert_eq!(crowd["state"], "cooling");
        assert_eq!(crowd["since"], "1970-01-01T00:00:00.000Z");
        assert_eq!(
            serde_json::from_value::<Status>(json).expect("what was written is read"),
            status
        );
    }

    #[test]
    fn a_room_is_small_on_the_wire() {
        let visitor = Visitor {
            id: 7,
            origin: 1,
            peer: 2,
            given: 3,
        };
        let room = Room {
            visitors: 9,
            sample: vec![visitor],
            links: vec![(7, 8)],
        };
        let json = serde_json::to_string(&room).expect("a room is JSON");
        assert_eq!(
            json,
            r#"{"visitors":9,"sample":[{"id":7,"origin":1,"peer":2,"given":3}],"links":[[7,8]]}"#
        );
    }

    fn crowd() -> Crowd {
        Crowd {
            key: "example.org/a".into(),
            state: CrowdState::Cooling,
            since: SystemTime::UNIX_EPOCH,
            rule: "surge".into(),
            scale_s: 1,
            rate: 20.0,
            average: 0.1,
            audience: 0.9,
            referrers: vec![Referrer {
                host: "news.example".into(),
                share: 1.0,
            }],
            visitors: 8,
            bytes: Bytes::default(),
            carried: true,
            load: Some(0.7),
        }
    }

    fn keys(json: &serde_json::Value) -> Vec<&str> {
        let mut keys: Vec<&str> = json
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        keys
    }
}
