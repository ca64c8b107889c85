//! A fetch under way: the state that its writer, its own visitor and all who wait for it share. It only keeps and wakes;
//! what is decided is decided in `coalesce.rs`.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::SystemTime,
};

use bytes::Bytes;
use http::HeaderMap;

use super::{
    budget::Reservation,
    buffer::Buffer,
    eligible::Reason,
    freshness::{Freshness, Use},
    key::ObjectKey,
    object::Object,
};

/// What readers see of the head of a response whose body is on its way.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) headers: HeaderMap,
    pub(super) length: Option<u64>,
    pub(super) freshness: Freshness,
}

/// How a fetch ended for those who waited.
#[derive(Debug)]
pub enum Outcome {
    /// The body is on its way: answer from it with [`Stream::answer`](super::Stream::answer).
    Streaming(super::Stream),
    /// Here it is, fresh, or stale because the origin failed.
    Stored(Arc<Object>),
    /// Nothing came of it. Look up once more; after [`ROUNDS`] rounds, go to the origin.
    Again,
    /// It may not be shared: go to the origin.
    Pass(Reason),
}

/// Look-ups after which a visitor has waited enough: two fetches that must agree, and one that failed.
pub const ROUNDS: usize = 3;

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

/// [`Outcome`], as far as it is the same for all.
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

/// A visitor that waits for another one's fetch: a future of its [`Outcome`]. The caller sets the deadline.
#[derive(Debug)]
#[must_use = "it waits for nothing until it is polled"]
pub struct Follower {
    ticket: Option<Ticket>,
    cookie: bool,
}

impl Follower {
    pub(super) fn new(ticket: Ticket, cookie: bool) -> Self {
        Self {
            ticket: Some(ticket),
            cookie,
        }
    }

    /// The deadline came first: until this fetch has something to give, later look-ups pass at once instead of
    /// waiting in vain, each to its own deadline. Returns the older copy, if it may stand in for an origin that fails.
    #[must_use]
    pub fn give_up(self, now: SystemTime) -> Option<Arc<Object>> {
        let filling = &self.ticket.as_ref()?.filling;
        filling.state().slow = true;
        filling.substitute(now).filter(|older| older.answers(self.cookie))
    }
}

impl Future for Follower {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let cookie = self.cookie;
        let Some(ticket) = self.ticket.take() else {
            return Poll::Ready(Outcome::Again);
        };
        let mut state = ticket.filling.state();
        let outcome = match (&state.outcome, &state.head) {
            (Some(Ended::Stored(object)), _) if object.answers(cookie) => Outcome::Stored(Arc::clone(object)),
            (Some(Ended::Stored(_)), _) => Outcome::Pass(Reason::Cookie),
            (Some(Ended::Again), _) => Outcome::Again,
            (Some(Ended::Pass(reason)), _) => Outcome::Pass(*reason),
            (None, Some(head)) if state.shared => {
                let head = Arc::clone(head);
                drop(state);
                return Poll::Ready(Outcome::Streaming(super::Stream::new(ticket, head)));
            }
            (None, _) => {
                ticket.wait(&mut state, cx);
                drop(state);
                self.ticket = Some(ticket);
                return Poll::Pending;
            }
        };
        drop(state);
        Poll::Ready(outcome)
    }
}
