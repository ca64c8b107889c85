//! What the layer costs while all is calm: the bare example site and the same behind the layer, in turn, many rounds.
//!
//! ```text
//! cargo run --release -p integration --bin calm [-- ROUNDS]
//! ```
//!
//! First over real sockets. One process serves all the sites on one thread, for two processes of the very same code differ by
//! more than what is looked for; another asks one of them at a time over connections that stay open. Each round asks every
//! site for a short while, in an order that is drawn anew, and the base is the mean of **two** bare sites, so that neither a
//! place in the order nor one socket's luck makes the figure; how far those two are from each other is printed, and is the
//! error of all others. Judged is requests per second of the server's own processor time, which is the throughput of a core
//! that does nothing else: what other processes take of a shared machine is not in it. The clock's rate stands beside it.
//! `Router::layer` puts a layer around each route, which takes its share even for one that does nothing (`idle layer`).
//!
//! Then the same request in process, without sockets and hyper: its nanoseconds, and its allocations, counted.

mod inside;
mod load;
mod spread;

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use axum::routing::Route;
use integration::{bare, child::Child, layered, serve, verdict};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use tower::{Layer as _, layer::layer_fn};
use tower_flashback::Flashback;

use load::{Figures, Site};
use spread::Spread;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("sites") => {
            let nothing = layer_fn(|route: Route| route);
            let flashback = Flashback::builder().build()?;
            // They bind in this order, that of `SITES`.
            tokio::try_join!(
                serve(bare()),
                serve(bare()),
                serve(bare().layer(nothing)),
                serve(layered()?.0),
                serve(flashback.layer().layer(bare())),
            )?;
            Ok(ExitCode::SUCCESS)
        }
        rounds => {
            let rounds = rounds
                .map(str::parse)
                .transpose()
                .context("ROUNDS is a number")?
                .unwrap_or(ROUNDS);
            let ratio = throughput(rounds).await?;
            inside::nanoseconds().await?;
            inside::allocations().await?;
            Ok(verdict(
                ratio >= BUDGET,
                "throughput behind the layer, calm, at least 0.97 of the bare site's",
            ))
        }
    }
}

async fn throughput(rounds: usize) -> anyhow::Result<f64> {
    let server = Child::start(&["sites"], SITES.len()).await?;
    let mut sites = Vec::new();
    for address in &server.addresses {
        sites.push(Site::connect(*address).await?);
    }
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let mut order: Vec<usize> = (0..SITES.len()).collect();
    let mut measured = Vec::new();
    for round in 0..rounds + WARM {
        order.shuffle(&mut random);
        let mut figures = [Figures::default(); SITES.len()];
        for &which in &order {
            figures[which] = sites[which].load(&server, ROUND).await?;
        }
        if round >= WARM {
            measured.push(figures);
        }
    }
    println!(
        "{rounds} rounds of {ROUND:?} a site, {} connections, seed {seed}",
        load::CONNECTIONS
    );
    println!("ratio to the mean of both bare sites: median, its 95 % interval, quartiles of the rounds\n");
    println!(
        "{:<14} {:^34}   {:^34}",
        "", "by the server's processor time", "by the clock"
    );
    for (which, name) in SITES.iter().enumerate() {
        let of = |figure| against_bare(&measured, which, figure, seed);
        println!("{name:<14} {}   {}", of(Figures::processor), of(Figures::clock));
    }
    let control = measured
        .iter()
        .map(|[one, other, ..]| one.processor() / other.processor());
    println!("{:<14} {}", "bare / again", Spread::of(control, seed));
    Ok(against_bare(&measured, SITES.len() - 1, Figures::processor, seed).median)
}

/// One site's figure over the mean of the two bare ones', round by round.
fn against_bare(
    measured: &[[Figures; SITES.len()]],
    which: usize,
    figure: fn(&Figures) -> f64,
    seed: u64,
) -> Spread {
    let ratios = measured
        .iter()
        .map(|round| 2.0 * figure(&round[which]) / (figure(&round[0]) + figure(&round[1])));
    Spread::of(ratios, seed)
}

/// The first two are the base, the last one is judged.
const SITES: [&str; 5] = ["bare", "bare again", "idle layer", "each route", "around"];
const ROUNDS: usize = 300;
/// Rounds that count for nothing: caches and the processor's clock.
const WARM: usize = 5;
const ROUND: Duration = Duration::from_millis(40);
const BUDGET: f64 = 0.97;
