//! The parts together: look-ups, leaders, followers and readers, played step by step without a runtime.

// Coalescing is shown with real threads.
#![allow(clippy::disallowed_methods)]

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

/// One who finds nothing stored while the fetch is just ending must not start a second one.
#[test]
fn a_fetch_that_ends_between_two_looks_is_not_repeated() {
    let store = store();
    for round in 0..500 {
        let (path, leaders) = (format!("/{round}"), AtomicUsize::new(0));
        let barrier = std::sync::Barrier::new(3);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    barrier.wait();
                    if let Lookup::Lead(leader) = store.lookup(&key(&path), &HeaderMap::new(), at(0)) {
                        leaders.fetch_add(1, Ordering::SeqCst);
                        fill(leader, &[FRESH], at(0)).finish(at(0)).expect("is stored");
                    }
                });
            }
        });
        assert_eq!(leaders.load(Ordering::SeqCst), 1, "in round {round}");
    }
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

#[test]
fn the_origins_fields_go_out_with_the_bytes_and_its_connections_do_not() {
    let store = store();
    let fields = [
        FRESH,
        ("etag", "\"x\""),
        ("connection", "x-hop"),
        ("x-hop", "1"),
        ("link", "</a>"),
        ("link", "</b>"),
    ];
    put(&store, "/a", &fields, b"0123456789", at(0)).expect("is stored");
    let answer = fresh(&store, "/a", at(7)).answer(&HeaderMap::new(), at(7));
    assert_eq!(answer.status(), StatusCode::OK);
    let expected = headers(&[
        FRESH,
        ("etag", "\"x\""),
        ("link", "</a>"),
        ("link", "</b>"),
        ("accept-ranges", "bytes"),
        ("content-length", "10"),
        ("age", "7"),
    ]);
    assert_eq!(*answer.headers(), expected);
    assert_eq!(
        drain(&mut answer.into_body()),
        (b"0123456789".to_vec(), Poll::Ready(Ok(())))
    );
}

#[test]
fn the_leaders_request_is_for_the_whole_object() {
    let store = store();
    let asked = headers(&[
        ("range", "bytes=5-"),
        ("if-none-match", "\"mine\""),
        ("if-modified-since", "Fri, 15 Jan 2027 08:00:00 GMT"),
        ("if-range", "\"mine\""),
        ("accept-encoding", "gzip, br, zstd"),
        ("user-agent", "x"),
    ]);
    let mut request = asked.clone();
    lead(&store, "/a", &[("range", "bytes=5-")], at(0)).prepare(&mut request);
    assert_eq!(
        request,
        headers(&[("accept-encoding", "br"), ("user-agent", "x")])
    );

    put(&store, "/a", &[FRESH, ("etag", "\"ours\"")], b"x", at(0)).expect("is stored");
    let mut request = asked;
    lead(&store, "/a", &[], at(60)).prepare(&mut request);
    let conditional = [
        ("accept-encoding", "br"),
        ("user-agent", "x"),
        ("if-none-match", "\"ours\""),
    ];
    assert_eq!(request, headers(&conditional));
}

#[test]
fn an_origin_that_dies_breaks_off_for_those_who_read_and_sends_the_others_back() {
    let store = store();
    let mut before = follow_after_lead(&store);
    let mut writer = fill(before.0, &[FRESH, ("content-length", "10")], at(0));
    let mut own = writer.answer(&HeaderMap::new(), at(0)).into_body();
    writer.push(b"01234", at(0)).expect("is as announced");
    let Poll::Ready(Outcome::Streaming(stream)) = poll(&mut before.1) else {
        panic!("should stream")
    };
    let mut reading = stream
        .answer(&headers(&[("range", "bytes=3-")]), at(0))
        .into_body();
    assert_eq!(drain(&mut reading), (b"34".to_vec(), Poll::Pending));
    let unread = follow(&store, "/a");
    writer.fail();
    assert_eq!(
        drain(&mut own),
        (b"01234".to_vec(), Poll::Ready(Err(BrokenOff { at: 5 })))
    );
    assert_eq!(drain(&mut reading).1, Poll::Ready(Err(BrokenOff { at: 5 })));
    assert!(matches!(outcome(unread), Outcome::Again));
    drop((own, reading));
    assert_eq!((store.fills(), store.filling(), store.weight()), (0, 0, 0));
    drop(lead(&store, "/a", &[], at(0)));
}

fn follow_after_lead(store: &Store) -> (Leader, Follower) {
    let leader = lead(store, "/a", &[], at(0));
    let follower = follow(store, "/a");
    (leader, follower)
}

#[test]
fn an_origin_that_lies_about_the_length_is_not_stored() {
    let store = store();
    let said = [FRESH, ("content-length", "10")];
    let mut writer = fill(lead(&store, "/a", &[], at(0)), &said, at(0));
    writer.push(b"0123", at(0)).expect("is less than announced");
    assert!(writer.finish(at(0)).is_none(), "too short");
    let mut writer = fill(lead(&store, "/a", &[], at(0)), &said, at(0));
    assert_eq!(writer.push(b"0123456789a", at(0)), Err(Stop::TooMuch(10)));
    drop(writer);
    assert_eq!(store.weight(), 0);
    drop(lead(&store, "/a", &[], at(0)));
}

#[test]
fn a_leader_that_is_dropped_leaves_nobody_waiting() {
    let store = store();
    let (leader, mut follower) = follow_after_lead(&store);
    let bell = Arc::new(Bell::default());
    let waker = Arc::clone(&bell).into();
    let waiting = Future::poll(Pin::new(&mut follower), &mut Context::from_waker(&waker));
    assert!(waiting.is_pending());
    drop(leader);
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert!(matches!(outcome(follower), Outcome::Again));
}

#[test]
fn a_body_of_unknown_length_is_shared_when_it_is_complete() {
    let store = store();
    let (leader, mut follower) = follow_after_lead(&store);
    let mut writer = fill(leader, &[FRESH], at(0));
    let ranged = headers(&[("range", "bytes=1-2")]);
    let answer = writer.answer(&ranged, at(0));
    assert_eq!(answer.status(), StatusCode::OK, "no range of an unknown length");
    let mut own = answer.into_body();
    writer.push(b"0123", at(0)).expect("has no bound yet");
    assert_eq!(
        drain(&mut own),
        (b"0123".to_vec(), Poll::Pending),
        "its own visitor does not wait"
    );
    assert!(poll(&mut follower).is_pending());
    writer.push(b"456", at(0)).expect("has no bound yet");
    writer.finish(at(0)).expect("is stored");
    assert_eq!(drain(&mut own), (b"456".to_vec(), Poll::Ready(Ok(()))));
    let Outcome::Stored(object) = outcome(follower) else {
        panic!("should be stored")
    };
    let answer = object.answer(&ranged, at(0));
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(drain(&mut answer.into_body()).0, b"12");
}

#[test]
fn a_body_without_end_goes_through_a_window_to_its_visitor_alone() {
    let store = small_store();
    let (leader, follower) = follow_after_lead(&store);
    let mut writer = fill(leader, &[FRESH], at(0));
    let mut own = writer.answer(&HeaderMap::new(), at(0)).into_body();
    let mut follower = Some(follower);
    let (frame, frames) = (bytes(10_000), 1_500);
    let mut read = 0;
    for number in 0..frames {
        let mut waits = 0;
        while writer
            .poll_ready(&Context::from_waker(Waker::noop()))
            .map(|ready| ready.expect("is read"))
            .is_pending()
        {
            let (piece, state) = drain(&mut own);
            assert!(state.is_pending());
            check_repeats(&frame, read, &piece);
            read += piece.len();
            waits += 1;
            assert!(waits < 3, "waits for a reader that has read all");
        }
        writer.push(&frame, at(0)).expect("no length was announced");
        if number == 100 {
            let follower = follower.take().expect("was not asked yet");
            assert!(matches!(outcome(follower), Outcome::Pass(Reason::Size)));
            assert_eq!(passes(&store, "/a", &[], at(1)), Reason::Size);
        }
        assert!(store.filling() <= store.settings().max_object.as_u64());
    }
    assert!(writer.finish(at(0)).is_none());
    let (piece, state) = drain(&mut own);
    check_repeats(&frame, read, &piece);
    assert_eq!(
        (read + piece.len(), state),
        (frame.len() * frames, Poll::Ready(Ok(())))
    );
    assert!(
        piece.len() <= 512 * KIB,
        "the window stays small: {}",
        piece.len()
    );
    assert_eq!((store.filling(), store.weight()), (0, 0));
}

fn check_repeats(frame: &[u8], from: usize, piece: &[u8]) {
    let expected = frame.iter().cycle().skip(from % frame.len());
    assert!(
        piece.iter().eq(expected.take(piece.len())),
        "wrong bytes after {from}"
    );
}

#[test]
fn a_body_without_end_stops_when_its_visitor_leaves() {
    let store = small_store();
    let mut writer = fill(lead(&store, "/a", &[], at(0)), &[FRESH], at(0));
    let own = writer.answer(&HeaderMap::new(), at(0));
    writer
        .push(&bytes(513 * KIB), at(0))
        .expect("no length was announced");
    let bell = Arc::new(Bell::default());
    let waker = Arc::clone(&bell).into();
    assert!(writer.poll_ready(&Context::from_waker(&waker)).is_pending());
    drop(own);
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert_eq!(
        writer.poll_ready(&Context::from_waker(&waker)),
        Poll::Ready(Err(Stop::Unread))
    );
}

#[test]
fn without_explicit_freshness_two_fetches_without_cookies_must_agree() {
    let store = store();
    let silent = [
        ("content-length", "3"),
        ("content-type", "image/png"),
        ("etag", "\"x\""),
    ];
    let (leader, mut follower) = follow_after_lead(&store);
    let mut writer = fill(leader, &silent, at(0));
    writer.push(b"one", at(0)).expect("is as announced");
    assert!(
        poll(&mut follower).is_pending(),
        "nothing of the first fetch is shared"
    );
    assert!(writer.finish(at(0)).is_none());
    assert!(matches!(outcome(follower), Outcome::Again));

    assert_eq!(passes(&store, "/a", &[("cookie", "a=b")], at(1)), Reason::Cookie);
    let (leader, follower) = follow_after_lead(&store);
    let mut writer = fill(leader, &silent, at(1));
    writer.push(b"one", at(1)).expect("is as announced");
    writer.finish(at(1)).expect("two agree");
    assert!(matches!(outcome(follower), Outcome::Stored(_)));
    let cookie = headers(&[("cookie", "a=b")]);
    assert!(
        matches!(store.lookup(&key("/a"), &cookie, at(1)), Lookup::Fresh(_)),
        "media that looks like a file"
    );
}

#[test]
fn a_cookie_may_confirm_what_was_fetched_without() {
    let store = store();
    let silent = [("content-type", "image/png"), ("etag", "\"x\"")];
    for now in [0, 1] {
        put(&store, "/a", &silent, b"one", at(now));
    }
    let cookie = [("cookie", "a=b")];
    let leader = lead(&store, "/a", &cookie, at(9));
    let Verdict::Stored(object) = leader.head(&parts(304, &[]), None, at(9)) else {
        panic!("should be confirmed")
    };
    assert_eq!(object.body(), "one");
    let other = lead(&store, "/a", &cookie, at(19)).head(&parts(200, &silent), None, at(19));
    assert!(
        matches!(other, Verdict::Pass(Reason::Cookie)),
        "but not replace it"
    );
}

#[test]
fn two_fetches_that_differ_close_the_object() {
    let store = store();
    assert!(put(&store, "/a", &[], b"one", at(0)).is_none());
    assert!(put(&store, "/a", &[], b"two", at(1)).is_none());
    assert_eq!(passes(&store, "/a", &[], at(2)), Reason::Differs);
    drop(lead(&store, "/a", &[], at(32)));
}

#[test]
fn the_first_fetch_does_not_count_for_ever() {
    let store = store();
    assert!(put(&store, "/a", &[], b"one", at(0)).is_none());
    assert!(
        put(&store, "/a", &[], b"one", at(60)).is_none(),
        "too late: it counts as the first"
    );
    assert!(put(&store, "/a", &[], b"one", at(61)).is_some());
}

#[test]
fn an_explicit_copy_that_a_cookie_fetched_is_no_witness() {
    let store = store();
    let writer = fill(lead(&store, "/a", &[("cookie", "a=b")], at(0)), &[FRESH], at(0));
    writer.finish(at(0)).expect("all may share it");
    assert!(
        put(&store, "/a", &[], b"", at(60)).is_none(),
        "now silent: the first of two"
    );
    assert!(put(&store, "/a", &[], b"", at(61)).is_some());
    assert!(
        put(&store, "/a", &[], b"", at(90)).is_some(),
        "a silent copy is a witness for its refresh"
    );
}

#[test]
fn a_cookie_fills_only_what_is_explicitly_fresh() {
    let store = store();
    let cookie = [("cookie", "a=b")];
    let leader = lead(&store, "/a", &cookie, at(0));
    let follower = follow(&store, "/a");
    assert!(matches!(
        leader.head(&parts(200, &[]), None, at(0)),
        Verdict::Pass(Reason::Cookie)
    ));
    assert!(matches!(outcome(follower), Outcome::Again));
    assert_eq!(passes(&store, "/a", &cookie, at(1)), Reason::Cookie);
    drop(lead(&store, "/a", &[], at(1)));

    let writer = fill(lead(&store, "/b", &cookie, at(0)), &[FRESH], at(0));
    writer.finish(at(0)).expect("all may share it");
    fresh(&store, "/b", at(1));
}

#[test]
fn what_may_differ_by_cookie_is_not_given_to_those_who_have_one() {
    let store = store();
    for now in [0, 1] {
        put(
            &store,
            "/api",
            &[("content-type", "application/json")],
            b"{}",
            at(now),
        );
    }
    fresh(&store, "/api", at(1));
    assert_eq!(
        passes(&store, "/api", &[("cookie", "a=b")], at(1)),
        Reason::Cookie
    );
}

#[test]
fn while_it_is_refreshed_all_get_the_stale_copy_and_one_leads() {
    let store = store();
    put(
        &store,
        "/a",
        &[("cache-control", "max-age=9, stale-while-revalidate=9")],
        b"old",
        at(0),
    )
    .expect("is stored");
    let lookup = || store.lookup(&key("/a"), &HeaderMap::new(), at(9));
    let Lookup::Stale(_, Some(leader)) = lookup() else {
        panic!("should lead")
    };
    for _ in 0..5 {
        let Lookup::Stale(object, None) = lookup() else {
            panic!("should not lead")
        };
        assert_eq!(object.body(), "old");
    }
    let mut writer = fill(leader, &[FRESH], at(9));
    writer.push(b"new", at(9)).expect("has no bound");
    writer.finish(at(9)).expect("is stored");
    assert_eq!(fresh(&store, "/a", at(10)).body(), "new");
    assert!(store.by_digest(&Digests::of(b"new").object).is_some());
    assert!(store.by_digest(&Digests::of(b"old").object).is_none());
    assert_eq!(store.names(), 1);
}

#[test]
fn an_origin_that_fails_is_covered_as_long_as_it_allowed() {
    let store = store();
    put(
        &store,
        "/a",
        &[("cache-control", "max-age=9, stale-if-error=90")],
        b"old",
        at(0),
    )
    .expect("is stored");
    let leader = lead(&store, "/a", &[], at(10));
    let waiting = follow_at(&store, "/a", at(10));
    let Verdict::Stored(object) = leader.head(&parts(503, &[]), None, at(10)) else {
        panic!("should be covered")
    };
    assert_eq!(object.body(), "old");
    assert!(matches!(outcome(waiting), Outcome::Stored(_)));
    let covered = store.lookup(&key("/a"), &HeaderMap::new(), at(10));
    assert!(
        matches!(covered, Lookup::Stale(_, None)),
        "the failing origin rests for a second"
    );
    assert!(
        lead(&store, "/a", &[], at(12)).failed(at(12)).is_some(),
        "could not be reached"
    );

    let late = lead(&store, "/a", &[], at(99));
    assert!(matches!(
        late.head(&parts(503, &[]), None, at(99)),
        Verdict::Pass(Reason::Status)
    ));
}

#[test]
fn a_304_makes_the_stored_copy_fresh_again() {
    let store = store();
    let older = put(
        &store,
        "/a",
        &[FRESH, ("etag", "\"x\""), ("x-old", "1")],
        b"body",
        at(0),
    )
    .expect("is stored");
    let newer = [
        ("cache-control", "max-age=5"),
        ("content-length", "0"),
        ("x-new", "1"),
    ];
    let verdict = lead(&store, "/a", &[], at(60)).head(&parts(304, &newer), None, at(60));
    let Verdict::Stored(object) = verdict else {
        panic!("should be confirmed")
    };
    assert_eq!((object.body(), object.digests()), (older.body(), older.digests()));
    let names: HashSet<&str> = object.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, HashSet::from(["cache-control", "etag", "x-old", "x-new"]));
    fresh(&store, "/a", at(64));
    drop(lead(&store, "/a", &[], at(65)));
}

#[test]
fn a_304_that_says_private_ends_the_sharing() {
    let store = store();
    put(&store, "/a", &[FRESH, ("etag", "\"x\"")], b"body", at(0)).expect("is stored");
    let verdict =
        lead(&store, "/a", &[], at(60)).head(&parts(304, &[("cache-control", "private")]), None, at(60));
    assert!(
        matches!(verdict, Verdict::Stored(_)),
        "confirmed for the one who asked"
    );
    assert_eq!(passes(&store, "/a", &[], at(60)), Reason::Private);
    assert!(store.by_digest(&Digests::of(b"body").object).is_none());
}

#[test]
fn what_is_gone_from_the_origin_is_gone_from_the_store() {
    let store = store();
    put(&store, "/a", &[FRESH], b"body", at(0)).expect("is stored");
    let verdict = lead(&store, "/a", &[], at(60)).head(&parts(404, &[]), None, at(60));
    assert!(matches!(verdict, Verdict::Pass(Reason::Status)));
    assert!(store.by_digest(&Digests::of(b"body").object).is_none());
    assert_eq!(passes(&store, "/a", &[], at(60)), Reason::Status);
    drop(lead(&store, "/a", &[], at(61)));
}

#[test]
fn one_copy_serves_every_encoding_unless_it_varies() {
    let store = store();
    let plain = |path: &str| ObjectKey::new("example.org", path, Encoding::Identity);
    put(&store, "/image", &[FRESH], b"x", at(0)).expect("is stored");
    assert!(matches!(
        store.lookup(&plain("/image"), &HeaderMap::new(), at(1)),
        Lookup::Fresh(_)
    ));
    fresh(&store, "/image", at(1));
    for (path, field) in [
        ("/text", ("content-encoding", "br")),
        ("/varied", ("vary", "accept-encoding")),
    ] {
        put(&store, path, &[FRESH, field], b"x", at(0)).expect("is stored");
        fresh(&store, path, at(1));
        assert!(
            matches!(
                store.lookup(&plain(path), &HeaderMap::new(), at(1)),
                Lookup::Lead(_)
            ),
            "{path}"
        );
    }
}

#[test]
fn the_store_keeps_its_bound_and_forgets_the_names_of_what_it_lost() {
    let store = small_store();
    let bound = store.settings().store.as_u64();
    let mut names = Vec::new();
    for number in 0..200_u32 {
        let mut body = bytes(40 * KIB);
        body[..4].copy_from_slice(&number.to_be_bytes());
        let object = put(&store, &format!("/{number}"), &[FRESH], &body, at(0)).expect("is stored");
        names.push(object.digests().object);
        assert!(store.weight() <= bound);
    }
    let kept = names
        .iter()
        .filter(|name| store.by_digest(name).is_some())
        .count();
    assert!((10..26).contains(&kept), "{kept} of 40 KiB in 1 MiB");
    assert_eq!(store.names(), kept);
    let largest = bytes(512 * KIB);
    put(&store, "/largest", &[FRESH], &largest, at(0)).expect("is stored");
    assert_eq!(fresh(&store, "/largest", at(1)).body(), &largest);
    let empty: Vec<_> = (0..3000).map(|number| format!("/empty/{number}")).collect();
    for path in &empty {
        put(&store, path, &[FRESH], b"", at(0));
    }
    assert!(store.weight() <= bound);
    let kept = empty
        .iter()
        .filter(|path| {
            matches!(
                store.lookup(&key(path), &HeaderMap::new(), at(0)),
                Lookup::Fresh(_)
            )
        })
        .count();
    assert!(kept <= 1024, "{kept} empty objects in 1 MiB: nothing is free");
}

#[test]
fn what_is_under_way_is_bounded_in_number_bytes_and_waiters() {
    let store = small_store();
    let one = lead(&store, "/1", &[], at(0));
    let two = lead(&store, "/2", &[], at(0));
    assert_eq!(passes(&store, "/3", &[], at(0)), Reason::Busy);
    let waiting: Vec<_> = (0..3).map(|_| follow(&store, "/1")).collect();
    assert_eq!(passes(&store, "/1", &[], at(0)), Reason::Crowded);
    drop(waiting);
    drop(follow(&store, "/1"));

    let large = [FRESH, ("content-length", "500000")];
    let writer = fill(one, &large, at(0));
    assert!(matches!(
        two.head(&parts(200, &large), None, at(0)),
        Verdict::Pass(Reason::Busy)
    ));
    drop(writer);
    drop(fill(lead(&store, "/2", &[], at(0)), &large, at(0)));
    assert_eq!((store.fills(), store.filling()), (0, 0));
}

#[test]
fn a_slow_reader_keeps_no_room_from_the_next() {
    let store = small_store();
    let large = [FRESH, ("content-length", "500000")];
    let mut writer = fill(lead(&store, "/1", &[], at(0)), &large, at(0));
    let unread = writer.answer(&HeaderMap::new(), at(0));
    writer.push(&bytes(500_000), at(0)).expect("is as announced");
    writer.finish(at(0)).expect("is stored");
    drop(fill(lead(&store, "/2", &[], at(0)), &large, at(0)));
    assert_eq!(drain(&mut unread.into_body()).0, bytes(500_000));
}

#[test]
fn after_one_waited_in_vain_the_others_go_at_once() {
    let store = store();
    put(
        &store,
        "/a",
        &[("cache-control", "max-age=9, stale-if-error=90")],
        b"old",
        at(0),
    )
    .expect("is stored");
    let leader = lead(&store, "/a", &[], at(10));
    let follower = follow_at(&store, "/a", at(10));
    assert_eq!(follower.give_up(at(11)).expect("may stand in").body(), "old");
    assert_eq!(passes(&store, "/a", &[], at(11)), Reason::Slow);
    let writer = fill(leader, &[FRESH, ("content-length", "3")], at(12));
    assert!(
        matches!(outcome(follow_at(&store, "/a", at(12))), Outcome::Streaming(_)),
        "now it has something to give"
    );
    drop(writer);
}

#[test]
fn what_leads_nowhere_does_not_lead() {
    let store = store();
    assert_eq!(
        passes(&store, "/a", &[("range", "bytes=-5")], at(0)),
        Reason::Range
    );
    assert_eq!(
        passes(&store, "/a", &[("authorization", "Basic eDp5")], at(0)),
        Reason::Authorization
    );
    assert_eq!(passes(&store, &"/".repeat(3000), &[], at(0)), Reason::Address);
    put(&store, "/a", &[FRESH], b"0123456789", at(0)).expect("is stored");
    let tail = headers(&[("range", "bytes=-5")]);
    let Lookup::Fresh(object) = store.lookup(&key("/a"), &tail, at(0)) else {
        panic!("is stored")
    };
    assert_eq!(drain(&mut object.answer(&tail, at(0)).into_body()).0, b"56789");
}

#[test]
fn a_refused_object_passes_for_a_while_and_its_followers_at_once() {
    let store = store();
    let (leader, follower) = follow_after_lead(&store);
    let verdict = leader.head(&parts(200, &[("set-cookie", "a=b")]), None, at(0));
    assert!(matches!(verdict, Verdict::Pass(Reason::SetCookie)));
    assert!(matches!(outcome(follower), Outcome::Pass(Reason::SetCookie)));
    assert_eq!(passes(&store, "/a", &[], at(29)), Reason::SetCookie);
    drop(lead(&store, "/a", &[], at(30)));
}

/// The answer to one who follows a fetch whose head is known.
pub(super) fn streamed(store: &Store, path: &str, request: &HeaderMap) -> Response<Reader> {
    match outcome(follow(store, path)) {
        Outcome::Streaming(stream) => stream.answer(request, at(0)),
        other => panic!("should stream, not {other:?}"),
    }
}
