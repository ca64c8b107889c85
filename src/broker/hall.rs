//! A room with its doors: the pure [`Room`] and [`Valve`], and for each visitor the queue of what its socket is to send.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use foldhash::fast::RandomState;
use metrics::{counter, gauge, histogram};
use rand::{SeedableRng, rngs::StdRng};
use tokio::sync::mpsc::{self, Receiver, Sender, error::TrySendError};

use crate::{
    broker::{
        Envelope, Full, Heard, Reported, Room, Rules, Sample,
        service::Refusal,
        signal::{Chunk, FromBroker, FromVisitor, Outcome, Report},
    },
    content::CHUNK,
    swarm::{PeerFault, valve::Valve},
    telemetry::metric,
};

/// A room, its doors and its dice, behind one lock: each turn is some microseconds, and no turn awaits.
#[derive(Debug)]
pub(super) struct Hall {
    turn: Mutex<Inner>,
    /// Introductions of all rooms.
    introductions: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Inner {
    room: Room,
    /// Nobody is known to it while there is no origin to send anything.
    valve: Valve,
    doors: HashMap<u32, Sender<Out>, RandomState>,
    rng: StdRng,
    /// Kept from turn to turn, so that a message costs no allocation but its own bytes.
    mail: Vec<Envelope>,
    closed: bool,
}

/// What a socket is to do next.
#[derive(Clone, Debug)]
pub(super) enum Out {
    /// Send this.
    Say(Bytes),
    /// Send this chunk, and say when the socket has taken it. At most one waits.
    Chunk(Chunk),
    /// Close with this code.
    Leave(u16),
}

/// What there is to be sent.
#[derive(Debug)]
pub(super) enum Turn {
    /// A seed of these chunks.
    Seed(Vec<Range<u32>>),
    /// What somebody wishes for.
    Spare {
        /// Whether who came first is served first, and not who had the fewest.
        oldest_first: bool,
    },
}

impl Hall {
    pub(super) fn new(rules: Rules, introductions: Arc<AtomicU64>) -> Self {
        let turn = Mutex::new(Inner {
            room: Room::new(rules),
            valve: Valve::default(),
            doors: HashMap::default(),
            rng: StdRng::from_rng(&mut rand::rng()),
            mail: Vec::new(),
            closed: false,
        });
        Self { turn, introductions }
    }

    /// Lets a visitor in. What it is told comes out of the receiver; a receiver that ends without [`Out::Leave`]
    /// overflowed.
    /// Its seed comes at so many bytes per second, those before it first; if that takes too long, of a neighbour.
    pub(super) fn enter(&self, queue: usize, pace: Option<u64>) -> Result<(u32, Receiver<Out>), Refusal> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if inner.closed {
            return Err(Refusal::Calm);
        }
        let joined = inner.room.join(&mut inner.rng, &mut inner.mail);
        let (id, met) = joined.map_err(|Full(_)| Refusal::Full)?;
        let (door, exit) = mpsc::channel(queue);
        inner.doors.insert(id, door);
        if let Some(pace) = pace {
            let queued = (inner.valve.waiting() * CHUNK) as f64;
            let seeded = queued <= pace as f64 * SEED_QUEUE.as_secs_f64();
            inner.valve.join(id, seeded);
            if !seeded {
                inner.room.wants_sponsor(id);
            }
        }
        gauge!(metric::VISITORS).increment(1);
        self.introduced(met);
        inner.deliver();
        Ok((id, exit))
    }

    pub(super) fn hear(&self, from: u32, message: FromVisitor) -> Result<Option<Reported>, PeerFault> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if let FromVisitor::Spare(spare) = message {
            inner.valve.wish(from, spare.chunks);
            return Ok(None);
        }
        let heard = inner.room.hear(from, message, &mut inner.rng, &mut inner.mail)?;
        inner.deliver();
        if let Heard::Introduced(met) = heard {
            self.introduced(met);
        }
        count(heard);
        Ok(match heard {
            Heard::Reported(grown) => Some(grown),
            _ => None,
        })
    }

    pub(super) fn leave(&self, id: u32) {
        let mut inner = self.lock();
        inner.dismiss(id);
        inner.deliver();
    }

    /// Tells everyone to leave, with `last` as the last word if there is one, and lets nobody in any more.
    pub(super) fn close(&self, last: Option<&FromBroker>, code: u16) {
        let mut inner = self.lock();
        inner.closed = true;
        let last = last.map(|last| Bytes::from(last.encode()));
        for door in inner.doors.values() {
            // A queue without room for this belongs to a socket that does not read: it ends without a word.
            if let Some(last) = &last {
                let _ = door.try_send(Out::Say(last.clone()));
            }
            let _ = door.try_send(Out::Leave(code));
        }
        inner.doors.clear();
    }

    /// Whether a newcomer waits for its seed.
    pub(super) fn waits(&self) -> bool {
        self.lock().valve.waiting() > 0
    }

    /// Whether anybody wishes for what is spare.
    pub(super) fn wishes(&self) -> bool {
        self.lock().valve.is_wanted()
    }

    /// Who is to be sent which chunk; it must be told what became of it by [`send`](Self::send).
    pub(super) fn next(&self, turn: &Turn) -> Option<(u32, u32)> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        match turn {
            Turn::Seed(whole) => {
                let (room, valve) = (&inner.room, &mut inner.valve);
                valve.seed(whole, |visitor| room.met(visitor), &mut inner.rng)
            }
            Turn::Spare { oldest_first } => {
                let (room, valve) = (&inner.room, &mut inner.valve);
                // Who was often accused comes last: slander is to starve nobody.
                valve
                    .spare(*oldest_first, |visitor| !room.is_barred(visitor))
                    .or_else(|| valve.spare(*oldest_first, |_| true))
            }
        }
    }

    /// Puts a chunk into a visitor's queue; without bytes there was none to be had.
    pub(super) fn send(&self, visitor: u32, chunk: u32, bytes: Option<Bytes>) {
        let mut inner = self.lock();
        let sent = bytes
            .zip(inner.doors.get(&visitor))
            .map(|(bytes, door)| door.try_send(Out::Chunk(Chunk { chunk, bytes })));
        match sent {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(_))) => {
                counter!(metric::SHED, "reason" => "slow").increment(1);
                inner.dismiss(visitor);
                inner.deliver();
            }
            Some(Err(TrySendError::Closed(_))) | None => inner.valve.took(visitor),
        }
    }

    /// The socket has taken what was under way to the visitor.
    pub(super) fn took(&self, visitor: u32) {
        self.lock().valve.took(visitor);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().room.len()
    }

    pub(super) fn reported(&self) -> Reported {
        self.lock().room.reported()
    }

    pub(super) fn sample(&self, most: usize) -> Sample {
        self.lock().room.sample(most)
    }

    fn introduced(&self, met: usize) {
        self.introductions.fetch_add(met as u64, Relaxed);
        counter!(metric::INTRODUCTIONS, "via" => "broker").increment(met as u64);
    }

    /// A turn that panicked leaves a room that is still a room; the other visitors keep it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Hands out the mail. Whose queue is full is shown out, which makes more mail, until no queue is full.
    fn deliver(&mut self) {
        let mut next = 0;
        while let Some(Envelope { to, message }) = self.mail.get(next) {
            let (to, bytes) = (*to, Bytes::from(message.encode()));
            next += 1;
            let Some(door) = self.doors.get(&to) else {
                continue;
            };
            if let Err(TrySendError::Full(_)) = door.try_send(Out::Say(bytes)) {
                counter!(metric::SHED, "reason" => "slow").increment(1);
                self.dismiss(to);
            }
        }
        self.mail.clear();
    }

    fn dismiss(&mut self, id: u32) {
        self.doors.remove(&id);
        self.valve.leave(id);
        if let Some(report) = self.room.leave(id, &mut self.mail) {
            gauge!(metric::VISITORS).decrement(1);
            given(report);
        }
    }
}

fn count(heard: Heard) {
    match heard {
        Heard::Nothing | Heard::Introduced(_) => {}
        Heard::Linked(Outcome::Open, milliseconds) => {
            counter!(metric::PUNCHES, "outcome" => "open").increment(1);
            histogram!(metric::PUNCH).record(f64::from(milliseconds) / 1_000.0);
        }
        Heard::Linked(Outcome::Failed, _) => counter!(metric::PUNCHES, "outcome" => "failed").increment(1),
        Heard::LinkedByNeighbour => counter!(metric::INTRODUCTIONS, "via" => "peer").increment(1),
        Heard::Accused(fault) => reported_fault(fault.as_str()),
        Heard::Disbelieved => reported_fault("report"),
        Heard::Reported(grown) => {
            counter!(metric::BYTES, "source" => "peer", "by" => "visitors").increment(grown.peer);
        }
    }
}

/// Marked as what visitors say: a liar can raise it.
fn reported_fault(kind: &'static str) {
    counter!(metric::FAULTS, "kind" => kind, "by" => "visitors").increment(1);
}

/// What a visitor gave of what it got, as it said last; law 3 keeps it at 1 or below.
fn given(report: Report) {
    let got = report.origin.saturating_add(report.peer);
    if got > 0 {
        histogram!(metric::GIVEN_RATIO).record(report.given as f64 / got as f64);
    }
}

/// Seeds before a newcomer's: if they take longer than this, a neighbour gives it one (`docs/swarm.md`).
const SEED_QUEUE: Duration = Duration::from_millis(150);
