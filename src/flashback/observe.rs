//! What an operator sees of the whole, and may order.

use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::broadcast;

use super::Flashback;
use crate::{
    broker::Seen,
    crowd::{self, ForceError, Mode, State},
    telemetry::{
        Event, Referrer, Status,
        admin::{Observed, Target},
        status::{Bytes, Crowd, CrowdState, Room, Totals, Visitor},
    },
};

impl Observed for Flashback {
    fn status(&self) -> Status {
        let (carrier, broker) = (&self.whole.carrier, &self.whole.broker);
        let (sums, totals) = (carrier.tally.sums(), broker.totals());
        Status {
            visitors: totals.visitors as u64,
            crowds: carrier
                .crowds
                .crowds(carrier.now())
                .into_iter()
                .map(|crowd| self.crowd(crowd))
                .collect(),
            totals: Totals {
                requests: sums.requests,
                crowds: sums.crowds,
                introductions: totals.introductions,
                faults: sums.faults,
                bytes: Bytes {
                    origin: sums.origin_bytes,
                    store: sums.store_bytes,
                    peer: totals.reported.peer,
                },
            },
        }
    }

    fn room(&self, page: &str) -> Option<Room> {
        let pages = self.whole.carrier.pages.all();
        let page = pages.iter().find(|hot| hot.key.as_str() == page)?;
        let sample = self.whole.broker.sample(page.room).unwrap_or_default();
        let visitor = |seen: &Seen| Visitor {
            id: seen.id,
            origin: seen.origin,
            peer: seen.peer,
            given: seen.given,
        };
        Some(Room {
            visitors: sample.visitors as u64,
            sample: sample.seen.iter().map(visitor).collect(),
            links: sample.links,
        })
    }

    fn force(&self, target: &Target, mode: Mode) -> Result<(), ForceError> {
        self.whole
            .carrier
            .force(target.host.as_deref(), &target.path, mode)
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events()
    }

    fn render_metrics(&self) -> Option<String> {
        self.whole.carrier.publish();
        self.whole.render.as_ref().map(|render| render())
    }
}

impl Flashback {
    fn crowd(&self, crowd: crowd::Crowd) -> Crowd {
        let carrier = &self.whole.carrier;
        let page = carrier.pages.get(&crowd.key);
        let attendance = page
            .as_ref()
            .map(|page| carrier.introducer.attendance(page.room))
            .unwrap_or_default();
        let (carried, load) = page.as_ref().map_or((false, None), |page| {
            let load = carrier.pressure.load(crowd.rate, page.bytes());
            (page.is_carried(), load)
        });
        let bytes = page.map(|page| Bytes {
            origin: page.origin_bytes.load(Relaxed),
            store: page.store_bytes.load(Relaxed),
            peer: attendance.peer_bytes,
        });
        Crowd {
            key: crowd.key.to_string(),
            state: if crowd.state == State::Hot {
                CrowdState::Hot
            } else {
                CrowdState::Cooling
            },
            since: carrier.wall(crowd.since),
            rule: crowd.rule.as_str().to_owned(),
            scale_s: crowd.scale.as_secs(),
            rate: crowd.rate,
            average: crowd.average,
            audience: crowd.audience,
            referrers: crowd
                .referrers
                .into_iter()
                .map(|(host, share)| Referrer {
                    host: host.into(),
                    share,
                })
                .collect(),
            visitors: attendance.visitors,
            bytes: bytes.unwrap_or_default(),
            carried,
            load,
        }
    }
}
