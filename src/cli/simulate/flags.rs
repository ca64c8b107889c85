//! The flags of `flashback simulate`, and the scenario that they describe.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tower_flashback::{
    sim::{Arrivals, Depth, Dwell, Scenario, Uplinks},
    unit::{BitRate, ByteSize},
};

use super::{super::failure::Usage, log};

/// Simulate a crowd at a page: latency, the bytes of origin and visitors, and the fluid bound beside them.
///
/// What is modelled and what is not: docs/simulate.md.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct Simulate {
    /// Visitors at most. Without it, as many as the load brings in its ramp and a minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    visitors: Option<u32>,
    /// Bytes of the page that visitors can carry.
    #[arg(long, value_name = "SIZE", default_value = "1MB")]
    page: ByteSize,
    /// How much of the page visitors carry.
    #[arg(long, default_value = "page")]
    depth: HowDeep,
    /// Bytes that only the origin can send to each visitor, and sends first: shell, script, manifest; at depth media the text.
    /// Without it 13.5 kB, at depth media 44.2 kB.
    #[arg(long, value_name = "SIZE")]
    own: Option<ByteSize>,
    /// A visitor's downlink.
    #[arg(long, value_name = "RATE", default_value = "8mbit")]
    down: BitRate,
    /// A visitor's uplink.
    #[arg(long, value_name = "RATE", default_value = "1mbit")]
    up: BitRate,
    /// Uplinks of different visitors instead, each with its share: 0.5mbit:0.2,1mbit:0.6,5mbit:0.2.
    #[arg(long, value_name = "RATE:SHARE,...", conflicts_with = "up")]
    mix: Option<Uplinks>,
    /// The origin's uplink.
    #[arg(long, value_name = "RATE", default_value = "10mbit")]
    origin_up: BitRate,
    /// What of it the crowd may have, as the setting origin.uplink says to the proxy; all of it, unless it is said. Load and bound are those of
    /// the whole uplink.
    #[arg(long, value_name = "RATE")]
    budget: Option<BitRate>,
    /// Round trip between any two.
    #[arg(long, value_name = "TIME", default_value = "50ms")]
    rtt: humantime::Duration,
    /// Share of packets that are lost, and sent again.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    loss: f64,
    /// How visitors arrive.
    #[arg(long, default_value = "flash")]
    arrivals: Pattern,
    /// With --arrivals log: an access log (Common, Combined; plain, .gz, .zst), or a file of seconds, one a line.
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,
    /// With --arrivals log: the path whose requests are the visitors. Without it the one that is most asked for.
    #[arg(long, value_name = "PATH", requires = "log_file")]
    log_path: Option<String>,
    /// Arrival rate x page / origin uplink: at 1 the origin alone is saturated. Several are simulated one after the other.
    #[arg(long, value_name = "L", default_value = "4", value_delimiter = ',')]
    load: Vec<f64>,
    /// How long visitors stay once they have the page: 10s, or weibull:SHAPE:SCALE, for example weibull:0.7:30s.
    #[arg(long, value_name = "TIME", default_value = "0s")]
    dwell: Dwell,
    /// Share of visitors that leave within 10 s, with the page or without.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    churn: f64,
    /// Share that takes and does not give.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    free_riders: f64,
    /// Share that does so, and comes again under a new number when neighbours let it go.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    sybils: f64,
    /// Share that gives, but always states that it has no credit, to be given to sooner.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    understating: f64,
    /// Share that gives false bytes.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    liars: f64,
    /// Liars also accuse every neighbour they have.
    #[arg(long)]
    slander: bool,
    /// Share of pairs that cannot reach each other. Without it 0.15, and none where --symmetric or --restricted say who.
    #[arg(long, value_name = "SHARE")]
    unreachable: Option<f64>,
    /// Share behind a symmetric NAT: two of them never meet, nor does one meet a port-restricted one.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    symmetric: f64,
    /// Share behind a port-restricted NAT.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    restricted: f64,
    /// When the broker dies: from then on neighbours alone introduce.
    #[arg(long, value_name = "TIME")]
    broker_dies: Option<humantime::Duration>,
    /// Nobody carries anything: the origin alone.
    #[arg(long)]
    origin_only: bool,
    /// The signalling socket is a connection of its own, as behind a front that speaks HTTP/1.1 to the site; else it is one more
    /// stream of the page's connection.
    #[arg(long)]
    http1: bool,
    /// Beside each crowd the same one as a fluid, whose uplinks never rest, and the origin alone; where there are cheats or churn the
    /// same crowd without them.
    #[arg(long)]
    pub(super) beside: bool,
    /// What chance begins with: the same seed is the same crowd.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object for each load instead of a table.
    #[arg(long)]
    pub(super) json: bool,
    /// Draw latency over load as SVG, with a fluid crowd and the origin alone beside it.
    #[arg(long, value_name = "FILE")]
    pub(super) plot: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pattern {
    /// From half the origin's capacity, doubled every 10 s up to the load, then a minute at it.
    Flash,
    /// A minute at the load.
    Poisson,
    /// At once; needs --visitors.
    All,
    /// As in a log; needs --log-file.
    Log,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HowDeep {
    /// Everything but a shell, scripts and the manifest.
    Page,
    /// Images, video and the like; HTML, style sheets and scripts come from the origin first.
    Media,
}

impl Simulate {
    /// One for each load.
    pub(super) fn scenarios(&self) -> anyhow::Result<Vec<Scenario>> {
        let arrivals = self.arrivals()?;
        // A log brings its own load.
        let loads = if self.arrivals == Pattern::Log {
            &self.load[..1]
        } else {
            &self.load
        };
        let scenario = |load: &f64| {
            let scenario = self.scenario(*load, arrivals.clone());
            scenario.check().map_err(|error| Usage(error.to_string()))?;
            Ok(scenario)
        };
        loads.iter().map(scenario).collect()
    }

    fn arrivals(&self) -> anyhow::Result<Arrivals> {
        Ok(match (self.arrivals, &self.log_file) {
            (Pattern::Log, Some(file)) => Arrivals::Log(log::times(file, self.log_path.as_deref())?),
            (Pattern::Log, None) => {
                return Err(Usage("--arrivals log needs --log-file FILE".to_owned()).into());
            }
            (_, Some(_)) => return Err(Usage("--log-file is for --arrivals log".to_owned()).into()),
            (Pattern::Flash, None) => Arrivals::Flash,
            (Pattern::Poisson, None) => Arrivals::Poisson,
            (Pattern::All, None) => Arrivals::All,
        })
    }

    fn scenario(&self, load: f64, arrivals: Arrivals) -> Scenario {
        let depth = match self.depth {
            HowDeep::Page => Depth::Page,
            HowDeep::Media => Depth::Media,
        };
        let nats = self.symmetric > 0.0 || self.restricted > 0.0;
        let mut scenario = Scenario::default();
        scenario.page = self.page.as_u64();
        scenario.own = self.own.map_or_else(|| depth.own(), |own| own.as_u64());
        scenario.down = self.down;
        scenario.up = self.up;
        scenario.mix.clone_from(&self.mix);
        scenario.origin_up = self.origin_up;
        scenario.budget = self.budget;
        scenario.rtt = self.rtt.into();
        scenario.loss = self.loss;
        scenario.arrivals = arrivals;
        scenario.load = load;
        scenario.visitors = self.visitors;
        scenario.dwell = self.dwell;
        scenario.churn = self.churn;
        scenario.free_riders = self.free_riders;
        scenario.sybils = self.sybils;
        scenario.understating = self.understating;
        scenario.liars = self.liars;
        scenario.slander = self.slander;
        scenario.unreachable = self
            .unreachable
            .unwrap_or(if nats { 0.0 } else { scenario.unreachable });
        scenario.symmetric = self.symmetric;
        scenario.restricted = self.restricted;
        scenario.broker_dies = self.broker_dies.map(Into::into);
        scenario.origin_only = self.origin_only;
        scenario.http1 = self.http1;
        scenario.seed = self.seed;
        scenario
    }
}
