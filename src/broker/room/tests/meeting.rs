//! Who comes, who is introduced to whom, and who leaves.

use super::*;

#[test]
fn a_newcomer_is_welcomed_and_meets_some() {
    let mut stage = Stage::new(RULES);
    let first = stage.join();
    assert_eq!(
        stage.told(),
        [Envelope {
            to: first,
            message: FromBroker::Welcome { id: first, others: 0 }
        }]
    );
    let second = stage.join();
    assert_eq!(
        stage.told(),
        [
            Envelope {
                to: second,
                message: FromBroker::Welcome {
                    id: second,
                    others: 1
                }
            },
            Envelope {
                to: second,
                message: FromBroker::Meet { visitor: first }
            },
            Envelope {
                to: first,
                message: FromBroker::Meet { visitor: second }
            },
        ]
    );
    for _ in 0..10 {
        stage.join();
    }
    stage.told();
    let last = stage.join();
    assert_eq!(stage.met(last).len(), RULES.introductions);
}

#[test]
fn a_full_room_says_so_and_a_number_is_never_given_twice() {
    let mut stage = Stage::new(Rules { visitors: 2, ..RULES });
    let (first, second) = (stage.join(), stage.join());
    stage.told();
    assert_eq!(stage.room.join(&mut stage.rng, &mut stage.mail), Err(Full(2)));
    assert_eq!(stage.told(), []);
    stage.room.leave(second, &mut stage.mail);
    let third = stage.join();
    assert!(third != first && third != second);
    stage.room.last = u32::MAX;
    stage.room.leave(third, &mut stage.mail);
    assert!(
        stage.room.join(&mut stage.rng, &mut stage.mail).is_err(),
        "no number is left"
    );
}

#[test]
fn who_was_introduced_hears_of_the_leaving_and_nobody_else() {
    let mut stage = Stage::new(Rules {
        introductions: 1,
        ..RULES
    });
    let [one, two] = [stage.join(), stage.join()];
    let three = stage.join();
    let met = stage.met(three);
    stage.room.leave(three, &mut stage.mail);
    assert_eq!(
        stage.told(),
        [Envelope {
            to: met[0],
            message: FromBroker::Gone { visitor: three }
        }]
    );
    stage.accuse(one, two);
    stage.room.leave(two, &mut stage.mail);
    assert_eq!(stage.told(), [], "the pair was over");
    assert_eq!(stage.room.leave(two, &mut stage.mail), None);
}

#[test]
fn need_brings_new_neighbours_up_to_the_cap() {
    let mut stage = Stage::new(RULES);
    let visitors: Vec<u32> = (0..40).map(|_| stage.join()).collect();
    stage.told();
    let hungry = visitors[20];
    for _ in 0..20 {
        stage.hear(hungry, FromVisitor::Need { count: 255 });
    }
    assert!(
        stage
            .room
            .visitors
            .values()
            .all(|visitor| visitor.links() <= RULES.links)
    );
    assert_eq!(stage.room.visitors[&hungry].links(), RULES.links);
}

#[test]
fn a_second_join_is_a_fault() {
    let mut stage = Stage::new(RULES);
    let one = stage.join();
    let again = stage.room.hear(
        one,
        FromVisitor::Join { token: [0; 29] },
        &mut stage.rng,
        &mut stage.mail,
    );
    assert_eq!(again, Err(PeerFault::Order));
}

#[test]
fn a_pair_does_not_meet_again() {
    let mut stage = Stage::new(RULES);
    let [one, two] = [stage.join(), stage.join()];
    assert_eq!(
        stage.linked(one, two, Outcome::Failed),
        Heard::Linked(Outcome::Failed, 70)
    );
    assert_eq!(
        stage.linked(two, one, Outcome::Failed),
        Heard::Nothing,
        "it is told once"
    );
    assert_eq!(
        stage.hear(one, FromVisitor::Need { count: 4 }),
        Heard::Introduced(0)
    );
    let three = stage.join();
    stage.told();
    assert_eq!(
        stage.hear(one, FromVisitor::Need { count: 4 }),
        Heard::Introduced(0),
        "{three} was met on joining"
    );
}

#[test]
fn a_sponsor_is_named_once_and_when_the_link_is_open_at_both_ends() {
    let mut stage = Stage::new(RULES);
    let (old, newcomer) = (stage.join(), stage.join());
    stage.room.wants_sponsor(newcomer);
    stage.told();
    let sponsor = Envelope {
        to: old,
        message: FromBroker::Sponsor { visitor: newcomer },
    };
    stage.linked(newcomer, old, Outcome::Open);
    assert_eq!(stage.told(), [], "the other end may not know of it yet");
    stage.linked(old, newcomer, Outcome::Open);
    assert_eq!(stage.told(), [sponsor]);
    stage.linked(old, newcomer, Outcome::Open);
    let third = stage.join();
    stage.linked(newcomer, third, Outcome::Open);
    stage.linked(third, newcomer, Outcome::Open);
    let told = stage.told();
    assert!(
        !told
            .iter()
            .any(|envelope| matches!(envelope.message, FromBroker::Sponsor { .. })),
        "{told:?}"
    );
}

#[test]
fn who_says_that_it_has_all_the_links_it_may_is_introduced_to_nobody() {
    let mut stage = Stage::new(RULES);
    let [full, free] = [stage.join(), stage.join()];
    let says = |links| {
        FromVisitor::Report(Report {
            links,
            ..Report::default()
        })
    };
    // Most of them were made by neighbours: the broker knows of one.
    stage.hear(full, says(RULES.links as u8));
    stage.told();
    let newcomer = stage.join();
    assert_eq!(stage.met(newcomer), [free]);
    // Who asks has lost some since.
    assert_eq!(
        stage.hear(full, FromVisitor::Need { count: 1 }),
        Heard::Introduced(1)
    );
    stage.hear(full, says(RULES.links as u8));
    // One has left, and its place is taken by the next introduction, before it says so.
    stage.hear(full, says(RULES.links as u8 - 1));
    stage.told();
    let [second, third] = [stage.join(), stage.join()];
    let met = stage.told();
    let met_full = |by: u32| {
        met.contains(&Envelope {
            to: by,
            message: FromBroker::Meet { visitor: full },
        })
    };
    assert!(met_full(second) && !met_full(third));
}

#[test]
fn who_came_before_there_was_anybody_meets_those_who_come_next() {
    const VISITORS: usize = 16;
    let rules = Rules {
        introductions: 2,
        ..RULES
    };
    let mut stage = Stage::new(rules);
    let first = stage.join();
    let others: Vec<_> = (1..VISITORS).map(|_| stage.join()).collect();
    let met = stage.told();
    let meets = |by: u32| {
        let meet = |told: &&Envelope| told.to == by && matches!(told.message, FromBroker::Meet { .. });
        met.iter().filter(meet).count()
    };
    let all: usize = others.iter().map(|other| meets(*other)).sum();
    assert_eq!(
        meets(first) + all,
        2 * 2 * VISITORS,
        "two for each, seen from both ends"
    );
    // All are settled with: a newcomer meets two, and no more.
    let newcomer = stage.join();
    assert_eq!(stage.met(newcomer).len(), 2);
}

#[test]
fn who_is_owed_introductions_and_was_accused_waits() {
    let rules = Rules {
        introductions: 2,
        ..RULES
    };
    let met_the_first = |accused: bool| {
        let mut stage = Stage::new(rules);
        let [first, second, _] = [stage.join(), stage.join(), stage.join()];
        if accused {
            stage.accuse(second, first);
        }
        stage.told();
        (0..8)
            .filter(|_| {
                let newcomer = stage.join();
                stage.met(newcomer).contains(&first)
            })
            .count()
    };
    assert!(met_the_first(true) < met_the_first(false));
    assert_eq!(met_the_first(true), 0, "there are others");
}
