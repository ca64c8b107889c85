//! What may be shared with whom: explicit freshness, witnesses and cookies.

use super::*;

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
