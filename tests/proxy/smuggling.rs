//! No byte of a body is ever read as a request, and no byte of one answer as another.

use std::sync::{Arc, Mutex};

use axum::{Router, body::Bytes, extract::Request, routing::any};
use http_body_util::BodyExt;

use crate::harness::{Proxy, app, client, header, recorder, scripted};

/// An origin that keeps method, path and body of each request.
async fn origin() -> (std::net::SocketAddr, Arc<Mutex<Vec<(String, Bytes)>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let keep = move |request: Request| async move {
        let line = format!("{} {}", request.method(), request.uri());
        // A body that breaks off is no request that was served.
        if let Ok(body) = request.into_body().collect().await {
            kept.lock().unwrap().push((line, body.to_bytes()));
        }
    };
    (app(Router::new().fallback(any(keep))).await, seen)
}

#[tokio::test]
async fn length_and_chunks_at_once_are_read_as_chunks_everywhere() {
    let (address, seen) = origin().await;
    let proxy = Proxy::before(address).await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let body = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    for lengths in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
    ] {
        let answer = proxy
            .say(&format!(
                "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lengths}\r\n\r\n{body}"
            ))
            .await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        assert_eq!(seen, [("POST /".to_owned(), Bytes::from(hidden))], "{lengths}");
    }
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused() {
    let (address, seen) = origin().await;
    let proxy = Proxy::before(address).await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    for (name, head) in [
        (
            "two lengths",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 34\r\n\r\n",
        ),
        (
            "a list of lengths",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 34\r\n\r\n",
        ),
        (
            "a signed length",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
        ),
        (
            "a hexadecimal length",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n",
        ),
        (
            "a negative length",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        ),
        (
            "an overflowing length",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551616\r\n\r\n",
        ),
        (
            "a space before the colon",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n",
        ),
        (
            "a folded line",
            "POST / HTTP/1.1\r\nHost: a\r\nX: b\r\n Content-Length: 34\r\n\r\n",
        ),
        (
            "a coding after chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        ),
        (
            "a coding that looks like chunked",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "chunks in HTTP/1.0",
            "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "two hosts",
            "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 0\r\n\r\n",
        ),
        ("no host", "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
        (
            "a return without a line feed",
            "POST / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
        ),
        ("a zero byte", "POST / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"),
        ("a space in the target", "POST / /b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let answer = proxy.say(&format!("{head}{hidden}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{name}: {answer}");
        assert_eq!(
            answer.matches("HTTP/1.").count(),
            1,
            "{name}: the rest is not read: {answer}"
        );
        assert!(seen.lock().unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn broken_chunks_never_become_a_whole_body() {
    let (address, seen) = origin().await;
    let proxy = Proxy::before(address).await;
    for (name, body) in [
        ("an overflowing size", "fffffffffffffffff\r\nx\r\n0\r\n\r\n"),
        ("a size that is no number", "zz\r\nx\r\n0\r\n\r\n"),
        ("a negative size", "-1\r\nx\r\n0\r\n\r\n"),
        (
            "more than the size",
            "1\r\nxGET /hidden HTTP/1.1\r\n\r\n0\r\n\r\n",
        ),
        ("a line feed in an extension", "1;a\nb\r\nx\r\n0\r\n\r\n"),
    ] {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = proxy.say(&format!("{head}{body}")).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
        assert!(
            seen.lock().unwrap().is_empty(),
            "{name}: {:?}",
            seen.lock().unwrap()
        );
    }
}

#[tokio::test]
async fn the_length_that_the_origin_reads_is_the_one_that_was_sent() {
    let (address, seen) = recorder().await;
    let proxy = Proxy::before(address).await;
    proxy.say("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close, content-length, host\r\nContent-Length: 0\r\n\r\n").await;
    let heads = std::mem::take(&mut *seen.lock().unwrap());
    assert_eq!(heads.len(), 1);
    assert_eq!(header(&heads[0], "host"), Some("a"), "{}", heads[0]);
    assert_eq!(header(&heads[0], "transfer-encoding"), None, "{}", heads[0]);
}

#[tokio::test]
async fn an_answer_that_is_too_long_does_not_become_the_next_visitors() {
    let origin = scripted(|_, mut connection| async move {
        loop {
            connection.until("\r\n\r\n").await;
            let more = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
            connection
                .write(&format!("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood{more}"))
                .await;
        }
    })
    .await;
    let proxy = Proxy::before(origin).await;
    let client = client();
    for _ in 0..20 {
        let answer = client.get(proxy.url("/").parse().unwrap()).await.unwrap();
        let status = answer.status();
        // Either the connection is not used again, or it fails; what follows the first answer is never an answer.
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(status == 502 || body == "good", "{status} {body:?}");
    }
}

#[tokio::test]
async fn an_answer_with_two_framings_is_framed_anew() {
    let origin = scripted(|_, mut connection| async move {
        connection.until("\r\n\r\n").await;
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        connection.write(&format!("{head}5\r\nwhole\r\n0\r\n\r\n")).await;
    })
    .await;
    let proxy = Proxy::before(origin).await;
    let answer = proxy
        .say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.ends_with("\r\n\r\n5\r\nwhole\r\n0\r\n\r\n"), "{answer}");
    assert_eq!(header(&answer, "content-length"), None, "{answer}");
}
