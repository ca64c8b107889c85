//! The broker as the rest of the program sees it: a handle to all rooms. Its door is in `door.rs`.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use foldhash::fast::RandomState;
use metrics::counter;
use tokio::{
    sync::{Notify, mpsc::Receiver},
    time::Instant,
};

use crate::{
    broker::{
        Origin, Reported, RoomId, Sample, Settings, TokenError, TokenKey,
        hall::{Hall, Out},
        limit::Seats,
        session::code,
        signal::{FromBroker, FromVisitor, TOKEN},
    },
    swarm::{PeerFault, budget::Budget},
    telemetry::metric,
};

/// A handle to all rooms; cheap to clone, and all clones are one broker.
#[derive(Clone)]
pub struct Broker(pub(super) Arc<Inner>);

pub(super) struct Inner {
    settings: Settings,
    key: TokenKey,
    /// At most `settings.rooms`.
    halls: RwLock<HashMap<RoomId, Arc<Hall>, RandomState>>,
    house: Mutex<House>,
    introductions: Arc<AtomicU64>,
    /// Told whenever a socket ends.
    left: Notify,
    /// Where chunks come from, once it is known.
    pub(super) origin: OnceLock<Arc<dyn Origin>>,
    pub(super) budget: Mutex<Budget>,
    /// Told whenever a chunk may be sent.
    pub(super) wake: Arc<Notify>,
    /// From here the budget counts its time.
    pub(super) start: Instant,
}

/// What counts across rooms.
#[derive(Default)]
pub(super) struct House {
    pub(super) seats: Seats,
    reported: Reported,
    pub(super) closing: bool,
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
    room: RoomId,
    id: u32,
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
            origin: OnceLock::new(),
            budget: Mutex::default(),
            wake: Arc::default(),
            start: Instant::now(),
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
        STANDARD_NO_PAD.encode(token)
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

    /// Some visitors of a room, for an operator to look at; none if it is not open.
    #[must_use]
    pub fn sample(&self, room: RoomId) -> Option<Sample> {
        self.hall(room).map(|hall| hall.sample(SAMPLE))
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
        let (id, exit) = hall.enter(self.0.settings.queue, self.pace())?;
        self.wake();
        Ok((
            Visit {
                broker: self.clone(),
                hall,
                room,
                id,
            },
            exit,
        ))
    }

    /// Says that a socket has ended.
    pub(super) fn left(&self) {
        self.0.left.notify_waiters();
    }

    pub(super) fn halls(&self) -> Vec<(RoomId, Arc<Hall>)> {
        let halls = self.0.halls.read().unwrap_or_else(PoisonError::into_inner);
        halls
            .iter()
            .map(|(room, hall)| (*room, Arc::clone(hall)))
            .collect()
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
    pub(super) fn house<T>(&self, turn: impl FnOnce(&mut House) -> T) -> T {
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
        let wish = matches!(message, FromVisitor::Spare(_));
        if let Some(grown) = self.hall.hear(self.id, message)? {
            self.broker.house(|house| house.reported.add(grown));
        }
        if wish {
            self.broker.wake();
        }
        Ok(())
    }

    /// The socket has taken a chunk of so many bytes.
    pub(super) fn took(&self, bytes: usize) {
        self.hall.took(self.id);
        self.broker.took(self.room, bytes);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever hands out chunks is to see that there is nobody left.
        self.wake.notify_one();
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.hall.leave(self.id);
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}

/// Counts somebody who is turned away, and stays with plain HTTP.
pub(super) fn shed(reason: &'static str) {
    counter!(metric::SHED, "reason" => reason).increment(1);
}

/// Visitors that an operator looks at: dots on one screen, and as many as may be copied while the room is locked.
const SAMPLE: usize = 1_000;

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
