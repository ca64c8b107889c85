//! WebSockets over HTTP/2 (RFC 8441): streams of the connection that a browser has already.

use std::{
    net::{Shutdown, SocketAddr},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{WebSocketUpgrade, ws::WebSocket},
    response::Response,
    routing::{any, get},
};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::http2::{SendRequest, handshake},
    ext::Protocol,
    upgrade::Upgraded,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, handshake::derive_accept_key, protocol::Role},
};
use tower::{Layer, ServiceExt};
use tower_flashback::{
    Flashback,
    broker::signal::{FromBroker, FromVisitor},
    proxy::server::Drained,
};

use crate::harness::{Proxy, app, header as said, patient, recorder, scripted};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A browser's one connection.
struct Browser {
    connection: SendRequest<Body>,
    /// Its socket, to tear it down with.
    line: std::net::TcpStream,
    proxy: SocketAddr,
}

impl Browser {
    async fn before(proxy: &Proxy) -> Self {
        let stream = TcpStream::connect(proxy.address)
            .await
            .unwrap()
            .into_std()
            .unwrap();
        let line = stream.try_clone().unwrap();
        let stream = TcpStream::from_std(stream).unwrap();
        let (connection, driver) = handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(driver);
        Self {
            connection,
            line,
            proxy: proxy.address,
        }
    }

    async fn ask(&mut self, request: Request<Body>) -> Response<Incoming> {
        patient(self.connection.send_request(request)).await.unwrap()
    }

    async fn connect(
        &mut self,
        path: &str,
        protocol: &'static str,
        more: &[(&str, &str)],
    ) -> Response<Incoming> {
        let mut request = Request::connect(format!("http://{}{path}", self.proxy))
            .extension(Protocol::from_static(protocol))
            .header(header::SEC_WEBSOCKET_VERSION, "13");
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// The page, the picture of it, and the page again, which then is carried: the token that it is given.
    async fn token(&mut self) -> [u8; 29] {
        let page = format!("http://{}/", self.proxy);
        let mut last = String::new();
        for (path, destination) in [("", "document"), ("big.jpg", "image"), ("", "document")] {
            let request = Request::get(format!("{page}{path}"))
                .header("sec-fetch-dest", destination)
                .header(header::REFERER, &page);
            let answer = self.ask(request.body(Body::empty()).unwrap()).await;
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            last = String::from_utf8_lossy(&body).into_owned();
        }
        let (_, rest) = last.split_once("\"token\":\"").expect("the page is carried");
        STANDARD_NO_PAD
            .decode(&rest[..rest.find('"').unwrap()])
            .unwrap()
            .try_into()
            .unwrap()
    }
}

async fn socket(answer: Response<Incoming>) -> Socket {
    let upgraded = hyper::upgrade::on(answer).await.unwrap();
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await
}

/// Heads of what the swarm may carry.
fn fresh(kind: &'static str) -> [(header::HeaderName, &'static str); 2] {
    [
        (header::CACHE_CONTROL, "max-age=60"),
        (header::CONTENT_TYPE, kind),
    ]
}

/// A site with a picture on its page, behind the layer and the proxy; its page is hot.
async fn hot() -> (Flashback, Proxy) {
    let site = Router::new()
        .route(
            "/",
            get(async || {
                (
                    fresh("text/html"),
                    "<!doctype html><head></head><img src=/big.jpg>",
                )
            }),
        )
        .route("/big.jpg", get(async || (fresh("image/jpeg"), vec![7; 100_000])));
    let origin = app(site).await;
    let flashback = Flashback::builder().build().unwrap();
    let layer = flashback.layer();
    let proxy = Proxy::around(
        &format!("http://{origin}"),
        |_| {},
        |upstream| layer.layer(upstream),
    )
    .await;
    let order = format!(r#"{{"url":"{}","mode":"hot"}}"#, proxy.url("/"));
    let order = Request::post("/crowd").body(Body::from(order)).unwrap();
    let answer = flashback.admin().oneshot(order).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    (flashback, proxy)
}

#[tokio::test]
async fn the_signalling_socket_is_a_stream_of_the_pages_connection() {
    let (_flashback, proxy) = hot().await;
    let mut browser = Browser::before(&proxy).await;
    let token = browser.token().await;
    let site = format!("http://{}", proxy.address);
    let answer = browser
        .connect("/.flashback/signal", "websocket", &[("origin", &site)])
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    for absent in ["connection", "upgrade", "sec-websocket-accept"] {
        assert!(!answer.headers().contains_key(absent), "{absent}");
    }
    let mut socket = socket(answer).await;
    let join = FromVisitor::Join { token }.encode();
    socket.send(Message::binary(join)).await.unwrap();
    let Some(Ok(Message::Binary(welcome))) = patient(socket.next()).await else {
        panic!("not welcomed");
    };
    assert!(matches!(
        FromBroker::decode(&welcome),
        Ok(FromBroker::Welcome { others: 0, .. })
    ));
}

#[tokio::test]
async fn no_other_sites_page_and_no_other_protocol_gets_a_signalling_socket() {
    let (_flashback, proxy) = hot().await;
    let mut browser = Browser::before(&proxy).await;
    for (path, protocol, origin, status) in [
        (
            "signal",
            "websocket",
            "https://evil.example",
            StatusCode::FORBIDDEN,
        ),
        ("signal", "connect-udp", "", StatusCode::METHOD_NOT_ALLOWED),
        ("signal", "WebSocket", "", StatusCode::METHOD_NOT_ALLOWED),
        ("live", "websocket", "", StatusCode::METHOD_NOT_ALLOWED),
        ("client.js", "websocket", "", StatusCode::METHOD_NOT_ALLOWED),
        ("object/signal", "websocket", "", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let origin = Some(("origin", origin)).filter(|(_, origin)| !origin.is_empty());
        let answer = browser
            .connect(&format!("/.flashback/{path}"), protocol, origin.as_slice())
            .await;
        assert_eq!(answer.status(), status, "{path} {protocol}");
    }
    let get = Request::get(proxy.url("/.flashback/signal"))
        .body(Body::empty())
        .unwrap();
    let answer = browser.ask(get).await;
    assert_eq!(answer.status(), StatusCode::UPGRADE_REQUIRED);
}

/// Says what comes, in the subprotocol that it knows, and tells by an unlikely name what it was asked with.
async fn echoes(upgrade: WebSocketUpgrade, method: Method, headers: HeaderMap) -> Response {
    let echo = async |mut socket: WebSocket| {
        while let Some(Ok(message)) = socket.recv().await {
            // A close is answered by the next `recv`.
            if !matches!(message, axum::extract::ws::Message::Close(_)) && socket.send(message).await.is_err()
            {
                return;
            }
        }
    };
    let mut response = upgrade.protocols(["echo"]).on_upgrade(echo);
    let told = format!(
        "{method} {} {}",
        headers["host"].to_str().unwrap(),
        headers["x-forwarded-for"].to_str().unwrap()
    );
    response.headers_mut().insert("x-asked", told.parse().unwrap());
    response
}

#[tokio::test]
async fn a_sites_own_websocket_is_a_tunnel_to_its_http_1() {
    let origin = app(Router::new().route("/chat", any(echoes))).await;
    let proxy = Proxy::before(origin).await;
    let mut browser = Browser::before(&proxy).await;
    let mut sockets = Vec::new();
    for _ in 0..2 {
        let answer = browser
            .connect(
                "/chat?room=1",
                "websocket",
                &[("sec-websocket-protocol", "other, echo")],
            )
            .await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["sec-websocket-protocol"], "echo");
        assert_eq!(
            answer.headers()["x-asked"],
            format!("GET {} 127.0.0.1", proxy.address)
        );
        for absent in [
            "connection",
            "upgrade",
            "sec-websocket-accept",
            "sec-websocket-key",
        ] {
            assert!(!answer.headers().contains_key(absent), "{absent}");
        }
        sockets.push(socket(answer).await);
    }
    // Longer than the window of a stream, so that both sides have to wait for each other.
    for size in [0_usize, 1, 125, 126, 70_000, 3 << 19] {
        for socket in &mut sockets {
            let sent = Message::binary(vec![7; size]);
            let (mut to, mut from) = socket.split();
            let (heard, ()) = patient(futures_util::future::join(from.next(), async {
                to.send(sent.clone()).await.unwrap();
            }))
            .await;
            assert_eq!(heard.unwrap().unwrap(), sent);
        }
    }
    let mut first = sockets.remove(0);
    first.close(None).await.unwrap();
    while let Some(message) = patient(first.next()).await {
        assert!(message.unwrap().is_close());
    }
    sockets[0].send(Message::text("still here")).await.unwrap();
    assert_eq!(
        patient(sockets[0].next()).await.unwrap().unwrap(),
        Message::text("still here")
    );
}

#[tokio::test]
async fn a_visitor_that_vanishes_is_told_to_the_origin() {
    let origin = scripted(|_, mut connection| async move {
        let head = connection.until("\r\n\r\n").await;
        connection
            .write(&switch(said(&head, "sec-websocket-key").unwrap()))
            .await;
        connection.rest().await;
    });
    let proxy = Proxy::with(origin.await, |config| config.server.connections = 1).await;
    let mut first = Browser::before(&proxy).await;
    let answer = first.connect("/", "websocket", &[]).await;
    assert_eq!(answer.status(), StatusCode::OK);
    first.line.shutdown(Shutdown::Both).unwrap();
    // The tunnel held the only place.
    let mut second = Browser::before(&proxy).await;
    assert_eq!(
        second.connect("/", "websocket", &[]).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_drain_does_not_wait_for_tunnels() {
    let origin = app(Router::new().route("/chat", any(echoes))).await;
    let proxy = Proxy::with(origin, |config| config.server.drain = Duration::from_secs(600)).await;
    let mut browser = Browser::before(&proxy).await;
    let mut socket = socket(browser.connect("/chat", "websocket", &[]).await).await;
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(
        patient(socket.next()).await.unwrap().unwrap(),
        Message::text("hello")
    );
    proxy.stop();
    assert!(!matches!(patient(socket.next()).await, Some(Ok(_))));
    assert_eq!(patient(proxy.ended()).await, Drained::Whole);
}

#[tokio::test]
async fn the_origin_is_asked_as_rfc_6455_has_it() {
    let (origin, seen) = recorder().await;
    let proxy = Proxy::before(origin).await;
    let mut browser = Browser::before(&proxy).await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let more = [
            ("sec-websocket-key", "of the visitor"),
            ("sec-websocket-extensions", "x"),
        ];
        let answer = browser.connect("/chat?room=1", "websocket", &more).await;
        // It answered a page, and a success would be an open socket to the browser.
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        let head = seen.lock().unwrap().pop().unwrap();
        assert!(head.starts_with("GET /chat?room=1 HTTP/1.1\r\n"), "{head}");
        for (name, value) in [
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-extensions", "x"),
        ] {
            assert_eq!(said(&head, name), Some(value), "{head}");
        }
        keys.push(said(&head, "sec-websocket-key").unwrap().to_owned());
        assert_eq!(head.to_lowercase().matches("sec-websocket-key").count(), 1);
    }
    assert!(
        keys.iter().all(|key| key.len() == 24) && keys[0] != keys[1],
        "{keys:?}"
    );
}

#[tokio::test]
async fn an_origin_that_refuses_a_websocket_answers_as_ever() {
    for (says, status) in [
        ("403 Forbidden", StatusCode::FORBIDDEN),
        (
            "426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: websocket",
            StatusCode::UPGRADE_REQUIRED,
        ),
        ("302 Found\r\nLocation: /login", StatusCode::FOUND),
    ] {
        let origin = scripted(move |_, mut connection| async move {
            connection.until("\r\n\r\n").await;
            connection
                .write(&format!("HTTP/1.1 {says}\r\nContent-Length: 2\r\n\r\nno"))
                .await;
        })
        .await;
        let proxy = Proxy::before(origin).await;
        let mut browser = Browser::before(&proxy).await;
        let answer = browser.connect("/", "websocket", &[]).await;
        assert_eq!(answer.status(), status);
        assert!(!answer.headers().contains_key("upgrade"), "{says}");
        assert_eq!(
            answer.into_body().collect().await.unwrap().to_bytes(),
            "no",
            "{says}"
        );
    }
}

#[tokio::test]
async fn no_other_protocol_reaches_the_origin() {
    let (origin, seen) = recorder().await;
    let proxy = Proxy::with(origin, |config| {
        config.server.hosts = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    let mut browser = Browser::before(&proxy).await;
    for protocol in [
        "connect-udp",
        "connect-ip",
        "webtransport",
        "WebSocket",
        "h2c",
        "",
    ] {
        let answer = browser.connect("/", protocol, &[]).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{protocol}");
    }
    let forward = Request::connect("127.0.0.1:443").body(Body::empty()).unwrap();
    assert_eq!(
        browser.ask(forward).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    // A WebSocket is asked of this site, and of no other.
    let elsewhere = Request::connect("http://elsewhere.example/")
        .extension(Protocol::from_static("websocket"))
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        browser.ask(elsewhere).await.status(),
        StatusCode::MISDIRECTED_REQUEST
    );
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_switch_that_does_not_prove_itself_is_no_tunnel() {
    for (lines, status) in [
        (
            "Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
            502,
        ),
        ("Upgrade: websocket\r\n", 502),
        ("Upgrade: h2c\r\nSec-WebSocket-Accept: {}\r\n", 502),
        // The proof that these miss, so that it is known to be what they miss.
        (
            "Upgrade: websocket\r\nContent-Length: 5\r\nSec-WebSocket-Accept: {}\r\n",
            200,
        ),
    ] {
        let origin = scripted(move |_, mut connection| async move {
            let head = connection.until("\r\n\r\n").await;
            let proof = derive_accept_key(said(&head, "sec-websocket-key").unwrap().as_bytes());
            let lines = lines.replace("{}", &proof);
            connection
                .write(&format!(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n{lines}\r\n"
                ))
                .await;
            connection.rest().await;
        })
        .await;
        let proxy = Proxy::before(origin).await;
        let mut browser = Browser::before(&proxy).await;
        let answer = browser.connect("/", "websocket", &[]).await;
        assert_eq!(answer.status(), status, "{lines}");
    }
}

/// What an origin that knows RFC 6455 answers.
fn switch(key: &str) -> String {
    let proof = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {proof}\r\n\r\n"
    )
}
