//! The routes, asked without a socket.

use std::{sync::Mutex, time::SystemTime};

use axum::body::Body;
use futures_util::StreamExt;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

#[tokio::test]
async fn orders_reach_the_whole() {
    let (site, router) = site();
    for (url, host, path) in [
        ("/a?b=c", None, "/a?b=c"),
        ("https://example.org/ä", Some("example.org"), "/%C3%A4"),
        ("http://127.0.0.1:8080/", Some("127.0.0.1:8080"), "/"),
    ] {
        let (status, answer) = order(&router, None, &format!(r#"{{"url":"{url}","mode":"hot"}}"#)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let expected = Target {
            host: host.map(str::to_owned),
            path: path.to_owned(),
        };
        assert_eq!(
            site.forced.lock().expect("no panic").pop(),
            Some((expected, Mode::Hot))
        );
    }
}

#[tokio::test]
async fn a_wrong_order_names_the_value() {
    let (site, router) = site();
    for (order_text, named) in [
        (r#"{"url":"/","mode":"warm"}"#, "'warm'"),
        (
            r#"{"url":"ftp://example.org/","mode":"hot"}"#,
            "'ftp://example.org/'",
        ),
        (r#"{"url":"a b","mode":"hot"}"#, "'a b'"),
        (r#"{"url":"//evil.example/","mode":"hot"}"#, "'//evil.example/'"),
        (r#"{"url":"/full","mode":"hot"}"#, "64 pages"),
        (r#"{"url":"/","mode":"hot","also":1}"#, "`also`"),
        (r#"{"url":"/"}"#, "`mode`"),
        ("hot", "line 1"),
    ] {
        let (status, answer) = order(&router, Some("http://admin.example"), order_text).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{order_text}");
        let error = answer["error"].as_str().expect("an error is a sentence");
        assert!(error.contains(named), "{error} does not name {named}");
    }
    assert!(site.forced.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_foreign_page_switches_nothing() {
    let (site, router) = site();
    for origin in ["https://evil.example", "null", "http://admin.example:81"] {
        let (status, _) = order(&router, Some(origin), r#"{"url":"/","mode":"hot"}"#).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{origin}");
    }
    assert!(site.forced.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn events_are_streamed_and_losses_told() {
    let (site, router) = site();
    let answer = get_route(&router, "/events").await;
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut frames = answer.into_body().into_data_stream();
    for index in 0..3 {
        let event = Event::new(
            SystemTime::UNIX_EPOCH,
            format!("/{index}"),
            "calm",
            "hot",
            "surge",
        );
        site.events.send(event).expect("a stream listens");
    }
    // The channel of the test keeps two.
    let first = frames
        .next()
        .await
        .expect("the stream is open")
        .expect("no error");
    assert_eq!(first, "event: lost\ndata: 1\n\n");
    let second = frames
        .next()
        .await
        .expect("the stream is open")
        .expect("no error");
    assert!(
        second.starts_with(b"event: crowd\ndata: {\"at\":\"1970-01-01T00:00:00.000Z\",\"key\":\"/1\""),
        "{second:?}"
    );
}

#[tokio::test]
async fn the_rest_answers() {
    let (_site, router) = site();
    for (path, status, starts) in [
        ("/", StatusCode::OK, "<!doctype html>"),
        ("/status", StatusCode::OK, "<!doctype html>"),
        ("/status.css", StatusCode::OK, "/* The operators' page"),
        ("/status.js", StatusCode::OK, "// The operators' page"),
        ("/room.js", StatusCode::OK, "// A room as a picture"),
        ("/status.json", StatusCode::OK, r#"{"visitors":7,"#),
        (
            "/room.json?page=example.org/a%20b",
            StatusCode::OK,
            r#"{"visitors":3,"#,
        ),
        (
            "/room.json?page=example.org/c",
            StatusCode::NOT_FOUND,
            "this page has no crowd",
        ),
        ("/room.json", StatusCode::BAD_REQUEST, "which page?"),
        ("/metrics", StatusCode::OK, "# HELP"),
        ("/healthz", StatusCode::OK, "ok"),
        ("/crowd", StatusCode::METHOD_NOT_ALLOWED, ""),
        ("/other", StatusCode::NOT_FOUND, ""),
    ] {
        let answer = get_route(&router, path).await;
        assert_eq!(answer.status(), status, "{path}");
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a whole body")
            .to_bytes();
        assert!(body.starts_with(starts.as_bytes()), "{path}: {body:?}");
    }
}

struct Site {
    forced: Mutex<Vec<(Target, Mode)>>,
    events: broadcast::Sender<Event>,
}

impl Observed for Site {
    fn status(&self) -> Status {
        Status {
            visitors: 7,
            ..Status::default()
        }
    }

    fn room(&self, page: &str) -> Option<Room> {
        (page == "example.org/a b").then(|| Room {
            visitors: 3,
            ..Room::default()
        })
    }

    fn force(&self, target: &Target, mode: Mode) -> Result<(), ForceError> {
        if target.path == "/full" {
            return Err(ForceError::Full(64));
        }
        self.forced.lock().expect("no panic").push((target.clone(), mode));
        Ok(())
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn render_metrics(&self) -> Option<String> {
        Some("# HELP flashback_crowds Pages that are hot or cooling.\n".to_owned())
    }
}

fn site() -> (Arc<Site>, Router) {
    let site = Arc::new(Site {
        forced: Mutex::default(),
        events: broadcast::channel(2).0,
    });
    (site.clone(), router(site))
}

async fn get_route(router: &Router, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    router.clone().oneshot(request).await.expect("a router answers")
}

async fn order(router: &Router, origin: Option<&str>, body: &str) -> (StatusCode, serde_json::Value) {
    let mut request = Request::post("/crowd").header(header::HOST, "admin.example");
    if let Some(origin) = origin {
        request = request.header(header::ORIGIN, origin);
    }
    let request = request.body(Body::from(body.to_owned()));
    let answer = router
        .clone()
        .oneshot(request.expect("a request"))
        .await
        .expect("a router answers");
    let status = answer.status();
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("a whole body")
        .to_bytes();
    (status, serde_json::from_slice(&body).expect("an answer in JSON"))
}
