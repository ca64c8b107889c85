//! The parts together: look-ups, leaders, followers and readers, played step by step without a runtime.

// Coalescing is shown with real threads.
#![allow(clippy::disallowed_methods)]

mod bounds;
mod broken;
mod private;
mod sharing;
mod stale;

use std::{
    collections::HashSet,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, response};
use http_body::Body;

use super::*;
use crate::unit::ByteSize;

pub(super) type Fields<'a> = &'a [(&'static str, &'a str)];

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const KIB: usize = 1024;

pub(super) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

pub(super) fn headers(fields: Fields<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().expect("is a field value"));
    }
    headers
}

pub(super) fn parts(status: u16, fields: Fields<'_>) -> response::Parts {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = StatusCode::from_u16(status).expect("is a status");
    parts.headers = headers(fields);
    parts
}

pub(super) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| ((i * 7 + 3) % 251) as u8).collect()
}

fn key(path: &str) -> ObjectKey {
    ObjectKey::new("example.org", path, Encoding::Brotli)
}

pub(super) fn store() -> Store {
    Store::new(Settings::default()).expect("the defaults work")
}

fn small_store() -> Store {
    let settings = Settings {
        min_object: ByteSize::kib(8),
        max_object: ByteSize::kib(512),
        store: ByteSize::mib(1),
        filling: ByteSize::kib(768),
        max_fills: 2,
        max_waiters: 3,
        ..Settings::default()
    };
    Store::new(settings).expect("the limits fit together")
}

pub(super) fn lead(store: &Store, path: &str, request: Fields<'_>, now: SystemTime) -> Leader {
    match store.lookup(&key(path), &headers(request), now) {
        Lookup::Lead(leader) => leader,
        other => panic!("should lead, not {other:?}"),
    }
}

fn follow(store: &Store, path: &str) -> Follower {
    follow_at(store, path, at(0))
}

fn follow_at(store: &Store, path: &str, now: SystemTime) -> Follower {
    match store.lookup(&key(path), &HeaderMap::new(), now) {
        Lookup::Filling(follower) => follower,
        other => panic!("should follow, not {other:?}"),
    }
}

fn fresh(store: &Store, path: &str, now: SystemTime) -> Arc<Object> {
    match store.lookup(&key(path), &HeaderMap::new(), now) {
        Lookup::Fresh(object) => object,
        other => panic!("should be fresh, not {other:?}"),
    }
}

fn passes(store: &Store, path: &str, request: Fields<'_>, now: SystemTime) -> Reason {
    match store.lookup(&key(path), &headers(request), now) {
        Lookup::Pass(reason) => reason,
        other => panic!("should pass, not {other:?}"),
    }
}

pub(super) fn fill(leader: Leader, fields: Fields<'_>, now: SystemTime) -> Box<Writer> {
    match leader.head(&parts(200, fields), None, now) {
        Verdict::Fill(writer) => writer,
        other => panic!("should be filled, not {other:?}"),
    }
}

pub(super) fn put(
    store: &Store,
    path: &str,
    fields: Fields<'_>,
    body: &[u8],
    now: SystemTime,
) -> Option<Arc<Object>> {
    let mut writer = fill(lead(store, path, &[], now), fields, now);
    writer.push(body, now).expect("is as long as it said");
    writer.finish(now)
}

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll(follower: &mut Follower) -> Poll<Outcome> {
    Future::poll(Pin::new(follower), &mut Context::from_waker(Waker::noop()))
}

fn outcome(mut follower: Follower) -> Outcome {
    match poll(&mut follower) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("should know by now"),
    }
}

/// What can be read at once: the bytes, and how it stands after them.
pub(super) fn drain<B: Body<Data = Bytes> + Unpin>(body: &mut B) -> (Vec<u8>, Poll<Result<(), B::Error>>) {
    let mut read = Vec::new();
    loop {
        match Pin::new(&mut *body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => {
                read.extend_from_slice(&frame.into_data().expect("no trailers here"))
            }
            Poll::Ready(Some(Err(error))) => return (read, Poll::Ready(Err(error))),
            Poll::Ready(None) => return (read, Poll::Ready(Ok(()))),
            Poll::Pending => return (read, Poll::Pending),
        }
    }
}

/// The answer to one who follows a fetch whose head is known.
pub(super) fn streamed(store: &Store, path: &str, request: &HeaderMap) -> Response<Reader> {
    match outcome(follow(store, path)) {
        Outcome::Streaming(stream) => stream.answer(request, at(0)),
        other => panic!("should stream, not {other:?}"),
    }
}

fn follow_after_lead(store: &Store) -> (Leader, Follower) {
    let leader = lead(store, "/a", &[], at(0));
    let follower = follow(store, "/a");
    (leader, follower)
}

/// A store with one object, which grows old as this field says.
fn store_of_old(cache_control: &'static str) -> Store {
    let store = store();
    put(&store, "/a", &[("cache-control", cache_control)], b"old", at(0)).expect("is stored");
    store
}
