//! What `proxy` and `demo` share: the three sockets, the lines that name them, and the way to the end.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    time::Duration,
};

use anyhow::Context;
use axum::{BoxError, body::Body};
use http::{Request, Response};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};
use tower::{Layer, Service};
use tower_flashback::{
    ConfigError, Flashback,
    proxy::{
        Config, Server,
        config::{Endpoint, ServerSettings},
        shutdown::Signals,
        webhook::Webhook,
    },
};

use super::recorder;

/// All sockets are open, and nobody is served yet.
pub(super) struct Site {
    server: Server,
    admin: Option<TcpListener>,
    drain: Duration,
    signals: Signals,
    /// Tells of crowds until the site ends.
    _webhook: Option<Webhook>,
    pub(super) flashback: Flashback,
}

impl Site {
    /// Opens everything that the config names. What cannot be opened is named with its flag.
    pub(super) async fn open(config: &Config) -> anyhow::Result<Self> {
        let settings: &ServerSettings = &config.server;
        raise_open_files();
        // Before anything is announced: whoever reads the lines may send a signal at once.
        let signals = Signals::listen().context("cannot listen for signals")?;
        let server = Server::bind(settings)
            .await
            .with_context(|| taken(settings.listen, "listen"))?;
        let admin = match settings.admin {
            Endpoint::At(address) => Some(
                TcpListener::bind(address)
                    .await
                    .with_context(|| taken(address, "admin"))?,
            ),
            Endpoint::Off => None,
        };
        let metrics = recorder::install()?;
        let mut builder = Flashback::builder()
            .settings(config.settings())
            .metrics(move || metrics.render());
        if let Endpoint::At(address) = settings.stun {
            builder = builder.stun(address);
        }
        if let Some(uplink) = config.origin.uplink {
            builder = builder.uplink(uplink);
        }
        let flashback = builder.build().map_err(|error| match error {
            ConfigError::Stun { addr, source } => anyhow::Error::new(source).context(taken(addr, "stun")),
            other => anyhow::Error::new(other).context("cannot start"),
        })?;
        let webhook = Webhook::start(&config.webhook, flashback.events())?;
        Ok(Self {
            server,
            admin,
            _webhook: webhook,
            drain: settings.drain,
            signals,
            flashback,
        })
    }

    /// Where visitors come in.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.server.local_addr()
    }

    /// Where operators look.
    pub(super) fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
            .as_ref()
            .and_then(|listener| listener.local_addr().ok())
    }

    /// Says where everything is: scripts read these lines, so they are a promise.
    pub(super) fn announce(&self) -> anyhow::Result<()> {
        let site = self.address().context("cannot tell the address")?;
        let mut lines = format!("listening http://{site}\n");
        if let Some(address) = self.admin_address() {
            lines += &format!("admin http://{address}\n");
        }
        if let Some(address) = self.flashback.stun_addr() {
            lines += &format!("stun {address}\n");
        }
        // Whoever read the first line and went away has what it wanted; the site is served all the same.
        let _ = io::stdout().write_all(lines.as_bytes());
        Ok(())
    }

    /// Serves `inner` behind the layer until a signal comes, then lets the open requests end.
    pub(super) async fn serve<S, B>(mut self, inner: S) -> anyhow::Result<()>
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + 'static,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let service = self.flashback.layer().layer(inner);
        let operators = self.admin.map(|listener| operators(listener, &self.flashback));
        let (stop, stopped) = watch::channel(false);
        let (flashback, deadline) = (self.flashback.clone(), self.drain);
        let farewell = async {
            on(stopped.clone()).await;
            timeout(deadline, flashback.drain()).await
        };
        let signalled = async {
            let signal = self.signals.next().await;
            tracing::info!(
                signal,
                "ending: open requests are answered; a second signal ends at once"
            );
            stop.send_replace(true);
            self.signals.next().await
        };
        let end = tokio::select! {
            (drained, told) = async { tokio::join!(self.server.serve(service, on(stopped.clone())), farewell) } => {
                tracing::info!(?drained, visitors_told = told.is_ok(), "ended");
                Ok(())
            }
            signal = signalled => Err(anyhow::anyhow!("a second signal ({signal}) ended the drain")),
        };
        if let Some(operators) = operators {
            operators.abort();
        }
        end
    }
}

/// The operators' routes stay until the end, so that the drain can be watched.
fn operators(listener: TcpListener, flashback: &Flashback) -> JoinHandle<()> {
    let router = flashback.admin();
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the admin listener ended");
        }
    })
}

async fn on(mut stopped: watch::Receiver<bool>) {
    // An error means that whoever could say stop is gone: then it is time, too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// The soft limit is what old programs with `select` can bear; the hard one is what the administrator allows.
pub(super) fn raise_open_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}

fn taken(address: SocketAddr, flag: &str) -> String {
    format!("cannot listen on {address} (--{flag})")
}
