//! Copies that grow old: refreshed, covered for, or gone.

use super::*;

#[test]
fn while_it_is_refreshed_all_get_the_stale_copy_and_one_leads() {
    let store = store_of_old("max-age=9, stale-while-revalidate=9");
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
    let store = store_of_old("max-age=9, stale-if-error=90");
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
