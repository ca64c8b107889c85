//! What a recorder gets of a whole crowd, from the first request to the last visitor's leaving: every metric of the list,
//! and nothing else. The recorder is local to the test's thread, so the layer that records into it has installed none.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{Router, response::Html, routing::get};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use futures_util::{SinkExt, StreamExt};
use metrics_util::{
    CompositeKey, MetricKind,
    debugging::{DebugValue, DebuggingRecorder},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest},
};
use tower_flashback::{
    Flashback, Settings,
    broker::signal::{FromBroker, FromVisitor, Outcome, Report},
    telemetry::metric::{self, Kind},
};

#[test]
fn a_crowd_records_every_metric_of_the_list_and_no_other() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(60), crowd())
                .await
                .unwrap();
        });
    });
    let own = metrics::set_global_recorder(metrics::NoopRecorder);
    assert!(own.is_ok(), "the library has installed a recorder of its own");
    let recorded = snapshotter.snapshot().into_vec();
    recorded.iter().for_each(|(key, ..)| is_listed(key));
    // All counters begin at zero; only what has moved was recorded.
    let names: BTreeSet<_> = recorded
        .iter()
        .filter(|(.., value)| match value {
            DebugValue::Counter(count) => *count > 0,
            DebugValue::Gauge(_) => true,
            DebugValue::Histogram(values) => !values.is_empty(),
        })
        .map(|(key, ..)| key.key().name())
        .collect();
    let missing: Vec<_> = metric::ALL
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !names.contains(name))
        .collect();
    assert!(missing.is_empty(), "listed, but never recorded: {missing:?}");
}

/// Its name, kind, labels and their values are those of the list. The sets of values are closed, so no visitor and no URL
/// can add a series.
fn is_listed(key: &CompositeKey) {
    let name = key.key().name();
    let metric = metric::find(name).unwrap_or_else(|| panic!("{name} is recorded, but not listed"));
    let kind = match metric.kind {
        Kind::Counter => MetricKind::Counter,
        Kind::Gauge => MetricKind::Gauge,
        Kind::Histogram(_) => MetricKind::Histogram,
        _ => unreachable!("there are three kinds"),
    };
    assert_eq!(key.kind(), kind, "{name}");
    for label in key.key().labels() {
        let listed = metric.labels.iter().find(|listed| listed.name == label.key());
        assert!(
            listed.is_some_and(|listed| listed.values.contains(&label.value())),
            "{name}: {}={} is not listed",
            label.key(),
            label.value()
        );
    }
}

/// A page becomes hot, is carried, two visitors meet and leave, strangers are turned away.
async fn crowd() {
    let mut settings = Settings::default();
    // The loopback's one client is a crowd here.
    settings.crowd.min_rate = 0.5;
    settings.crowd.min_clients = 1;
    settings.crowd.min_audience = 0.0;
    settings.crowd.evidence = 0.0;
    let flashback = Flashback::builder()
        .settings(settings)
        .stun((Ipv4Addr::LOCALHOST, 0).into())
        .build()
        .unwrap();
    let page = get(async || Html("<!doctype html><title>t</title><img src=/a.jpg>"));
    let picture = get(async || {
        let fields = [("content-type", "image/jpeg"), ("cache-control", "max-age=60")];
        (fields, vec![7_u8; 40_000])
    });
    let site = Router::new().route("/", page).route("/a.jpg", picture);
    let site = serve(site.layer(flashback.layer())).await;
    let operators = serve(flashback.admin()).await;

    // Each second four times as many visits as in the one before.
    let (mut second, mut visits) = (tokio::time::interval(Duration::from_secs(1)), 1);
    while !ask(operators, "/status.json", "").await.contains("\"hot\"") {
        second.tick().await;
        for _ in 0..visits {
            ask(site, "/", NAVIGATE).await;
        }
        visits *= 4;
    }
    ask(site, "/", &format!("{NAVIGATE}save-data: on\r\n")).await;
    ask(site, "/a.jpg", &format!("referer: http://{site}/\r\n")).await;
    let html = ask(site, "/", NAVIGATE).await;
    assert!(
        html.contains("server-timing: flashback;desc=\"media\";dur="),
        "{html}"
    );

    meet(site, &token(&html)).await;
    let mut stranger = connect(site).await;
    stranger.send(Message::binary(&b"hello"[..])).await.unwrap();
    while let Some(Ok(_)) = stranger.next().await {}
    let mut forger = connect(site).await;
    let forged = FromVisitor::Join { token: [1; 29] };
    forger.send(Message::binary(forged.encode())).await.unwrap();
    while let Some(Ok(_)) = forger.next().await {}
    learn_address(flashback.stun_addr().unwrap()).await;
    while !ask(operators, "/status.json", "")
        .await
        .contains("\"visitors\":0,\"crowds\"")
    {}
    // Counts of the request path are handed to the recorder when somebody looks.
    ask(operators, "/metrics", "").await;
}

/// Three visitors are introduced; of the first one's two links one opens and one fails; it reports, and all leave.
async fn meet(site: SocketAddr, token: &[u8; 29]) {
    let mut visitors = Vec::new();
    for _ in 0..3 {
        let mut visitor = connect(site).await;
        let join = FromVisitor::Join { token: *token };
        visitor.send(Message::binary(join.encode())).await.unwrap();
        visitors.push(visitor);
    }
    let first = &mut visitors[0];
    for outcome in [Outcome::Open, Outcome::Failed] {
        let visitor = loop {
            let Message::Binary(bytes) = first.next().await.unwrap().unwrap() else {
                continue;
            };
            if let FromBroker::Meet { visitor } = FromBroker::decode(&bytes).unwrap() {
                break visitor;
            }
        };
        let linked = FromVisitor::Linked {
            visitor,
            outcome,
            milliseconds: 120,
        };
        first.send(Message::binary(linked.encode())).await.unwrap();
    }
    let report = FromVisitor::Report(Report {
        origin: 20_000,
        peer: 20_000,
        given: 10_000,
        links: 1,
    });
    first.send(Message::binary(report.encode())).await.unwrap();
    for visitor in &mut visitors {
        visitor.close(None).await.unwrap();
        while let Some(Ok(_)) = visitor.next().await {}
    }
}

async fn learn_address(stun: SocketAddr) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[5; 12]].concat();
    socket.send_to(&request, stun).await.unwrap();
    socket.recv(&mut [0; 64]).await.unwrap();
}

fn token(html: &str) -> [u8; 29] {
    let json = html
        .split("id=\"flashback-page\">")
        .nth(1)
        .expect("the page is carried");
    let json: serde_json::Value = serde_json::from_str(json.split("</script>").next().unwrap()).unwrap();
    let token = STANDARD_NO_PAD.decode(json["token"].as_str().unwrap()).unwrap();
    token.try_into().unwrap()
}

async fn connect(site: SocketAddr) -> WebSocketStream<TcpStream> {
    let stream = TcpStream::connect(site).await.unwrap();
    let request = format!("ws://{site}/.flashback/signal")
        .into_client_request()
        .unwrap();
    client_async(request, stream).await.unwrap().0
}

async fn serve(site: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let site = site.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, site).await });
    address
}

async fn ask(at: SocketAddr, path: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n{fields}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

const NAVIGATE: &str = "accept: text/html\r\nsec-fetch-dest: document\r\n";
