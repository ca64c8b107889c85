//! Native visitors behind links of their own: network namespaces with token buckets, an origin with the real proxy, and
//! the simulator beside them, given the same links, page and arrivals.

mod crowd;
mod network;
mod origin;
mod outcome;
mod place;
mod processor;
mod table;

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use tower_flashback::unit::{BitRate, ByteSize};

use crowd::{Crowd, Habits};
use network::{Network, Rates};
use origin::{Page, Proxy};
use outcome::{Measured, Outcome, Processor};
use processor::Machine;
use table::Table;

/// Real visitors, each behind its own link, at a real origin behind its own: how long the page takes, what it costs the
/// origin, and what the simulator says of the same crowd.
///
/// Needs root, and `ip` and `tc` (iproute2) with token buckets in the kernel. The namespaces have no names and end with this
/// program, however it ends. `flashback` must stand beside this binary:
/// cargo build --release -p tower-flashback -p integration --features tower-flashback/cli
#[derive(Debug, Parser)]
struct Arguments {
    /// Sizes of the crowds, one after the other.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "8,16,32,64", value_parser = clap::value_parser!(u32).range(1..=1000))]
    visitors: Vec<u32>,
    /// Within which time they arrive.
    #[arg(long, value_name = "TIME", default_value = "10s")]
    over: humantime::Duration,
    /// How long each stays once it has the page.
    #[arg(long, value_name = "TIME", default_value = "0s")]
    dwell: humantime::Duration,
    /// The page's pictures together.
    #[arg(long, value_name = "SIZE", default_value = "1MB")]
    page: ByteSize,
    /// A visitor's downlink.
    #[arg(long, value_name = "RATE", default_value = "8mbit")]
    down: BitRate,
    /// A visitor's uplink.
    #[arg(long, value_name = "RATE", default_value = "1mbit")]
    up: BitRate,
    /// The origin's uplink.
    #[arg(long, value_name = "RATE", default_value = "10mbit")]
    origin_up: BitRate,
    /// What the proxy is told that its uplink is, so that the crowd may have no more; all of it, unless it is said.
    #[arg(long, value_name = "RATE")]
    budget: Option<BitRate>,
    /// What a link's queue holds before it drops.
    #[arg(long, value_name = "TIME", default_value = "100ms")]
    queue: humantime::Duration,
    /// Visitors from which on the page leaves the digests of chunks to neighbours; the simulated one does from 32 on.
    #[arg(long, value_name = "N", default_value_t = 32)]
    list_digests_below: u32,
    /// When the origin is killed, broker and all, from the first arrival.
    #[arg(long, value_name = "TIME")]
    kill_origin: Option<humantime::Duration>,
    /// Whoever has not got the page by then never gets it.
    #[arg(long, value_name = "TIME", default_value = "120s")]
    patience: humantime::Duration,
    /// What the times of arrival are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Fail if the largest crowd misses a budget, too: only where nothing else runs.
    #[arg(long)]
    check: bool,
    /// Print one JSON object for each crowd instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    // Each link of a visitor is a socket.
    rlimit::increase_nofile_limit(u64::MAX)?;
    let rates = Rates {
        down: arguments.down,
        up: arguments.up,
        origin_up: arguments.origin_up,
        queue: arguments.queue.into(),
    };
    let most = arguments.visitors.iter().copied().max().unwrap_or(1);
    if let Some(budget) = arguments.budget.filter(|budget| *budget > rates.origin_up) {
        anyhow::bail!(
            "a --budget of {budget} is more than the --origin-up of {}",
            rates.origin_up
        );
    }
    let network = Network::build(rates, most)?;
    let page = Arc::new(Page::new(arguments.page.0));
    let upstream = Arc::clone(&page).serve(&network.origin)?;
    let mut outcomes = Vec::new();
    for visitors in &arguments.visitors {
        let mut proxy = Proxy::start(
            &network.origin,
            upstream,
            arguments.budget.unwrap_or(rates.origin_up),
            arguments.list_digests_below,
        )?;
        let outcome = play(&arguments, *visitors, &network, &page, &mut proxy)?;
        if arguments.json {
            println!("{}", serde_json::to_string(&outcome)?);
        }
        outcomes.push(outcome);
    }
    if !arguments.json {
        print!("{}", Table(&outcomes));
    }
    let mut wrongs: Vec<_> = outcomes.iter().flat_map(Outcome::wrongs).collect();
    if arguments.check {
        let largest = outcomes.iter().max_by_key(|outcome| outcome.visitors);
        wrongs.extend(largest.into_iter().flat_map(Outcome::missed));
    }
    wrongs.iter().for_each(|wrong| eprintln!("links: {wrong}"));
    Ok(if wrongs.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One crowd, from its first arrival until its last visitor has left.
fn play(
    arguments: &Arguments,
    visitors: u32,
    network: &Network,
    page: &Page,
    proxy: &mut Proxy,
) -> anyhow::Result<Outcome> {
    let bar = ProgressBar::new(visitors.into());
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);
    let habits = Habits {
        over: arguments.over.into(),
        dwell: arguments.dwell.into(),
        patience: arguments.patience.into(),
        seed: arguments.seed,
    };
    let (machine, own, theirs) = (
        Machine::look()?,
        processor::of(std::process::id())?,
        proxy.processor()?,
    );
    let waited = processor::waited()?;
    let (sent, started) = (network.sent_by_origin()?, Instant::now());
    let lost = network.dropped()?;
    let before = told(proxy, network)?;
    let mut crowd = Crowd::send(&network.visitors[..visitors as usize], &proxy.url, habits);
    let mut killed = None;
    let mut proxy_s = Duration::ZERO;
    while crowd.look() {
        let standing = crowd.standing();
        bar.set_position(standing.complete);
        bar.set_message(format!(
            "{} came, {:.1} MB from the origin, {:.1} MB from each other",
            standing.arrived,
            standing.site as f64 / 1e6,
            standing.peer as f64 / 1e6
        ));
        let due = arguments.kill_origin.is_some_and(|at| started.elapsed() >= *at);
        if killed.is_none() {
            proxy_s = proxy.processor()? - theirs;
            if due {
                proxy.kill();
                killed = Some(standing.by_neighbour);
            }
        }
    }
    bar.finish_and_clear();
    let wall = started.elapsed();
    let by_metrics = match killed {
        Some(_) => None,
        None => Some(told(proxy, network)? - before),
    };
    let after = crowd.standing().by_neighbour;
    crowd.dismiss();
    Ok(Outcome::of(Measured {
        rates: Rates {
            queue: arguments.queue.into(),
            down: arguments.down,
            up: arguments.up,
            origin_up: arguments.origin_up,
        },
        page,
        over: habits.over,
        dwell: habits.dwell,
        budget: arguments.budget,
        broker_dies: arguments.kill_origin.map(Into::into),
        visitors: visitors.into(),
        visits: &crowd.visits,
        failures: std::mem::take(&mut crowd.failures),
        law3_samples: crowd.law3_samples,
        origin: network.sent_by_origin()? - sent,
        told: by_metrics,
        after_broker: killed.map(|before| after - before),
        processor: Processor {
            visitors_s: (processor::of(std::process::id())? - own).as_secs_f64(),
            proxy_s: proxy_s.as_secs_f64(),
            waited_s: processor::waited()?.saturating_sub(waited).as_secs_f64() / f64::from(visitors),
            machine: Machine::look()?.busy_since(machine),
        },
        dropped: network.dropped()? - lost,
        wall,
    }))
}

/// What the proxy's metrics say that it sent of hot pages, fetched for it or from its store.
fn told(proxy: &Proxy, network: &Network) -> anyhow::Result<f64> {
    let of = |source| {
        let series = format!("flashback_bytes_total{{source=\"{source}\"");
        proxy.metric(&network.origin, &series)
    };
    Ok(of("origin")? + of("store")?)
}
