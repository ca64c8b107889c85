//! Bodies arrive as they were sent: at once, whole, and with what follows them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::{any, get},
};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::mpsc;

use crate::harness::{Proxy, app, client, client_h2, header, patient, scripted};

type Part = Result<Frame<Bytes>, std::io::Error>;

fn channel_body() -> (mpsc::Sender<&'static str>, Body) {
    let (sender, receiver) = mpsc::channel::<&'static str>(1);
    let parts = stream::unfold(receiver, async |mut receiver| {
        let part = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(Bytes::from(part)), receiver))
    });
    (sender, Body::from_stream(parts))
}

#[tokio::test]
async fn a_response_is_not_held_back() {
    for client in [client(), client_h2()] {
        let (sender, body) = channel_body();
        let body = Arc::new(Mutex::new(Some(body)));
        let origin =
            app(Router::new().route("/", get(async move || body.lock().unwrap().take().unwrap()))).await;
        let proxy = Proxy::before(origin).await;
        let response = client.get(proxy.url("/").parse().unwrap()).await.unwrap();
        let mut parts = response.into_body().into_data_stream();
        for part in ["one", "two", "three"] {
            // The next part is not sent before this one has arrived.
            sender.send(part).await.unwrap();
            assert_eq!(patient(parts.next()).await.unwrap().unwrap(), part);
        }
    }
}

#[tokio::test]
async fn a_request_is_not_held_back() {
    let (told, mut heard) = mpsc::channel(1);
    let origin = app(Router::new().route(
        "/",
        any(move |body: Body| async move {
            let mut parts = body.into_data_stream();
            while let Some(part) = parts.next().await {
                told.send(part.unwrap()).await.unwrap();
            }
        }),
    ))
    .await;
    let proxy = Proxy::before(origin).await;
    for client in [client(), client_h2()] {
        let (sender, body) = channel_body();
        let request = Request::post(proxy.url("/")).body(body).unwrap();
        let answer = tokio::spawn(client.request(request));
        for part in ["one", "two", "three"] {
            sender.send(part).await.unwrap();
            assert_eq!(patient(heard.recv()).await.unwrap(), part);
        }
        drop(sender);
        assert_eq!(patient(answer).await.unwrap().unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn big_bodies_are_whole_both_ways() {
    let origin = app(Router::new().route("/", any(|body: Body| async { body }))).await;
    let proxy = Proxy::before(origin).await;
    let sent: Bytes = (0..16_u32 << 20)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for client in [client(), client_h2()] {
        let request = Request::post(proxy.url("/"))
            .body(Body::from(sent.clone()))
            .unwrap();
        let answer = patient(client.request(request)).await.unwrap();
        assert_eq!(
            answer.headers()["content-length"],
            "16777216",
            "a known length stays known"
        );
        assert!(patient(answer.into_body().collect()).await.unwrap().to_bytes() == sent);
    }
}

#[tokio::test]
async fn trailers_come_after_the_body() {
    let origin = app(Router::new().route(
        "/",
        any(|body: Body| async {
            let collected = body.collect().await.unwrap();
            let sum = collected.trailers().unwrap()["x-sum"].clone();
            let mut trailers = HeaderMap::new();
            trailers.insert("x-back", sum);
            let parts: [Part; 2] = [
                Ok(Frame::data(collected.to_bytes())),
                Ok(Frame::trailers(trailers)),
            ];
            (
                [("trailer", "x-back")],
                Body::new(StreamBody::new(stream::iter(parts))),
            )
        }),
    ))
    .await;
    let proxy = Proxy::before(origin).await;
    for client in [client(), client_h2()] {
        let trailers = HeaderMap::from_iter([("x-sum".parse().unwrap(), HeaderValue::from_static("42"))]);
        let parts: [Part; 2] = [
            Ok(Frame::data(Bytes::from("body"))),
            Ok(Frame::trailers(trailers)),
        ];
        let body = Body::new(StreamBody::new(stream::iter(parts)));
        let request = Request::post(proxy.url("/"))
            .header("te", "trailers")
            .header("trailer", "x-sum");
        let answer = patient(client.request(request.body(body).unwrap()))
            .await
            .unwrap();
        let collected = patient(answer.into_body().collect()).await.unwrap();
        assert_eq!(collected.trailers().expect("trailers arrive")["x-back"], "42");
        assert_eq!(collected.to_bytes(), "body");
    }
}

#[tokio::test]
async fn answers_without_a_body_keep_what_they_say_of_it() {
    let origin = scripted(|_, mut connection| async move {
        let head = connection.until("\r\n\r\n").await;
        connection
            .write(match head.split(' ').take(2).collect::<Vec<_>>()[..] {
                ["HEAD", _] => "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"a\"\r\n\r\n",
                [_, "/304"] => "HTTP/1.1 304 Not Modified\r\nContent-Length: 12345\r\nETag: \"a\"\r\n\r\n",
                _ => "HTTP/1.1 204 No Content\r\nETag: \"a\"\r\n\r\n",
            })
            .await;
    })
    .await;
    let proxy = Proxy::before(origin).await;
    for (request, status, length) in [
        ("HEAD / HTTP/1.1", "200 OK", Some("12345")),
        // RFC 9110 §15.4.5 leaves the length of a 304 out if it is not needed, and hyper does.
        ("GET /304 HTTP/1.1", "304 Not Modified", None),
        ("GET /204 HTTP/1.1", "204 No Content", None),
    ] {
        let answer = proxy
            .say(&format!("{request}\r\nHost: a\r\nConnection: close\r\n\r\n"))
            .await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert_eq!(header(&answer, "content-length"), length, "{answer}");
        assert_eq!(header(&answer, "etag"), Some("\"a\""));
        assert!(answer.ends_with("\r\n\r\n"), "{request} has no body: {answer}");
    }
}

#[tokio::test]
async fn a_visitor_who_expects_100_continue_gets_it() {
    let origin = app(Router::new().route("/", any(|body: Bytes| async { body }))).await;
    let proxy = Proxy::before(origin).await;
    let mut visitor = proxy.dial().await;
    visitor
        .write("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(visitor.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    visitor.write("body").await;
    let answer = visitor.rest().await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nbody"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_informational_answer_of_the_origin_is_not_the_answer() {
    let origin = scripted(|_, mut connection| async move {
        connection.until("\r\n\r\n").await;
        connection
            .write("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            .await;
        connection
            .write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await;
    })
    .await;
    let proxy = Proxy::before(origin).await;
    let answer = proxy
        .say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(
        answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_slow_upload_is_no_hang_of_the_origin() {
    let origin = app(Router::new().route("/", any(|body: Bytes| async { body }))).await;
    let proxy = Proxy::with(origin, |config| {
        config.origin.head_timeout = Duration::from_millis(400)
    })
    .await;
    let parts = stream::unfold(0, async |index| {
        tokio::time::sleep(Duration::from_millis(150)).await;
        (index < 6).then(|| (Ok::<_, std::io::Error>(Bytes::from("part")), index + 1))
    });
    let request = Request::post(proxy.url("/"))
        .body(Body::from_stream(parts))
        .unwrap();
    let answer = patient(client().request(request)).await.unwrap();
    assert_eq!(
        answer.status(),
        StatusCode::OK,
        "the upload took longer than the deadline, but it moved"
    );
    assert_eq!(
        answer.into_body().collect().await.unwrap().to_bytes(),
        "part".repeat(6)
    );
}
