//! What metrics cost while all is calm: the example site behind the layer, with the binary's recorder looked at once a
//! second, and without any, in turn, many rounds.
//!
//! ```text
//! cargo run --release -p integration --bin metrics [-- ROUNDS]
//! ```
//!
//! In process, without sockets, so that nothing but the layer and the site dilutes the difference. The two take turns of
//! milliseconds, and what is judged is requests per second of this thread's own processor time: what other processes do to a
//! shared machine hits both alike. The figure is the median of the rounds' ratios.

use std::{
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use http_body_util::BodyExt;
use integration::{layered, median::median, verdict};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use tower_flashback::telemetry::metric;

fn main() -> anyhow::Result<ExitCode> {
    let rounds = std::env::args().nth(1).map(|rounds| rounds.parse()).transpose();
    let rounds: usize = rounds.context("ROUNDS is a number")?.unwrap_or(ROUNDS);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let recorder = PrometheusBuilder::new().build_recorder();
    let (site, _flashback) = metrics::with_local_recorder(&recorder, || {
        metric::describe();
        runtime.block_on(async { layered() })
    })?;
    let (mut ratios, mut rates) = (Vec::with_capacity(rounds), [Vec::new(), Vec::new()]);
    for number in 0..=rounds {
        let round = round(&runtime, &site, &recorder)?;
        // The first round warms both up and counts for nothing.
        if number > 0 {
            ratios.push(round[1].rate() / round[0].rate());
            rates[0].push(round[0].rate());
            rates[1].push(round[1].rate());
        }
    }
    anyhow::ensure!(counted(&recorder.handle().render())? > 0, "nothing was recorded");
    let ratio = median(&ratios).context("no rounds")?;
    let [without, with] = rates.map(|rates| median(&rates).unwrap_or_default());
    println!("requests per second of processor time, medians: without {without:.0}, with {with:.0}");
    let [low, high] = [f64::min, f64::max].map(|most| ratios.iter().copied().fold(ratio, most));
    println!("ratio, metrics on over off, median of {rounds} rounds: {ratio:.4} ({low:.3} to {high:.3})");
    Ok(verdict(
        ratio >= BUDGET,
        "throughput behind the layer, calm, with metrics at least 0.98 of that without",
    ))
}

/// What was answered in all turns without the recorder, and in all with it.
fn round(runtime: &Runtime, site: &Router, recorder: &PrometheusRecorder) -> anyhow::Result<[Turn; 2]> {
    let (looks, mut sums) = (recorder.handle(), [Turn::default(); 2]);
    for turn in 0..TURNS {
        for which in if turn % 2 == 0 { [0, 1] } else { [1, 0] } {
            let look = (turn % TURNS_A_LOOK == 0).then_some(&looks);
            let took = match which {
                0 => ask(runtime, site, None)?,
                _ => metrics::with_local_recorder(recorder, || ask(runtime, site, look))?,
            };
            sums[which].requests += took.requests;
            sums[which].processor += took.processor;
        }
    }
    Ok(sums)
}

/// What was answered in one turn, or in many.
#[derive(Clone, Copy, Default)]
struct Turn {
    requests: u64,
    processor: Duration,
}

impl Turn {
    fn rate(self) -> f64 {
        self.requests as f64 / self.processor.as_secs_f64()
    }
}

/// Asks for one turn, one request after the other; somebody may look at the metrics meanwhile. The task that publishes the
/// counts once a second runs in whichever turn it falls: half of the time it has no recorder to tell.
fn ask(runtime: &Runtime, site: &Router, looks: Option<&PrometheusHandle>) -> anyhow::Result<Turn> {
    runtime.block_on(async {
        let (began, before, mut requests) = (Instant::now(), processor()?, 0_u64);
        if let Some(looks) = looks {
            looks.run_upkeep();
            anyhow::ensure!(!looks.render().is_empty(), "an empty answer to a scrape");
        }
        while began.elapsed() < TURN {
            for _ in 0..BATCH {
                let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000)));
                let request = Request::get("/style.css").extension(peer).body(Body::empty())?;
                site.clone().oneshot(request).await?.into_body().collect().await?;
            }
            requests += BATCH;
            tokio::task::yield_now().await;
        }
        Ok(Turn {
            requests,
            processor: processor()? - before,
        })
    })
}

/// Processor time of this thread so far, as Linux's scheduler counts it.
fn processor() -> anyhow::Result<Duration> {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = times.split(' ').next().context("no processor time")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// The calm requests in the text of a scrape.
fn counted(text: &str) -> anyhow::Result<u64> {
    let begin = format!("{}{{state=\"calm\"}} ", metric::REQUESTS);
    let line = text.lines().find_map(|line| line.strip_prefix(begin.as_str()));
    Ok(line.context("no calm requests are told")?.parse()?)
}

const ROUNDS: usize = 20;
const TURN: Duration = Duration::from_millis(10);
/// Each has two seconds of a round, so that a round has two publications for the recorder and two for nobody.
const TURNS: usize = 200;
/// Once a second of its own time.
const TURNS_A_LOOK: usize = 100;
const BATCH: u64 = 16;
const BUDGET: f64 = 0.98;
