//! From settings to a running whole, or to an error that names the bad value.

use std::{io, net::SocketAddr, sync::Arc, time::SystemTime};

use coarsetime::Instant;
use serde::{Deserialize, Serialize};

use super::{
    Flashback, Whole,
    introduce::Introductions,
    keep_time,
    larder::Larder,
    state::{StateFile, StateSettings, StateSettingsError, keep_state},
};
use crate::{
    broker::{self, Broker, Stun, TokenKey},
    content::{self, Store},
    crowd::{self, Crowds, Time},
    layer::{self, NoticeSettings, carrier::Carrier, notice::Notice},
    telemetry::series,
    unit::BitRate,
};

/// All settings of the library, a section for each part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// When a page is hot.
    pub crowd: crowd::Settings,
    /// What may be shared, and how much memory it takes.
    pub content: content::Settings,
    /// How far and for whom a hot page is carried.
    pub carry: layer::Settings,
    /// What visitors of a carried page are told.
    pub notice: NoticeSettings,
    /// How visitors meet.
    pub broker: broker::Settings,
    /// What is remembered over a restart.
    pub state: StateSettings,
}

impl Settings {
    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// Names the first bad value and its section.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.crowd.check()?;
        self.content.check()?;
        self.carry.check()?;
        self.notice.check()?;
        self.broker.check()?;
        Ok(self.state.check()?)
    }
}

/// Why a [`Flashback`] cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Of `[crowd]`.
    #[error("[crowd] {0}")]
    Crowd(#[from] crowd::SettingsError),
    /// Of `[content]`.
    #[error("[content] {0}")]
    Content(#[from] content::SettingsError),
    /// Of `[carry]`.
    #[error("[carry] {0}")]
    Carry(#[from] layer::SettingsError),
    /// Of `[notice]`.
    #[error("[notice] {0}")]
    Notice(#[from] layer::NoticeError),
    /// Of `[broker]`.
    #[error("[broker] {0}")]
    Broker(#[from] broker::SettingsError),
    /// Of `[state]`.
    #[error("[state] {0}")]
    State(#[from] StateSettingsError),
    /// The STUN responder's address cannot be had.
    #[error("cannot listen for STUN on {addr}: {source}")]
    Stun {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Built outside of a Tokio runtime, where nothing could tell the detector the time.
    #[error("no Tokio runtime: build Flashback inside of one, for example in an async main")]
    NoRuntime,
}

/// Builds a [`Flashback`].
#[derive(Default)]
pub struct Builder {
    settings: Settings,
    stun: Option<SocketAddr>,
    uplink: Option<BitRate>,
    render: Option<Box<dyn Fn() -> String + Send + Sync>>,
}

impl Builder {
    /// Replaces all settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Answers STUN on this UDP address, so that visitors behind NATs can meet. Without it only visitors with public
    /// addresses, or in one network, do. Port 0 takes a free one: see [`Flashback::stun_addr`].
    #[must_use]
    pub fn stun(mut self, addr: SocketAddr) -> Self {
        self.stun = Some(addr);
        self
    }

    /// What the origin can send. Known, a hot page is carried only from the load on that `carry.engage_at` names, seeds and spare
    /// chunks take nine tenths of it less what pages take, and the way out by HTTP is deferred while pages alone exceed it.
    /// Unknown, hot means carried, and they take no more than the page took when it became hot.
    #[must_use]
    pub fn uplink(mut self, uplink: BitRate) -> Self {
        self.uplink = Some(uplink);
        self
    }

    /// What `/metrics` of [`Flashback::admin`] answers: the text of the recorder that the application installed. The library
    /// installs none.
    #[must_use]
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.render = Some(Box::new(render));
        self
    }

    /// Starts everything. An application that records metrics installs its recorder before.
    ///
    /// # Errors
    /// A setting that cannot work, an address that cannot be had, or no runtime.
    pub fn build(self) -> Result<Flashback, ConfigError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| ConfigError::NoRuntime)?;
        self.settings.check()?;
        series::begin();
        let stun = self
            .stun
            .map(|addr| bind(addr, &self.settings.broker))
            .transpose()?;
        let Settings {
            crowd,
            content,
            carry,
            notice,
            broker,
            state: StateSettings { file, every },
        } = self.settings;
        let broker = Broker::new(broker, TokenKey::random(&mut rand::rng()));
        let introductions = Introductions::new(
            broker.clone(),
            stun.as_ref().map(Stun::local_addr),
            self.uplink.is_some(),
        );
        let started = (Instant::now(), SystemTime::now());
        let state = file.map(|file| Arc::new(StateFile::new(file)));
        let memory = state.as_ref().map(|file| file.recall()).unwrap_or_default();
        let crowds = Crowds::with_memory(crowd, Time::ZERO, rand::random(), &memory)?;
        let store = Store::new(content)?;
        let carrier = Carrier::new(
            crowds,
            (carry, Notice::new(&notice)),
            store,
            Arc::new(introductions),
            started,
        )
        .over(self.uplink);
        let carrier = Arc::new(carrier);
        broker.supply(Arc::new(Larder::new(Arc::downgrade(&carrier), self.uplink)));
        layer::prepare();
        runtime.spawn(keep_time(Arc::downgrade(&carrier)));
        if let Some(file) = &state {
            runtime.spawn(keep_state(Arc::downgrade(&carrier), Arc::clone(file), every));
        }
        Ok(Flashback {
            whole: Arc::new(Whole {
                carrier,
                broker,
                stun,
                state,
                render: self.render,
            }),
        })
    }
}

fn bind(addr: SocketAddr, settings: &broker::Settings) -> Result<Stun, ConfigError> {
    Stun::bind(addr, settings.stun_per_second).map_err(|source| ConfigError::Stun { addr, source })
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("settings", &self.settings)
            .field("stun", &self.stun)
            .field("uplink", &self.uplink)
            .finish_non_exhaustive()
    }
}
