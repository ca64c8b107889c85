//! How good is the detector? Runs it over real traces and long synthetic ones and prints what it found, setting by setting.
//! `docs/detection.md` argues every default with these figures.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

mod score;
mod speed;
mod traces;
mod world_cup;
mod year;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Recall, false alarms and delay on labelled click traces, for the defaults and around them.
    Clicks {
        /// A folder with `events.tsv` and `clicks/*.log.gz`.
        #[arg(long)]
        traces: PathBuf,
        /// Also prints each crowd that was missed, and each alarm that was false.
        #[arg(long)]
        verbose: bool,
    },
    /// The site-level crowds of the World Cup 98 site, from its requests per minute.
    WorldCup {
        /// A folder with `worldcup98/per_minute_counts.csv.gz`.
        #[arg(long)]
        traces: PathBuf,
    },
    /// False alarms in synthetic traffic: Poisson arrivals with a daily rhythm.
    Year {
        /// Days of traffic.
        #[arg(long, default_value_t = 365)]
        days: u32,
        /// URLs, with mean rates from 1 in 3 s down to 1 in 6 hours.
        #[arg(long, default_value_t = 1000)]
        urls: u32,
        /// The floor, low as for the click traces, where noise is largest.
        #[arg(long, default_value_t = 0.3)]
        min_rate: f64,
        /// The evidence asked for; the default's, if not given.
        #[arg(long)]
        evidence: Option<f64>,
        /// Which of the possible years.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Observations per second, memory, and a crowd in a flood of URLs.
    Speed,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Clicks { traces, verbose } => score::clicks(&traces, verbose),
        Command::WorldCup { traces } => world_cup::run(&traces),
        Command::Year {
            days,
            urls,
            min_rate,
            evidence,
            seed,
        } => year::run(days, urls, min_rate, evidence, seed),
        Command::Speed => speed::run(),
    }
}
