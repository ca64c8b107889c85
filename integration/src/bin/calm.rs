//! What the layer costs while all is calm: the bare example site and the same behind the layer, in turn, many rounds.
//!
//! ```text
//! cargo run --release -p integration --bin calm [-- ROUNDS]
//! ```
//!
//! Throughput over real sockets: one process serves all the sites on one thread, another asks one of them at a time; two
//! processes of the very same code differ by more than what is looked for. What is judged is requests per second of the
//! server's own processor time, which is the throughput of a core that does nothing else: what other processes take of a
//! shared machine is in neither. The rate by the clock is printed beside it. Rounds are short and their order changes, so that
//! a machine that grows slower or faster favours neither; figures are medians of the rounds' ratios. `Router::layer` puts a
//! layer around each route, which takes its share even for one that does nothing (`idle layer`); judged is ours around the
//! whole router. `bare again` is the first once more: as far as it is from 1, so far are the others from the truth. Then the
//! same request in process, without sockets and hyper: its nanoseconds, and its allocations, counted.

use std::{
    alloc::System,
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{Router, body::Body, extract::ConnectInfo, http::Request};
use http_body_util::BodyExt;
use integration::{bare, child::Child, layered, median::median, serve, verdict};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use tower::{Layer as _, ServiceExt, layer::layer_fn};
use tower_flashback::Flashback;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("sites") => {
            let nothing = layer_fn(|route: axum::routing::Route| route);
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
            nanoseconds().await?;
            allocations().await?;
            Ok(verdict(
                ratio >= BUDGET,
                "throughput behind the layer, calm, at least 0.97 of the bare site's",
            ))
        }
    }
}

async fn throughput(rounds: usize) -> anyhow::Result<f64> {
    let server = Child::start(&["sites"], SITES.len()).await?;
    let mut measured: [Vec<Round>; SITES.len()] = Default::default();
    for round in 0..=rounds {
        for step in 0..SITES.len() {
            let which = (round + step) % SITES.len();
            let figures = load(&server, server.addresses[which]).await?;
            // The first round warms all up and counts for nothing.
            if round > 0 {
                measured[which].push(figures);
            }
        }
    }
    println!("requests per second, medians of {rounds} rounds of {ROUND:?}, and ratios to the bare site:");
    println!(
        "{:<28} {:>10} {:>7} {:>10} {:>7}",
        "", "processor", "ratio", "clock", "ratio"
    );
    let mut judged = 0.0;
    for (name, rounds) in SITES.iter().zip(&measured) {
        let middle = |of: fn(&Round) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>());
        let against = |of: fn(&Round) -> f64| {
            let ratios: Vec<f64> = rounds
                .iter()
                .zip(&measured[0])
                .map(|(one, bare)| of(one) / of(bare))
                .collect();
            median(&ratios)
        };
        let figures = [
            middle(Round::processor),
            against(Round::processor),
            middle(Round::clock),
            against(Round::clock),
        ];
        let [processor, ratio, clock, by_clock] = figures.map(Option::unwrap_or_default);
        println!("{name:<28} {processor:>10.0} {ratio:>7.3} {clock:>10.0} {by_clock:>7.3}");
        judged = ratio;
    }
    Ok(judged)
}

/// What one site answered in one round.
struct Round {
    requests: u64,
    wall: Duration,
    processor: Duration,
}

impl Round {
    fn clock(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }

    fn processor(&self) -> f64 {
        self.requests as f64 / self.processor.as_secs_f64()
    }
}

/// Asks over `CONNECTIONS` connections, each again as soon as it was answered.
async fn load(server: &Child, site: SocketAddr) -> anyhow::Result<Round> {
    let (began, before) = (Instant::now(), server.processor()?);
    let (mut connections, mut requests) = (JoinSet::new(), 0_u64);
    for _ in 0..CONNECTIONS {
        connections.spawn(ask(site, began + ROUND));
    }
    while let Some(count) = connections.join_next().await {
        requests += count??;
    }
    Ok(Round {
        requests,
        wall: began.elapsed(),
        processor: server.processor()?.saturating_sub(before),
    })
}

async fn ask(address: SocketAddr, until: Instant) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 * 1024];
    // All answers are of one length: the date, too, is always 29 characters.
    let length = first(&mut stream, &mut buffer).await?;
    let mut answered = 1;
    while Instant::now() < until {
        stream.write_all(REQUEST.as_bytes()).await?;
        stream.read_exact(&mut buffer[..length]).await?;
        answered += 1;
    }
    Ok(answered)
}

/// The length of an answer, head and body.
async fn first(stream: &mut TcpStream, buffer: &mut [u8]) -> anyhow::Result<usize> {
    stream.write_all(REQUEST.as_bytes()).await?;
    let mut read = 0;
    loop {
        let more = stream.read(&mut buffer[read..]).await?;
        anyhow::ensure!(more > 0, "the server closed the connection");
        read += more;
        let head = String::from_utf8_lossy(&buffer[..read]);
        let Some(end) = head.find("\r\n\r\n") else {
            continue;
        };
        anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "not 200: {head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .context("no length")?;
        let whole = end + 4 + length.trim().parse::<usize>()?;
        stream.read_exact(&mut buffer[read..whole]).await?;
        return Ok(whole);
    }
}

/// Allocations of one request, from the router's call to the end of the body.
async fn allocations() -> anyhow::Result<()> {
    let (layered, _flashback) = layered()?;
    let (bare, layered) = (count(bare()).await?, count(layered).await?);
    println!(
        "allocations per request: bare {bare:.2}, layered {layered:.2}, ratio {:.3}",
        layered / bare
    );
    Ok(())
}

async fn count(site: Router) -> anyhow::Result<f64> {
    let mut sum = 0;
    for call in 0..WARM + CALLS {
        let (request, service) = (request()?, site.clone());
        let region = Region::new(ALLOCATOR);
        let response = service.oneshot(request).await?;
        response.into_body().collect().await?;
        if call >= WARM {
            sum += region.change().allocations;
        }
    }
    Ok(sum as f64 / CALLS as f64)
}

/// Nanoseconds of one request in process, without sockets and hyper: what a layer adds, in the open.
async fn nanoseconds() -> anyhow::Result<()> {
    let nothing = layer_fn(|route: axum::routing::Route| route);
    let flashback = Flashback::builder().build()?;
    let (sites, around) = (
        [bare(), bare().layer(nothing), layered()?.0],
        flashback.layer().layer(bare()),
    );
    let mut measured: [Vec<f64>; SITES.len()] = Default::default();
    for batch in 0..BATCHES {
        for step in 0..SITES.len() {
            let which = (batch + step) % SITES.len();
            let took = match sites.get(which) {
                Some(site) => time(site).await?,
                None => time(&around).await?,
            };
            measured[which].push(took);
        }
    }
    println!("nanoseconds of a request in process, medians of {BATCHES} batches of {BATCH}:");
    for (name, batches) in SITES.iter().zip(&measured) {
        println!("{name:<28} {:>10.0}", median(batches).unwrap_or_default());
    }
    Ok(())
}

async fn time<S>(site: &S) -> anyhow::Result<f64>
where
    S: tower::Service<Request<Body>, Response = axum::response::Response, Error = std::convert::Infallible>
        + Clone,
{
    let mut spent = Duration::ZERO;
    for _ in 0..BATCH {
        let (request, service) = (request()?, site.clone());
        let began = Instant::now();
        let response = service.oneshot(request).await?;
        response.into_body().collect().await?;
        spent += began.elapsed();
    }
    Ok(spent.as_nanos() as f64 / f64::from(BATCH))
}

/// The same that goes over the sockets.
fn request() -> anyhow::Result<Request<Body>> {
    let mut request = Request::get("/");
    for line in REQUEST.lines().skip(1).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").context("a header")?;
        request = request.header(name, value);
    }
    let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 40_000)));
    Ok(request.extension(peer).body(Body::empty())?)
}

/// A page, as a browser asks for it: the answer that the layer would have most to do with.
const REQUEST: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\
    user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    accept-encoding: gzip, deflate, br\r\naccept-language: en\r\n\
    sec-fetch-dest: document\r\nsec-fetch-mode: navigate\r\nsec-fetch-site: none\r\n\r\n";

/// The last one is judged.
const SITES: [&str; 5] = ["bare", "bare again", "idle layer", "each route", "around"];
const ROUNDS: usize = 101;
const ROUND: Duration = Duration::from_millis(150);
const CONNECTIONS: usize = 32;
const WARM: usize = 200;
const CALLS: usize = 5_000;
const BATCHES: usize = 200;
const BATCH: u32 = 500;
const BUDGET: f64 = 0.97;
