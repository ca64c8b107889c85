//! One fetch for all who ask, its bytes and its fields.

use super::*;

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
