//! The routes for operators. They are not for visitors: whoever reaches them reads the referrers of a site and
//! switches its pages. The binary serves them on a listener of their own; a library's user mounts them behind a door.
//!
//! | route | what |
//! |---|---|
//! | `GET /`, `/status` | a live page; its files are `/status.css`, `/status.js` and `/room.js` |
//! | `GET /status.json` | [`Status`] |
//! | `GET /room.json?page=KEY` | [`Room`]: some visitors of a page, and their links; `404` if it has no crowd |
//! | `GET /metrics` | the text of the recorder, where there is one |
//! | `GET /events` | every [`Event`] from now on, as server-sent events |
//! | `GET /healthz` | `200` while the process serves |
//! | `POST /crowd` | `{"url": …, "mode": "hot"\|"calm"\|"auto"}` overrules the detector for one page |

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{RawQuery, State},
    response::{
        Html, IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::{Stream, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Event, Status, status::Room};
use crate::crowd::{ForceError, Mode};

/// What the routes need of the whole. [`Flashback`](crate::Flashback) is one.
pub trait Observed: Send + Sync + 'static {
    /// The status at this moment.
    fn status(&self) -> Status;
    /// Some visitors of the page with this key, or none if it has no crowd.
    fn room(&self, page: &str) -> Option<Room>;
    /// Overrules the detector for one page, or gives the page back to it.
    fn force(&self, target: &Target, mode: Mode) -> Result<(), ForceError>;
    /// Every event from now on.
    fn subscribe(&self) -> broadcast::Receiver<Event>;
    /// The text of the metrics; `None` where no recorder is installed.
    fn render_metrics(&self) -> Option<String>;
}

/// The page that an operator means: an absolute URL, or a path on whatever host the site answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// Host, with the port where the URL had one; `None` if only a path was given.
    pub host: Option<String>,
    /// Path and query, percent-encoded as a browser sends it.
    pub path: String,
}

impl Target {
    /// Reads `https://example.org/a?b` or `/a?b`; anything else is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // A path is resolved like a browser does, so that `/ä` names what visitors ask for; `//host/` is no path.
        let relative = text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/\\");
        let url = if relative {
            url::Url::parse("http://site.invalid/").ok()?.join(text).ok()?
        } else {
            url::Url::parse(text).ok()?
        };
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let host = url.host_str()?;
        let host = url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        Some(Self {
            host: (!relative).then_some(host),
            path: format!("{}{query}", url.path()),
        })
    }
}

/// The routes, over whatever is observed.
pub fn router(observed: Arc<dyn Observed>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/status", get(page))
        .route(
            "/status.css",
            get(|| file("text/css", include_str!("page/status.css"))),
        )
        .route(
            "/status.js",
            get(|| file("text/javascript", include_str!("page/status.js"))),
        )
        .route(
            "/room.js",
            get(|| file("text/javascript", include_str!("page/room.js"))),
        )
        .route("/status.json", get(status))
        .route("/room.json", get(room))
        .route("/metrics", get(metrics))
        .route("/events", get(events))
        .route("/healthz", get(async || "ok\n"))
        .route("/crowd", post(crowd))
        .with_state(observed)
}

async fn page() -> impl IntoResponse {
    // The page runs its own script, talks to nobody else, and cannot be framed to catch a click on its buttons.
    let policy = HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    (
        [(header::CONTENT_SECURITY_POLICY, policy)],
        Html(include_str!("page/status.html")),
    )
}

/// A file of the page, of this build: an older one in a cache would not fit the page.
async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")],
        text,
    )
}

async fn status(State(observed): State<Arc<dyn Observed>>) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Json(observed.status()))
}

async fn room(State(observed): State<Arc<dyn Observed>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let Some((_, page)) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "page")
    else {
        return (StatusCode::BAD_REQUEST, "which page? /room.json?page=KEY\n").into_response();
    };
    match observed.room(&page) {
        Some(room) => ([(header::CACHE_CONTROL, "no-store")], Json(room)).into_response(),
        None => (StatusCode::NOT_FOUND, "this page has no crowd\n").into_response(),
    }
}

async fn metrics(State(observed): State<Arc<dyn Observed>>) -> Response {
    match observed.render_metrics() {
        Some(text) => (
            [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
            text,
        )
            .into_response(),
        None => (
            StatusCode::NOT_FOUND,
            "no metrics recorder is installed in this process\n",
        )
            .into_response(),
    }
}

async fn events(State(observed): State<Arc<dyn Observed>>) -> impl IntoResponse {
    Sse::new(stream_of(observed.subscribe())).keep_alive(KeepAlive::default())
}

/// A slow reader does not hold events back for others: it loses the oldest, and is told how many.
fn stream_of(events: broadcast::Receiver<Event>) -> impl Stream<Item = Result<sse::Event, axum::Error>> {
    stream::unfold(events, async |mut events| {
        let item = match events.recv().await {
            Ok(event) => sse::Event::default().event("crowd").json_data(event),
            Err(RecvError::Lagged(lost)) => Ok(sse::Event::default().event("lost").data(lost.to_string())),
            Err(RecvError::Closed) => return None,
        };
        Some((item, events))
    })
}

/// The order as it is sent; its values are read apart, so that an error can name the wrong one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    url: String,
    mode: String,
}

async fn crowd(State(observed): State<Arc<dyn Observed>>, headers: HeaderMap, body: Bytes) -> Response {
    match obey(observed.as_ref(), &headers, &body) {
        Ok(order) => Json(serde_json::json!({ "url": order.url, "mode": order.mode })).into_response(),
        Err((status, error)) => (status, Json(serde_json::json!({ "error": error }))).into_response(),
    }
}

fn obey(observed: &dyn Observed, headers: &HeaderMap, body: &[u8]) -> Result<Order, (StatusCode, String)> {
    // A foreign page can post to an operator's loopback, and its browser says so; curl and scripts name no origin.
    if is_foreign(headers) {
        return Err((
            StatusCode::FORBIDDEN,
            "orders from pages of other sites are not taken".to_owned(),
        ));
    }
    let wrong = |error: String| (StatusCode::BAD_REQUEST, error);
    let order: Order = serde_json::from_slice(body)
        .map_err(|error| wrong(format!("not an order {{\"url\": …, \"mode\": …}}: {error}")))?;
    let mode = parse_mode(&order.mode)
        .ok_or_else(|| wrong(format!("mode '{}' is none of hot, calm, auto", order.mode)))?;
    let target = Target::parse(&order.url)
        .ok_or_else(|| wrong(format!("url '{}' is neither an http URL nor a path", order.url)))?;
    observed
        .force(&target, mode)
        .map_err(|error| wrong(error.to_string()))?;
    Ok(order)
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let origin = text(header::ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    headers.contains_key(header::ORIGIN) && (origin.is_none() || origin != text(header::HOST))
}

fn parse_mode(text: &str) -> Option<Mode> {
    Some(match text {
        "hot" => Mode::Hot,
        "calm" => Mode::Calm,
        "auto" => Mode::Auto,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
