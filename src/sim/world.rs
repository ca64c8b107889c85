//! The network: visitors with their links, the origin's uplink, the broker, and what happens when. It plays a scenario and
//! counts; every decision about the exchange is made by [`Swarm`].

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use smallvec::SmallVec;

use crate::{
    content::{CHUNK, RoomId},
    sim::{
        arrivals::Crowd,
        cost,
        counted::Counted,
        event::{Event, Shelf},
        hall::Hall,
        network::{Losses, Wire},
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
    pub(super) messages: Shelf<Message>,
    wishes: Shelf<SmallVec<[u32; 6]>>,
    pub(super) now: Moment,
    pub(super) visitors: Vec<Option<Box<Visitor>>>,
    pub(super) wires: Vec<Wire>,
    pub(super) hall: Hall,
    pub(super) origin: Origin,
    pub(super) random: SmallRng,
    pub(super) crowd: Crowd<'a>,
    pub(super) tally: Tally,
    pub(super) present: usize,
    pub(super) losses: Losses,
    /// Nobody arrives any more.
    pub(super) closed: bool,
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
            origin: Origin::new(scenario.page, scenario.budget),
            random: SmallRng::seed_from_u64(scenario.seed),
            crowd: Crowd::new(scenario),
            tally: Tally::default(),
            present: 0,
            losses: Losses::new(scenario),
            closed: false,
        }
    }

    /// Plays the scenario to its end.
    pub(super) fn play(mut self, mut watch: impl FnMut(Glance)) -> Tally {
        if let Some(due) = self.crowd.due() {
            self.queue.push(due, Event::Arrival);
        }
        let mut patience = NEVER;
        for happened in 1_u64.. {
            if happened.is_multiple_of(GLANCE) {
                watch(self.glance());
            }
            let Some(now) = self.queue.open() else {
                break;
            };
            if now > self.now {
                self.now = now;
                if self.present > CROWD {
                    self.foresee();
                }
            }
            let Some((_, event)) = self.queue.pop() else {
                break;
            };
            self.happen(event);
            if self.closed && matches!(event, Event::Arrival) {
                patience = now.after(PATIENCE);
            }
            if now > patience || (self.present == 0 && self.queue.len() == 0) {
                break;
            }
        }
        for place in 0..self.visitors.len() {
            self.depart(place as u32);
        }
        self.tally
    }

    const fn glance(&self) -> Glance {
        Glance {
            now: self.now.since(Moment::from_micros(0)),
            arrived: self.tally.arrived,
            completed: self.tally.completed,
            present: self.present,
        }
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
            Event::Untold(visitor) => self.untold(visitor),
            Event::Listed(visitor) => self.listed(visitor),
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
            Event::Need(visitor, count) => self.introduce(visitor, count, false),
            Event::Opened(visitor, peer) => self.opened(visitor, peer),
            Event::Missed(visitor, peer) => self.tell(visitor, Input::Missed(peer)),
            Event::Closed(visitor, peer) => self.tell(visitor, Input::Closed(peer)),
            Event::Leave(visitor) => self.depart(visitor),
            Event::Again(visitor) => self.come_again(visitor),
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
                    self.let_go(link);
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
                Output::Got(chunk) => self.keep(visitor, chunk),
                Output::Complete => self.complete(visitor),
                Output::Leave => self.depart(visitor),
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

    pub(super) fn join(&mut self, visitor: u32) {
        let (now, scenario, rules) = (self.now, self.scenario, Arc::clone(&self.rules));
        let seed: u64 = self.random.random();
        let (pages, seeds) = self.origin.waiting();
        let queued = pages as u64 * cost::origin(scenario.own) + seeds as u64 * cost::origin(CHUNK as u64);
        let seeded = cost::time(queued, scenario.budget()) < SEED_QUEUE;
        let Some(them) = self.get(visitor) else {
            return;
        };
        let hello = Hello {
            room: RoomId([0; 8]),
            id: visitor,
        };
        let mut page = Counted::new(scenario.page, them.kind == Kind::Liar);
        if !them.kind.gives() {
            page = page.silent();
        }
        if them.unlisted {
            page = page.unlisted();
        }
        them.swarm = Some(Swarm::new(page, hello, rules, SmallRng::seed_from_u64(seed), now));
        them.unsponsored = !seeded;
        if them.unlisted {
            self.later(scenario.rules.untold, Event::Untold(visitor));
        }
        self.hall.enter(visitor);
        self.origin.join(visitor, seeded);
        self.tally.signal(if scenario.http1 {
            cost::CONNECTION
        } else {
            cost::SOCKET
        });
        self.introduce(visitor, scenario.rules.introductions, true);
        self.tell(visitor, Input::Tick);
        self.unpack(visitor);
        self.serve();
    }

    pub(super) fn complete(&mut self, visitor: u32) {
        let now = self.now;
        let Some(them) = self.get(visitor) else {
            return;
        };
        them.complete = true;
        let (kind, measured, dwell, span) = (them.kind, them.measured, them.dwell, now.since(them.arrived));
        self.tally.complete(kind, measured, span);
        if dwell.is_zero() {
            self.depart(visitor);
        } else {
            self.later(dwell, Event::Leave(visitor));
        }
    }

    /// A visitor leaves: what it was sending is lost, and its neighbours learn of it.
    pub(super) fn depart(&mut self, visitor: u32) {
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

/// How far a simulation is.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Glance {
    /// Simulated time.
    pub now: Duration,
    /// Visitors that arrived.
    pub arrived: u64,
    /// Those that have the page.
    pub completed: u64,
    /// Those that are there.
    pub present: usize,
}

const NEVER: Moment = Moment::from_micros(u64::MAX);
/// After the last arrival: who has no page by then never gets it.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);
/// Pages and seeds before a newcomer's seed: if it takes longer than this, a neighbour gives it one.
const SEED_QUEUE: Duration = Duration::from_millis(150);
/// Fewer visitors than this are in the cache anyway.
const CROWD: usize = 500;
/// Events between two looks at how far it is: some tens of milliseconds.
const GLANCE: u64 = 1 << 16;
