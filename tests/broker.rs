//! The broker over real sockets on loopback: what a visitor, a liar and a flood see of it.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant, SystemTime},
};

use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream, UdpSocket},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};
use tower_flashback::{
    broker::{
        Broker, Origin, Reported, RoomId, Settings, Stun, TokenKey,
        signal::{Body as Signal, Chunk, FromBroker, FromVisitor, Outcome, Report, Spare},
    },
    content::{CHUNK, Digest, verify},
    swarm::{
        Candidate, Identity, PeerFault,
        candidate::{Host, Kind},
    },
};

const ROOM: RoomId = RoomId(*b"the page");
const OTHER: RoomId = RoomId(*b"another!");
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Until a broker that says nothing is called silent. Some wait for what is said after 20 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// A broker behind a plain hyper server, as the layer would have it.
struct Site {
    broker: Broker,
    address: SocketAddr,
}

impl Site {
    async fn open(change: impl FnOnce(&mut Settings)) -> Self {
        let listener = TcpListener::bind((CLIENT, 0)).await.unwrap();
        Self::open_on(listener, change)
    }

    fn open_on(listener: TcpListener, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::default();
        change(&mut settings);
        settings.check().unwrap();
        let broker = Broker::new(settings, TokenKey::random(&mut rand::rng()));
        assert!(broker.open(ROOM));
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, broker.clone()));
        Self { broker, address }
    }

    fn token(&self, room: RoomId) -> [u8; 29] {
        decode(&self.broker.token(room, CLIENT, SystemTime::now()))
    }

    async fn connect(&self) -> Visitor {
        self.visit(|_| {}).await.unwrap()
    }

    async fn visit(&self, change: impl FnOnce(&mut Request<()>)) -> Result<Visitor, tungstenite::Error> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        self.handshake(stream, change).await
    }

    async fn handshake(
        &self,
        stream: TcpStream,
        change: impl FnOnce(&mut Request<()>),
    ) -> Result<Visitor, tungstenite::Error> {
        let mut request = format!("ws://{}/.flashback/signal", self.address)
            .into_client_request()
            .unwrap();
        change(&mut request);
        client_async(request, stream)
            .await
            .map(|(socket, _)| Visitor { socket, id: 0 })
    }

    /// A visitor that has joined, and how many others it was told of.
    async fn join(&self, room: RoomId) -> (Visitor, u16) {
        let mut visitor = self.connect().await;
        visitor
            .say(&FromVisitor::Join {
                token: self.token(room),
            })
            .await;
        let Some(FromBroker::Welcome { id, others }) = visitor.hear().await else {
            panic!("not welcomed");
        };
        visitor.id = id;
        (visitor, others)
    }

    /// What becomes of a visitor whose first message is this.
    async fn first(&self, message: Message) -> u16 {
        let mut visitor = self.connect().await;
        visitor.socket.send(message).await.unwrap();
        visitor.closed().await
    }

    async fn first_token(&self, token: [u8; 29]) -> u16 {
        self.first(Message::binary(FromVisitor::Join { token }.encode()))
            .await
    }
}

async fn serve(listener: TcpListener, broker: Broker) {
    loop {
        let (stream, from) = listener.accept().await.unwrap();
        let broker = broker.clone();
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let broker = broker.clone();
            async move {
                let response: Response<Body> = broker.upgrade(request.map(Body::new), from.ip()).await;
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        tokio::spawn(async move {
            let connection = hyper::server::conn::http1::Builder::new();
            drop(
                connection
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades()
                    .await,
            );
        });
    }
}

struct Visitor {
    socket: WebSocketStream<TcpStream>,
    id: u32,
}

impl Visitor {
    async fn say(&mut self, message: &FromVisitor) {
        self.socket.send(Message::binary(message.encode())).await.unwrap();
    }

    /// The next message, or none if the socket ended.
    async fn hear(&mut self) -> Option<FromBroker> {
        let said = async {
            loop {
                match self.socket.next().await?.ok()? {
                    Message::Binary(bytes) => return Some(FromBroker::decode(&bytes).unwrap()),
                    Message::Ping(_) | Message::Pong(_) => {}
                    _ => return None,
                }
            }
        };
        timeout(PATIENCE, said).await.expect("the broker is silent")
    }

    /// The code that the socket is closed with, whatever is said before.
    async fn closed(&mut self) -> u16 {
        let closed = async {
            loop {
                let message = self.socket.next().await.expect("a close frame");
                if let Message::Close(frame) = message.expect("a close frame") {
                    return frame.unwrap().code.into();
                }
            }
        };
        timeout(PATIENCE, closed).await.expect("the broker is silent")
    }
}

fn decode(token: &str) -> [u8; 29] {
    STANDARD_NO_PAD.decode(token).unwrap().try_into().unwrap()
}

fn identity() -> Signal {
    Signal::Identity(Identity::new("abcd", "0123456789abcdefghijklmn", [7; 32]).unwrap())
}

fn candidate(address: &str) -> Signal {
    let host = Host::Address(address.parse().unwrap());
    Signal::Candidate(Candidate {
        kind: Kind::Host,
        priority: 1,
        host,
        port: 4_000,
    })
}

#[tokio::test]
async fn two_visitors_are_introduced_and_speak_through_the_broker() {
    let site = Site::open(|_| {}).await;
    let (mut one, others) = site.join(ROOM).await;
    assert_eq!(others, 0);
    let (mut two, others) = site.join(ROOM).await;
    assert_eq!((others, site.broker.visitors(ROOM)), (1, 2));
    assert_eq!(one.hear().await, Some(FromBroker::Meet { visitor: two.id }));
    assert_eq!(two.hear().await, Some(FromBroker::Meet { visitor: one.id }));

    one.say(&FromVisitor::Signal {
        to: two.id,
        body: identity(),
    })
    .await;
    one.say(&FromVisitor::Signal {
        to: two.id,
        body: candidate("192.168.0.7"),
    })
    .await;
    one.say(&FromVisitor::Signal {
        to: two.id,
        body: candidate("1.1.1.1"),
    })
    .await;
    assert_eq!(
        two.hear().await,
        Some(FromBroker::Signal {
            from: one.id,
            body: identity()
        })
    );
    assert_eq!(
        two.hear().await,
        Some(FromBroker::Signal {
            from: one.id,
            body: candidate("1.1.1.1")
        })
    );

    let gone = two.id;
    drop(two);
    assert_eq!(one.hear().await, Some(FromBroker::Gone { visitor: gone }));
    assert_eq!(site.broker.visitors(ROOM), 1);
}

#[tokio::test]
async fn whoever_has_a_link_is_not_told_that_its_neighbour_left() {
    let site = Site::open(|_| {}).await;
    let (mut one, _) = site.join(ROOM).await;
    let (mut two, _) = site.join(ROOM).await;
    assert_eq!(one.hear().await, Some(FromBroker::Meet { visitor: two.id }));
    assert_eq!(two.hear().await, Some(FromBroker::Meet { visitor: one.id }));
    one.say(&FromVisitor::Linked {
        visitor: two.id,
        outcome: Outcome::Open,
        milliseconds: 1,
    })
    .await;
    // What is handed on was heard, and so was what came before it.
    one.say(&FromVisitor::Signal {
        to: two.id,
        body: identity(),
    })
    .await;
    assert!(matches!(two.hear().await, Some(FromBroker::Signal { .. })));
    drop(two);
    let (three, _) = site.join(ROOM).await;
    let id = three.id;
    assert_eq!(one.hear().await, Some(FromBroker::Meet { visitor: id }));
    drop(three);
    assert_eq!(one.hear().await, Some(FromBroker::Gone { visitor: id }));
}

#[tokio::test]
async fn a_goodbye_is_answered() {
    let site = Site::open(|_| {}).await;
    let (mut visitor, _) = site.join(ROOM).await;
    visitor.socket.close(None).await.unwrap();
    assert!(matches!(visitor.socket.next().await, Some(Ok(Message::Close(_)))));
    assert!(visitor.socket.next().await.is_none());
}

#[tokio::test]
async fn rooms_are_isolated() {
    let site = Site::open(|_| {}).await;
    assert!(site.broker.open(OTHER));
    let (mut here, _) = site.join(ROOM).await;
    let (mut there, others) = site.join(OTHER).await;
    assert_eq!(others, 0);
    // Ids are counted per room, so this names a visitor of the wrong room.
    there
        .say(&FromVisitor::Signal {
            to: here.id,
            body: identity(),
        })
        .await;
    there.say(&FromVisitor::Need { count: 8 }).await;
    let (second, _) = site.join(OTHER).await;
    assert_eq!(there.hear().await, Some(FromBroker::Meet { visitor: second.id }));
    site.broker.close(ROOM);
    assert_eq!(
        here.hear().await,
        Some(FromBroker::Calm),
        "it heard nothing before"
    );
}

#[tokio::test]
async fn a_room_that_calms_sends_its_visitors_away() {
    let site = Site::open(|_| {}).await;
    let (mut visitor, _) = site.join(ROOM).await;
    let token = site.token(ROOM);
    site.broker.close(ROOM);
    assert_eq!(visitor.hear().await, Some(FromBroker::Calm));
    assert_eq!(visitor.closed().await, 4004);
    assert_eq!(site.first_token(token).await, 4004);
    assert_eq!(site.broker.visitors(ROOM), 0);
}

#[tokio::test]
async fn only_a_true_token_opens_a_room() {
    let site = Site::open(|_| {}).await;
    assert!(site.broker.open(OTHER));
    let now = SystemTime::now();
    let expired = decode(&site.broker.token(ROOM, CLIENT, now - Duration::from_secs(3_600)));
    assert_eq!(site.first_token(expired).await, 4001);
    let elsewhere = decode(&site.broker.token(ROOM, "192.0.2.1".parse().unwrap(), now));
    assert_eq!(site.first_token(elsewhere).await, 4001);
    let mut forged = site.token(ROOM);
    forged[28] ^= 1;
    assert_eq!(site.first_token(forged).await, 4001);
    let mut other_page = site.token(ROOM);
    other_page[1..9].copy_from_slice(&OTHER.0);
    assert_eq!(site.first_token(other_page).await, 4001);
    let mut other_version = site.token(ROOM);
    other_version[0] = 2;
    assert_eq!(site.first_token(other_version).await, 4001);
    assert_eq!(site.first_token(site.token(RoomId(*b"not open"))).await, 4004);
    assert_eq!(site.broker.visitors(ROOM) + site.broker.visitors(OTHER), 0);
}

#[tokio::test]
async fn what_is_not_of_the_protocol_closes_the_socket() {
    let site = Site::open(|_| {}).await;
    let mut other_version = FromVisitor::Join {
        token: site.token(ROOM),
    }
    .encode();
    other_version[1] = 2;
    assert_eq!(site.first(Message::binary(other_version)).await, 4003);
    assert_eq!(
        site.first(Message::binary(FromVisitor::Need { count: 1 }.encode()))
            .await,
        4000
    );
    for malformed in [
        Message::binary(vec![]),
        Message::text("{}"),
        Message::binary(vec![0x40; 513]),
    ] {
        assert_eq!(site.first(malformed.clone()).await, 4000, "{malformed:?}");
        let (mut visitor, _) = site.join(ROOM).await;
        visitor.socket.send(malformed.clone()).await.unwrap();
        assert_eq!(visitor.closed().await, 4000, "{malformed:?} after joining");
    }
    let (mut visitor, _) = site.join(ROOM).await;
    visitor
        .say(&FromVisitor::Join {
            token: site.token(ROOM),
        })
        .await;
    assert_eq!(visitor.closed().await, 4000, "a second Join");
}

#[tokio::test]
async fn a_message_of_a_megabyte_is_refused_by_its_head() {
    let site = Site::open(|_| {}).await;
    let (mut visitor, _) = site.join(ROOM).await;
    // Only the head of the frame is sent: the broker must not wait for, nor reserve, what it announces.
    let head = [0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4];
    tokio::io::AsyncWriteExt::write_all(visitor.socket.get_mut(), &head)
        .await
        .unwrap();
    assert_eq!(visitor.closed().await, 4000);
}

#[tokio::test]
async fn who_does_not_join_in_time_is_sent_away() {
    let site = Site::open(|settings| settings.join_within = Duration::from_millis(20)).await;
    let mut visitor = site.connect().await;
    assert_eq!(visitor.closed().await, 4009);
    // Nor does it help to keep the socket busy.
    let mut busy = site.connect().await;
    for _ in 0..20 {
        drop(busy.socket.send(Message::Ping(Default::default())).await);
    }
    assert_eq!(busy.closed().await, 4009);
}

#[tokio::test]
async fn who_answers_no_ping_is_sent_away_and_who_does_stays() {
    let short = |settings: &mut Settings| {
        settings.ping_every = Duration::from_millis(20);
        settings.idle_after = Duration::from_millis(200);
    };
    let site = Site::open(short).await;
    let (mut silent, _) = site.join(ROOM).await;
    let (mut polite, _) = site.join(ROOM).await;
    // A client of tungstenite answers pings only while it is read from: this one is, until the silent one is gone.
    let polite = tokio::spawn(async move {
        while let Some(message) = polite.hear().await {
            if matches!(message, FromBroker::Gone { .. }) {
                return true;
            }
        }
        false
    });
    assert!(polite.await.unwrap(), "it was sent away itself");
    assert_eq!(silent.closed().await, 4009);
}

#[tokio::test]
async fn a_flood_is_stopped() {
    let site = Site::open(|_| {}).await;
    let (mut visitor, _) = site.join(ROOM).await;
    for _ in 0..1_000 {
        if visitor
            .socket
            .send(Message::binary(FromVisitor::Need { count: 1 }.encode()))
            .await
            .is_err()
        {
            break;
        }
    }
    assert_eq!(visitor.closed().await, 4008);
}

#[tokio::test]
async fn whose_queue_overflows_is_let_go() {
    // More than one visitor says in one turn, so that only who does not read overflows it.
    stall(|settings| {
        settings.queue = 64;
        settings.send_within = Duration::from_secs(3_600);
    })
    .await;
}

#[tokio::test]
async fn who_reads_too_slowly_is_let_go() {
    stall(|settings| {
        settings.queue = 1_000_000;
        settings.send_within = Duration::from_millis(100);
    })
    .await;
}

/// A visitor stops reading while others come, speak to it and go; returns when the broker has let it go, and nobody else
/// has waited for it.
async fn stall(change: impl FnOnce(&mut Settings)) {
    // Small buffers in the system, so that a reader that stalls shows after some messages and not after megabytes.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(4_096).unwrap();
    socket.bind((CLIENT, 0).into()).unwrap();
    let site = Site::open_on(socket.listen(64).unwrap(), change);
    let reader = TcpSocket::new_v4().unwrap();
    reader.set_recv_buffer_size(1_024).unwrap();
    let stream = reader.connect(site.address).await.unwrap();
    let mut slow = site.handshake(stream, |_| {}).await.unwrap();
    slow.say(&FromVisitor::Join {
        token: site.token(ROOM),
    })
    .await;
    let Some(FromBroker::Welcome { id, .. }) = slow.hear().await else {
        panic!("not welcomed");
    };
    // From here on it reads nothing. Each who comes says what it may say, and goes, until the slow one is there no more.
    for _ in 0..400 {
        let (mut other, others) = site.join(ROOM).await;
        if others == 0 {
            return;
        }
        assert_eq!(other.hear().await, Some(FromBroker::Meet { visitor: id }));
        for body in std::iter::repeat_n(candidate("2606:4700::1111"), 8).chain([identity()]) {
            other.say(&FromVisitor::Signal { to: id, body }).await;
        }
        other.socket.close(None).await.unwrap();
        while other.socket.next().await.is_some() {}
    }
    panic!("the slow reader is still there");
}

#[tokio::test]
async fn sockets_are_bounded() {
    let site = Site::open(|settings| {
        settings.sockets_per_address = 2;
        settings.visitors_per_room = 1;
        settings.rooms = 2;
    })
    .await;
    let (_one, _) = site.join(ROOM).await;
    assert_eq!(site.first_token(site.token(ROOM)).await, 4002);
    let _two = site.connect().await;
    let Err(tungstenite::Error::Http(refused)) = site.visit(|_| {}).await else {
        panic!("a third socket of one address");
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(site.broker.open(ROOM) && site.broker.open(OTHER));
    assert!(!site.broker.open(RoomId(*b"thethird")), "two rooms are allowed");
}

#[tokio::test]
async fn only_the_site_s_own_pages_get_a_socket() {
    let site = Site::open(|_| {}).await;
    let host = site.address.to_string();
    let origin = |origin: String| {
        move |request: &mut Request<()>| {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
    };
    for own in [format!("http://{host}"), format!("https://{host}")] {
        assert!(site.visit(origin(own)).await.is_ok());
    }
    for foreign in [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        format!("http://{host}.evil.example"),
    ] {
        let Err(tungstenite::Error::Http(refused)) = site.visit(origin(foreign.clone())).await else {
            panic!("{foreign} got a socket");
        };
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{foreign}");
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_told_so() {
    let site = Site::open(|_| {}).await;
    let client: hyper_util::client::legacy::Client<_, Body> =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    for method in ["GET", "POST"] {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}/.flashback/signal", site.address));
        let response = client
            .request(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
        assert_eq!(response.headers()["upgrade"], "websocket");
    }
}

#[tokio::test]
async fn reports_are_summed_per_room_and_in_all() {
    let site = Site::open(|_| {}).await;
    let (mut one, _) = site.join(ROOM).await;
    let (mut two, _) = site.join(ROOM).await;
    let report = |origin, peer, given| {
        FromVisitor::Report(Report {
            origin,
            peer,
            given,
            links: 1,
        })
    };
    one.say(&report(1_000, 500, 1_500)).await;
    one.say(&report(1_000, 500, 9_999)).await;
    two.say(&report(10, 20, 0)).await;
    two.say(&FromVisitor::Accuse {
        visitor: one.id,
        fault: PeerFault::Digest,
    })
    .await;
    // Each socket's messages are taken in order, so what comes back for these comes after the reports.
    for visitor in [&mut one, &mut two] {
        visitor.socket.close(None).await.unwrap();
        while visitor.socket.next().await.is_some() {}
    }
    let sum = Reported {
        origin: 1_010,
        peer: 520,
        given: 1_500,
    };
    assert_eq!(site.broker.reported(ROOM), sum);
    site.broker.close(ROOM);
    assert_eq!(
        (site.broker.totals().reported, site.broker.reported(ROOM)),
        (sum, Reported::default())
    );
}

#[tokio::test]
async fn a_drain_sends_everyone_away_and_ends() {
    let site = Site::open(|_| {}).await;
    let (mut visitor, _) = site.join(ROOM).await;
    let (code, ()) = tokio::join!(visitor.closed(), site.broker.drain());
    assert_eq!(code, 1001);
    let Err(tungstenite::Error::Http(refused)) = site.visit(|_| {}).await else {
        panic!("a socket after the drain");
    };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn stun_answers_a_binding_request_and_nothing_else() {
    let stun = Stun::bind((CLIENT, 0).into(), 5).unwrap();
    let socket = UdpSocket::bind((CLIENT, 0)).await.unwrap();
    socket.connect(stun.local_addr()).await.unwrap();
    let request = |id: u8| [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[id; 12]].concat();
    // What gets silence goes first: were there an answer, it would come before the one that is waited for.
    for silent in [
        &b"hello"[..],
        &[0; 20],
        &request(9)[..19],
        &[&[0, 17][..], &request(9)[2..]].concat(),
    ] {
        socket.send(silent).await.unwrap();
    }
    socket.send(&request(1)).await.unwrap();
    let mut answer = [0; 64];
    let length = socket.recv(&mut answer).await.unwrap();
    let port = socket.local_addr().unwrap().port() ^ 0x2112;
    let mut expected = [
        &[1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42][..],
        &[1; 12],
        &[0, 0x20, 0, 8, 0, 1],
    ]
    .concat();
    expected.extend(port.to_be_bytes());
    expected.extend([127 ^ 0x21, 0x12, 0xa4, 1 ^ 0x42]);
    assert_eq!(answer[..length], expected);
}

#[tokio::test]
async fn stun_stops_answering_a_flood_and_frees_its_port() {
    let stun = Stun::bind((CLIENT, 0).into(), 5).unwrap();
    let address = stun.local_addr();
    let socket = UdpSocket::bind((CLIENT, 0)).await.unwrap();
    socket.connect(address).await.unwrap();
    for id in 0..100 {
        socket
            .send(&[&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[id; 12]].concat())
            .await
            .unwrap();
    }
    let (mut answers, mut answer) = (0, [0; 64]);
    while let Ok(Ok(_)) = timeout(Duration::from_millis(100), socket.recv(&mut answer)).await {
        answers += 1;
    }
    assert!((5..=10).contains(&answers), "{answers} answers to a flood of 100");
    drop(stun);
    // The task ends at its next turn.
    while UdpSocket::bind(address).await.is_err() {
        tokio::task::yield_now().await;
    }
}

/// A page of some whole chunks and a tail, at a pace of a test's choosing; what it sent is counted.
#[derive(Debug)]
struct Larder {
    bytes: Bytes,
    pace: AtomicU64,
    sent: AtomicU64,
    took: AtomicU64,
    /// Chunks that were fetched for somebody.
    fetched: AtomicU64,
    /// Since when all of the pace goes by HTTP, if it does.
    busy: Mutex<Option<Instant>>,
}

impl Larder {
    fn new(pace: u64) -> Arc<Self> {
        Self::of(4, pace)
    }

    fn of(whole: usize, pace: u64) -> Arc<Self> {
        let length = whole * CHUNK + 100;
        Arc::new(Self {
            bytes: (0..length).map(|at| (at * 31 % 251) as u8).collect(),
            pace: pace.into(),
            sent: AtomicU64::new(0),
            took: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
            busy: Mutex::new(None),
        })
    }

    fn never_cease(&self) {
        *self.busy.lock().unwrap() = Some(Instant::now());
    }

    fn cease(&self) {
        let sent = self.sent();
        *self.busy.lock().unwrap() = None;
        self.sent.store(sent, SeqCst);
    }

    /// What the manifest says of each chunk.
    fn digests(&self) -> Vec<Digest> {
        self.bytes.chunks(CHUNK).map(Digest::of_chunk).collect()
    }

    fn taken(&self) -> u64 {
        self.took.load(SeqCst)
    }
}

impl Origin for Larder {
    fn seeds(&self, _: RoomId) -> Vec<Range<u32>> {
        std::iter::once(0..4).collect()
    }

    fn chunk(&self, _: RoomId, chunk: u32) -> Option<Bytes> {
        self.fetched.fetch_add(1, SeqCst);
        let start = chunk as usize * CHUNK;
        let end = self.bytes.len().min(start + CHUNK);
        (start < end).then(|| self.bytes.slice(start..end))
    }

    fn pace(&self) -> u64 {
        self.pace.load(SeqCst)
    }

    fn spare_weight(&self) -> usize {
        1
    }

    fn sent(&self) -> u64 {
        let busy = self.busy.lock().unwrap();
        let since = busy.map_or(Duration::ZERO, |since| since.elapsed());
        self.sent.load(SeqCst) + (self.pace() as f64 * since.as_secs_f64()) as u64
    }

    fn took(&self, _: RoomId, bytes: u64) {
        self.took.fetch_add(bytes, SeqCst);
    }
}

impl Visitor {
    /// The next chunk; what else is said meanwhile is dropped.
    async fn chunk(&mut self) -> Chunk {
        loop {
            match self.hear().await.expect("a chunk") {
                FromBroker::Chunk(chunk) => return chunk,
                FromBroker::Meet { .. } | FromBroker::Gone { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn spare(&mut self, chunks: &[u32]) {
        let chunks = chunks.iter().copied().collect();
        self.say(&FromVisitor::Spare(Spare { chunks })).await;
    }
}

/// Enough for a test not to wait.
const FAST: u64 = 1_000_000_000;

#[tokio::test]
async fn each_newcomer_is_sent_one_seed_and_its_bytes_are_the_manifests() {
    let site = Site::open(|_| {}).await;
    let larder = Larder::new(FAST);
    site.broker.supply(larder.clone());
    let (digests, mut times) = (larder.digests(), BTreeMap::new());
    let mut visitors = Vec::new();
    for _ in 0..8 {
        let (mut visitor, _) = site.join(ROOM).await;
        let Chunk { chunk, bytes } = visitor.chunk().await;
        assert!(verify(&bytes, &digests[chunk as usize]), "chunk {chunk}");
        assert_eq!(bytes.len(), CHUNK, "a short tail is no seed");
        *times.entry(chunk).or_insert(0) += 1;
        visitors.push(visitor);
    }
    assert_eq!(times, BTreeMap::from([(0, 2), (1, 2), (2, 2), (3, 2)]));
    // One each, and no more: the next that is sent answers a wish.
    let first = &mut visitors[0];
    first.spare(&[4]).await;
    let Chunk { chunk, bytes } = first.chunk().await;
    assert_eq!((chunk, bytes.len()), (4, 100));
    assert!(verify(&bytes, &digests[4]));
    assert_eq!(larder.taken(), 8 * CHUNK as u64 + 100);
}

#[tokio::test]
async fn what_is_spare_goes_to_whoever_had_the_fewest() {
    let site = Site::open(|_| {}).await;
    let larder = Larder::new(FAST);
    site.broker.supply(larder.clone());
    let (mut rich, _) = site.join(ROOM).await;
    let had = rich.chunk().await.chunk;
    let others: Vec<_> = (0..4).filter(|chunk| *chunk != had).collect();
    for chunk in &others[..2] {
        rich.spare(&[*chunk]).await;
        assert_eq!(rich.chunk().await.chunk, *chunk);
    }
    let (mut poor, _) = site.join(ROOM).await;
    let seed = poor.chunk().await.chunk;
    // Pages take all there is for a while, so that both wishes wait; the visitors are many beside the pace, so that the
    // poorest comes first, and not the oldest.
    larder.pace.store(200_000, SeqCst);
    larder.sent.fetch_add(400_000, SeqCst);
    rich.spare(&[others[2]]).await;
    let wish = (0..4).find(|chunk| *chunk != seed).unwrap();
    poor.spare(&[wish, 4]).await;
    assert_eq!(poor.chunk().await.chunk, wish);
    assert_eq!(poor.chunk().await.chunk, 4);
    assert_eq!(rich.chunk().await.chunk, others[2]);
}

/// Newcomers must have credit though requests never cease, or they come to the origin, too.
#[tokio::test]
async fn a_seed_goes_though_pages_are_ahead_and_what_is_spare_does_not() {
    let site = Site::open(|_| {}).await;
    let larder = Larder::new(100_000);
    site.broker.supply(larder.clone());
    // Two seconds behind for as long as they do not cease: nothing is ever caught up with.
    larder.never_cease();
    larder.sent.fetch_add(200_000, SeqCst);
    let (mut first, _) = site.join(ROOM).await;
    first.spare(&[4]).await;
    assert!(first.chunk().await.chunk < 4, "its seed");
    // A newcomer's seed comes after it, and the wish still waits.
    let (mut second, _) = site.join(ROOM).await;
    assert!(second.chunk().await.chunk < 4, "its seed");
    assert_eq!(larder.taken(), 2 * CHUNK as u64);
    assert!(site.broker.debt() > Duration::from_secs(2));
    larder.cease();
    assert_eq!(first.chunk().await.chunk, 4);
}

#[tokio::test]
async fn not_even_a_seed_goes_while_the_uplink_is_far_behind() {
    let site = Site::open(|_| {}).await;
    let larder = Larder::new(100_000);
    site.broker.supply(larder.clone());
    larder.sent.fetch_add(400_000, SeqCst);
    let (mut visitor, _) = site.join(ROOM).await;
    visitor.chunk().await;
    // Three seconds, and what the seed takes itself.
    let most = Duration::from_secs(3) + Duration::from_secs_f64(CHUNK as f64 / 100_000.0);
    assert!(site.broker.debt() <= most, "{:?}", site.broker.debt());
}

#[tokio::test]
async fn a_wish_for_what_the_page_has_not_is_passed_over() {
    let site = Site::open(|_| {}).await;
    site.broker.supply(Larder::new(FAST));
    let (mut visitor, _) = site.join(ROOM).await;
    visitor.chunk().await;
    visitor.spare(&[5, 1 << 20, (1 << 24) - 1, 4]).await;
    assert_eq!(visitor.chunk().await.chunk, 4);
}

/// However much a visitor wishes for, one chunk is under way to it; whoever does not read is let go, and its wishes with it.
#[tokio::test]
async fn who_does_not_read_is_sent_one_chunk_at_a_time_and_let_go() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(4_096).unwrap();
    socket.bind((CLIENT, 0).into()).unwrap();
    let site = Site::open_on(socket.listen(64).unwrap(), |settings| {
        settings.send_within = Duration::from_millis(200);
    });
    let larder = Larder::new(FAST);
    site.broker.supply(larder.clone());
    let reader = TcpSocket::new_v4().unwrap();
    reader.set_recv_buffer_size(1_024).unwrap();
    let stream = reader.connect(site.address).await.unwrap();
    let mut slow = site.handshake(stream, |_| {}).await.unwrap();
    slow.say(&FromVisitor::Join {
        token: site.token(ROOM),
    })
    .await;
    for chunk in 0..5 {
        // Each wish takes the place of the one before; none of them makes a queue.
        slow.spare(&[chunk]).await;
    }
    // It reads nothing; another does, and sees when the first is gone.
    let (mut other, _) = site.join(ROOM).await;
    loop {
        match other.hear().await.expect("the broker works on") {
            FromBroker::Gone { .. } => break,
            FromBroker::Chunk(_) | FromBroker::Meet { .. } => {}
            message => panic!("{message:?}"),
        }
    }
    assert_eq!(site.broker.visitors(ROOM), 1);
    // The seed of the other, and what little the buffers of the system took of the first.
    assert!(larder.taken() <= 3 * CHUNK as u64, "{}", larder.taken());
    let waiting = larder.fetched.load(SeqCst) - larder.taken() / CHUNK as u64;
    assert!(
        waiting <= 2,
        "{waiting} chunks were fetched for two visitors and not taken"
    );
}

/// Real sockets, and so the real clock: a paused one would run ahead of them. The pace is that of 60 chunks in a second, and
/// whatever the machine does meanwhile, no more than the pace has left, and all wishes come to be.
#[tokio::test]
async fn the_budget_holds_and_is_used() {
    let site = Site::open(|_| {}).await;
    let pace = 60 * CHUNK as u64;
    let larder = Larder::of(40, pace);
    let began = std::time::Instant::now();
    site.broker.supply(larder.clone());
    let (mut visitor, _) = site.join(ROOM).await;
    let seed = visitor.chunk().await.chunk;
    for chunk in (0..40).filter(|chunk| *chunk != seed) {
        visitor.spare(&[chunk]).await;
        assert_eq!(visitor.chunk().await.chunk, chunk);
    }
    let allowed = pace as f64 * (began.elapsed().as_secs_f64() + 0.05) + CHUNK as f64;
    assert_eq!(larder.taken(), 40 * CHUNK as u64);
    assert!((larder.taken() as f64) <= allowed, "{allowed}");
}

#[tokio::test]
async fn a_newcomer_whose_seed_would_wait_gets_a_sponsor_once_the_link_is_open_at_both_ends() {
    let site = Site::open(|_| {}).await;
    // Nothing is left by the pages, so the first newcomer's seed waits, and the second's would wait too long behind it.
    let larder = Larder::new(16_384);
    larder.sent.store(1_000_000, SeqCst);
    site.broker.supply(larder);
    let (mut first, _) = site.join(ROOM).await;
    let (mut second, _) = site.join(ROOM).await;
    assert_eq!(first.hear().await, Some(FromBroker::Meet { visitor: second.id }));
    assert_eq!(second.hear().await, Some(FromBroker::Meet { visitor: first.id }));
    let open = |visitor| FromVisitor::Linked {
        visitor,
        outcome: Outcome::Open,
        milliseconds: 9,
    };
    second.say(&open(first.id)).await;
    // Its own end alone is open: whatever it is told first is not about a sponsor.
    second
        .say(&FromVisitor::Signal {
            to: first.id,
            body: identity(),
        })
        .await;
    assert!(matches!(first.hear().await, Some(FromBroker::Signal { .. })));
    first.say(&open(second.id)).await;
    loop {
        match first.hear().await {
            Some(FromBroker::Sponsor { visitor }) => {
                assert_eq!(visitor, second.id);
                return;
            }
            Some(FromBroker::Chunk(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}
