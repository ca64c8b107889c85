//! What visitors say of each other and of themselves: outcomes, accusations, figures; and the picture made of it.

use super::*;

#[test]
fn an_outcome_is_counted_once_and_a_lost_link_frees_its_slot() {
    let mut stage = Stage::new(RULES);
    let [one, two] = [stage.join(), stage.join()];
    assert_eq!(
        stage.linked(one, two, Outcome::Open),
        Heard::Linked(Outcome::Open, 70)
    );
    assert_eq!(stage.linked(two, one, Outcome::Open), Heard::Nothing);
    assert_eq!(stage.room.visitors[&one].links(), 1);
    assert_eq!(stage.linked(two, one, Outcome::Failed), Heard::Nothing);
    assert_eq!(stage.room.visitors[&one].links(), 0);
    assert_eq!(
        stage.linked(one, 999, Outcome::Open),
        Heard::Nothing,
        "a stranger"
    );
}

#[test]
fn the_often_accused_meets_nobody_any_more() {
    let mut stage = Stage::new(Rules {
        introductions: 3,
        ..RULES
    });
    let liar = stage.join();
    let victims = [stage.join(), stage.join(), stage.join()];
    for (complaints, victim) in victims.into_iter().take(2).enumerate() {
        assert!(
            !stage.room.visitors[&liar].is_barred(),
            "after {complaints} complaints"
        );
        assert_eq!(stage.accuse(victim, liar), Heard::Accused(PeerFault::Digest));
        assert_eq!(stage.accuse(victim, liar), Heard::Nothing, "each accuses once");
    }
    assert!(stage.room.visitors[&liar].is_barred());
    stage.told();
    let newcomer = stage.join();
    assert!(!stage.met(newcomer).contains(&liar));
    assert_eq!(
        stage.hear(liar, FromVisitor::Need { count: 4 }),
        Heard::Introduced(0)
    );
}

#[test]
fn strangers_cannot_accuse_and_some_of_many_bar_nobody() {
    let mut stage = Stage::new(Rules {
        introductions: 20,
        links: 20,
        ..RULES
    });
    let honest = stage.join();
    let others: Vec<u32> = (0..16).map(|_| stage.join()).collect();
    for liar in &others[..7] {
        stage.accuse(*liar, honest);
    }
    assert!(
        !stage.room.visitors[&honest].is_barred(),
        "seven of sixteen are not half"
    );
    stage.accuse(others[7], honest);
    assert!(stage.room.visitors[&honest].is_barred(), "eight of sixteen are");
    assert_eq!(stage.accuse(honest, 999), Heard::Nothing);
    assert_eq!(stage.accuse(honest, honest), Heard::Nothing);
}

#[test]
fn who_was_accused_once_is_introduced_last_and_is_no_sponsor() {
    let mut stage = Stage::new(Rules {
        introductions: 1,
        ..RULES
    });
    let [suspect, other] = [stage.join(), stage.join()];
    stage.accuse(other, suspect);
    for _ in 0..8 {
        stage.told();
        let newcomer = stage.join();
        assert_ne!(stage.met(newcomer), [suspect]);
        stage.room.leave(newcomer, &mut stage.mail);
    }
    stage.room.leave(other, &mut stage.mail);
    stage.told();
    let newcomer = stage.join();
    assert_eq!(stage.met(newcomer), [suspect], "there is nobody else");
    stage.room.wants_sponsor(newcomer);
    stage.told();
    stage.linked(newcomer, suspect, Outcome::Open);
    stage.linked(suspect, newcomer, Outcome::Open);
    assert_eq!(stage.told(), []);
}

#[test]
fn figures_that_cannot_be_are_left_out() {
    let mut stage = Stage::new(RULES);
    let one = stage.join();
    let report = |origin, peer, given| {
        FromVisitor::Report(Report {
            origin,
            peer,
            given,
            links: 1,
        })
    };
    let grown = Reported {
        origin: 100,
        peer: 50,
        given: 150,
    };
    assert_eq!(stage.hear(one, report(100, 50, 150)), Heard::Reported(grown));
    let absurd = [
        report(100, 50, 151),
        report(99, 60, 0),
        report(100, 50, 149),
        report(1_000_001, 50, 150),
    ];
    for absurd in absurd {
        assert_eq!(stage.hear(one, absurd.clone()), Heard::Disbelieved, "{absurd:?}");
    }
    let more = Reported {
        origin: 0,
        peer: 50,
        given: 10,
    };
    assert_eq!(stage.hear(one, report(100, 100, 160)), Heard::Reported(more));
    let left = stage.room.leave(one, &mut stage.mail).expect("was there");
    assert_eq!((left.peer, left.given), (100, 160));
    assert_eq!(
        stage.room.reported(),
        Reported {
            origin: 100,
            peer: 100,
            given: 160
        }
    );
}

#[test]
fn what_neighbours_introduced_is_counted_once_and_only_of_visitors_that_are_here() {
    let mut stage = Stage::new(Rules {
        introductions: 1,
        ..RULES
    });
    let (one, two, three) = (stage.join(), stage.join(), stage.join());
    let strangers: Vec<_> = [(one, two), (two, three), (one, three)]
        .into_iter()
        .filter(|(one, other)| !stage.room.visitors[one].knows(*other))
        .collect();
    let (left, right) = strangers[0];
    assert_eq!(stage.linked(left, right, Outcome::Open), Heard::LinkedByNeighbour);
    assert_eq!(stage.linked(right, left, Outcome::Open), Heard::Nothing);
    assert_eq!(stage.linked(left, right, Outcome::Failed), Heard::Nothing);
    assert_eq!(stage.linked(left, 99, Outcome::Open), Heard::Nothing);
    assert_eq!(stage.linked(left, left, Outcome::Open), Heard::Nothing);
}

#[test]
fn a_sample_has_the_links_that_were_said_to_be_open() {
    let mut stage = Stage::new(RULES);
    let visitors: Vec<u32> = (0..4).map(|_| stage.join()).collect();
    let [one, two, three, four] = visitors[..] else {
        panic!("four joined")
    };
    // All four were introduced to each other.
    assert_eq!(stage.room.sample(9).links, [], "nobody has said anything yet");
    stage.linked(one, two, Outcome::Open);
    stage.linked(two, one, Outcome::Open);
    stage.linked(four, three, Outcome::Open);
    stage.linked(one, three, Outcome::Failed);
    stage.linked(two, four, Outcome::Open);
    stage.linked(four, two, Outcome::Failed);
    let report = Report {
        origin: 10,
        peer: 20,
        given: 5,
        links: 1,
    };
    stage.hear(two, FromVisitor::Report(report));

    let mut sample = stage.room.sample(9);
    sample.links.sort_unstable();
    assert_eq!(sample.links, [(one, two), (three, four)]);
    assert_eq!(sample.visitors, 4);
    let seen = sample.seen.iter().find(|seen| seen.id == two);
    assert_eq!(
        seen,
        Some(&Seen {
            id: two,
            origin: 10,
            peer: 20,
            given: 5
        })
    );
    let mut mail = Vec::new();
    stage.room.leave(one, &mut mail);
    assert_eq!(stage.room.sample(9).links, [(three, four)]);
}

#[test]
fn a_sample_is_bounded_and_stays_the_same() {
    let mut stage = Stage::new(RULES);
    let visitors: Vec<u32> = (0..20).map(|_| stage.join()).collect();
    for &one in &visitors {
        for &two in &visitors {
            stage.linked(one, two, Outcome::Open);
        }
    }
    let sample = stage.room.sample(8);
    assert_eq!((sample.visitors, sample.seen.len()), (20, 8));
    let seen: HashSet<u32> = sample.seen.iter().map(|seen| seen.id).collect();
    assert!(!sample.links.is_empty(), "eight of twenty know each other");
    for (one, two) in &sample.links {
        assert!(one < two && seen.contains(one) && seen.contains(two));
    }
    stage.join();
    assert_eq!(stage.room.sample(8).seen, sample.seen, "a newcomer moves nobody");
    assert!(stage.room.sample(50).links.len() > sample.links.len());
}
