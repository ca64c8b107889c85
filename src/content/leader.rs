//! One fetch from the origin for all who ask at once: the request that makes it, and what the head of the response means for
//! everybody. The body is taken by `writer.rs`.

use std::{sync::Arc, time::SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
        LAST_MODIFIED, RANGE,
    },
    response,
};

use super::{
    claim::Claim,
    eligible::{self, Judgement},
    filling::{Ended, Filling, Head},
    head,
    key::ObjectKey,
    object::{self, Object},
    reason::Reason,
    shelf::Shelf,
    writer::Writer,
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
    Fill(Box<Writer>),
    /// The stored copy is the answer: the origin confirmed it, or failed and it may stand in.
    Stored(Arc<Object>),
    /// Not to be shared: the response belongs to its own visitor, by way of [`relay`](super::relay()).
    Pass(Reason),
}

impl Leader {
    pub(super) fn new(shelf: &Arc<Shelf>, filling: Arc<Filling>, cookie: bool) -> Self {
        Self {
            claim: Claim::new(shelf, filling),
            cookie,
        }
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
                self.claim.shelf.marks.silent(self.key(), None, now);
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
        self.claim.shelf.marks.pass(self.key(), Reason::Status, now);
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
        Verdict::Fill(Box::new(Writer::new(self.claim, judgement, head)))
    }
}

/// The stored fields under those of a 304; what describes the body stays, since the body does.
fn merged(stored: &HeaderMap, newer: &HeaderMap) -> HeaderMap {
    let newer = head::end_to_end(newer);
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
