//! The binary, with default settings, before a crowd and before a script: 200 visitors at 20 requests per second in all
//! make a page hot within 5 seconds; one visitor at 200 per second does not.
#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_visitors_are_a_crowd_within_five_seconds() {
    let proxy = Proxy::start().await;
    // The past of the scenario: without one, no traffic is a surge, it may always have been so.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let surge = crowd(proxy.site, Duration::from_millis(50), |visit| {
        Ipv4Addr::new(127, 0, 1, (visit % 200) as u8 + 1)
    });
    let began = Instant::now();
    let hot = tokio::select! {
        hot = proxy.hot() => hot,
        () = surge => unreachable!("the crowd comes for ever"),
        () = tokio::time::sleep(Duration::from_secs(5)) => panic!("calm after 5 s: {}", proxy.status().await),
    };
    println!("hot after {:?}: {hot}", began.elapsed());
    assert_eq!(hot["state"], "hot");
    assert_eq!(hot["key"], format!("{}/", proxy.site));
    assert!(!hot["rule"].as_str().unwrap().is_empty());
    assert!(
        [1, 5, 15, 60].contains(&hot["scale_s"].as_u64().unwrap()),
        "{hot}"
    );
    assert!(hot["rate"].as_f64().unwrap() >= 5.0, "{hot}");
    assert!(hot["audience"].as_f64().unwrap() > 0.8, "{hot}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_visitor_however_fast_is_none() {
    let proxy = Proxy::start().await;
    let hammer = crowd(proxy.site, Duration::from_millis(5), |_| {
        Ipv4Addr::new(127, 0, 2, 1)
    });
    tokio::select! {
        hot = proxy.hot() => panic!("a crowd of one: {hot}"),
        () = hammer => unreachable!("the script goes on for ever"),
        // Twice as long as a crowd needs, and past an epoch of the second scale.
        () = tokio::time::sleep(Duration::from_secs(12)) => {}
    }
    let requests = proxy.status().await["totals"]["requests"].as_u64().unwrap();
    assert!(
        requests > 1_000,
        "only {requests} requests in 12 s: nothing was tried"
    );
}

/// The binary in front of a small origin; ends with the test.
struct Proxy {
    process: Child,
    site: SocketAddr,
    admin: SocketAddr,
}

impl Proxy {
    async fn start() -> Self {
        let origin = origin().await;
        let mut process = Command::new(env!("CARGO_BIN_EXE_flashback"))
            .args(["proxy", "--upstream", &format!("http://{origin}")])
            .args([
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
                "--stun",
                "127.0.0.1:0",
            ])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = process.stdout.take().unwrap();
        let (site, admin) = tokio::task::spawn_blocking(move || announced(output))
            .await
            .unwrap();
        Self { process, site, admin }
    }

    /// Waits until the page is hot, and tells what `/status.json` says of it.
    async fn hot(&self) -> Value {
        let mut look = interval(Duration::from_millis(50));
        loop {
            look.tick().await;
            if let Some(crowd) = self.status().await["crowds"].get(0) {
                return crowd.clone();
            }
        }
    }

    async fn status(&self) -> Value {
        let answer = get(self.admin, Ipv4Addr::LOCALHOST, "/status.json")
            .await
            .unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The addresses of the site and of the operators, from the three lines that the binary promises.
fn announced(output: impl std::io::Read) -> (SocketAddr, SocketAddr) {
    let lines = std::io::BufRead::lines(std::io::BufReader::new(output));
    let named: HashMap<String, String> = lines
        .take(3)
        .filter_map(|line| {
            line.unwrap()
                .split_once(' ')
                .map(|(what, address)| (what.to_owned(), address.to_owned()))
        })
        .collect();
    let address = |what: &str| named.get(what)?.strip_prefix("http://")?.parse().ok();
    let addresses = address("listening").zip(address("admin"));
    addresses.unwrap_or_else(|| panic!("the binary did not name its addresses, but said {named:?}"))
}

/// One visit at every tick of `pace`, for ever; `address` tells from where the visits come.
async fn crowd(site: SocketAddr, pace: Duration, address: impl Fn(u32) -> Ipv4Addr) {
    let (mut clock, mut visits) = (interval(pace), JoinSet::new());
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for visit in 0_u32.. {
        clock.tick().await;
        visits.spawn(get(site, address(visit), "/"));
        while let Some(answer) = visits.try_join_next() {
            let answer = answer.unwrap().unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}

async fn get(site: SocketAddr, from: Ipv4Addr, path: &str) -> std::io::Result<String> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let mut stream = socket.connect(site).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\naccept: text/html\r\nsec-fetch-dest: document\r\nconnection: close\r\n\
         user-agent: Mozilla/5.0 Chrome/140.0.0.0\r\n\r\n",
        site
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// A site of one page.
async fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let page = axum::response::Html("<!doctype html><title>A page</title><p>All is well.</p>");
    let site = axum::Router::new().route("/", axum::routing::get(move || async move { page }));
    tokio::spawn(async move { axum::serve(listener, site).await });
    address
}
