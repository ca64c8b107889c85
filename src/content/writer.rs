//! The body of a fetch on its way into the store. It counts, hashes and passes on; a body that proves too large to keep goes on to
//! its own visitor through a small window.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::{
    answer::Stream,
    chunk::Digest,
    claim::Claim,
    eligible::Judgement,
    filling::{End, Ended, Head, Own},
    hasher::Hasher,
    object::Object,
    reader::Reader,
    reason::Reason,
};

/// Takes the body of the response, frame by frame.
#[derive(Debug)]
#[must_use = "dropping it breaks the body off for all who read"]
pub struct Writer {
    claim: Claim,
    judgement: Judgement,
    head: Arc<Head>,
    hasher: Hasher,
    come: u64,
    window: bool,
}

/// Why a fetch need not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// The origin sends more than it said.
    #[error("the origin sent more than the {0} bytes that it announced")]
    TooMuch(u64),
    /// It is too large to be kept, and its one visitor has left.
    #[error("nobody reads any more")]
    Unread,
}

impl Writer {
    pub(super) fn new(claim: Claim, judgement: Judgement, head: Arc<Head>) -> Self {
        Self {
            claim,
            judgement,
            head,
            hasher: Hasher::default(),
            come: 0,
            window: false,
        }
    }

    /// Answers the visitor whose request this is. To be called once, before the body is pushed to its end.
    #[must_use]
    pub fn answer(&self, request: &HeaderMap, now: SystemTime) -> Response<Reader> {
        Stream::own(self.claim.filling.own_ticket(), Arc::clone(&self.head)).answer(request, now)
    }

    /// Whether the next frame may be pushed. Only a body too large to be kept ever waits: for its one reader.
    ///
    /// # Errors
    /// [`Stop::Unread`] if that reader has left: the fetch may be given up.
    pub fn poll_ready(&mut self, cx: &Context<'_>) -> Poll<Result<(), Stop>> {
        if !self.window {
            return Poll::Ready(Ok(()));
        }
        let mut state = self.claim.filling.state();
        let Own::At(at) = state.own else {
            return Poll::Ready(Err(Stop::Unread));
        };
        if state.buffer.forget(at) <= WINDOW {
            return Poll::Ready(Ok(()));
        }
        state.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The next bytes of the body.
    ///
    /// # Errors
    /// [`Stop::TooMuch`] if they are more than announced: drop the writer, and the body breaks off for all who read.
    pub fn push(&mut self, bytes: &[u8], now: SystemTime) -> Result<(), Stop> {
        self.come = self.come.saturating_add(bytes.len() as u64);
        if let Some(length) = self.head.length.filter(|length| self.come > *length) {
            return Err(Stop::TooMuch(length));
        }
        let fits = self.come <= self.claim.shelf.settings.max_object.as_u64();
        let grown = self.claim.filling.change(|state| {
            let grown = self.window || (fits && state.reservation.reach(self.come));
            state.window = !grown || self.window;
            state.buffer.push(bytes);
            grown
        });
        if !grown {
            self.window = true;
            self.claim
                .pass(if fits { Reason::Busy } else { Reason::Size }, now);
        }
        if !self.window {
            self.hasher.update(bytes);
        }
        Ok(())
    }

    /// The body is complete, as far as its sender says. Returns the object if it is now stored.
    ///
    /// Trailers are not kept: RFC 9110 §6.5.1 lets an intermediary drop them, and no browser reads them.
    pub fn finish(mut self, now: SystemTime) -> Option<Arc<Object>> {
        if self.head.length.is_some_and(|length| self.come != length) {
            return None;
        }
        if self.window {
            self.claim.filling.change(|state| state.end = End::Whole(None));
            return None;
        }
        let body = self.claim.filling.change(|state| {
            let body = state.buffer.join();
            state.end = End::Whole(Some(body.clone()));
            body
        });
        self.store(body, now)
    }

    /// The origin's body broke off.
    pub fn fail(self) {
        drop(self);
    }

    /// What an older copy was, if it was fetched without a cookie: one with explicit freshness need not have been.
    fn witness(&self) -> Option<Digest> {
        let older = self.claim.filling.older.as_ref()?;
        (!older.freshness().explicit()).then_some(older.digests().object)
    }

    fn store(&mut self, body: Bytes, now: SystemTime) -> Option<Arc<Object>> {
        let digests = std::mem::take(&mut self.hasher).finish();
        let (shelf, key) = (Arc::clone(&self.claim.shelf), self.claim.filling.key.clone());
        if !self.judgement.freshness.explicit() {
            match shelf.marks.seen(&key, now).or_else(|| self.witness()) {
                Some(seen) if seen == digests.object => {}
                Some(_) => {
                    self.claim.pass(Reason::Differs, now);
                    return None;
                }
                None => {
                    shelf.marks.silent(&key, Some(digests.object), now);
                    self.claim.settle(Ended::Again);
                    return None;
                }
            }
        }
        let object = Arc::new(Object::new(
            &key,
            self.judgement.clone(),
            body,
            digests,
            &shelf.settings,
        ));
        shelf.marks.clear(&key);
        shelf.insert(&object);
        // The store's bound counts the bytes from here on: a slow reader must not keep others from being filled.
        self.claim.filling.change(|state| state.reservation.release());
        self.claim.settle(Ended::Stored(Arc::clone(&object)));
        Some(object)
    }
}

/// Unread bytes at which a body too large to keep waits for its reader: a few socket buffers.
const WINDOW: u64 = 256 * 1024;
