//! A room with its doors: the pure [`Room`], and for each visitor the queue of what its socket is to send.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
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
        signal::{FromBroker, FromVisitor, Outcome, Report},
    },
    swarm::PeerFault,
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
    /// Close with this code.
    Leave(u16),
}

impl Hall {
    pub(super) fn new(rules: Rules, introductions: Arc<AtomicU64>) -> Self {
        let turn = Mutex::new(Inner {
            room: Room::new(rules),
            doors: HashMap::default(),
            rng: StdRng::from_rng(&mut rand::rng()),
            mail: Vec::new(),
            closed: false,
        });
        Self { turn, introductions }
    }

    /// Lets a visitor in. What it is told comes out of the receiver; a receiver that ends without [`Out::Leave`]
    /// overflowed.
    pub(super) fn enter(&self, queue: usize) -> Result<(u32, Receiver<Out>), Refusal> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if inner.closed {
            return Err(Refusal::Calm);
        }
        let joined = inner.room.join(&mut inner.rng, &mut inner.mail);
        let (id, met) = joined.map_err(|Full(_)| Refusal::Full)?;
        let (door, exit) = mpsc::channel(queue);
        inner.doors.insert(id, door);
        gauge!(metric::VISITORS).increment(1);
        self.introduced(met);
        inner.deliver();
        Ok((id, exit))
    }

    pub(super) fn hear(&self, from: u32, message: FromVisitor) -> Result<Option<Reported>, PeerFault> {
        let mut inner = self.lock();
        let inner = &mut *inner;
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
