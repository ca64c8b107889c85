//! `flashback simulate`: what would a crowd cost this origin, and how long would its visitors wait?

mod plot;

use std::{fs, path::PathBuf, time::Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use tower_flashback::{
    sim::{Arrivals, Report, Scenario, simulate},
    unit::{BitRate, ByteSize},
};

use super::failure::Usage;

/// Simulate a crowd at a page: latency, the bytes of origin and visitors, and the fluid bound beside them.
#[derive(Args, Clone, Debug)]
pub(super) struct Simulate {
    /// Visitors at most. Without it, as many as the load brings.
    #[arg(long, value_name = "N")]
    visitors: Option<u32>,
    /// Bytes of the page that visitors can carry.
    #[arg(long, value_name = "SIZE", default_value = "1MB")]
    page: ByteSize,
    /// Bytes that only the origin can send to each visitor: shell, script, manifest.
    #[arg(long, value_name = "SIZE", default_value = "15KiB")]
    own: ByteSize,
    /// A visitor's downlink.
    #[arg(long, value_name = "RATE", default_value = "8mbit")]
    down: BitRate,
    /// A visitor's uplink.
    #[arg(long, value_name = "RATE", default_value = "1mbit")]
    up: BitRate,
    /// The origin's uplink.
    #[arg(long, value_name = "RATE", default_value = "10mbit")]
    origin_up: BitRate,
    /// Round trip between any two.
    #[arg(long, value_name = "TIME", default_value = "50ms")]
    rtt: humantime::Duration,
    /// How visitors arrive.
    #[arg(long, default_value = "flash")]
    arrivals: Pattern,
    /// Arrival rate x page / origin uplink: at 1 the origin alone is saturated. Several are simulated one after the other.
    #[arg(long, value_name = "L", default_value = "4", value_delimiter = ',')]
    load: Vec<f64>,
    /// How long visitors stay once they have the page.
    #[arg(long, value_name = "TIME", default_value = "0s")]
    dwell: humantime::Duration,
    /// Share of visitors that leave within 10 s, with the page or without.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    churn: f64,
    /// Share that takes and does not give.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    free_riders: f64,
    /// Share that gives false bytes.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    liars: f64,
    /// Liars also accuse every neighbour they have.
    #[arg(long)]
    slander: bool,
    /// Share of pairs that cannot reach each other.
    #[arg(long, value_name = "SHARE", default_value_t = 0.15)]
    unreachable: f64,
    /// Nobody carries anything: the origin alone.
    #[arg(long)]
    origin_only: bool,
    /// What chance begins with: the same seed is the same crowd.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object for each load instead of a table.
    #[arg(long)]
    json: bool,
    /// Draw latency over load, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Pattern {
    /// From half the origin's capacity, doubled every 10 s up to the load, then a minute at it.
    Flash,
    /// A minute at the load.
    Poisson,
    /// At once; needs --visitors.
    All,
}

impl Simulate {
    fn scenario(&self, load: f64) -> Result<Scenario, Usage> {
        let mut scenario = Scenario::default();
        scenario.page = self.page.as_u64();
        scenario.own = self.own.as_u64();
        scenario.down = self.down;
        scenario.up = self.up;
        scenario.origin_up = self.origin_up;
        scenario.rtt = self.rtt.into();
        scenario.arrivals = match self.arrivals {
            Pattern::Flash => Arrivals::Flash,
            Pattern::Poisson => Arrivals::Poisson,
            Pattern::All => Arrivals::All,
        };
        scenario.load = load;
        scenario.visitors = self.visitors;
        scenario.dwell = self.dwell.into();
        scenario.churn = self.churn;
        scenario.free_riders = self.free_riders;
        scenario.liars = self.liars;
        scenario.slander = self.slander;
        scenario.unreachable = self.unreachable;
        scenario.origin_only = self.origin_only;
        scenario.seed = self.seed;
        scenario.check().map_err(|error| Usage(error.to_string()))?;
        Ok(scenario)
    }
}

pub(super) fn run(arguments: &Simulate) -> anyhow::Result<()> {
    let scenarios = arguments.load.iter().map(|load| arguments.scenario(*load));
    let scenarios = scenarios.collect::<Result<Vec<_>, _>>()?;
    let mut points = Vec::new();
    if !arguments.json {
        println!("{HEAD}");
    }
    for scenario in &scenarios {
        let start = Instant::now();
        let mut report = simulate(scenario);
        report.wall_s = start.elapsed().as_secs_f64();
        if arguments.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            println!("{}", row(scenario.load, &report));
        }
        points.push((scenario.load, report));
    }
    if let Some(path) = &arguments.plot {
        let drawing = plot::draw(&points)?;
        fs::write(path, drawing).with_context(|| format!("cannot write '{}'", path.display()))?;
    }
    Ok(())
}

fn row(load: f64, report: &Report) -> String {
    let seconds =
        |value: Option<f64>| value.map_or_else(|| "never".to_owned(), |value| format!("{value:.2}"));
    format!(
        "{load:>6} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7.2} {:>6} {:>9.1} {:>7.1} {:>5} {:>5} {:>6.1}",
        report.visitors,
        report.completed,
        seconds(report.seconds.p50),
        seconds(report.seconds.p90),
        seconds(report.seconds.p99),
        report.bound_s,
        seconds(report.ratio),
        report.bytes.origin as f64 / 1e3 / report.visitors.max(1) as f64,
        report.saved * 100.0,
        report.law3_violations,
        report.wrong_bytes,
        report.wall_s,
    )
}

/// Seconds, but for kilobytes of the origin for each visitor, and the percentage saved.
const HEAD: &str =
    "  load  visitors completed  median     p90     p99   bound  ratio origin KB saved % law 3 wrong wall s";
