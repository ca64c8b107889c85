//! The parts together: look-ups, leaders, followers and readers, played step by step without a runtime.

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

type Fields<'a> = &'a [(&'static str, &'a str)];

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

fn store() -> Store {
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

fn lead(store: &Store, path: &str, request: Fields<'_>, now: SystemTime) -> Leader {
    match store.lookup(&key(path), &headers(request), now) {
        Lookup::Lead(leader) => leader,
        other => panic!("should lead, not {other:?}"),
    }
}

fn follow(store: &Store, path: &str) -> Follower {
    match store.lookup(&key(path), &HeaderMap::new(), at(0)) {
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

fn fill(leader: Leader, fields: Fields<'_>, now: SystemTime) -> Writer {
    match leader.head(&parts(200, fields), None, now) {
        Verdict::Fill(writer) => writer,
        other => panic!("should be filled, not {other:?}"),
    }
}

fn put(store: &Store, path: &str, fields: Fields<'_>, body: &[u8], now: SystemTime) -> Option<Arc<Object>> {
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

#[test]
fn of_a_thousand_lookups_one_leads_and_all_get_the_bytes() {
    let store = store();
    let body = bytes(100 * KIB);
    let length = body.len().to_string();
    let leaders = AtomicUsize::new(0);
    let barrier = std::sync::Barrier::new(20);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..50 {
                    let answer = match store.lookup(&key("/a.jpg"), &HeaderMap::new(), at(0)) {
                        Lookup::Lead(leader) => {
                            leaders.fetch_add(1, Ordering::SeqCst);
                            let mut writer = fill(leader, &[FRESH, ("content-length", &length)], at(0));
                            let answer = writer.answer(&HeaderMap::new(), at(0));
                            for frame in body.chunks(1500) {
                                writer.push(frame, at(0)).expect("is as announced");
                            }
                            writer.finish(at(0)).expect("is stored");
                            answer
                        }
                        Lookup::Filling(follower) => match block_on(follower) {
                            Outcome::Streaming(stream) => stream.answer(&HeaderMap::new(), at(0)),
                            Outcome::Stored(object) => object.answer(&HeaderMap::new(), at(0)),
                            other => panic!("should be answered, not {other:?}"),
                        },
                        Lookup::Fresh(object) => object.answer(&HeaderMap::new(), at(0)),
                        other => panic!("should be answered, not {other:?}"),
                    };
                    assert_eq!(answer.status(), StatusCode::OK);
                    assert_eq!(read_all(answer.into_body()), body);
                }
            });
        }
    });
    assert_eq!(leaders.load(Ordering::SeqCst), 1);
    assert_eq!((store.fills(), store.filling()), (0, 0));
}

/// Parks the thread until it is woken: a missed wake would hang, and the test with it.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

fn read_all(mut reader: Reader) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(frame) = block_on(std::future::poll_fn(|cx| Pin::new(&mut reader).poll_frame(cx))) {
        read.extend_from_slice(
            &frame
                .expect("does not break")
                .into_data()
                .expect("no trailers here"),
        );
    }
    read
}
