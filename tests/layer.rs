//! The layer through its public face: around axum and around a bare hyper service, calm and hot, with origins that
//! behave and origins that do not.
#![allow(clippy::unwrap_used)]

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    sync::{Notify, Semaphore},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest, protocol::Role},
};
use tower::{Layer, Service, ServiceExt};
use tower_flashback::{
    Flashback, Settings,
    broker::signal::{Chunk, FromBroker, FromVisitor, Spare},
    content::{CHUNK, Digest, verify},
    layer::{FlashbackService, PeerAddr},
};

const PAGE: &str =
    "<!doctype html><html><head><title>A page</title></head><body><img src=/big.jpg></body></html>";
const HOST: &str = "site.example";
const FRESH: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=60");

/// 40,000 bytes: two whole chunks and a part, no two alike.
fn picture() -> Bytes {
    (0..40_000_u32)
        .map(|i| (i * 7 + i / 256 + 3).to_le_bytes()[0])
        .collect()
}

fn site(fetches: Arc<AtomicUsize>) -> Router {
    Router::new()
        .route(
            "/",
            get(async move || {
                (
                    [
                        FRESH,
                        (header::CONTENT_TYPE, "text/html"),
                        (header::ETAG, "\"p1\""),
                    ],
                    PAGE,
                )
            }),
        )
        .route(
            "/big.jpg",
            get(async move || {
                fetches.fetch_add(1, SeqCst);
                (
                    [
                        FRESH,
                        (header::CONTENT_TYPE, "image/jpeg"),
                        (header::ETAG, "\"b1\""),
                    ],
                    picture(),
                )
            }),
        )
}

fn visit(path: &str) -> http::request::Builder {
    Request::get(path)
        .header(header::HOST, HOST)
        .extension(PeerAddr(SocketAddr::from(([192, 0, 2, 1], 4711))))
}

fn navigation(path: &str) -> Request<Body> {
    visit(path)
        .header("sec-fetch-dest", "document")
        .body(Body::empty())
        .unwrap()
}

fn image(path: &str) -> http::request::Builder {
    visit(path)
        .header("sec-fetch-dest", "image")
        .header(header::REFERER, format!("http://{HOST}/"))
}

async fn order(flashback: &Flashback, mode: &str) {
    let body = format!(r#"{{"url":"http://{HOST}/","mode":"{mode}"}}"#);
    let answer = flashback
        .admin()
        .oneshot(Request::post("/crowd").body(Body::from(body)).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

async fn text<B>(response: Response<B>) -> String
where
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// What the page tells its script.
fn told(page: &str) -> Value {
    let (_, rest) = page
        .split_once("id=\"flashback-page\">")
        .expect("the page carries the script's data");
    let (json, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn law_1_calm_is_free() {
    let flashback = Flashback::builder().build().unwrap();
    let app = site(Arc::default());
    let layered = app.clone().layer(flashback.layer());
    for path in ["/", "/big.jpg", "/none"] {
        let bare = app.clone().oneshot(navigation(path)).await.unwrap();
        let ours = layered.clone().oneshot(navigation(path)).await.unwrap();
        assert_eq!(
            (bare.status(), bare.headers()),
            (ours.status(), ours.headers()),
            "{path}"
        );
        let bodies = (
            bare.into_body().collect().await.unwrap(),
            ours.into_body().collect().await.unwrap(),
        );
        assert_eq!(bodies.0.to_bytes(), bodies.1.to_bytes(), "{path}");
    }
    let live = layered.oneshot(navigation("/.flashback/live")).await.unwrap();
    assert_eq!(live.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_hot_page_names_its_objects_and_a_calm_one_is_itself_again() {
    let flashback = Flashback::builder().build().unwrap();
    let fetches = Arc::default();
    let app = site(Arc::clone(&fetches)).layer(flashback.layer());
    order(&flashback, "hot").await;
    let first = app.clone().oneshot(navigation("/")).await.unwrap();
    assert_eq!(text(first).await, PAGE, "there is nothing to carry yet");
    let asked = app
        .clone()
        .oneshot(image("/big.jpg").body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(asked.into_body().collect().await.unwrap().to_bytes(), picture());

    let second = app.clone().oneshot(navigation("/")).await.unwrap();
    assert_eq!(second.headers()[header::CACHE_CONTROL], "private, no-cache");
    let second = text(second).await;
    assert!(
        second.contains("<img loading=lazy") || second.contains("data-flashback-hold"),
        "{second}"
    );
    let object = told(&second)["objects"][0].clone();
    assert_eq!(
        (object["url"].as_str(), object["length"].as_u64()),
        (Some("/big.jpg"), Some(40_000))
    );
    let digest = object["digest"].as_str().unwrap();

    let by_digest = image(&format!("/.flashback/object/{digest}")).header(header::RANGE, "bytes=16384-16393");
    let part = app
        .clone()
        .oneshot(by_digest.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(
        part.into_body().collect().await.unwrap().to_bytes(),
        picture().slice(16384..16394)
    );
    let digests = app
        .clone()
        .oneshot(navigation(&format!("/.flashback/digests/{digest}")))
        .await
        .unwrap();
    assert_eq!(
        digests.into_body().collect().await.unwrap().to_bytes().len(),
        3 * 16
    );
    assert_eq!(fetches.load(SeqCst), 1);

    order(&flashback, "calm").await;
    let third = app.clone().oneshot(navigation("/")).await.unwrap();
    assert_eq!(third.headers()[header::ETAG], "\"p1\"");
    assert_eq!(text(third).await, PAGE);
    let gone = app
        .oneshot(navigation(&format!("/.flashback/object/{digest}")))
        .await
        .unwrap();
    assert_eq!(
        gone.status(),
        StatusCode::NOT_FOUND,
        "what no hot page lists is not given out"
    );
}

#[tokio::test]
async fn a_carried_page_revalidates_to_a_304_of_its_own() {
    let flashback = Flashback::builder().build().unwrap();
    let app = site(Arc::default()).layer(flashback.layer());
    order(&flashback, "hot").await;
    text(app.clone().oneshot(navigation("/")).await.unwrap()).await;
    app.clone()
        .oneshot(image("/big.jpg").body(Body::empty()).unwrap())
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    let carried = app.clone().oneshot(navigation("/")).await.unwrap();
    let tag = carried.headers()[header::ETAG].clone();
    assert!(tag.to_str().unwrap().starts_with("W/\"p1-fb-"), "{tag:?}");
    let again = visit("/")
        .header("sec-fetch-dest", "document")
        .header(header::IF_NONE_MATCH, &tag);
    let again = app
        .clone()
        .oneshot(again.body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(
        (again.status(), &again.headers()[header::ETAG]),
        (StatusCode::NOT_MODIFIED, &tag)
    );
    order(&flashback, "calm").await;
    let calm = visit("/")
        .header("sec-fetch-dest", "document")
        .header(header::IF_NONE_MATCH, &tag);
    let calm = app.oneshot(calm.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!((calm.status(), text(calm).await.as_str()), (StatusCode::OK, PAGE));
}

#[tokio::test]
async fn a_hundred_requests_are_one_fetch() {
    let gate = Arc::new(Semaphore::new(0));
    let fetches = Arc::new(AtomicUsize::new(0));
    let (open, count) = (Arc::clone(&gate), Arc::clone(&fetches));
    let app = site(Arc::default()).route(
        "/slow.jpg",
        get(async move || {
            count.fetch_add(1, SeqCst);
            let _ = open.acquire().await.unwrap();
            (
                [
                    (header::CACHE_CONTROL, "max-age=60"),
                    (header::CONTENT_TYPE, "image/jpeg"),
                ],
                picture(),
            )
        }),
    );
    let flashback = Flashback::builder().build().unwrap();
    let app = app.layer(flashback.layer());
    order(&flashback, "hot").await;
    text(app.clone().oneshot(navigation("/")).await.unwrap()).await;
    let asks: Vec<_> = (0..100)
        .map(|number: usize| {
            let start = number * 100;
            let request = image("/slow.jpg").header(header::RANGE, format!("bytes={start}-{}", start + 99));
            tokio::spawn(app.clone().oneshot(request.body(Body::empty()).unwrap()))
        })
        .collect();
    // The first one waits in the origin's handler; then there is nothing more to wait for.
    while fetches.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    gate.add_permits(200);
    for (number, ask) in asks.into_iter().enumerate() {
        let response = ask.await.unwrap().unwrap();
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
        let start = number * 100;
        assert_eq!(
            response.into_body().collect().await.unwrap().to_bytes(),
            picture().slice(start..start + 100)
        );
    }
    assert_eq!(fetches.load(SeqCst), 1);
}

/// An origin whose first response breaks off in the middle.
fn dying(fetches: Arc<AtomicUsize>, half_sent: Arc<Notify>) -> Router {
    site(Arc::default()).route(
        "/dying.jpg",
        get(async move || {
            let dies = fetches.fetch_add(1, SeqCst) == 0;
            let body = futures_util::stream::unfold(0, move |turn| {
                let half_sent = Arc::clone(&half_sent);
                async move {
                    match turn {
                        0 => Some((Ok(http_body::Frame::data(picture().slice(..20_000))), 1)),
                        1 if dies => {
                            half_sent.notified().await;
                            Some((Err(std::io::Error::other("the origin died")), 2))
                        }
                        1 => Some((Ok(http_body::Frame::data(picture().slice(20_000..))), 2)),
                        _ => None,
                    }
                }
            });
            Response::builder()
                .header(header::CACHE_CONTROL, "max-age=60")
                .header(header::CONTENT_TYPE, "image/jpeg")
                .header(header::CONTENT_LENGTH, 40_000)
                .body(Body::new(StreamBody::new(body)))
                .unwrap()
        }),
    )
}

#[tokio::test]
async fn an_origin_that_dies_in_the_middle_is_seen_to_and_asked_again() {
    let (fetches, half_sent) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let flashback = Flashback::builder().build().unwrap();
    let app = dying(Arc::clone(&fetches), Arc::clone(&half_sent)).layer(flashback.layer());
    order(&flashback, "hot").await;
    text(app.clone().oneshot(navigation("/")).await.unwrap()).await;
    let ask = || {
        app.clone()
            .oneshot(image("/dying.jpg").body(Body::empty()).unwrap())
    };
    let first = ask().await.unwrap();
    let follower = ask().await.unwrap();
    half_sent.notify_one();
    assert!(
        first.into_body().collect().await.is_err(),
        "a part is never passed off as the whole"
    );
    assert!(follower.into_body().collect().await.is_err());
    let again = ask().await.unwrap();
    assert_eq!(again.into_body().collect().await.unwrap().to_bytes(), picture());
    assert_eq!(fetches.load(SeqCst), 2);
}

#[tokio::test]
async fn an_origin_that_hangs_for_one_does_not_hang_for_all() {
    let fetches = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetches);
    let app = site(Arc::default()).route(
        "/hangs.jpg",
        get(async move || {
            if count.fetch_add(1, SeqCst) == 0 {
                std::future::pending::<()>().await;
            }
            (
                [
                    (header::CACHE_CONTROL, "max-age=60"),
                    (header::CONTENT_TYPE, "image/jpeg"),
                ],
                picture(),
            )
        }),
    );
    let mut settings = Settings::default();
    settings.carry.coalesce_wait = Duration::from_millis(20);
    let flashback = Flashback::builder().settings(settings).build().unwrap();
    let app = app.layer(flashback.layer());
    order(&flashback, "hot").await;
    text(app.clone().oneshot(navigation("/")).await.unwrap()).await;
    let ask = || {
        app.clone()
            .oneshot(image("/hangs.jpg").body(Body::empty()).unwrap())
    };
    let hangs = tokio::spawn(ask());
    while fetches.load(SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let other = ask().await.unwrap();
    assert_eq!(other.into_body().collect().await.unwrap().to_bytes(), picture());
    hangs.abort();
}

#[tokio::test]
async fn law_6_whatever_stands_against_it_the_page_goes_out_as_it_came() {
    let odd = |kind: &'static str, policy: &'static str| {
        get(async move || {
            (
                [
                    (header::CONTENT_TYPE, kind),
                    (header::CONTENT_SECURITY_POLICY, policy),
                ],
                Bytes::from_static(PAGE.as_bytes()),
            )
        })
    };
    let pages = Router::new()
        .route("/utf16", odd("text/html; charset=utf-16", "img-src *"))
        .route("/policy", odd("text/html", "script-src 'none'"))
        .route("/webrtc", odd("text/html", "webrtc 'block'"))
        .route("/plain", odd("text/plain", "img-src *"));
    let flashback = Flashback::builder().build().unwrap();
    let app = pages.clone().layer(flashback.layer());
    for path in ["/utf16", "/policy", "/webrtc", "/plain"] {
        let body = format!(r#"{{"url":"{path}","mode":"hot"}}"#);
        flashback
            .admin()
            .oneshot(Request::post("/crowd").body(Body::from(body)).unwrap())
            .await
            .unwrap();
        let bare = pages.clone().oneshot(navigation(path)).await.unwrap();
        let ours = app.clone().oneshot(navigation(path)).await.unwrap();
        // A range that is offered, and a coding that is chosen, are added where they are true.
        for (name, value) in bare.headers() {
            assert_eq!(ours.headers().get(name), Some(value), "{path} {name}");
        }
        assert_eq!(text(bare).await, text(ours).await, "{path}");
    }
}

#[tokio::test]
async fn law_7_the_clients_files_come_from_here() {
    let flashback = Flashback::builder().build().unwrap();
    let app = Router::new().layer(flashback.layer());
    for name in ["client.js", "sw.js", "panel.js"] {
        let plain = app
            .clone()
            .oneshot(navigation(&format!("/.flashback/{name}")))
            .await
            .unwrap();
        assert_eq!(
            plain.headers()[header::CONTENT_TYPE],
            "text/javascript; charset=utf-8"
        );
        assert_eq!(
            plain.headers().contains_key("service-worker-allowed"),
            name == "sw.js"
        );
        let length = text(plain).await.len();
        let packed = visit(&format!("/.flashback/{name}")).header(header::ACCEPT_ENCODING, "gzip, br");
        let packed = app
            .clone()
            .oneshot(packed.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "br");
        assert!(packed.into_body().collect().await.unwrap().to_bytes().len() < length);
    }
    let posted = Request::post("/.flashback/live").body(Body::empty()).unwrap();
    assert_eq!(
        app.clone().oneshot(posted).await.unwrap().status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    let unknown = app
        .oneshot(navigation("/.flashback/../../etc/passwd"))
        .await
        .unwrap();
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
}

/// A bare hyper 1 server: no axum, hyper's own body type, the layer in one line.
#[tokio::test]
async fn it_is_a_layer_for_hyper_too() {
    async fn handler(request: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (kind, body) = match request.uri().path() {
            "/" => ("text/html", Bytes::from_static(PAGE.as_bytes())),
            _ => ("image/jpeg", picture()),
        };
        let response = Response::builder()
            .header(header::CONTENT_TYPE, kind)
            .header(header::CACHE_CONTROL, "max-age=60");
        Ok(response.body(Full::new(body)).unwrap())
    }
    let flashback = Flashback::builder().build().unwrap();
    let service: FlashbackService<_> = flashback.layer().layer(tower::service_fn(handler));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let service = service.clone();
            let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(PeerAddr(peer));
                service.clone().call(request)
            });
            let stream = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(stream, service)
                    .with_upgrades(),
            );
        }
    });
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<Body>();
    let page = format!("http://{address}/");
    let ask = |path: &str| {
        let request = Request::get(format!("http://{address}{path}"))
            .header(header::ACCEPT, "text/html,image/*")
            .header(header::REFERER, &page);
        let request = match path {
            "/" => request.header("sec-fetch-dest", "document"),
            _ => request.header("sec-fetch-dest", "image"),
        };
        client.request(request.body(Body::empty()).unwrap())
    };
    assert_eq!(text(ask("/").await.unwrap()).await, PAGE);
    let body = format!(r#"{{"url":"{page}","mode":"hot"}}"#);
    flashback
        .admin()
        .oneshot(Request::post("/crowd").body(Body::from(body)).unwrap())
        .await
        .unwrap();
    text(ask("/").await.unwrap()).await;
    assert_eq!(
        ask("/a.jpg")
            .await
            .unwrap()
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes(),
        picture()
    );
    let carried = text(ask("/").await.unwrap()).await;
    assert_eq!(told(&carried)["objects"][0]["url"], "/a.jpg");
    server.abort();
}

#[tokio::test]
async fn the_notice_is_there_only_where_the_site_wants_it() {
    for wanted in [false, true] {
        let mut settings = Settings::default();
        settings.notice.enabled = wanted;
        let flashback = Flashback::builder().settings(settings).build().unwrap();
        let app = site(Arc::default()).layer(flashback.layer());
        order(&flashback, "hot").await;
        for request in [navigation("/"), image("/big.jpg").body(Body::empty()).unwrap()] {
            read(app.clone().oneshot(request).await.unwrap()).await;
        }
        let page = text(app.clone().oneshot(navigation("/")).await.unwrap()).await;
        let (_, scripts) = page.split_once("client.js?v=").expect("the page is carried");
        assert_eq!(scripts.contains("/.flashback/notice.js?v="), wanted, "{page}");
        let Some((_, rest)) = scripts.split_once("/.flashback/notice.js") else {
            let none = app.oneshot(navigation("/.flashback/notice.js")).await.unwrap();
            assert_eq!(none.status(), StatusCode::NOT_FOUND);
            continue;
        };
        let query = &rest[..rest.find('"').unwrap()];
        let named = navigation(&format!("/.flashback/notice.js{query}"));
        let script = app.clone().oneshot(named).await.unwrap();
        assert_eq!(
            script.headers()[header::CACHE_CONTROL],
            "public, max-age=31536000, immutable"
        );
        assert!(text(script).await.starts_with("(FLASHBACK_TEXTS=>{"));
        let other = app
            .oneshot(navigation("/.flashback/notice.js?v=1"))
            .await
            .unwrap();
        assert_eq!(other.headers()[header::CACHE_CONTROL], "no-cache");
    }
}

/// Reads an answer to its end.
async fn read<B: http_body::Body>(response: Response<B>)
where
    B::Error: std::fmt::Debug,
{
    response.into_body().collect().await.unwrap();
}

/// A site whose page is hot and whose picture is listed; what the page tells its script.
async fn carried(app: &FlashbackService<Router>, flashback: &Flashback) -> Value {
    order(flashback, "hot").await;
    for request in [navigation("/"), image("/big.jpg").body(Body::empty()).unwrap()] {
        let response = app.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let page = app.clone().oneshot(navigation("/")).await.unwrap();
    told(&text(page).await)
}

/// The next chunk that the broker sends.
async fn chunk(socket: &mut WebSocketStream<TcpStream>) -> Chunk {
    loop {
        let Some(Ok(Message::Binary(bytes))) = socket.next().await else {
            panic!("the socket ended");
        };
        match FromBroker::decode(&bytes).unwrap() {
            FromBroker::Chunk(chunk) => return chunk,
            FromBroker::Welcome { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Bytes of the hot page that were sent from memory.
async fn from_store(flashback: &Flashback) -> u64 {
    let status = Request::get("/status.json").body(Body::empty()).unwrap();
    let status = flashback.admin().oneshot(status).await.unwrap();
    let status: Value = serde_json::from_str(&text(status).await).unwrap();
    status["crowds"][0]["bytes"]["store"].as_u64().unwrap()
}

/// Through a real socket and the real store: what the broker sends as a seed is what the manifest names.
#[tokio::test]
async fn a_visitor_of_a_hot_page_is_sent_a_seed_that_the_manifest_names() {
    let flashback = Flashback::builder().build().unwrap();
    let app = flashback.layer().layer(site(Arc::default()));
    let told = carried(&app, &flashback).await;
    let before = from_store(&flashback).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.clone();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
            // The token is for the address that the page was sent to.
            let visitor = SocketAddr::from(([192, 0, 2, 1], 4711));
            request.extensions_mut().insert(PeerAddr(visitor));
            service.clone().call(request.map(Body::new))
        });
        let stream = hyper_util::rt::TokioIo::new(stream);
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(stream, service);
        drop(connection.with_upgrades().await);
    });
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("ws://{address}/.flashback/signal")
        .into_client_request()
        .unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let token = STANDARD_NO_PAD.decode(told["token"].as_str().unwrap()).unwrap();
    let join = FromVisitor::Join {
        token: token.try_into().unwrap(),
    };
    socket.send(Message::binary(join.encode())).await.unwrap();
    let seed = chunk(&mut socket).await;
    let object = &told["objects"][0];
    let digests = STANDARD.decode(object["chunks"].as_str().unwrap()).unwrap();
    let within = (u64::from(seed.chunk) - object["first"].as_u64().unwrap()) as usize;
    let digest = Digest(digests[16 * within..][..16].try_into().unwrap());
    assert!(verify(&seed.bytes, &digest));
    assert_eq!(seed.bytes.len(), CHUNK, "a whole chunk, not the tail");
    assert_eq!(seed.bytes, picture().slice(within * CHUNK..(within + 1) * CHUNK));
    // It counts as sent from memory. The second is sent when the first was counted, so nothing has to be waited for.
    let spare = Spare {
        chunks: std::iter::once(seed.chunk ^ 1).collect(),
    };
    socket
        .send(Message::binary(FromVisitor::Spare(spare).encode()))
        .await
        .unwrap();
    assert_eq!(chunk(&mut socket).await.chunk, seed.chunk ^ 1);
    assert!(from_store(&flashback).await >= before + CHUNK as u64);
    server.abort();
}

/// The way out is deferred while pages alone exceed the uplink; what a browser asks for by itself never is.
#[tokio::test(start_paused = true)]
async fn the_way_out_waits_when_the_uplink_is_behind_and_nothing_else_does() {
    for (uplink, deferred) in [(Some("400kbit"), true), (None, false)] {
        let mut builder = Flashback::builder();
        if let Some(uplink) = uplink {
            builder = builder.uplink(uplink.parse().unwrap());
        }
        let flashback = builder.build().unwrap();
        let app = flashback.layer().layer(site(Arc::default()));
        let told = carried(&app, &flashback).await;
        let object = format!(
            "/.flashback/object/{}",
            told["objects"][0]["digest"].as_str().unwrap()
        );
        let ask = async |request: http::request::Builder| {
            let request = request.body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            let answer = (
                response.status(),
                response.headers().get(header::RETRY_AFTER).cloned(),
            );
            response.into_body().collect().await.unwrap();
            answer
        };
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(
            ask(image(&object)).await,
            (StatusCode::OK, None),
            "it is not behind"
        );
        for _ in 0..20 {
            assert_eq!(ask(image("/big.jpg")).await.0, StatusCode::OK);
        }
        let (status, retry) = ask(image(&object)).await;
        if !deferred {
            assert_eq!((status, retry), (StatusCode::OK, None), "nobody knows the uplink");
            continue;
        }
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(retry.is_some());
        assert_eq!(ask(image("/big.jpg")).await, (StatusCode::OK, None));
        assert_eq!(
            ask(visit("/").header("sec-fetch-dest", "document")).await.0,
            StatusCode::OK
        );
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(
            ask(image(&object)).await,
            (StatusCode::OK, None),
            "it has caught up"
        );
    }
}

/// What a browser does that has an HTTP/2 connection already (RFC 8441).
#[tokio::test]
async fn axums_own_server_opens_the_signalling_socket_over_http_2() {
    let flashback = Flashback::builder().build().unwrap();
    let routes = site(Arc::default());
    let around = flashback.layer().layer(routes.clone());
    let visitors =
        axum::ServiceExt::<axum::extract::Request>::into_make_service_with_connect_info::<SocketAddr>(around);
    let inside = routes.layer(flashback.layer());
    let (one, two) = (listener().await, listener().await);
    let addresses = [one.local_addr().unwrap(), two.local_addr().unwrap()];
    tokio::spawn(async { axum::serve(one, visitors).await });
    tokio::spawn(async {
        axum::serve(two, inside.into_make_service_with_connect_info::<SocketAddr>()).await
    });
    for address in addresses {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (mut browser, driver) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
            .await
            .unwrap();
        tokio::spawn(driver);
        let mut connect = async |protocol| {
            let request = Request::connect(format!("http://{address}/.flashback/signal"))
                .extension(hyper::ext::Protocol::from_static(protocol))
                .header(header::ORIGIN, format!("http://{address}"))
                .header(header::SEC_WEBSOCKET_VERSION, "13");
            let request = request.body(Body::empty()).unwrap();
            browser.send_request(request).await.unwrap()
        };
        assert_eq!(
            connect("connect-udp").await.status(),
            StatusCode::METHOD_NOT_ALLOWED
        );
        let answer = connect("websocket").await;
        assert_eq!(answer.status(), StatusCode::OK);
        let stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        socket.send(Message::text("no message of ours")).await.unwrap();
        let Some(Ok(Message::Close(Some(_)))) = socket.next().await else {
            panic!("not the broker's answer");
        };
    }
}

async fn listener() -> tokio::net::TcpListener {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap()
}
