//! What the next events need, read before their turn. A large crowd does not fit the cache, and a visitor that is touched line
//! by line waits for the memory each time; read ahead, many visitors wait at once. It decides nothing.

use std::hint::black_box;

use smallvec::SmallVec;

use crate::{
    sim::{
        event::{Event, Word},
        network::Wire,
        visitor::Visitor,
        world::World,
    },
    swarm::{Neighbour, Swarm},
};

/// Most batches in place.
type Batch<'a, T> = SmallVec<[&'a T; 2 * BATCH]>;

impl World<'_> {
    /// Reads what the events of the next days need. Each kind of thing is gathered first and then read without a branch between:
    /// one that is guessed wrong waits for what was read before it.
    pub(super) fn foresee(&mut self) {
        let days: SmallVec<[&[Event]; 64]> = self.queue.ahead(BATCH).collect();
        let events = || days.iter().copied().flatten();
        let visitor = |number: u32| self.visitors.get(number as usize).and_then(Option::as_deref);

        let mut visitors = Batch::new();
        for event in events() {
            if let Event::Heard(to, ..) | Event::Sent(to) | Event::Tick(to) = *event {
                visitors.extend(visitor(to));
            }
        }
        let mut read = visitors.into_iter().fold(0, |all, them| all ^ them.foresee());

        // Those are in the cache now, and say which of their links it is about.
        let swarm = |number| visitor(number).and_then(|them| them.swarm.as_ref());
        let mut links: Batch<'_, Neighbour> = Batch::new();
        let mut wires: Batch<'_, Wire> = Batch::new();
        for event in events() {
            match *event {
                Event::Heard(to, from, word) => {
                    links.extend(swarm(to).and_then(|swarm| swarm.foreseen(from)));
                    if let Word::Other(place) = word {
                        read ^= u64::from(self.messages.holds(place));
                    }
                }
                Event::Sent(from) => {
                    let to = swarm(from).and_then(Swarm::foreseen_giving);
                    links.extend(to.and_then(|to| swarm(from)?.foreseen(to)));
                    let both = [to, Some(from)].into_iter().flatten();
                    wires.extend(both.filter_map(|end| self.wires.get(end as usize)));
                }
                _ => {}
            }
        }
        read ^= links.into_iter().fold(0, |all, link| all ^ link.foresee());
        read ^= wires.into_iter().fold(0, |all, wire| all ^ wire.up_free.micros());
        black_box(read);
    }
}

impl Visitor {
    /// Touches what any event needs.
    fn foresee(&self) -> u64 {
        let own = self.tick.micros() + u64::from(self.sending) + self.sent;
        own + self.swarm.as_ref().map_or(0, Swarm::foresee)
    }
}

/// Events that are read ahead at once: many, so that they wait for the memory together, and few enough for the cache.
const BATCH: usize = 96;
