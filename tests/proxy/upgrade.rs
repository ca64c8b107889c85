//! WebSockets pass; no other protocol does.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    extract::{WebSocketUpgrade, ws::WebSocket},
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::harness::{Proxy, app, header, patient, recorder, scripted};

const ASK: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        // A close is answered by the next `recv`.
        if !matches!(message, axum::extract::ws::Message::Close(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_websocket_is_a_tunnel() {
    let origin = app(Router::new().route(
        "/",
        any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }),
    ))
    .await;
    let proxy = Proxy::before(origin).await;
    let (mut socket, answer) = patient(connect_async(format!("ws://{}/", proxy.address)))
        .await
        .unwrap();
    assert_eq!(answer.status(), 101);
    for size in [0_usize, 1, 125, 126, 70_000, 1 << 20] {
        let sent = Message::binary(vec![7; size]);
        socket.send(sent.clone()).await.unwrap();
        assert_eq!(patient(socket.next()).await.unwrap().unwrap(), sent);
    }
    socket.close(None).await.unwrap();
    while let Some(message) = patient(socket.next()).await {
        assert!(message.unwrap().is_close());
    }
}

#[tokio::test]
async fn an_origin_that_refuses_a_websocket_answers_as_ever() {
    let origin = scripted(|_, mut connection| async move {
        connection.until("\r\n\r\n").await;
        connection
            .write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
            .await;
    })
    .await;
    let proxy = Proxy::before(origin).await;
    let mut visitor = proxy.dial().await;
    visitor.write(ASK).await;
    let answer = visitor.until("no").await;
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && header(&answer, "upgrade").is_none(),
        "{answer}"
    );
}

#[tokio::test]
async fn only_websocket_is_asked_for() {
    for upgrade in ["h2c", "websocket, h2c", "TLS/1.0"] {
        let (origin, seen) = recorder().await;
        let proxy = Proxy::before(origin).await;
        let ask =
            format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, close\r\nUpgrade: {upgrade}\r\n\r\n");
        let answer = proxy.say(&ask).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{upgrade}: {answer}");
        let head = seen.lock().unwrap().pop().unwrap();
        assert_eq!(header(&head, "upgrade"), None, "{head}");
        assert_eq!(header(&head, "connection"), None, "{head}");
    }
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_no_tunnel() {
    let switch = |to: &'static str| {
        scripted(move |_, mut connection| async move {
            connection.until("\r\n\r\n").await;
            connection
                .write(&format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n{to}\r\n"
                ))
                .await;
            connection.until("never").await;
        })
    };
    for (ask, to) in [
        (ASK, "Upgrade: h2c\r\n"),
        (ASK, ""),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "Upgrade: websocket\r\n"),
    ] {
        let proxy = Proxy::before(switch(to).await).await;
        let mut visitor = proxy.dial().await;
        visitor.write(ask).await;
        let answer = visitor.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{to}: {answer}");
    }
}

#[tokio::test]
async fn a_tunnel_keeps_its_place_among_the_connections() {
    let opened = Arc::new(AtomicUsize::new(0));
    let count = opened.clone();
    let origin = scripted(move |_, mut connection| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            connection.until("\r\n\r\n").await;
            let switch =
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
            connection.write(switch).await;
            while let Ok(byte) = connection.0.read_u8().await {
                connection.0.write_u8(byte).await.unwrap();
            }
        }
    })
    .await;
    let proxy = Proxy::with(origin, |config| config.server.connections = 1).await;
    let (mut first, mut second) = (proxy.dial().await, proxy.dial().await);
    second.write(ASK).await;
    first.write(ASK).await;
    assert!(first.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
    // A hundred turns of everything that could run: had the second connection a place, it would be a tunnel by now.
    for _ in 0..100 {
        first.write("hello!").await;
        assert_eq!(first.until("!").await, "hello!");
    }
    assert_eq!(opened.load(Ordering::SeqCst), 1);
    drop(first);
    assert!(second.until("\r\n\r\n").await.starts_with("HTTP/1.1 101 "));
}
