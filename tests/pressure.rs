//! A hot page that the origin's uplink bears is not carried; one that weighs on it is, and where the uplink is unknown, hot
//! means carried.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body, routing::get};
use http::{Request, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tower::ServiceExt;
use tower_flashback::{Flashback, Settings, layer::PeerAddr};

const PAGE: &str =
    "<!doctype html><html><head><title>A page</title></head><body><img src=/big.jpg></body></html>";
const FRESH: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=60");
const HOST: &str = "site.example";

/// A page with a picture of 40,000 bytes behind the layer.
struct Site {
    flashback: Flashback,
    app: Router,
    visits: u32,
}

impl Site {
    async fn over(uplink: Option<&str>) -> Self {
        let mut settings = Settings::default();
        // A rhythm that a test can keep on a busy machine; whether it is a crowd is not the question here.
        (settings.crowd.min_rate, settings.crowd.evidence) = (2.0, 0.0);
        let mut builder = Flashback::builder().settings(settings);
        if let Some(uplink) = uplink {
            builder = builder.uplink(uplink.parse().unwrap());
        }
        let flashback = builder.build().unwrap();
        let page = get(async move || ([FRESH, (header::CONTENT_TYPE, "text/html")], PAGE));
        let picture = get(async move || ([FRESH, (header::CONTENT_TYPE, "image/jpeg")], vec![7_u8; 40_000]));
        let app = Router::new()
            .route("/", page)
            .route("/big.jpg", picture)
            .layer(flashback.layer());
        // The silence before the crowd, without which nothing is a surge.
        sleep(Duration::from_secs(2)).await;
        Self {
            flashback,
            app,
            visits: 0,
        }
    }

    /// A visitor whom nobody has seen before opens the page and its picture; gives the page.
    async fn visit(&mut self) -> String {
        self.visits += 1;
        let [_, a, b, c] = self.visits.to_be_bytes();
        let request = |path: &str, kind: &str| {
            Request::get(path)
                .header(header::HOST, HOST)
                .header("sec-fetch-dest", kind)
                .header(header::REFERER, format!("http://{HOST}/"))
                .extension(PeerAddr(SocketAddr::from(([10, a, b, c], 4711))))
                .body(Body::empty())
                .unwrap()
        };
        let page = self.app.clone().oneshot(request("/", "document")).await.unwrap();
        let page = page.into_body().collect().await.unwrap().to_bytes();
        let picture = self
            .app
            .clone()
            .oneshot(request("/big.jpg", "image"))
            .await
            .unwrap();
        assert_eq!(
            picture.into_body().collect().await.unwrap().to_bytes().len(),
            40_000
        );
        String::from_utf8(page.to_vec()).unwrap()
    }

    /// What the status says of the page, once it is not calm.
    async fn crowd(&self) -> Option<Value> {
        let request = Request::get("/status.json").body(Body::empty()).unwrap();
        let answer = self.flashback.admin().oneshot(request).await.unwrap();
        let status: Value =
            serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
        let crowds = status["crowds"].as_array().unwrap().clone();
        crowds
            .into_iter()
            .find(|crowd| crowd["key"] == format!("{HOST}/"))
    }

    /// Ten visits a second, until one gets what is looked for or 300 have come.
    async fn until(&mut self, found: impl Fn(&str, &Value) -> bool) -> Option<(String, Value)> {
        let mut clock = interval(Duration::from_millis(100));
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for _ in 0..300 {
            clock.tick().await;
            let page = self.visit().await;
            if let Some(crowd) = self.crowd().await
                && found(&page, &crowd)
            {
                return Some((page, crowd));
            }
        }
        None
    }
}

fn is_carried(page: &str) -> bool {
    page.contains("id=\"flashback-page\"")
}

#[tokio::test]
async fn what_the_uplink_bears_is_left_to_the_origin() {
    let mut site = Site::over(Some("10gbit")).await;
    let known = site.until(|page, crowd| {
        assert!(!is_carried(page) && crowd["carried"] == false, "{crowd}");
        crowd["load"].as_f64().unwrap() > 0.0
    });
    let (_, crowd) = known.await.expect("it is hot, and what it weighs is known");
    assert_eq!(crowd["state"], "hot");
    assert!(crowd["load"].as_f64().unwrap() < 0.01, "{crowd}");
    // However long it lasts.
    for _ in 0..20 {
        assert_eq!(site.visit().await, PAGE);
    }
    // An operator's word is stronger.
    let order = format!(r#"{{"url":"http://{HOST}/","mode":"auto"}}"#);
    for body in [order.replace("auto", "calm"), order.replace("auto", "hot")] {
        let request = Request::post("/crowd").body(Body::from(body)).unwrap();
        assert!(
            site.flashback
                .admin()
                .oneshot(request)
                .await
                .unwrap()
                .status()
                .is_success()
        );
    }
    assert!(site.until(|page, _| is_carried(page)).await.is_some());
}

#[tokio::test]
async fn what_weighs_on_it_is_carried() {
    let mut site = Site::over(Some("1mbit")).await;
    let (_, crowd) = site
        .until(|page, _| is_carried(page))
        .await
        .expect("it is carried");
    assert_eq!(
        (&crowd["state"], &crowd["carried"]),
        (&"hot".into(), &true.into())
    );
    assert!(crowd["load"].as_f64().unwrap() >= 0.5, "{crowd}");
}

#[tokio::test]
async fn of_an_unknown_uplink_hot_means_carried() {
    let mut site = Site::over(None).await;
    let (_, crowd) = site
        .until(|page, _| is_carried(page))
        .await
        .expect("it is carried");
    assert_eq!((&crowd["carried"], &crowd["load"]), (&true.into(), &Value::Null));
}
