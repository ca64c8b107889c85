//! The origin's hand at the broker: takes seeds and spare chunks from where the page is kept, and puts them into visitors'
//! queues at the pace that its uplink allows. Who gets what is decided in the valve of each room, how much in the budget.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::timeout;

use crate::{
    broker::{
        RoomId,
        hall::{Hall, Turn},
        service::{Broker, Inner},
    },
    content::CHUNK,
    swarm::budget::Budget,
};

/// Where the chunks of a room's page come from. The broker knows no page: whoever builds it hands it this.
pub trait Origin: fmt::Debug + Send + Sync {
    /// Runs of chunks that are worth a seed now: whole ones, or all if none is.
    fn seeds(&self, room: RoomId) -> Vec<Range<u32>>;

    /// The bytes of a chunk, if they are at hand and the page still lists them.
    fn chunk(&self, room: RoomId, chunk: u32) -> Option<Bytes>;

    /// Bytes per second that may be sent in all, pages included.
    fn pace(&self) -> u64;

    /// What a byte of a spare chunk takes of the pace: more than one where nobody knows that the uplink is idle.
    fn spare_weight(&self) -> usize;

    /// Bytes that were sent by HTTP since the start: pages and what belongs to them come first.
    fn sent(&self) -> u64;

    /// A chunk of so many bytes has left for a visitor of the room.
    fn took(&self, room: RoomId, bytes: u64);
}

impl Broker {
    /// Lets the broker send seeds and spare chunks of this origin; the first one stays. It needs a Tokio runtime, in which
    /// one task works until the last handle of the broker is dropped.
    pub fn supply(&self, origin: Arc<dyn Origin>) {
        if self.0.origin.set(origin).is_ok() {
            tokio::spawn(work(Arc::downgrade(&self.0)));
        }
    }

    /// How far what the origin sends by HTTP is ahead of what its uplink allows. Nothing where there is no
    /// [`supply`](Self::supply).
    #[must_use]
    pub fn debt(&self) -> Duration {
        self.0.origin.get().map_or(Duration::ZERO, |origin| {
            self.budget(&**origin, |budget| budget.debt())
        })
    }

    /// Something may be sent that could not before.
    pub(super) fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// The pace at which a newcomer's seed would come; none without a supply.
    pub(super) fn pace(&self) -> Option<u64> {
        self.0.origin.get().map(|origin| origin.pace())
    }

    pub(super) fn took(&self, room: RoomId, bytes: usize) {
        if let Some(origin) = self.0.origin.get() {
            origin.took(room, bytes as u64);
        }
        self.wake();
    }

    /// Sends all that may be sent now. Returns when there may be more, or nothing if somebody has to ask first.
    /// `turn` says which room is asked first.
    fn serve(&self, turn: &mut usize) -> Option<Duration> {
        let origin = self.0.origin.get()?;
        let halls = self.halls();
        loop {
            let (wait, debt) = self.budget(&**origin, |budget| (budget.wait(), budget.debt()));
            // A seed costs a chunk and saves most of a page: it does not wait until nobody asks for anything.
            let kinds: &[bool] = match (wait.is_zero(), debt < SEEDS_UNTIL) {
                (true, _) => &[true, false],
                (false, true) => &[true],
                (false, false) => return Some(debt - SEEDS_UNTIL + SHORTEST),
            };
            // The rooms take turns; but a seed of any comes before a spare chunk of any.
            *turn = turn.wrapping_add(1);
            let first = *turn % halls.len().max(1);
            let sent = kinds.iter().find_map(|&seed| {
                let (before, after) = halls.split_at(first);
                let weight = if seed { 1 } else { origin.spare_weight() };
                after
                    .iter()
                    .chain(before)
                    .find_map(|(room, hall)| serve_one(&**origin, *room, hall, seed))
                    .map(|bytes| bytes * weight)
            });
            let Some(bytes) = sent else {
                if !wait.is_zero() {
                    return Some(wait);
                }
                // Newcomers of a page of which nothing is at hand yet.
                let waits = halls.iter().any(|(_, hall)| hall.waits());
                return waits.then_some(AGAIN);
            };
            self.budget(&**origin, |budget| budget.spend(bytes));
        }
    }

    fn budget<T>(&self, origin: &dyn Origin, turn: impl FnOnce(&mut Budget) -> T) -> T {
        let (pace, sent) = (origin.pace(), origin.sent());
        let now = self.0.start.elapsed();
        let mut budget = self.0.budget.lock().unwrap_or_else(PoisonError::into_inner);
        budget.look(pace, sent, now);
        turn(&mut budget)
    }
}

/// Sends one chunk to a visitor of this room; none if nobody waits for what there is. The bytes are looked up while no room
/// is held up.
fn serve_one(origin: &dyn Origin, room: RoomId, hall: &Hall, seed: bool) -> Option<usize> {
    if !(if seed { hall.waits() } else { hall.wishes() }) {
        return None;
    }
    let turn = if seed {
        Turn::Seed(origin.seeds(room))
    } else {
        Turn::Spare {
            oldest_first: (hall.len() as u64) * UPLINK <= origin.pace() / 4 * 3,
        }
    };
    // A stranger may wish for what there is not; a few of those, and it is somebody else's turn.
    for _ in 0..TRIES {
        let (visitor, chunk) = hall.next(&turn)?;
        let bytes = origin.chunk(room, chunk).filter(|bytes| bytes.len() <= CHUNK);
        let length = bytes.as_ref().map(Bytes::len);
        hall.send(visitor, chunk, bytes);
        if length.is_some() {
            return length;
        }
    }
    None
}

async fn work(broker: Weak<Inner>) {
    let mut turn = 0;
    loop {
        let Some(wake) = broker.upgrade().map(|inner| Arc::clone(&inner.wake)) else {
            return;
        };
        let wait = broker.upgrade().and_then(|inner| Broker(inner).serve(&mut turn));
        match wait {
            Some(wait) => drop(timeout(wait, wake.notified()).await),
            None => wake.notified().await,
        }
    }
}

/// A visitor's uplink in bytes per second, as of DSL: as long as all of them together have no more than three quarters of
/// the origin's, it serves the oldest first (`docs/swarm.md`).
const UPLINK: u64 = 125_000;
/// How far the uplink may be behind for a seed still to go: further than where the way out is deferred (2 s), for its requests, and a
/// burst of pages, would leave newcomers without credit, and so at the origin, too.
const SEEDS_UNTIL: Duration = Duration::from_secs(3);
/// Timers are no finer.
const SHORTEST: Duration = Duration::from_millis(1);
const TRIES: usize = 8;
/// How soon an empty page is looked at again: its first objects are fetched meanwhile.
const AGAIN: Duration = Duration::from_millis(250);
