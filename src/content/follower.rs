//! A visitor that waits for another one's fetch.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use super::{
    answer::Stream,
    filling::{Ended, Ticket},
    object::Object,
    reason::Reason,
};

/// A future of the fetch's [`Outcome`]. The caller sets the deadline.
#[derive(Debug)]
#[must_use = "it waits for nothing until it is polled"]
pub struct Follower {
    ticket: Option<Ticket>,
    cookie: bool,
}

/// How a fetch ended for those who waited.
#[derive(Debug)]
pub enum Outcome {
    /// The body is on its way: answer from it with [`Stream::answer`].
    Streaming(Stream),
    /// Here it is, fresh, or stale because the origin failed.
    Stored(Arc<Object>),
    /// Nothing came of it. Look up once more; after [`ROUNDS`] rounds, go to the origin.
    Again,
    /// It may not be shared: go to the origin.
    Pass(Reason),
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
                return Poll::Ready(Outcome::Streaming(Stream::new(ticket, head)));
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

/// Look-ups after which a visitor has waited enough: two fetches that must agree, and one that failed.
pub const ROUNDS: usize = 3;
