//! `flashback rehearse`: a fire drill. Real visitors, with real WebRTC, at a site of yours.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{MissedTickBehavior, interval};
use tower_flashback::{
    unit::BitRate,
    visitor::{Arrivals, Rehearsal, Report, Running},
};
use url::Url;

use super::{failure::Usage, serve};

/// Send a crowd of real visitors to a page of yours, and see how it is carried.
///
/// Each visitor loads the page as a browser does, joins the swarm while the page is hot, and leaves. None renders anything
/// or runs a script. On this machine each comes from an address of its own (127.77.x.y), so that a crowd is a crowd; the
/// site must let visitors tell each other private addresses then: broker.lan_candidates = true.
#[derive(Args, Debug)]
pub(super) struct Rehearse {
    /// The page, such as http://127.0.0.1:8080/.
    #[arg(value_name = "URL")]
    url: Url,
    /// Visitors. Each takes about ten sockets, and memory for its page.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=VISITORS_MAX))]
    visitors: u32,
    /// How they arrive.
    #[arg(long, default_value = "flash")]
    arrivals: Pattern,
    /// Within which time.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    over: humantime::Duration,
    /// How long each stays once it has the page.
    #[arg(long, value_name = "TIME", default_value = "0s")]
    dwell: humantime::Duration,
    /// A visitor's uplink, payload and headers. Without it, as fast as this machine.
    #[arg(long, value_name = "RATE")]
    up: Option<BitRate>,
    /// A visitor's downlink. Without it, as fast as this machine.
    #[arg(long, value_name = "RATE")]
    down: Option<BitRate>,
    /// The site's uplink, if you know it: with --up and --down it gives the fluid bound.
    #[arg(long, value_name = "RATE")]
    origin_up: Option<BitRate>,
    /// Share that takes and does not give.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    free_riders: f64,
    /// Share that gives false bytes.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    liars: f64,
    /// Addresses that visitors come from, in turns.
    #[arg(long, value_name = "ADDR", value_delimiter = ',')]
    bind: Vec<IpAddr>,
    /// Rehearse at a site that is not on this machine. Do so only with its owner's leave: what comes is a crowd.
    #[arg(long)]
    i_own_this_site: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Pattern {
    /// Twice as many in each fifth of the time as in the one before.
    Flash,
    /// Whenever, as many at any time.
    Poisson,
    /// At once.
    All,
}

pub(super) async fn run(arguments: Rehearse) -> anyhow::Result<()> {
    let here = is_here(&arguments.url).await?;
    if !here && !arguments.i_own_this_site {
        return Err(Usage(format!(
            "'{}' is not on this machine: {} visitors at once cost a site what a crowd costs, and look like an attack; \
             if it is yours, say so with --i-own-this-site",
            arguments.url, arguments.visitors
        ))
        .into());
    }
    serve::raise_open_files();
    let rehearsal = arguments.rehearsal(here);
    let mut running = rehearsal.begin(&mut rand::rng());
    watch(&mut running, u64::from(arguments.visitors)).await?;
    let report = running.end().await;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", Table(&report));
    }
    verdict(&report)
}

impl Rehearse {
    fn rehearsal(&self, here: bool) -> Rehearsal {
        let mut rehearsal = Rehearsal::new(self.url.clone(), self.visitors);
        rehearsal.arrivals = match self.arrivals {
            Pattern::Flash => Arrivals::Flash,
            Pattern::Poisson => Arrivals::Poisson,
            Pattern::All => Arrivals::All,
        };
        rehearsal.over = self.over.into();
        rehearsal.settings.dwell = self.dwell.into();
        rehearsal.settings.up = self.up;
        rehearsal.settings.down = self.down;
        rehearsal.origin_up = self.origin_up;
        rehearsal.free_riders = self.free_riders;
        rehearsal.liars = self.liars;
        rehearsal.addresses = if self.bind.is_empty() && here {
            own_addresses(self.visitors)
        } else {
            self.bind.clone()
        };
        rehearsal
    }
}

/// An address for each visitor of a site on this machine, as the detector and the broker tell visitors apart by it. Only
/// Linux answers for all of 127.0.0.0/8; elsewhere all come from one.
pub(super) fn own_addresses(visitors: u32) -> Vec<IpAddr> {
    if cfg!(not(target_os = "linux")) {
        return Vec::new();
    }
    let address = |number: u32| {
        let [_, _, high, low] = (number + 1).to_be_bytes();
        Ipv4Addr::new(127, 77, high, low).into()
    };
    (0..visitors).map(address).collect()
}

/// Whether all that the host's name leads to is this machine.
async fn is_here(url: &Url) -> anyhow::Result<bool> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or_default();
    if !matches!(url.scheme(), "http" | "https") || host.is_empty() {
        return Err(Usage(format!("'{url}' is not an http or https URL")).into());
    }
    let mut found = tokio::net::lookup_host((host, port))
        .await
        .with_context(|| format!("cannot find '{host}'"))?
        .peekable();
    Ok(found.peek().is_some() && found.all(|address| address.ip().is_loopback()))
}

/// Shows how it goes, until all visits have ended or somebody has seen enough.
async fn watch(running: &mut Running, visitors: u64) -> anyhow::Result<()> {
    let bar = ProgressBar::new(visitors);
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let enough = tokio::signal::ctrl_c();
    tokio::pin!(enough);
    loop {
        tokio::select! {
            more = running.next() => if !more { break },
            _ = look.tick() => {
                let standing = running.standing();
                bar.set_position(standing.complete);
                bar.set_message(format!(
                    "{} came, {} found it hot, {:.1} MB from the site, {:.1} MB from each other",
                    standing.arrived,
                    standing.hot,
                    megabytes(standing.site),
                    megabytes(standing.peer)
                ));
            }
            enough = &mut enough => {
                enough.context("cannot listen for signals")?;
                break;
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// A drill that shows a law broken has failed; so has one in which the site did not answer.
fn verdict(report: &Report) -> anyhow::Result<()> {
    if report.law3_violations + report.wrong_bytes > 0 {
        anyhow::bail!("a law was broken: this is a bug of ours, please tell us");
    }
    if let Some(reason) = &report.first_failure {
        anyhow::bail!("{} of {} visits failed: {reason}", report.failed, report.visitors);
    }
    if report.hot == 0 && report.completed > 0 {
        eprintln!(
            "flashback: the page was calm for all: more visitors, or a page made hot by hand (POST /crowd), would show more"
        );
    }
    Ok(())
}

/// What people read.
pub(super) struct Table<'a>(pub(super) &'a Report);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let seconds =
            |value: Option<f64>| value.map_or_else(|| "never".to_owned(), |value| format!("{value:.2} s"));
        writeln!(
            f,
            "visitors  {}; {} have the whole page, {} found it hot",
            report.visitors, report.completed, report.hot
        )?;
        let bound = report.bound_s.map_or_else(String::new, |bound| {
            format!("; no system is faster than {bound:.2} s")
        });
        writeln!(
            f,
            "page in   {} for half of them, {} for 90 %, {} for 99 %{bound}",
            seconds(report.seconds.p50),
            seconds(report.seconds.p90),
            seconds(report.seconds.p99)
        )?;
        let saved = report
            .saved
            .map_or_else(String::new, |saved| format!("; {:.1} % saved", saved * 100.0));
        writeln!(
            f,
            "bytes     {:.2} MB got; {:.2} MB sent by the site, headers and signalling counted, {:.2} MB by each other{saved}",
            megabytes(report.bytes.page),
            megabytes(report.bytes.origin),
            megabytes(report.bytes.peer)
        )?;
        writeln!(
            f,
            "links     {} by the broker, {} by neighbours, seen from both ends; {} ranges asked of the site",
            report.signals.broker, report.signals.peer, report.ranges
        )?;
        let strangers = report.strangers;
        if strangers.got + strangers.given > 0 {
            writeln!(
                f,
                "browsers  {:.2} MB came from visitors that are none of these, {:.2} MB went to them",
                megabytes(strangers.got),
                megabytes(strangers.given)
            )?;
        }
        let faults: Vec<_> = report
            .faults
            .iter()
            .map(|(fault, count)| format!("{count} {fault}"))
            .collect();
        let faults = if faults.is_empty() {
            "none".to_owned()
        } else {
            faults.join(", ")
        };
        writeln!(f, "let go    {faults}")?;
        write!(
            f,
            "laws      given without having got: {} times; wrong bytes: {}",
            report.law3_violations, report.wrong_bytes
        )
    }
}

pub(super) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("'{text}' is not a number"))?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err(format!("{share} is not between 0 and 1"))
    }
}

/// What one machine can play; beyond that, `simulate`.
const VISITORS_MAX: i64 = 5_000;
const LOOK: Duration = Duration::from_millis(200);
