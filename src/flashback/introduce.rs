//! The broker as the layer knows it.

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    time::{Duration, SystemTime},
};

use axum::body::Body;
use http::{Request, Response};

use crate::{
    broker::Broker,
    content::RoomId,
    layer::introducer::{Attendance, Introducer, Stun},
};

/// Hands the layer's wishes on to the broker.
#[derive(Debug)]
pub(super) struct Introductions {
    broker: Broker,
    stun: Option<Stun>,
    /// Whether the origin's uplink is known.
    defers: bool,
}

impl Introductions {
    pub(super) fn new(broker: Broker, stun: Option<SocketAddr>, defers: bool) -> Self {
        let public = broker.settings().stun_url.clone().map(Stun::Url);
        Self {
            stun: public.or(stun.map(|addr| Stun::Port(addr.port()))),
            broker,
            defers,
        }
    }
}

impl Introducer for Introductions {
    fn open(&self, room: RoomId) -> bool {
        self.broker.open(room)
    }

    fn close(&self, room: RoomId) {
        self.broker.close(room);
    }

    fn token(&self, room: RoomId, visitor: IpAddr) -> String {
        self.broker.token(room, visitor, SystemTime::now())
    }

    fn token_life(&self) -> Duration {
        self.broker.settings().token_life
    }

    fn upgrade(
        &self,
        request: Request<Body>,
        visitor: IpAddr,
    ) -> Pin<Box<dyn Future<Output = Response<Body>> + Send>> {
        let broker = self.broker.clone();
        Box::pin(async move { broker.upgrade(request, visitor).await })
    }

    fn stun(&self) -> Option<Stun> {
        self.stun.clone()
    }

    fn lan(&self) -> bool {
        self.broker.settings().lan_candidates
    }

    fn attendance(&self, room: RoomId) -> Attendance {
        Attendance {
            visitors: self.broker.visitors(room) as u64,
            peer_bytes: self.broker.reported(room).peer,
        }
    }

    fn is_saturated(&self) -> bool {
        self.defers && self.broker.debt() > DEFER
    }

    fn peer_bytes(&self) -> u64 {
        self.broker.totals().reported.peer
    }
}

/// How long the uplink may be behind before the way out is deferred. Bursts of pages are shorter, and a visitor whose swarm
/// is broken waits no longer than if it stood in line.
const DEFER: Duration = Duration::from_secs(2);
