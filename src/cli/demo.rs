//! `flashback demo`: the example site behind the layer, a crowd that comes and goes before your eyes (`spectacle.rs`), and
//! thresholds so low that one person can make the next.

use std::{fmt, net::SocketAddr, time::Duration};

use axum::{Router, body::Body};
use clap::Args;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_flashback::{
    Flashback,
    proxy::{Config, config::Endpoint},
    telemetry::{
        Status,
        status::{Crowd, CrowdState},
    },
};

use super::{
    serve::Site,
    spectacle::{self, Spectacle},
};

/// Serve the example site, send a crowd of real visitors there, and be ready for yours.
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// Where to open the site; port 0 lets the system choose.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where to see and switch its state; or "off".
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    admin: Endpoint,
    /// UDP address at which browsers learn their own; or "off".
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:3478")]
    stun: Endpoint,
    /// Visitors in the crowd: enough that they have each other, and few enough for a laptop.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=500))]
    visitors: u32,
    /// Send no crowd: the site waits for yours.
    #[arg(long)]
    no_crowd: bool,
}

impl Demo {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::default();
        config.server.listen = self.listen;
        config.server.admin = self.admin;
        config.server.stun = self.stun;
        // One person reloading a page is a crowd here, and nowhere else: no second address, no past, no doubt.
        config.crowd.min_rate = 0.5;
        config.crowd.min_clients = 1;
        config.crowd.min_audience = 0.0;
        config.crowd.evidence = 0.0;
        // One jump is enough, and the past is a minute long at most.
        config.crowd.doublings = 1;
        config.crowd.ratio = 4.0;
        // A crowd that was sent is to be seen going, too.
        config.crowd.cooling = Duration::from_secs(if self.no_crowd { 60 } else { 10 });
        // Browsers on one machine have no other candidates.
        config.broker.lan_candidates = true;
        config.check()?;
        Ok(config)
    }
}

pub(super) async fn run(arguments: Demo) -> anyhow::Result<()> {
    let site = Site::open(&arguments.config()?).await?;
    site.announce()?;
    println!(
        "{}",
        Hints {
            site: site.address()?,
            admin: site.admin_address()
        }
    );
    let watch = tokio::spawn(watch(site.flashback.clone()));
    let spectacle = (!arguments.no_crowd)
        .then(|| Spectacle::at(&site, arguments.visitors))
        .transpose()?;
    let crowd = spectacle.map(|spectacle| tokio::spawn(spectacle.play()));
    let end = site.serve(flashback_example_site::site()).await;
    watch.abort();
    if let Some(crowd) = crowd {
        crowd.abort();
    }
    end
}

/// What to open, and what to try.
struct Hints {
    site: SocketAddr,
    admin: Option<SocketAddr>,
}

impl fmt::Display for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let site = self.site;
        writeln!(f, "\nOpen it:       http://{site}/")?;
        writeln!(f, "With a panel:  http://{site}/?flashback=debug")?;
        writeln!(
            f,
            "Make it hot:   reload it six times within two seconds, or use as many tabs"
        )?;
        if let Some(admin) = self.admin {
            writeln!(
                f,
                "By hand:       curl -d '{{\"url\":\"http://{site}/\",\"mode\":\"hot\"}}' http://{admin}/crowd"
            )?;
            writeln!(
                f,
                "               (\"calm\" ends it, \"auto\" gives it back to the detector)"
            )?;
            writeln!(
                f,
                "See its state: curl http://{admin}/status.json, or open http://{admin}/"
            )?;
        }
        writeln!(
            f,
            "Be the crowd:  once it is hot, open it in several windows: they carry it to each other"
        )?;
        writeln!(f, "Ctrl-C ends it. What changes is told below.")
    }
}

/// Tells every change of the status, in one line each.
async fn watch(flashback: Flashback) {
    let (operators, mut tick, mut told) = (flashback.admin(), tokio::time::interval(LOOK), String::new());
    loop {
        tick.tick().await;
        let Some(status) = status(&operators).await else {
            continue;
        };
        let line = line(&status);
        // While a crowd is shown, its bytes are; here only the state.
        let is_news = if spectacle::is_on() {
            state(&line) != state(&told)
        } else {
            line != told
        };
        if is_news {
            spectacle::tell(&line);
            told = line;
        }
    }
}

/// The status as operators get it, asked without a socket.
async fn status(operators: &Router) -> Option<Status> {
    let request = Request::get("/status.json").body(Body::empty()).ok()?;
    let response = operators.clone().oneshot(request).await.ok()?;
    let body = response.into_body().collect().await.ok()?.to_bytes();
    serde_json::from_slice(&body).ok()
}

/// The page with most visitors, and how many more there are: pictures are as hot as their page, and carry nothing of their
/// own. The site as a whole is a key, too, but no page.
fn line(status: &Status) -> String {
    let pages = || status.crowds.iter().filter(|crowd| crowd.key != SITE);
    let sent = |crowd: &Crowd| crowd.bytes.origin + crowd.bytes.store + crowd.bytes.peer;
    let Some(crowd) = pages().max_by_key(|crowd| (crowd.visitors, sent(crowd))) else {
        return "all calm: the site is untouched".to_owned();
    };
    let state = match crowd.state {
        CrowdState::Hot => "hot",
        CrowdState::Cooling => "cooling",
    };
    let (key, rule, visitors, more) = (&crowd.key, &crowd.rule, crowd.visitors, pages().count() - 1);
    let all = sent(crowd);
    let carried = 100.0 * crowd.bytes.peer as f64 / all.max(1) as f64;
    let more = if more == 0 {
        String::new()
    } else {
        format!("; {more} more")
    };
    format!(
        "{state} ({rule}): {key}, {visitors} visitors, {carried:.0} % of {} KiB from each other{more}",
        all / 1024
    )
}

/// The beginning of a line, which names state and page.
fn state(line: &str) -> Option<&str> {
    line.split(',').next()
}

/// The key of the site as a whole.
const SITE: &str = "*";

/// Often enough to be live, seldom enough to be read.
const LOOK: Duration = Duration::from_secs(1);
