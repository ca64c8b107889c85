//! The broker as the rest of the program sees it: a handle to all rooms, and the door where requests become sockets.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Body,
    extract::{FromRequestParts, ws::WebSocketUpgrade},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use foldhash::fast::RandomState;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use metrics::counter;
use tokio::sync::{Notify, mpsc::Receiver};

use crate::{
    broker::{
        Reported, RoomId, Settings, TokenError, TokenKey,
        hall::{Hall, Out},
        limit::{NoSeat, Seats, Subscriber},
        metric,
        session::{Session, code},
        signal::{FromBroker, FromVisitor, MESSAGE_MAX, TOKEN},
    },
    swarm::PeerFault,
};

/// A handle to all rooms; cheap to clone, and all clones are one broker.
#[derive(Clone)]
pub struct Broker(Arc<Inner>);

struct Inner {
    settings: Settings,
    key: TokenKey,
    /// At most `settings.rooms`.
    halls: RwLock<HashMap<RoomId, Arc<Hall>, RandomState>>,
    house: Mutex<House>,
    introductions: Arc<AtomicU64>,
    /// Told whenever a socket ends.
    left: Notify,
}

/// What counts across rooms.
#[derive(Default)]
struct House {
    seats: Seats,
    reported: Reported,
    closing: bool,
}

/// What visitors of all rooms, those of rooms since closed included, have reported, and how many there are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Visitors in all rooms.
    pub visitors: usize,
    /// Introductions of two visitors since the broker began.
    pub introductions: u64,
    /// Their claims.
    pub reported: Reported,
}

/// Why a visitor that showed a token is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Token(TokenError),
    /// The room is full.
    Full,
    /// The page is calm, or was never hot.
    Calm,
    /// The broker shuts down.
    Away,
}

/// A visitor's stay in a room; it leaves when this is dropped, however its session ends.
pub(super) struct Visit {
    broker: Broker,
    hall: Arc<Hall>,
    id: u32,
}

/// A socket that counts; it does not any more when this is dropped.
struct Seat {
    broker: Broker,
    who: Subscriber,
}

impl Broker {
    /// A broker without rooms.
    #[must_use]
    pub fn new(settings: Settings, key: TokenKey) -> Self {
        Self(Arc::new(Inner {
            settings,
            key,
            halls: RwLock::default(),
            house: Mutex::default(),
            introductions: Arc::default(),
            left: Notify::new(),
        }))
    }

    /// Opens a room, unless it is open. Returns whether it is open now: beyond [`Settings::rooms`] none is opened, and
    /// the page stays with plain HTTP.
    pub fn open(&self, room: RoomId) -> bool {
        let mut halls = self.0.halls.write().unwrap_or_else(PoisonError::into_inner);
        if halls.contains_key(&room) {
            return true;
        }
        let free = halls.len() < self.0.settings.rooms;
        if free {
            halls.insert(
                room,
                Arc::new(Hall::new(
                    self.0.settings.rules(),
                    Arc::clone(&self.0.introductions),
                )),
            );
        } else {
            shed("rooms");
        }
        free
    }

    /// Closes a room: its visitors are told that the page is calm, and their sockets end.
    pub fn close(&self, room: RoomId) {
        let hall = self
            .0
            .halls
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&room);
        if let Some(hall) = hall {
            hall.close(Some(&FromBroker::Calm), code::CALM);
        }
    }

    /// A token for the room as it stands in the page, good from `now` on for [`Settings::token_life`].
    #[must_use]
    pub fn token(&self, room: RoomId, client: IpAddr, now: SystemTime) -> String {
        let expiry = unix_seconds(now).saturating_add(self.0.settings.token_life.as_secs());
        let token = self
            .0
            .key
            .make(room, u32::try_from(expiry).unwrap_or(u32::MAX), client);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Visitors in a room.
    #[must_use]
    pub fn visitors(&self, room: RoomId) -> usize {
        self.hall(room).map_or(0, |hall| hall.len())
    }

    /// What the visitors of an open room have reported: claims, not facts.
    #[must_use]
    pub fn reported(&self, room: RoomId) -> Reported {
        self.hall(room)
            .map_or_else(Reported::default, |hall| hall.reported())
    }

    /// All rooms together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let halls = self.0.halls.read().unwrap_or_else(PoisonError::into_inner);
        let visitors = halls.values().map(|hall| hall.len()).sum();
        Totals {
            visitors,
            introductions: self.0.introductions.load(Relaxed),
            reported: self.house(|house| house.reported),
        }
    }

    /// Answers `GET /.flashback/signal`: 101 and a visitor's socket, or
    /// - 426 if the request is no WebSocket handshake,
    /// - 403 if another site's page made it (its visitors' browsers would be ours to use),
    /// - 503 if no socket is free, in all or for this client, or the broker shuts down.
    ///
    /// `client` is who the site believes the request to be from, trusted proxies considered.
    pub async fn upgrade(&self, request: Request<Body>, client: IpAddr) -> Response<Body> {
        let (mut parts, _) = request.into_parts();
        let Ok(handshake) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
            return refuse(StatusCode::UPGRADE_REQUIRED);
        };
        if !same_site(&parts.headers, &parts.uri) {
            shed("origin");
            return refuse(StatusCode::FORBIDDEN);
        }
        let seat = match self.seat(client) {
            Ok(seat) => seat,
            Err(reason) => {
                shed(reason);
                return refuse(StatusCode::SERVICE_UNAVAILABLE);
            }
        };
        let broker = self.clone();
        handshake
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(MESSAGE_MAX)
            .max_frame_size(MESSAGE_MAX)
            .on_upgrade(move |socket| async move {
                Session::new(socket, broker, client).run().await;
                drop(seat);
            })
    }

    /// Sends every visitor away and waits until the last socket has ended; new ones are refused. Each socket has its
    /// deadlines, so this ends.
    pub async fn drain(&self) {
        self.house(|house| house.closing = true);
        let halls: Vec<_> = self
            .0
            .halls
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .drain()
            .collect();
        halls.iter().for_each(|(_, hall)| hall.close(None, code::AWAY));
        loop {
            let left = self.0.left.notified();
            tokio::pin!(left);
            // Listen first, then look: a socket that ends in between is not missed.
            left.as_mut().enable();
            if self.house(|house| house.seats.taken()) == 0 {
                return;
            }
            left.await;
        }
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(super) fn enter(
        &self,
        token: &[u8; TOKEN],
        client: IpAddr,
    ) -> Result<(Visit, Receiver<Out>), Refusal> {
        let now = unix_seconds(SystemTime::now());
        let room = self.0.key.check(token, client, now).map_err(Refusal::Token)?;
        if self.house(|house| house.closing) {
            return Err(Refusal::Away);
        }
        let hall = self.hall(room).ok_or(Refusal::Calm)?;
        let (id, exit) = hall.enter(self.0.settings.queue)?;
        Ok((
            Visit {
                broker: self.clone(),
                hall,
                id,
            },
            exit,
        ))
    }

    fn seat(&self, client: IpAddr) -> Result<Seat, &'static str> {
        let (who, settings) = (Subscriber::from(client), &self.0.settings);
        self.house(|house| {
            if house.closing {
                return Err("drain");
            }
            house
                .seats
                .take(who, settings.sockets, settings.sockets_per_address)
                .map_err(|no| match no {
                    NoSeat::Full(_) => "sockets",
                    NoSeat::Share(_) => "address",
                })
        })?;
        Ok(Seat {
            broker: self.clone(),
            who,
        })
    }

    fn hall(&self, room: RoomId) -> Option<Arc<Hall>> {
        self.0
            .halls
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&room)
            .cloned()
    }

    /// Some additions under a lock; a panic in between leaves nothing half done that matters.
    fn house<T>(&self, turn: impl FnOnce(&mut House) -> T) -> T {
        turn(&mut self.0.house.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Refusal {
    /// Counts the refusal and says how the socket is closed for it.
    pub(super) fn code(self) -> u16 {
        let (reason, code) = match self {
            Self::Token(TokenError::Malformed) => ("token_malformed", code::TOKEN),
            Self::Token(TokenError::Forged) => ("token_forged", code::TOKEN),
            Self::Token(TokenError::Expired(_)) => ("token_expired", code::TOKEN),
            Self::Full => ("full", code::FULL),
            Self::Calm => ("calm", code::CALM),
            Self::Away => ("drain", code::AWAY),
        };
        shed(reason);
        code
    }
}

impl Visit {
    pub(super) fn hear(&self, message: FromVisitor) -> Result<(), PeerFault> {
        if let Some(grown) = self.hall.hear(self.id, message)? {
            self.broker.house(|house| house.reported.add(grown));
        }
        Ok(())
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.hall.leave(self.id);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.broker.house(|house| house.seats.give_back(self.who));
        self.broker.0.left.notify_waiters();
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

/// Whether the page that asks is of this site. Browsers always name it (RFC 6455 §10.2); who does not is no browser,
/// and needs a token like everyone.
fn same_site(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = uri.authority().map(|authority| authority.as_str()).or(host);
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    // Behind a proxy that ends TLS the scheme of the site is not ours, so the default ports of both are left out.
    matches!((origin, host), (Some((_, origin)), Some(host)) if plain(origin).eq_ignore_ascii_case(plain(host)))
}

fn plain(host: &str) -> &str {
    host.strip_suffix(":443")
        .or_else(|| host.strip_suffix(":80"))
        .unwrap_or(host)
}

fn refuse(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    match status {
        StatusCode::UPGRADE_REQUIRED => {
            headers.insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("30"));
        }
        _ => {}
    }
    response
}

fn shed(reason: &'static str) {
    counter!(metric::SHED, "reason" => reason).increment(1);
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// One message and its head, and not the 128 KiB that are the default for each socket; a long one is read in parts.
const READ_BUFFER: usize = 1_024;
