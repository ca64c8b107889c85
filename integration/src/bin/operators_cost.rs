//! What metrics cost while all is calm: the example site behind the layer, with a Prometheus recorder and with none, in
//! turn, many rounds.
//!
//! ```text
//! cargo run --release -p integration --bin operators_cost [-- ROUNDS]
//! ```
//!
//! In process, without sockets, so that nothing but the layer and the site dilutes the difference. The order of the two
//! changes every round, and the figure is the median of the rounds' ratios.

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use http_body_util::BodyExt;
use integration::{layered, median::median, verdict};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;

fn main() -> anyhow::Result<ExitCode> {
    let rounds = std::env::args().nth(1).map(|rounds| rounds.parse()).transpose();
    let rounds: usize = rounds.context("ROUNDS is a number")?.unwrap_or(ROUNDS);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let recorder = PrometheusBuilder::new().build_recorder();
    let (site, _flashback) =
        metrics::with_local_recorder(&recorder, || runtime.block_on(async { layered() }))?;
    let mut ratios = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let mut rates = [0.0; 2];
        for which in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            rates[which] = match which {
                0 => ask(&runtime, &site)?,
                _ => metrics::with_local_recorder(&recorder, || ask(&runtime, &site))?,
            };
        }
        // The first round warms both up and counts for nothing.
        if round > 0 {
            ratios.push(rates[1] / rates[0]);
        }
    }
    let recorded = recorder.handle().render();
    anyhow::ensure!(
        recorded.contains("flashback_requests_total{state=\"calm\"}"),
        "nothing was recorded"
    );
    let ratio = median(&ratios).context("no rounds")?;
    println!("ratio of throughput, metrics on over off, median of {rounds} rounds: {ratio:.4}");
    Ok(verdict(
        ratio >= BUDGET,
        "calm throughput with metrics at least 0.98 of that without",
    ))
}

/// Requests per second, one after the other. The task that publishes the counts once a second runs in between.
fn ask(runtime: &Runtime, site: &Router) -> anyhow::Result<f64> {
    runtime.block_on(async {
        let (began, mut answered) = (Instant::now(), 0_u64);
        while began.elapsed() < ROUND {
            for _ in 0..BATCH {
                let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000)));
                let request = Request::get("/style.css").extension(peer).body(Body::empty())?;
                site.clone().oneshot(request).await?.into_body().collect().await?;
            }
            answered += BATCH;
            tokio::task::yield_now().await;
        }
        Ok(answered as f64 / began.elapsed().as_secs_f64())
    })
}

const ROUNDS: usize = 15;
/// Two publications fall into each.
const ROUND: Duration = Duration::from_secs(2);
const BATCH: u64 = 64;
const BUDGET: f64 = 0.98;
