//! What the layer costs while all is calm: the bare example site and the same behind the layer, in turn, many rounds.
//!
//! ```text
//! cargo run --release -p integration --bin calm [-- ROUNDS]
//! ```
//!
//! Throughput over real sockets: one process serves on one thread and is the bottleneck, another asks. The order of the
//! two changes every round, so that a machine that grows slower or faster favours neither; the figure is the median of
//! the rounds' ratios. Allocations: the same request, in process, counted.

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
use tower::ServiceExt;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("bare") => serve(bare()).await.map(|()| ExitCode::SUCCESS),
        Some("layered") => serve(layered()?.0).await.map(|()| ExitCode::SUCCESS),
        rounds => {
            let rounds = rounds
                .map(str::parse)
                .transpose()
                .context("ROUNDS is a number")?
                .unwrap_or(ROUNDS);
            let ratio = throughput(rounds).await?;
            allocations().await?;
            Ok(verdict(
                ratio >= BUDGET,
                "throughput behind the layer, calm, at least 0.97 of the bare site's",
            ))
        }
    }
}

async fn throughput(rounds: usize) -> anyhow::Result<f64> {
    let (bare, layered) = (Child::start(&["bare"]).await?, Child::start(&["layered"]).await?);
    let (mut ratios, mut bests) = (Vec::with_capacity(rounds), [0.0_f64; 2]);
    for round in 0..=rounds {
        let mut rates = [0.0; 2];
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for which in order {
            rates[which] = load([&bare, &layered][which].address).await?;
        }
        // The first round warms both up and counts for nothing.
        if round > 0 {
            ratios.push(rates[1] / rates[0]);
            bests = [bests[0].max(rates[0]), bests[1].max(rates[1])];
        }
    }
    let ratio = median(&ratios).context("no rounds")?;
    println!(
        "requests per second, best round: bare {:.0}, layered {:.0}",
        bests[0], bests[1]
    );
    println!("ratio of throughput, median of {rounds} rounds: {ratio:.3}");
    Ok(ratio)
}

/// Requests per second over `CONNECTIONS` connections, each asking again as soon as it was answered.
async fn load(address: SocketAddr) -> anyhow::Result<f64> {
    let (began, mut connections, mut answered) = (Instant::now(), JoinSet::new(), 0_u64);
    for _ in 0..CONNECTIONS {
        connections.spawn(ask(address, began + ROUND));
    }
    while let Some(count) = connections.join_next().await {
        answered += count??;
    }
    Ok(answered as f64 / began.elapsed().as_secs_f64())
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

const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(1500);
const CONNECTIONS: usize = 32;
const WARM: usize = 200;
const CALLS: usize = 5_000;
const BUDGET: f64 = 0.97;
