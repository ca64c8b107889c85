use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use rand::{SeedableRng, rngs::SmallRng};

use super::*;
use crate::swarm::{
    Candidate, Identity,
    candidate::{Host, Kind},
};

const RULES: Rules = Rules {
    visitors: 50,
    introductions: 4,
    links: 12,
    lan: false,
    report: 1_000_000,
};

/// A room, its dice, and what everyone was told.
struct Stage {
    room: Room,
    rng: SmallRng,
    mail: Vec<Envelope>,
}

impl Stage {
    fn new(rules: Rules) -> Self {
        Self {
            room: Room::new(rules),
            rng: SmallRng::seed_from_u64(7),
            mail: Vec::new(),
        }
    }

    fn join(&mut self) -> u32 {
        self.room
            .join(&mut self.rng, &mut self.mail)
            .expect("the room has space")
            .0
    }

    fn hear(&mut self, from: u32, message: FromVisitor) -> Heard {
        self.room
            .hear(from, message, &mut self.rng, &mut self.mail)
            .expect("no fault")
    }

    fn accuse(&mut self, from: u32, visitor: u32) -> Heard {
        self.hear(
            from,
            FromVisitor::Accuse {
                visitor,
                fault: PeerFault::Digest,
            },
        )
    }

    fn linked(&mut self, from: u32, visitor: u32, outcome: Outcome) -> Heard {
        self.hear(
            from,
            FromVisitor::Linked {
                visitor,
                outcome,
                milliseconds: 70,
            },
        )
    }

    /// What was told since the last time.
    fn told(&mut self) -> Vec<Envelope> {
        std::mem::take(&mut self.mail)
    }

    fn met(&mut self, by: u32) -> Vec<u32> {
        let told = self.told().into_iter().filter(|envelope| envelope.to == by);
        told.filter_map(|envelope| match envelope.message {
            FromBroker::Meet { visitor } => Some(visitor),
            _ => None,
        })
        .collect()
    }
}

fn identity() -> Body {
    Body::Identity(Identity::new("abcd", "0123456789abcdefghijkl", [7; 32]).expect("an identity"))
}

fn candidate(address: &str) -> Body {
    let host = Host::Address(address.parse().expect("an address"));
    Body::Candidate(Candidate {
        kind: Kind::Host,
        priority: 1,
        host,
        port: 9,
    })
}

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
fn a_signal_reaches_who_was_introduced_and_nobody_else() {
    let mut stage = Stage::new(Rules {
        introductions: 1,
        ..RULES
    });
    let [one, two, three] = [stage.join(), stage.join(), stage.join()];
    let stranger = if stage.met(three).contains(&one) { two } else { one };
    stage.hear(
        one,
        FromVisitor::Signal {
            to: two,
            body: identity(),
        },
    );
    assert_eq!(
        stage.told(),
        [Envelope {
            to: two,
            message: FromBroker::Signal {
                from: one,
                body: identity()
            }
        }]
    );
    for to in [stranger, three, 999] {
        stage.hear(three, FromVisitor::Signal { to, body: identity() });
    }
    assert!(
        stage
            .told()
            .iter()
            .all(|envelope| envelope.to != stranger && envelope.to != three)
    );
}

#[test]
fn a_pair_says_only_so_much() {
    let mut stage = Stage::new(RULES);
    let [one, two] = [stage.join(), stage.join()];
    stage.told();
    for _ in 0..100 {
        stage.hear(
            one,
            FromVisitor::Signal {
                to: two,
                body: identity(),
            },
        );
        stage.hear(
            one,
            FromVisitor::Signal {
                to: two,
                body: candidate("1.1.1.1"),
            },
        );
        stage.hear(
            one,
            FromVisitor::Signal {
                to: two,
                body: candidate("10.0.0.1"),
            },
        );
    }
    let told = stage.told();
    let identities = told.iter().filter(|envelope| {
        matches!(
            envelope.message,
            FromBroker::Signal {
                body: Body::Identity(_),
                ..
            }
        )
    });
    assert_eq!((identities.count(), told.len()), (1, 9));
    assert!(told.iter().all(|envelope| envelope.message
        != FromBroker::Signal {
            from: one,
            body: candidate("10.0.0.1")
        }));
    stage.linked(two, one, Outcome::Failed);
    stage.hear(
        two,
        FromVisitor::Signal {
            to: one,
            body: identity(),
        },
    );
    assert_eq!(stage.told(), [], "the pair is over");
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
    for (complaints, victim) in victims.into_iter().enumerate() {
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
fn strangers_cannot_accuse_and_three_of_many_bar_nobody() {
    let mut stage = Stage::new(Rules {
        introductions: 20,
        links: 20,
        ..RULES
    });
    let honest = stage.join();
    let others: Vec<u32> = (0..16).map(|_| stage.join()).collect();
    for liar in &others[..3] {
        stage.accuse(*liar, honest);
    }
    assert!(
        !stage.room.visitors[&honest].is_barred(),
        "three of sixteen are not a fifth"
    );
    stage.accuse(others[3], honest);
    assert!(stage.room.visitors[&honest].is_barred(), "four of sixteen are");
    assert_eq!(stage.accuse(honest, 999), Heard::Nothing);
    assert_eq!(stage.accuse(honest, honest), Heard::Nothing);
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

#[derive(Clone, Debug)]
enum Step {
    Join,
    Leave(usize),
    Need(usize, u8),
    Accuse(usize, usize),
    Linked(usize, usize, Outcome),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![Just(Outcome::Open), Just(Outcome::Failed)];
    prop_oneof![
        3 => Just(Step::Join),
        1 => any::<usize>().prop_map(Step::Leave),
        3 => (any::<usize>(), any::<u8>()).prop_map(|(who, count)| Step::Need(who, count)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(who, whom)| Step::Accuse(who, whom)),
        2 => (any::<usize>(), any::<usize>(), outcome).prop_map(|(who, whom, outcome)| Step::Linked(who, whom, outcome)),
    ]
}

proptest! {
    /// Whatever visitors do: no pair meets twice, meetings are mutual, nobody has too many links, nobody who is gone is
    /// told or named, and who leaves is missed by exactly those who knew it.
    #[test]
    fn a_room_keeps_its_promises(steps in prop::collection::vec(step(), 0..120), seed: u64) {
        let mut stage = Stage { rng: SmallRng::seed_from_u64(seed), ..Stage::new(Rules { visitors: 20, ..RULES }) };
        let mut here: Vec<u32> = Vec::new();
        let mut met: HashMap<u32, HashSet<u32>> = HashMap::new();
        for step in steps {
            let pick = |index: usize| here.get(index % here.len().max(1)).copied().unwrap_or_default();
            match step {
                Step::Join if here.len() < 20 => here.push(stage.join()),
                Step::Join => prop_assert!(stage.room.join(&mut stage.rng, &mut stage.mail).is_err()),
                Step::Leave(who) => {
                    let who = pick(who);
                    stage.room.leave(who, &mut stage.mail);
                    here.retain(|other| *other != who);
                }
                Step::Need(who, count) => drop(stage.hear(pick(who), FromVisitor::Need { count })),
                Step::Accuse(who, whom) => drop(stage.accuse(pick(who), pick(whom))),
                Step::Linked(who, whom, outcome) => drop(stage.linked(pick(who), pick(whom), outcome)),
            }
            for Envelope { to, message } in stage.told() {
                prop_assert!(here.contains(&to), "{} is gone and was told {:?}", to, message);
                match message {
                    FromBroker::Meet { visitor } => {
                        prop_assert!(here.contains(&visitor) && visitor != to);
                        prop_assert!(met.entry(to).or_default().insert(visitor), "{} met {} twice", to, visitor);
                    }
                    FromBroker::Gone { visitor } => {
                        prop_assert!(!here.contains(&visitor));
                        prop_assert!(met.entry(to).or_default().contains(&visitor), "never met");
                    }
                    _ => {}
                }
            }
            prop_assert!(met.iter().all(|(one, others)| others.iter().all(|two| met[two].contains(one))));
            prop_assert_eq!(stage.room.len(), here.len());
            for (place, id) in stage.room.places.iter().enumerate() {
                let visitor = &stage.room.visitors[id];
                prop_assert_eq!(visitor.place, place);
                prop_assert!(visitor.links() <= RULES.links);
                prop_assert!(visitor.met().all(|other| here.contains(&other.id)));
            }
        }
    }
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
