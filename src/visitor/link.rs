//! One link to a neighbour: a connection with one negotiated channel, alive as long as its handle. No SDP travels: each side
//! makes an offer of its own and sets the other's identity as the answer to it (`docs/protocol.md`, meeting).

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::RngExt;
use rtc::ice::mdns::MulticastDnsMode;
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    time::{interval, sleep_until, timeout},
};
use webrtc::{
    data_channel::{DataChannel, DataChannelEvent, RTCDataChannelInit},
    error::Error,
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
        RTCIceServer, RTCPeerConnectionIceEvent, RTCPeerConnectionState, SettingEngine, SettingEngineBuilder,
    },
};

use super::{
    line::Line,
    pace::Pace,
    sdp,
    udp::Buffered,
    uplink::{MOST, Part, Uplink},
};
use crate::swarm::{Body, Candidate, Identity, candidate::Host};

/// How a link is made.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// The one address that is offered, with the port that the system gives.
    pub(super) address: IpAddr,
    /// Where it asks for the address that others see.
    pub(super) stun: Option<String>,
    pub(super) up: Arc<Uplink>,
    pub(super) down: Arc<Pace>,
}

/// Which link; a visitor that is met again has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkId {
    /// The number of the visitor at the other end.
    pub(super) visitor: u32,
    pub(super) serial: u64,
}

/// What happened to a link.
#[derive(Debug)]
pub(super) enum Event {
    /// To be told to the neighbour, at once.
    Signal(Vec<Body>),
    Opened,
    Heard(Bytes),
    /// There is room for blocks again.
    Drained,
    /// It is over, or was never to be; nothing follows.
    Closed,
}

pub(super) type Events = mpsc::Sender<(LinkId, Event)>;

/// The handle of a link. Whoever drops it, closes the link.
#[derive(Debug)]
pub(super) struct Link {
    outgoing: mpsc::Sender<Bytes>,
    signals: mpsc::Sender<Body>,
    part: Arc<Part>,
    _alive: oneshot::Sender<()>,
}

/// The neighbour does not take what it is sent.
#[derive(Debug)]
pub(super) struct Stuck;

impl Link {
    /// Begins to connect. Of the two, who is told that the other is `passive` begins the DTLS handshake.
    pub(super) fn open(id: LinkId, terms: Terms, passive: bool, events: Events) -> Self {
        let (outgoing, queue) = mpsc::channel(QUEUE);
        let (signals, heard) = mpsc::channel(SIGNALS);
        let (alive, dropped) = oneshot::channel();
        let part = Arc::new(Part::new(Arc::clone(&terms.up)));
        let ends = Ends {
            teller: Teller { id, events },
            terms,
            passive,
            queue,
            signals: heard,
            part: Arc::clone(&part),
        };
        tokio::spawn(ends.run(dropped));
        Self {
            outgoing,
            signals,
            part,
            _alive: alive,
        }
    }

    /// What the neighbour told through somebody else. More than an honest one has to say is dropped.
    pub(super) fn signal(&self, body: Body) {
        let _ = self.signals.try_send(body);
    }

    /// Queues a message. True if no more blocks should follow until [`Event::Drained`].
    pub(super) fn send(&self, bytes: Bytes) -> Result<bool, Stuck> {
        let length = bytes.len();
        self.outgoing.try_send(bytes).map_err(|_| Stuck)?;
        Ok(self.part.charge(length))
    }
}

/// What the task of a link holds.
struct Ends {
    teller: Teller,
    terms: Terms,
    passive: bool,
    queue: mpsc::Receiver<Bytes>,
    signals: mpsc::Receiver<Body>,
    part: Arc<Part>,
}

#[derive(Clone)]
pub(super) struct Teller {
    id: LinkId,
    events: Events,
}

impl Teller {
    pub(super) async fn tell(&self, event: Event) {
        // Nobody is there to hear it: the visitor has left, and this link ends, too.
        let _ = self.events.send((self.id, event)).await;
    }
}

impl Ends {
    async fn run(self, dropped: oneshot::Receiver<()>) {
        let teller = self.teller.clone();
        let mut connection = None;
        tokio::select! {
            // Nothing is ever sent: it resolves when the handle is gone.
            _ = dropped => {}
            ended = self.live(&mut connection) => if let Err(error) = ended {
                tracing::debug!(visitor = teller.id.visitor, %error, "a link ended");
            },
        }
        if let Some(connection) = connection {
            // Told to the neighbour, so that it need not find out.
            let _ = timeout(CLOSING, connection.close()).await;
        }
        teller.tell(Event::Closed).await;
    }

    async fn live(self, place: &mut Option<Arc<dyn PeerConnection>>) -> Result<(), Error> {
        let lost = Arc::new(Notify::new());
        let handler = Handler {
            teller: self.teller.clone(),
            lost: Arc::clone(&lost),
            identity: Mutex::default(),
            told: Mutex::default(),
        };
        let handler = Arc::new(handler);
        let is_open = Arc::new(AtomicBool::new(false));
        let connection = connect(&self.terms, Arc::clone(&handler), Arc::clone(&is_open)).await?;
        *place = Some(Arc::clone(&connection));
        let negotiated = RTCDataChannelInit {
            negotiated: Some(0),
            ..RTCDataChannelInit::default()
        };
        let channel = connection.create_data_channel("", Some(negotiated)).await?;
        let offer = connection.create_offer(None).await?;
        let identity =
            sdp::identity(&offer.sdp).ok_or_else(|| Error::Other("an offer without identity".to_owned()))?;
        // It is told with the first candidate: without one it is of no use, and alone it would be a packet of its own.
        *handler.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity);
        connection.set_local_description(offer).await?;
        let (opens, opened) = watch::channel(false);
        let (released, line) = (
            Notify::new(),
            Line {
                queue: self.queue,
                part: self.part,
            },
        );
        tokio::select! {
            () = lost.notified() => Ok(()),
            ended = describe(&*connection, self.signals, self.passive) => ended,
            ended = keep_awake(&*channel, opened.clone()) => ended,
            () = read(&*channel, &self.teller, &self.terms.down, &released, || {
                is_open.store(true, Ordering::Relaxed);
                !opens.send_replace(true)
            }) => Ok(()),
            ended = line.write(&*channel, &self.teller, &released, opened) => ended,
        }
    }
}

struct Handler {
    teller: Teller,
    lost: Arc<Notify>,
    /// Who it is, until that is told.
    identity: Mutex<Option<Identity>>,
    /// Where it said that it can be reached: once by itself, once by STUN.
    told: Mutex<Vec<(Host, u16)>>,
}

impl Handler {
    /// Without a NAT, STUN finds the address that is known already: a message to the broker, and one from it, for nothing
    /// (RFC 8445, 5.1.3).
    fn is_new(&self, candidate: &Candidate) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (candidate.host, candidate.port);
        let is_new = !told.contains(&place);
        if is_new {
            told.push(place);
        }
        is_new
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        if let Some(candidate) = sdp::candidate(&event.candidate).filter(|found| self.is_new(found)) {
            let identity = self
                .identity
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            let identity = identity.into_iter().map(Body::Identity);
            let bodies = identity.chain([Body::Candidate(candidate)]).collect();
            self.teller.tell(Event::Signal(bodies)).await;
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        if matches!(
            state,
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed
        ) {
            self.lost.notify_one();
        }
    }
}

async fn connect(
    terms: &Terms,
    handler: Arc<Handler>,
    open: Arc<AtomicBool>,
) -> Result<Arc<dyn PeerConnection>, Error> {
    let servers = terms.stun.iter().map(|url| RTCIceServer {
        urls: vec![url.clone()],
        ..RTCIceServer::default()
    });
    let configuration = RTCConfigurationBuilder::default()
        .with_ice_servers(servers.collect())
        .build();
    let connection = PeerConnectionBuilder::<SocketAddr>::new()
        .with_configuration(configuration)
        .with_setting_engine(settings())
        .with_runtime(Arc::new(Buffered { open }))
        .with_handler(handler)
        .with_udp_addrs(vec![SocketAddr::new(terms.address, 0)])
        .with_data_channel_send_buffer_limit(MOST)
        .build()
        .await?;
    Ok(Arc::new(connection))
}

/// The library's defaults are for calls: a second and a half until a link opens. These are for a crowd (30 ms on one host).
fn settings() -> SettingEngine {
    let mut rng = rand::rng();
    let mut text = |length| {
        (0..length)
            .map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())]))
            .collect::<String>()
    };
    // As long as Chromium's: these travel in the fewest bytes.
    let (ufrag, pwd) = (text(4), text(24));
    SettingEngineBuilder::new()
        .with_ice_credentials(ufrag, pwd)
        .with_ice_connection_attempts(Some(Duration::from_millis(20)), Some(40))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_include_loopback_candidate(true)
        // Its queries fail on hosts without a multicast route, and no name of a local network is of use here.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .build()
}

/// Sets what the neighbour tells. One identity, and as many candidates as the broker relays; more is nothing.
async fn describe(
    connection: &dyn PeerConnection,
    mut signals: mpsc::Receiver<Body>,
    passive: bool,
) -> Result<(), Error> {
    let (mut described, mut early, mut candidates) = (false, Vec::new(), 0);
    while let Some(body) = signals.recv().await {
        match body {
            Body::Identity(identity) if !described => {
                described = true;
                connection
                    .set_remote_description(sdp::answer(&identity, passive)?)
                    .await?;
                for candidate in early.drain(..) {
                    let _ = connection.add_ice_candidate(candidate).await;
                }
            }
            Body::Candidate(candidate) if candidates < CANDIDATES => {
                candidates += 1;
                match sdp::candidate_text(&candidate) {
                    // One that cannot be used is nothing: others may.
                    Some(text) if described => drop(connection.add_ice_candidate(text).await),
                    Some(text) => early.push(text),
                    None => {}
                }
            }
            _ => {}
        }
    }
    std::future::pending().await
}

/// The library lets packets wait up to 200 ms while a link opens, unless it is touched. Gives up after [`OPENING`].
async fn keep_awake(channel: &dyn DataChannel, mut opened: watch::Receiver<bool>) -> Result<(), Error> {
    let deadline = tokio::time::Instant::now() + OPENING;
    let mut touch = interval(TOUCH);
    loop {
        tokio::select! {
            () = open(&mut opened) => break,
            () = sleep_until(deadline) => return Err(Error::Other("not open in time".to_owned())),
            _ = touch.tick() => channel.set_buffered_amount_low_threshold(0).await?,
        }
    }
    std::future::pending().await
}

pub(super) async fn open(opened: &mut watch::Receiver<bool>) {
    // An error means that the reader is gone, and with it the link.
    let _ = opened.wait_for(|open| *open).await;
}

/// Delivers what comes, as fast as the downlink and the visitor take it. `open` takes note that the link is open, and says
/// whether that is new.
async fn read(
    channel: &dyn DataChannel,
    teller: &Teller,
    down: &Pace,
    released: &Notify,
    open: impl Fn() -> bool,
) {
    while let Some(event) = channel.poll().await {
        // The library may deliver what the neighbour said first before it says that the channel is open.
        let is_open = matches!(event, DataChannelEvent::OnOpen | DataChannelEvent::OnMessage(_));
        if is_open && open() {
            teller.tell(Event::Opened).await;
        }
        match event {
            DataChannelEvent::OnMessage(message) => {
                let bytes = message.data.freeze();
                if let Some(until) = down.take(bytes.len() + HEADERS, Instant::now()) {
                    sleep_until(until.into()).await;
                }
                teller.tell(Event::Heard(bytes)).await;
            }
            DataChannelEvent::OnBufferedAmountLow => released.notify_one(),
            DataChannelEvent::OnClosing | DataChannelEvent::OnClose | DataChannelEvent::OnError => return,
            _ => {}
        }
    }
}

/// Messages that wait for a neighbour, nearly all of them words, which are few.
const QUEUE: usize = 256;
/// An identity and what the broker relays of candidates, twice.
const SIGNALS: usize = 32;
/// Candidates that are tried.
const CANDIDATES: u8 = 16;
/// For a link to open; the slowest that succeed take some seconds behind NATs.
const OPENING: Duration = Duration::from_secs(10);
const CLOSING: Duration = Duration::from_secs(1);
const TOUCH: Duration = Duration::from_millis(5);
/// IP, UDP, DTLS and SCTP around a message.
pub(super) const HEADERS: usize = 85;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
