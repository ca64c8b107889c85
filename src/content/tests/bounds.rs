//! How much is kept, under way and waited for.

use super::*;

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
    let store = store_of_old("max-age=9, stale-if-error=90");
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
