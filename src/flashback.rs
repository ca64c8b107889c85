//! `Flashback`: where the parts meet. It builds them from settings, introduces the layer to the broker, and keeps the one
//! task that tells the detector the time. It decides nothing itself.

mod builder;
mod introduce;
mod larder;
mod observe;

use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use tokio::sync::broadcast;

pub use builder::{Builder, ConfigError, Settings};

use crate::{
    broker::{Broker, Stun},
    layer::{FlashbackLayer, carrier::Carrier},
    telemetry::{Event, admin},
};

/// Crowd insurance for one site. Cheap to clone; all clones are one.
///
/// It needs a Tokio runtime when it is built, and works until the last clone, layer and service of it is dropped.
#[derive(Clone)]
pub struct Flashback {
    whole: Arc<Whole>,
}

/// What the clones share.
struct Whole {
    carrier: Arc<Carrier>,
    broker: Broker,
    stun: Option<Stun>,
    render: Option<Box<dyn Fn() -> String + Send + Sync>>,
}

impl Flashback {
    /// Starts with the defaults, each of which says why it is so.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The layer: everything that a site needs, in one line.
    #[must_use]
    pub fn layer(&self) -> FlashbackLayer {
        FlashbackLayer::new(Arc::clone(&self.whole.carrier))
    }

    /// Every change of state from now on. A receiver that lags loses the oldest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.whole.carrier.events()
    }

    /// The operators' routes, to be mounted where only operators reach: see [`telemetry`](crate::telemetry).
    pub fn admin(&self) -> axum::Router {
        admin::router(Arc::new(self.clone()))
    }

    /// Where the STUN responder listens, if one was asked for.
    #[must_use]
    pub fn stun_addr(&self) -> Option<SocketAddr> {
        self.whole.stun.as_ref().map(Stun::local_addr)
    }

    /// Ends the carrying: every visitor is told that the page is calm, and every later response is the inner service's
    /// own. Returns when the signalling sockets are closed.
    pub async fn drain(&self) {
        self.whole.carrier.close();
        self.whole.broker.drain().await;
    }
}

impl fmt::Debug for Flashback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flashback")
            .field("stun", &self.stun_addr())
            .finish_non_exhaustive()
    }
}

/// Tells the detector the time, for as long as anything holds the carrier.
async fn keep_time(carrier: std::sync::Weak<Carrier>) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(carrier) = carrier.upgrade() else { return };
        carrier.tick();
    }
}

/// The shortest scale of detection: nothing changes faster without a request, and a request is counted at once.
const TICK: Duration = Duration::from_secs(1);
