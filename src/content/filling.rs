//! A fetch under way: the state that its writer, its own visitor and all who wait for it share. It only keeps and wakes;
//! what is decided is decided in `leader.rs` and `writer.rs`.

use std::{
    collections::HashMap,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::SystemTime,
};

use bytes::Bytes;
use http::HeaderMap;

use super::{
    budget::Reservation,
    buffer::Buffer,
    freshness::{Freshness, Use},
    key::ObjectKey,
    object::Object,
    reason::Reason,
};

/// What readers see of the head of a response whose body is on its way.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) headers: HeaderMap,
    pub(super) length: Option<u64>,
    pub(super) freshness: Freshness,
}

/// One fetch.
pub(super) struct Filling {
    pub(super) key: ObjectKey,
    /// An older copy: the origin may confirm it, or fail and be covered by it.
    pub(super) older: Option<Arc<Object>>,
    max_waiters: usize,
    state: Mutex<State>,
}

pub(super) struct State {
    pub(super) head: Option<Arc<Head>>,
    /// Everybody may read while it grows; else only the visitor whose request it was.
    pub(super) shared: bool,
    pub(super) outcome: Option<Ended>,
    pub(super) buffer: Buffer,
    pub(super) end: End,
    /// Too large to keep: a window that moves with its one reader.
    pub(super) window: bool,
    /// A follower waited to its deadline in vain: nobody else need.
    pub(super) slow: bool,
    pub(super) own: Own,
    /// Against the bound of all bodies under way; lives as long as anybody may still read.
    pub(super) reservation: Reservation,
    pub(super) writer: Option<Waker>,
    wakers: HashMap<u64, Waker>,
    tickets: usize,
    next_ticket: u64,
}

/// How it ended, as far as that is the same for all who wait.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    Stored(Arc<Object>),
    Again,
    Pass(Reason),
}

/// The end of the body.
#[derive(Clone, Debug)]
pub(super) enum End {
    Open,
    /// All is there; in one piece unless it went through a window.
    Whole(Option<Bytes>),
    Broken,
}

/// The visitor whose request the fetch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    Absent,
    At(u64),
}

impl Filling {
    pub(super) fn new(
        key: ObjectKey,
        older: Option<Arc<Object>>,
        max_waiters: usize,
        reservation: Reservation,
    ) -> Self {
        let state = State {
            head: None,
            shared: false,
            outcome: None,
            buffer: Buffer::default(),
            end: End::Open,
            window: false,
            slow: false,
            own: Own::Absent,
            reservation,
            writer: None,
            wakers: HashMap::new(),
            tickets: 0,
            next_ticket: 0,
        };
        Self {
            key,
            older,
            max_waiters,
            state: Mutex::new(state),
        }
    }

    /// The older copy, if it may be the answer when the origin fails (`stale-if-error`).
    pub(super) fn substitute(&self, now: SystemTime) -> Option<Arc<Object>> {
        self.older
            .clone()
            .filter(|older| older.freshness().usable(now) != Use::No)
    }

    /// A panic of another thread leaves the state as whole as it was: every change is made by one statement.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and then wakes all who wait.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state);
        let wakers = mem::take(&mut state.wakers);
        drop(state);
        wakers.into_values().for_each(Waker::wake);
        result
    }

    /// A place among those who wait, unless there are too many or it was waited for in vain.
    pub(super) fn ticket(self: &Arc<Self>) -> Result<Ticket, Reason> {
        let mut state = self.state();
        if state.slow && !(state.shared && state.head.is_some()) {
            return Err(Reason::Slow);
        }
        if state.tickets >= self.max_waiters {
            return Err(Reason::Crowded);
        }
        Ok(state.admit(self))
    }

    /// The leader's own visitor is never turned away.
    pub(super) fn own_ticket(self: &Arc<Self>) -> Ticket {
        self.state().admit(self)
    }
}

impl State {
    fn admit(&mut self, filling: &Arc<Filling>) -> Ticket {
        self.tickets += 1;
        self.next_ticket += 1;
        Ticket {
            filling: Arc::clone(filling),
            number: self.next_ticket,
        }
    }
}

impl fmt::Debug for Filling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filling")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// A place among those who wait, given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) filling: Arc<Filling>,
    number: u64,
}

impl Ticket {
    /// Wakes this one at the next change; to be called with the lock held in which the wait was decided.
    pub(super) fn wait(&self, state: &mut State, cx: &Context<'_>) {
        state.wakers.insert(self.number, cx.waker().clone());
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.filling.state();
        state.tickets -= 1;
        state.wakers.remove(&self.number);
    }
}
