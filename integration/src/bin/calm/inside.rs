//! The same request in process, without sockets and hyper: what a layer adds, in the open.

use std::{
    alloc::System,
    convert::Infallible,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{body::Body, extract::ConnectInfo, http::Request, response::Response, routing::Route};
use http_body_util::BodyExt;
use integration::{bare, layered, median::median};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::{Layer as _, Service, ServiceExt, layer::layer_fn};
use tower_flashback::Flashback;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Nanoseconds of one request, from the service's call to the end of the body.
pub(crate) async fn nanoseconds() -> anyhow::Result<()> {
    let nothing = layer_fn(|route: Route| route);
    let flashback = Flashback::builder().build()?;
    let (bare_, idle, each, around) = (
        bare(),
        bare().layer(nothing),
        layered()?.0,
        flashback.layer().layer(bare()),
    );
    let mut measured: [Vec<f64>; 4] = Default::default();
    for batch in 0..BATCHES {
        for step in 0..measured.len() {
            let which = (batch + step) % measured.len();
            let took = match which {
                0 => time(&bare_).await?,
                1 => time(&idle).await?,
                2 => time(&each).await?,
                _ => time(&around).await?,
            };
            measured[which].push(took);
        }
    }
    println!("\nnanoseconds of a request in process, medians of {BATCHES} batches of {BATCH}:");
    for (name, batches) in ["bare", "idle layer", "each route", "around"]
        .iter()
        .zip(&measured)
    {
        println!("{name:<14} {:>6.0}", median(batches).unwrap_or_default());
    }
    Ok(())
}

/// Allocations of one request, from the service's call to the end of the body.
pub(crate) async fn allocations() -> anyhow::Result<()> {
    let nothing = layer_fn(|route: Route| route);
    let flashback = Flashback::builder().build()?;
    let counts = [
        ("bare", count(bare()).await?),
        ("idle layer", count(bare().layer(nothing)).await?),
        ("each route", count(layered()?.0).await?),
        ("around", count(flashback.layer().layer(bare())).await?),
    ];
    println!("\nallocations of a request in process, and ratio to the bare site's:");
    for (name, allocations) in counts {
        println!("{name:<14} {allocations:>6.2} {:>6.3}", allocations / counts[0].1);
    }
    Ok(())
}

async fn count<S>(site: S) -> anyhow::Result<f64>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone,
{
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

async fn time<S>(site: &S) -> anyhow::Result<f64>
where
    S: Service<Request<Body>, Response = Response, Error = Infallible> + Clone,
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
pub(crate) const REQUEST: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\
    user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n\
    accept-encoding: gzip, deflate, br\r\naccept-language: en\r\n\
    sec-fetch-dest: document\r\nsec-fetch-mode: navigate\r\nsec-fetch-site: none\r\n\r\n";

const WARM: usize = 200;
const CALLS: usize = 5_000;
const BATCHES: usize = 200;
const BATCH: u32 = 500;
