//! What holds of a room whatever visitors say, in any order.

use super::*;

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
