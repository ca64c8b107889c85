//! Origins that die, lie or never end.

use super::*;

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
