//! Links: a message goes through its sender's uplink, the delay and the receiver's downlink, is lost now and then, and is
//! heard in the order in which it was said.

use std::{collections::HashMap, time::Duration};

use foldhash::fast::FixedState;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use smallvec::SmallVec;

use crate::{
    sim::{
        cost,
        event::{Event, Word},
        scenario::Scenario,
        visitor::Visitor,
        world::World,
    },
    swarm::{Input, Message, Moment, message::BLOCKS},
    unit::BitRate,
};

/// The two directions of a visitor's link, apart from the visitor: a block touches both ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    pub(super) up_free: Moment,
    pub(super) down_free: Moment,
    pub(super) up: BitRate,
    /// Bytes of acknowledgements, and of what is sent again, that go with the next packet.
    debt: u32,
}

impl Wire {
    pub(super) fn new(up: BitRate) -> Self {
        Self {
            up_free: Moment::default(),
            down_free: Moment::default(),
            up,
            debt: 0,
        }
    }
}

/// What was lost. Its chance is its own: without loss everything is as if there were none.
#[derive(Debug)]
pub(super) struct Losses {
    random: SmallRng,
    /// Until when a link, from one to another, hands nothing over.
    late: HashMap<(u32, u32), Moment, FixedState>,
    /// Links from which on those are forgotten that wait no more.
    many: usize,
}

/// A message on its way.
#[derive(Clone, Copy, Debug)]
struct Trip {
    from: u32,
    to: u32,
    bytes: u64,
    /// More is behind it.
    more: bool,
}

impl Losses {
    pub(super) fn new(scenario: &Scenario) -> Self {
        Self {
            random: SmallRng::seed_from_u64(scenario.seed.rotate_left(32)),
            late: HashMap::default(),
            many: MANY,
        }
    }

    /// How often a packet is lost before it arrives; ten times is never.
    pub(super) fn times(&mut self, loss: f64) -> u32 {
        (0..10).take_while(|_| self.random.random_bool(loss)).count() as u32
    }

    fn in_order(&mut self, from: u32, to: u32, at: Moment, now: Moment) -> Moment {
        let late = self.late.entry((from, to)).or_default();
        *late = at.max(*late);
        let at = *late;
        if self.late.len() > self.many {
            self.late.retain(|_, late| *late > now);
            self.many = MANY.max(2 * self.late.len());
        }
        at
    }
}

impl World<'_> {
    /// Sends the next block, if the uplink is free and anybody may have one.
    pub(super) fn send(&mut self, visitor: u32) {
        let now = self.now;
        let Some(them) = self.get(visitor) else {
            return;
        };
        if them.sending || !them.kind.gives() {
            return;
        }
        let Some((link, message)) = them.swarm.as_mut().and_then(|swarm| swarm.give(now)) else {
            return;
        };
        them.sending = true;
        if let Message::Block(block) = &message {
            them.sent += block.bytes.len() as u64;
            let broken = them
                .swarm
                .as_ref()
                .is_some_and(|swarm| them.sent > swarm.ledger().got());
            self.tally.peer += block.bytes.len() as u64;
            self.tally.law3 += u64::from(broken);
        }
        self.say(visitor, link, message);
        let free = self.wires[visitor as usize].up_free;
        self.queue.push(free, Event::Sent(visitor));
    }

    /// Puts a message on the wire, and all that is to be said to the same neighbour now: through the uplink, the delay, the
    /// downlink.
    pub(super) fn say(&mut self, from: u32, to: u32, message: Message) {
        let Some(kind) = self.get(from).map(|them| them.kind) else {
            return;
        };
        let (mut own, mut follows) = (0, false);
        let mut words: SmallVec<[Word; 4]> = SmallVec::new();
        let mut next = Some(message);
        while let Some(message) = next {
            let message = kind.disguise(message);
            let bytes = cost::own(&message);
            own += bytes;
            follows |= more(&message);
            self.tally.said(&message, bytes);
            words.push(Word::pack(message, &mut self.messages));
            let swarm = self.get(from).and_then(|them| them.swarm.as_mut());
            next = swarm.and_then(|swarm| swarm.more(to));
        }
        let (bytes, packets) = cost::together(own);
        let left = self.charge(from, bytes);
        let wire = &mut self.wires[to as usize];
        let start = left.after(self.scenario.rtt / 2).max(wire.down_free);
        wire.down_free = start.after(cost::time(bytes, self.scenario.down));
        wire.debt += (packets * cost::ACKNOWLEDGEMENT) as u32;
        self.tally.packets += packets;
        let at = wire.down_free;
        let at = self.suffer(
            Trip {
                from,
                to,
                bytes,
                more: follows,
            },
            at,
        );
        for word in words {
            self.queue.push(at, Event::Heard(to, from, word));
        }
    }

    /// When a message of a reliable and ordered channel is handed over that would arrive now: after all before it on its
    /// link. What is sent again takes the sender's uplink with the next packet.
    fn suffer(&mut self, trip: Trip, at: Moment) -> Moment {
        if self.scenario.loss <= 0.0 {
            return at;
        }
        let again = self.losses.times(self.scenario.loss);
        let mut late = at;
        for time in 0..again {
            let up = self.wires[trip.from as usize].up;
            // Three packets behind the gap tell of it, if there are any, and a round trip later it is there.
            let found = self.scenario.rtt + cost::time(3 * trip.bytes, up);
            late = late.after(if trip.more && time == 0 {
                found
            } else {
                TIMER.max(found)
            });
        }
        self.wires[trip.from as usize].debt += again * trip.bytes as u32;
        self.tally.again += u64::from(again) * trip.bytes;
        self.losses.in_order(trip.from, trip.to, late, self.now)
    }

    /// Occupies an uplink; gives the moment when the last byte has left.
    pub(super) fn charge(&mut self, visitor: u32, bytes: u64) -> Moment {
        let wire = &mut self.wires[visitor as usize];
        let bytes = bytes + u64::from(std::mem::take(&mut wire.debt));
        wire.up_free = wire.up_free.max(self.now).after(cost::time(bytes, wire.up));
        self.tally.peer_wire += bytes;
        wire.up_free
    }

    pub(super) fn hear(&mut self, to: u32, from: u32, word: Word) {
        let Some(message) = word.unpack(self.scenario.page, &mut self.messages) else {
            return;
        };
        if !matches!(word, Word::Block { lies: true, .. }) {
            return self.tell(to, Input::Heard(from, message));
        }
        // Law 2, from outside: a lie must not count.
        let got = |them: &Visitor| them.swarm.as_ref().map_or(0, |swarm| swarm.ledger().got());
        let before = self.get(to).map_or(0, |them| got(them));
        self.tell(to, Input::Heard(from, message));
        let after = self.get(to).map_or(before, |them| got(them));
        self.tally.wrong += after.saturating_sub(before);
    }
}

/// Whether another packet follows at once, which shows that this one is lacking: blocks follow a proof, and each other.
fn more(message: &Message) -> bool {
    match message {
        Message::Proof(_) => true,
        Message::Block(block) => block.block + 1 < BLOCKS,
        _ => false,
    }
}

/// The least retransmission timer of dcSCTP, which Chromium uses (`rto_min`).
pub(super) const TIMER: Duration = Duration::from_millis(400);
const MANY: usize = 1 << 16;
