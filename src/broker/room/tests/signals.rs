//! What pairs say to each other through the room.

use super::*;

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
