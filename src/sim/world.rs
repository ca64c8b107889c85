//! The network: visitors with their links, the origin's uplink, the broker, and what happens when. It plays a scenario and
//! counts; every decision about the exchange is made by [`Swarm`].

use std::{hint::black_box, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use smallvec::SmallVec;

use crate::{
    content::{CHUNK, RoomId},
    sim::{
        cost,
        counted::Counted,
        event::{Event, Shelf, Word},
        hall::Hall,
        origin::Origin,
        queue::Queue,
        scenario::Scenario,
        tally::Tally,
        visitor::{Kind, Visitor},
    },
    swarm::{Input, Message, Moment, Output, Rules, Swarm, message::Hello},
};

#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    rules: Arc<Rules>,
    pub(super) queue: Queue<Event>,
    messages: Shelf<Message>,
    wishes: Shelf<SmallVec<[u32; 4]>>,
    pub(super) now: Moment,
    pub(super) visitors: Vec<Option<Box<Visitor>>>,
    pub(super) wires: Vec<Wire>,
    pub(super) hall: Hall,
    pub(super) origin: Origin,
    pub(super) random: SmallRng,
    /// Who comes when, and what kind it is: the same crowd whatever the rules.
    pub(super) crowd: SmallRng,
    pub(super) tally: Tally,
    pub(super) present: usize,
}

/// The two directions of a visitor's link, apart from the visitor: a block touches both ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wire {
    pub(super) up_free: Moment,
    pub(super) down_free: Moment,
    /// Bytes of acknowledgements that go with the next packet.
    debt: u32,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        Self {
            scenario,
            rules: Arc::new(scenario.rules.clone()),
            queue: Queue::new(),
            messages: Shelf::default(),
            wishes: Shelf::default(),
            now: Moment::default(),
            visitors: Vec::new(),
            wires: Vec::new(),
            hall: Hall::default(),
            origin: Origin::new(scenario.page),
            random: SmallRng::seed_from_u64(scenario.seed),
            crowd: SmallRng::seed_from_u64(!scenario.seed),
            tally: Tally::default(),
            present: 0,
        }
    }

    /// Plays the scenario to its end.
    pub(super) fn play(mut self) -> Tally {
        self.queue.push(self.now, Event::Arrival);
        let mut patience = self.now;
        while let Some(now) = self.queue.open() {
            if now > self.now {
                self.now = now;
                if self.present > CROWD {
                    self.foresee();
                }
            }
            let Some((_, event)) = self.queue.pop() else {
                break;
            };
            if matches!(event, Event::Arrival) {
                patience = now.after(PATIENCE);
            }
            self.happen(event);
            if now > patience || (self.present == 0 && self.queue.len() == 0) {
                break;
            }
        }
        for place in 0..self.visitors.len() {
            self.depart(place as u32);
        }
        self.tally
    }

    /// Reads ahead what the events of the next days need (`swarm/foresight.rs`).
    fn foresee(&mut self) {
        let visitors = &self.visitors;
        let visitor = |visitor: u32| visitors.get(visitor as usize).and_then(Option::as_deref);
        let days: SmallVec<[&[Event]; 64]> = self.queue.ahead(BATCH).collect();
        let events = || days.iter().copied().flatten();
        let mut read = 0_u64;
        for event in events() {
            if let Event::Heard(to, ..) | Event::Sent(to) | Event::Tick(to) = *event {
                read ^= visitor(to).map_or(0, Visitor::foresee);
            }
        }
        let swarm = |to| visitor(to).and_then(|them| them.swarm.as_ref());
        for event in events() {
            read ^= match *event {
                Event::Heard(to, from, _) => swarm(to).map_or(0, |swarm| swarm.foresee_link(from)),
                Event::Sent(visitor) => swarm(visitor).map_or(0, Swarm::foresee_giving),
                _ => 0,
            };
        }
        black_box(read);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Heard(to, from, word) => self.hear(to, from, word),
            Event::Sent(visitor) => {
                if let Some(them) = self.get(visitor) {
                    them.sending = false;
                    self.send(visitor);
                }
            }
            Event::Tick(visitor) => {
                let now = self.now;
                if self.get(visitor).is_some_and(|them| them.tick <= now) {
                    self.get(visitor).into_iter().for_each(|them| them.tick = NEVER);
                    self.tell(visitor, Input::Tick);
                }
            }
            Event::Arrival => self.arrive(),
            Event::Request(visitor) => {
                self.origin.ask_page(visitor);
                self.serve();
            }
            Event::Page(visitor) => self.page(visitor),
            Event::Join(visitor) => self.join(visitor),
            Event::Origin => {
                self.origin.busy = false;
                self.serve();
            }
            Event::Chunk(visitor, chunk) => self.chunk(visitor, chunk),
            Event::Wish(visitor, place) => {
                if let Some(spare) = self.wishes.take(place) {
                    self.origin.wish(visitor, spare);
                }
                self.serve();
            }
            Event::Need(visitor, count) => self.introduce(visitor, count),
            Event::Opened(visitor, peer) => self.opened(visitor, peer),
            Event::Missed(visitor, peer) => self.tell(visitor, Input::Missed(peer)),
            Event::Closed(visitor, peer) => self.tell(visitor, Input::Closed(peer)),
            Event::Leave(visitor) => self.depart(visitor),
        }
    }

    pub(super) fn get(&mut self, visitor: u32) -> Option<&mut Visitor> {
        self.visitors
            .get_mut(visitor as usize)
            .and_then(Option::as_deref_mut)
    }

    pub(super) fn half(&self) -> Duration {
        self.scenario.rtt / 2
    }

    pub(super) fn later(&mut self, span: Duration, event: Event) {
        self.queue.push(self.now.after(span), event);
    }

    /// Tells a visitor what happened, and does what it says.
    pub(super) fn tell(&mut self, visitor: u32, input: Input) {
        let now = self.now;
        let Some(swarm) = self.get(visitor).and_then(|them| them.swarm.as_mut()) else {
            return;
        };
        swarm.handle(input, now);
        self.obey(visitor);
        self.send(visitor);
    }

    fn obey(&mut self, visitor: u32) {
        loop {
            let Some(swarm) = self.get(visitor).and_then(|them| them.swarm.as_mut()) else {
                return;
            };
            let Some(output) = swarm.poll() else {
                let deadline = swarm.deadline();
                self.wake(visitor, deadline);
                return;
            };
            match output {
                Output::Send(link, message) => self.say(visitor, link, message),
                Output::Close(link) => self.later(self.half(), Event::Closed(link, visitor)),
                Output::Drop { link, fault, accuse } => {
                    self.tally.fault(fault);
                    if accuse {
                        self.accuse(visitor, link);
                    }
                    self.later(self.half(), Event::Closed(link, visitor));
                }
                Output::Meet(peer) => self.greet(visitor, peer),
                Output::Signal(peer, body) => self.signalled(visitor, peer, &body),
                Output::Need(count) => self.later(self.half(), Event::Need(visitor, count)),
                Output::Spare(spare) => {
                    self.charge(visitor, cost::SIGNAL);
                    let place = self.wishes.put(spare);
                    self.later(self.half(), Event::Wish(visitor, place));
                }
                Output::Got(_) => {}
                Output::Complete => self.complete(visitor),
            }
        }
    }

    fn wake(&mut self, visitor: u32, deadline: Moment) {
        let Some(them) = self.get(visitor) else {
            return;
        };
        if deadline < them.tick {
            them.tick = deadline;
            self.queue.push(deadline, Event::Tick(visitor));
        }
    }

    /// Sends the next block, if the uplink is free and anybody may have one.
    fn send(&mut self, visitor: u32) {
        let now = self.now;
        let Some(them) = self.get(visitor) else {
            return;
        };
        if them.sending || them.kind == Kind::FreeRider {
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

    /// Puts a message on the wire: through the uplink, the delay, the downlink.
    fn say(&mut self, from: u32, to: u32, message: Message) {
        let Some(them) = self.get(from) else {
            return;
        };
        let message = them.disguise(message);
        let bytes = cost::between(&message);
        let left = self.charge(from, bytes);
        let wire = &mut self.wires[to as usize];
        let start = left.after(self.scenario.rtt / 2).max(wire.down_free);
        wire.down_free = start.after(cost::time(bytes, self.scenario.down));
        wire.debt += cost::ACKNOWLEDGEMENT as u32;
        self.tally.said(&message, bytes);
        let at = wire.down_free;
        let word = Word::pack(message, &mut self.messages);
        self.queue.push(at, Event::Heard(to, from, word));
    }

    /// Occupies an uplink; gives the moment when the last byte has left.
    pub(super) fn charge(&mut self, visitor: u32, bytes: u64) -> Moment {
        let wire = &mut self.wires[visitor as usize];
        let bytes = bytes + u64::from(std::mem::take(&mut wire.debt));
        wire.up_free = wire
            .up_free
            .max(self.now)
            .after(cost::time(bytes, self.scenario.up));
        self.tally.peer_wire += bytes;
        wire.up_free
    }

    fn hear(&mut self, to: u32, from: u32, word: Word) {
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

    fn join(&mut self, visitor: u32) {
        let (now, scenario, rules) = (self.now, self.scenario, Arc::clone(&self.rules));
        let seed: u64 = self.random.random();
        let (pages, seeds) = self.origin.waiting();
        let queued = pages as u64 * cost::origin(scenario.own) + seeds as u64 * cost::origin(CHUNK as u64);
        let seeded = cost::time(queued, scenario.origin_up) < SEED_QUEUE;
        let Some(them) = self.get(visitor) else {
            return;
        };
        let hello = Hello {
            room: RoomId([0; 8]),
            id: visitor,
        };
        let page = Counted::new(scenario.page, them.kind == Kind::Liar);
        them.swarm = Some(Swarm::new(page, hello, rules, SmallRng::seed_from_u64(seed), now));
        them.unsponsored = !seeded;
        self.hall.enter(visitor);
        self.origin.join(visitor, seeded);
        self.tally.signal(cost::SOCKET);
        self.introduce(visitor, scenario.rules.introductions);
        self.tell(visitor, Input::Tick);
        self.serve();
    }

    pub(super) fn complete(&mut self, visitor: u32) {
        let (now, dwell) = (self.now, self.scenario.dwell);
        let Some(them) = self.get(visitor) else {
            return;
        };
        them.complete = true;
        let (measured, span) = (them.measured, now.since(them.arrived));
        self.tally.complete(measured, span);
        if dwell.is_zero() {
            self.depart(visitor);
        } else {
            self.later(dwell, Event::Leave(visitor));
        }
    }

    /// A visitor leaves: what it was sending is lost, and its neighbours learn of it.
    fn depart(&mut self, visitor: u32) {
        let Some(them) = self.visitors.get_mut(visitor as usize).and_then(Option::take) else {
            return;
        };
        self.present -= 1;
        self.tally.left(&them, self.scenario.page);
        self.hall.leave(visitor);
        self.origin.leave(visitor);
        let neighbours = them.swarm.iter().flat_map(Swarm::neighbours);
        for peer in neighbours {
            self.queue.push(
                self.now.after(self.scenario.rtt / 2),
                Event::Closed(peer, visitor),
            );
        }
    }
}

const NEVER: Moment = Moment::from_micros(u64::MAX);
/// After the last arrival: who has no page by then never gets it.
const PATIENCE: Duration = Duration::from_secs(300);
/// Pages and seeds before a newcomer's seed: if it takes longer than this, a neighbour gives it one.
const SEED_QUEUE: Duration = Duration::from_millis(150);
/// Fewer visitors than this are in the cache anyway.
const CROWD: usize = 500;
/// Visitors that are read ahead at once: many, so that they wait for the memory together, and few enough for the cache.
const BATCH: usize = 96;
