//! What a visitor sees when the origin fails: the truth, soon, and never half a page as a whole one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use tokio::{io::AsyncReadExt, net::TcpListener};

use crate::harness::{Proxy, client, client_h2, patient, scripted};

const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole";

async fn get(proxy: &Proxy) -> (StatusCode, String) {
    let answer = patient(client().get(proxy.url("/").parse().unwrap()))
        .await
        .unwrap();
    let status = answer.status();
    let body = patient(answer.into_body().collect()).await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn an_origin_that_refuses_is_a_502() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let proxy = Proxy::before(closed).await;
    let (status, body) = get(&proxy).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(
        !body.contains(&closed.port().to_string()),
        "nothing of the inside is told: {body}"
    );
}

#[tokio::test]
async fn an_origin_that_hangs_is_a_504() {
    let origin = scripted(|_, mut connection| async move {
        let mut all = Vec::new();
        let _ = connection.0.read_to_end(&mut all).await;
    })
    .await;
    let proxy = Proxy::with(origin, |config| {
        config.origin.head_timeout = Duration::from_millis(50)
    })
    .await;
    assert_eq!(get(&proxy).await.0, StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn an_origin_that_dies_before_the_head_or_talks_nonsense_is_a_502() {
    for answer in [
        "",
        "HTTP/1.1 200",
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ] {
        let origin = scripted(move |_, mut connection| async move {
            connection.until("\r\n\r\n").await;
            connection.write(answer).await;
        })
        .await;
        let proxy = Proxy::before(origin).await;
        assert_eq!(get(&proxy).await.0, StatusCode::BAD_GATEWAY, "{answer:?}");
    }
}

#[tokio::test]
async fn half_a_body_is_never_a_whole_one() {
    for half in [
        "Content-Length: 10\r\n\r\nhalf",
        "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let origin = scripted(move |_, mut connection| async move {
            connection.until("\r\n\r\n").await;
            connection.write(&format!("HTTP/1.1 200 OK\r\n{half}")).await;
        })
        .await;
        let proxy = Proxy::before(origin).await;
        for client in [client(), client_h2()] {
            let answer = patient(client.get(proxy.url("/").parse().unwrap()))
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::OK);
            assert!(
                patient(answer.into_body().collect()).await.is_err(),
                "{half:?} looked whole"
            );
        }
    }
}

/// An origin that answers once on each connection, reads the second request and closes.
async fn forgetful() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let origin = scripted(move |_, mut connection| {
        let count = count.clone();
        async move {
            connection.until("\r\n\r\n").await;
            count.fetch_add(1, Ordering::SeqCst);
            connection.write(WHOLE).await;
            connection.until("\r\n\r\n").await;
            count.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    (origin, asked)
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_sent_once_more_if_that_does_no_harm() {
    for (method, body, answered, total) in [
        (Method::GET, "", StatusCode::OK, 3),
        (Method::DELETE, "", StatusCode::OK, 3),
        (Method::POST, "", StatusCode::BAD_GATEWAY, 2),
        (Method::PUT, "body", StatusCode::BAD_GATEWAY, 2),
    ] {
        let (origin, asked) = forgetful().await;
        let proxy = Proxy::before(origin).await;
        assert_eq!(get(&proxy).await.0, StatusCode::OK);
        let request = Request::builder()
            .method(&method)
            .uri(proxy.url("/"))
            .body(Body::from(body))
            .unwrap();
        let answer = patient(client().request(request)).await.unwrap();
        assert_eq!(answer.status(), answered, "{method}");
        assert_eq!(asked.load(Ordering::SeqCst), total, "{method} {body:?}");
    }
}

#[tokio::test]
async fn a_request_that_kills_a_fresh_connection_is_not_repeated() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let origin = scripted(move |_, mut connection| {
        let count = count.clone();
        async move {
            connection.until("\r\n\r\n").await;
            count.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let proxy = Proxy::before(origin).await;
    assert_eq!(get(&proxy).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_origin_may_answer_before_it_has_read_everything() {
    let origin = scripted(|_, mut connection| async move {
        connection.until("\r\n\r\n").await;
        connection
            .write("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n")
            .await;
        let mut rest = Vec::new();
        let _ = connection.0.read_to_end(&mut rest).await;
    })
    .await;
    let proxy = Proxy::before(origin).await;
    let mut visitor = proxy.dial().await;
    visitor
        .write("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin")
        .await;
    assert!(visitor.until("\r\n\r\n").await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_visitor_who_leaves_is_not_waited_for_by_the_origin() {
    let (gone, mut left) = tokio::sync::mpsc::channel(1);
    let origin = scripted(move |_, mut connection| {
        let gone = gone.clone();
        async move {
            connection.until("\r\n\r\n").await;
            connection
                .write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
                .await;
            // The body goes on for ever; only the end of the connection ends it.
            let mut rest = Vec::new();
            let _ = connection.0.read_to_end(&mut rest).await;
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let proxy = Proxy::before(origin).await;
    let mut visitor = proxy.dial().await;
    visitor.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    visitor.until("part").await;
    drop(visitor);
    patient(left.recv()).await.expect("the origin is told");
}
