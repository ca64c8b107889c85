//! Deadlines, bounds, and the way to the end.

use std::time::Duration;

use axum::{Router, body::Body, routing::get};
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::{net::TcpStream, sync::Semaphore};
use tower_flashback::{proxy::server::Drained, unit::ByteSize};

use crate::harness::{Proxy, app, client_h2, patient};

const ASK: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// An origin that tells that it was asked, and answers once it may.
async fn gated() -> (std::net::SocketAddr, &'static Semaphore, &'static Semaphore) {
    let (asked, may): (&Semaphore, &Semaphore) = (
        Box::leak(Box::new(Semaphore::new(0))),
        Box::leak(Box::new(Semaphore::new(0))),
    );
    let answer = async || {
        asked.add_permits(1);
        may.acquire().await.unwrap().forget();
        "whole"
    };
    (app(Router::new().route("/", get(answer))).await, asked, may)
}

#[tokio::test]
async fn a_silent_or_slow_connection_is_closed() {
    let origin = app(Router::new()).await;
    let proxy = Proxy::with(origin, |config| {
        config.server.header_timeout = Duration::from_millis(100)
    })
    .await;
    for begin in [
        "",
        "PRI * HTTP/2.0\r\n",
        "GET / HT",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Slow",
    ] {
        let mut visitor = proxy.dial().await;
        visitor.write(begin).await;
        let rest = visitor.rest().await;
        assert!(
            rest.is_empty() || rest.starts_with("HTTP/1.1 408"),
            "{begin:?}: {rest}"
        );
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_but_a_slow_answer_is_not_idle() {
    let (origin, asked, may) = gated().await;
    let proxy = Proxy::with(origin, |config| {
        config.server.header_timeout = Duration::from_millis(100)
    })
    .await;
    let mut visitor = proxy.dial().await;
    visitor.write(ASK).await;
    patient(asked.acquire()).await.unwrap().forget();
    tokio::time::sleep(Duration::from_millis(300)).await;
    may.add_permits(1);
    assert!(visitor.until("whole").await.starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(visitor.rest().await, "");
}

#[tokio::test]
async fn a_head_has_a_bound() {
    let origin = app(Router::new().route("/", get(|| async { "whole" }))).await;
    let proxy = Proxy::with(origin, |config| config.server.header_size = ByteSize::kib(8)).await;
    let long = "x".repeat(9 * 1024);
    let answer = proxy
        .say(&format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {long}\r\n\r\n"))
        .await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let request = http::Request::get(proxy.url("/"))
        .header("cookie", &long)
        .body(Body::empty())
        .unwrap();
    let answer = patient(client_h2().request(request)).await;
    assert!(
        answer.is_err()
            || answer.is_ok_and(|answer| answer.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    );
}

#[tokio::test]
async fn one_connection_more_than_the_bound_waits_for_its_turn() {
    let (origin, asked, may) = gated().await;
    let proxy = Proxy::with(origin, |config| config.server.connections = 1).await;
    let (mut first, mut second) = (proxy.dial().await, proxy.dial().await);
    first
        .write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    second
        .write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    patient(asked.acquire()).await.unwrap().forget();
    may.add_permits(1);
    assert!(first.rest().await.ends_with("whole"));
    patient(asked.acquire()).await.unwrap().forget();
    may.add_permits(1);
    assert!(second.rest().await.ends_with("whole"));
}

#[tokio::test]
async fn one_address_cannot_take_every_place() {
    let (origin, asked, may) = gated().await;
    let proxy = Proxy::with(origin, |config| config.server.connections_per_address = 1).await;
    let (mut first, mut second) = (proxy.dial().await, proxy.dial().await);
    assert_eq!(second.rest().await, "", "closed without a word");
    first
        .write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    patient(asked.acquire()).await.unwrap().forget();
    may.add_permits(1);
    assert!(first.rest().await.ends_with("whole"));
}

#[tokio::test]
async fn a_drain_answers_what_is_open_and_takes_nothing_new() {
    let (origin, asked, may) = gated().await;
    let proxy = Proxy::before(origin).await;
    let (mut idle, mut open, address) = (proxy.dial().await, proxy.dial().await, proxy.address);
    let h2 = tokio::spawn(client_h2().get(proxy.url("/").parse().unwrap()));
    open.write(ASK).await;
    patient(asked.acquire_many(2)).await.unwrap().forget();
    proxy.stop();
    assert_eq!(idle.rest().await, "", "nothing was asked on it");
    assert!(TcpStream::connect(address).await.is_err());
    may.add_permits(2);
    assert!(
        open.rest().await.ends_with("whole"),
        "and then it is closed, though it could be kept"
    );
    let answer = patient(h2).await.unwrap().unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "whole");
    assert_eq!(patient(proxy.ended()).await, Drained::Whole);
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline() {
    let (origin, asked, _never) = gated().await;
    let proxy = Proxy::with(origin, |config| config.server.drain = Duration::from_millis(100)).await;
    let mut open = proxy.dial().await;
    open.write(ASK).await;
    patient(asked.acquire()).await.unwrap().forget();
    proxy.stop();
    assert_eq!(patient(proxy.ended()).await, Drained::Cut(1));
}
