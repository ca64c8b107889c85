//! One fetch from the origin for all who ask at once: what the leading request may do, from the request it sends to the last byte.
//! Whatever becomes of it, nobody is left waiting: dropping a [`Leader`] or a [`Writer`] ends the fetch for all.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
        LAST_MODIFIED, RANGE,
    },
    response,
};

use super::{
    answer::Stream,
    eligible::{self, Judgement, Reason},
    filling::{End, Ended, Filling, Head, Own},
    hasher::Hasher,
    key::ObjectKey,
    object::{self, Object},
    reader::Reader,
    store::Shelf,
};

/// The right, and the duty, to fetch an object for everybody.
#[derive(Debug)]
#[must_use = "dropping it sends all who wait to look up again"]
pub struct Leader {
    claim: Claim,
    cookie: bool,
}

/// What the head of the origin's response leads to.
#[derive(Debug)]
pub enum Verdict {
    /// Push the body; answer the own visitor with [`Writer::answer`].
    Fill(Writer),
    /// The stored copy is the answer: the origin confirmed it, or failed and it may stand in.
    Stored(Arc<Object>),
    /// Not to be shared: the response belongs to its own visitor, by way of [`relay`](super::relay()).
    Pass(Reason),
}

impl Leader {
    pub(super) fn new(shelf: &Arc<Shelf>, filling: Arc<Filling>, cookie: bool) -> Self {
        let claim = Claim {
            shelf: Arc::clone(shelf),
            filling,
            settled: false,
        };
        Self { claim, cookie }
    }

    /// What is fetched.
    #[must_use]
    pub fn key(&self) -> &ObjectKey {
        &self.claim.filling.key
    }

    /// Makes a visitor's request one for the whole object in the key's encoding, on the condition that it has changed
    /// since it was last stored. To be remembered first: the visitor's own fields, for the answer.
    pub fn prepare(&self, request: &mut HeaderMap) {
        for name in OWN {
            request.remove(name);
        }
        request.insert(
            ACCEPT_ENCODING,
            HeaderValue::from_static(self.key().encoding.as_str()),
        );
        let Some(older) = &self.claim.filling.older else {
            return;
        };
        if let Some(tag) = older.headers().get(ETAG) {
            request.insert(IF_NONE_MATCH, tag.clone());
        } else if let Some(date) = older.headers().get(LAST_MODIFIED) {
            request.insert(IF_MODIFIED_SINCE, date.clone());
        }
    }

    /// Judges the head of the response. `exact` is the body's own length if it knows it.
    pub fn head(mut self, response: &response::Parts, exact: Option<u64>, now: SystemTime) -> Verdict {
        let older = self.claim.filling.older.clone();
        if response.status == StatusCode::NOT_MODIFIED
            && let Some(older) = older
        {
            return self.confirmed(&older, response, now);
        }
        if FAILURES.contains(&response.status)
            && let Some(older) = self.substitute(now)
        {
            return Verdict::Stored(older);
        }
        let settings = &self.claim.shelf.settings;
        match eligible::judge(response, exact, self.key().encoding, settings, now) {
            Ok(judgement) if self.cookie && !judgement.freshness.explicit() => {
                self.claim.shelf.mark_silent(self.key(), None, now);
                // Those without a cookie may try again.
                self.claim.settle(Ended::Again);
                Verdict::Pass(Reason::Cookie)
            }
            Ok(judgement) => self.open(judgement),
            Err(reason) => {
                // What is now private or gone must not be shared; an origin that fails has said nothing about it.
                if let Some(older) = older.filter(|_| !response.status.is_server_error()) {
                    self.claim.shelf.remove(&older);
                }
                self.claim.pass(reason, now);
                Verdict::Pass(reason)
            }
        }
    }

    /// The origin could not be reached: the copy that may stand in (`stale-if-error`), for all who wait too.
    #[must_use]
    pub fn failed(mut self, now: SystemTime) -> Option<Arc<Object>> {
        self.substitute(now)
    }

    fn substitute(&mut self, now: SystemTime) -> Option<Arc<Object>> {
        let older = self.claim.filling.substitute(now)?;
        self.claim.shelf.mark_pass(self.key(), Reason::Status, now);
        self.claim.settle(Ended::Stored(Arc::clone(&older)));
        Some(older)
    }

    /// 304: the older copy is the origin's word of now, under the fields that came with it (RFC 9111 §4.3.4).
    fn confirmed(mut self, older: &Arc<Object>, response: &response::Parts, now: SystemTime) -> Verdict {
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.headers = merged(older.headers(), &response.headers);
        let shelf = &self.claim.shelf;
        match eligible::judge(
            &parts,
            Some(older.length()),
            older.key().encoding,
            &shelf.settings,
            now,
        ) {
            Ok(judgement) => {
                let newer = Arc::new(older.refreshed(judgement, &shelf.settings));
                shelf.insert(&newer);
                self.claim.settle(Ended::Stored(Arc::clone(&newer)));
                Verdict::Stored(newer)
            }
            Err(reason) => {
                // Confirmed for this visitor, and not to be shared from now on.
                shelf.remove(older);
                self.claim.pass(reason, now);
                Verdict::Stored(Arc::clone(older))
            }
        }
    }

    fn open(mut self, judgement: Judgement) -> Verdict {
        let length = judgement.length;
        let head = Arc::new(Head {
            headers: object::stored(judgement.headers.clone()),
            length,
            freshness: judgement.freshness,
        });
        let fits = self.claim.filling.change(|state| {
            let fits = state.reservation.reach(length.unwrap_or(0));
            if fits {
                // Without a length a body may prove too large, without explicit freshness it may prove personal: then
                // nobody else may have seen any of it.
                state.shared = length.is_some() && judgement.freshness.explicit();
                state.head = Some(Arc::clone(&head));
            }
            fits
        });
        if !fits {
            self.claim.settle(Ended::Pass(Reason::Busy));
            return Verdict::Pass(Reason::Busy);
        }
        Verdict::Fill(Writer {
            claim: self.claim,
            judgement,
            head,
            hasher: Hasher::default(),
            come: 0,
            window: false,
        })
    }
}

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

    fn store(&mut self, body: Bytes, now: SystemTime) -> Option<Arc<Object>> {
        let digests = std::mem::take(&mut self.hasher).finish();
        let (shelf, key) = (Arc::clone(&self.claim.shelf), self.claim.filling.key.clone());
        if !self.judgement.freshness.explicit() {
            let older = self
                .claim
                .filling
                .older
                .as_ref()
                .map(|older| older.digests().object);
            match shelf.seen(&key, now).or(older) {
                Some(seen) if seen == digests.object => {}
                Some(_) => {
                    self.claim.pass(Reason::Differs, now);
                    return None;
                }
                None => {
                    shelf.mark_silent(&key, Some(digests.object), now);
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
        shelf.unmark(&key);
        shelf.insert(&object);
        // The store's bound counts the bytes from here on: a slow reader must not keep others from being filled.
        self.claim.filling.change(|state| state.reservation.release());
        self.claim.settle(Ended::Stored(Arc::clone(&object)));
        Some(object)
    }
}

/// The place in the list of fetches: given up exactly once, by word or by being dropped.
#[derive(Debug)]
struct Claim {
    shelf: Arc<Shelf>,
    filling: Arc<Filling>,
    settled: bool,
}

impl Claim {
    fn settle(&mut self, ended: Ended) {
        self.settled = true;
        self.shelf.settle(&self.filling, ended);
    }

    fn pass(&mut self, reason: Reason, now: SystemTime) {
        self.shelf.mark_pass(&self.filling.key, reason, now);
        self.settle(Ended::Pass(reason));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.filling.change(|state| {
            if matches!(state.end, End::Open) {
                state.end = End::Broken;
            }
        });
        if !self.settled {
            self.settle(Ended::Again);
        }
    }
}

/// The stored fields under those of a 304; what describes the body stays, since the body does.
fn merged(stored: &HeaderMap, newer: &HeaderMap) -> HeaderMap {
    let newer = super::head::end_to_end(newer);
    let mut merged = stored.clone();
    for name in newer.keys().filter(|name| !name.as_str().starts_with("content-")) {
        merged.remove(name);
        for value in newer.get_all(name) {
            merged.append(name.clone(), value.clone());
        }
    }
    merged
}

/// What belongs to one visitor's request and not to the object.
const OWN: [HeaderName; 6] = [
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
];
/// Statuses that `stale-if-error` covers (RFC 5861 §4).
const FAILURES: [StatusCode; 4] = [
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::BAD_GATEWAY,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::GATEWAY_TIMEOUT,
];
/// Unread bytes at which a body too large to keep waits for its reader: a few socket buffers.
const WINDOW: u64 = 256 * 1024;
