//! The spans of requests: those of hot pages have one each, inside of whatever span the application is in, so that its
//! OpenTelemetry layer shows them as a part of its own; calm requests have none.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use axum::{Router, body::Body, response::Html, routing::get};
use http::{Request, header};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_flashback::{Flashback, layer::PeerAddr};
use tracing::{
    Event, Instrument, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

#[tokio::test]
async fn requests_of_hot_pages_have_spans_within_the_applications_own() {
    let seen = Seen::default();
    let _guard = tracing::subscriber::set_default(seen.clone());
    let flashback = Flashback::builder().build().unwrap();
    let page = get(async || Html("<!doctype html><title>t</title><img src=/a.jpg>"));
    let picture = get(async || {
        let fields = [("content-type", "image/jpeg"), ("cache-control", "max-age=60")];
        (fields, vec![7_u8; 40_000])
    });
    let app = Router::new().route("/", page).route("/a.jpg", picture);
    let app = app.layer(flashback.layer());

    ask(&app, "/").await;
    assert_eq!(seen.take(), ["app"], "a calm request has no span of ours");

    let order = Request::post("/crowd").body(Body::from(r#"{"url":"http://a.example/","mode":"hot"}"#));
    flashback.admin().oneshot(order.unwrap()).await.unwrap();
    ask(&app, "/").await;
    assert_eq!(
        seen.take(),
        ["app", r#"app > flashback.page depth="media" key=a.example/"#]
    );
    ask(&app, "/a.jpg").await;
    assert_eq!(
        seen.take(),
        ["app", r#"app > flashback.object key=a.example/ path="/a.jpg""#]
    );
}

/// A request as a browser makes it, inside of a span of the application.
async fn ask(app: &Router, path: &str) {
    let kind = if path == "/" { "document" } else { "image" };
    let request = Request::get(path)
        .header(header::HOST, "a.example")
        .header(header::REFERER, "http://a.example/")
        .header("sec-fetch-dest", kind)
        .extension(PeerAddr(SocketAddr::from(([192, 0, 2, 1], 4711))))
        .body(Body::empty());
    let answer = async { app.clone().oneshot(request.unwrap()).await.unwrap() };
    let answer = answer.instrument(tracing::info_span!("app")).await;
    answer.into_body().collect().await.unwrap();
}

/// Notes every new span of ours and of the test, with the span that it began in.
#[derive(Clone, Default)]
struct Seen(Arc<Notes>);

#[derive(Default)]
struct Notes {
    last: AtomicU64,
    names: Mutex<BTreeMap<u64, &'static str>>,
    entered: Mutex<Vec<u64>>,
    lines: Mutex<Vec<String>>,
}

impl Seen {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lines.lock().unwrap())
    }
}

impl Subscriber for Seen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && (metadata.name() == "app" || metadata.name().starts_with("flashback."))
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let id = self.0.last.fetch_add(1, Relaxed) + 1;
        let name = attributes.metadata().name();
        self.0.names.lock().unwrap().insert(id, name);
        let parent = self.0.entered.lock().unwrap().last().copied();
        let parent = parent.filter(|_| attributes.is_contextual());
        let mut line = match parent {
            Some(parent) => format!("{} > {name}", self.0.names.lock().unwrap()[&parent]),
            None => name.to_owned(),
        };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        fields
            .0
            .iter()
            .for_each(|(name, value)| line += &format!(" {name}={value}"));
        self.0.lines.lock().unwrap().push(line);
        span::Id::from_u64(id)
    }

    fn enter(&self, span: &span::Id) {
        self.0.entered.lock().unwrap().push(span.into_u64());
    }

    fn exit(&self, span: &span::Id) {
        let mut entered = self.0.entered.lock().unwrap();
        if let Some(at) = entered.iter().rposition(|id| *id == span.into_u64()) {
            entered.remove(at);
        }
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &Event<'_>) {}
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
