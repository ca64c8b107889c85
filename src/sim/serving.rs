//! The origin at work: what leaves its uplink, when, and what becomes of it at the visitor. What comes first is decided in
//! `origin.rs`.

use std::time::Duration;

use rand::RngExt;
use smallvec::SmallVec;

use crate::{
    content::CHUNK,
    sim::{cost, counted::Counted, event::Event, origin::Job, world::World},
    swarm::{
        Input, Message, Payload, Swarm,
        message::{BLOCKS, Block, Proof},
        valve::CROWD,
    },
};

impl World<'_> {
    /// Lets the origin send, if its uplink is free.
    pub(super) fn serve(&mut self) {
        if self.origin.busy {
            return;
        }
        let (now, half) = (self.now, self.half());
        let few = f64::from(self.hall.len() as u32) <= self.few();
        let (visitors, wires) = (&self.visitors, &self.wires);
        let free = |visitor: u32| {
            let backlog = wires[visitor as usize].down_free.since(now);
            backlog < BACKLOG
                && visitors[visitor as usize]
                    .as_ref()
                    .is_some_and(|them| them.is_served(now))
        };
        let met = |visitor: u32| {
            let them = visitors[visitor as usize].as_ref();
            them.map_or_else(SmallVec::new, |them| them.met.iter().copied().take(MET).collect())
        };
        let wait = self.origin.wait(self.tally.pages, now);
        let job = match self.origin.next_page() {
            None if wait.is_zero() => self.origin.next_chunk(few, free, met, &mut self.random),
            page => page,
        };
        let Some(job) = job else {
            if self.origin.is_wanted() {
                self.origin.busy = true;
                // No longer, lest a page wait for what chunks wait for.
                let again = BACKLOG / 4;
                let again = if wait.is_zero() { again } else { wait.min(again) };
                self.later(again, Event::Origin);
            }
            return;
        };
        let bytes = match job {
            Job::Page(_) if self.scenario.origin_only => cost::origin(CHUNK as u64),
            Job::Page(visitor) => cost::origin(self.shell(visitor)),
            // A message of the signalling socket; its receiver makes the digests of its blocks.
            Job::Seed(..) | Job::Spare(..) => cost::origin(CHUNK as u64 + 5 + 4),
        };
        let (bytes, late) = self.resent(bytes);
        self.tally.origin(job, bytes);
        if !matches!(job, Job::Page(_)) {
            self.origin.spend(bytes);
        }
        self.origin.busy = true;
        // What the broker said since has left by the same uplink.
        let spoken = std::mem::take(&mut self.tally.spoken);
        let span = cost::time(bytes + spoken, self.scenario.origin_up);
        self.later(span, Event::Origin);
        let (to, event) = match job {
            Job::Page(visitor) => (visitor, Event::Page(visitor)),
            Job::Seed(visitor, chunk) | Job::Spare(visitor, chunk) => (visitor, Event::Chunk(visitor, chunk)),
        };
        let wire = &mut self.wires[to as usize];
        let start = self.now.after(half).max(wire.down_free);
        let arrival = start.after(cost::time(bytes, self.scenario.down));
        wire.down_free = arrival;
        self.queue
            .push(arrival.max(self.now.after(half + span)).after(late), event);
    }

    /// What only the origin can send: without the digests of chunks, if there are enough who can tell them.
    fn shell(&mut self, visitor: u32) -> u64 {
        let unlisted = self.hall.len() >= CROWD;
        if let Some(them) = self.get(visitor) {
            them.unlisted = unlisted;
        }
        cost::shell(self.scenario, unlisted)
    }

    /// No neighbour has told the digests in time: the origin is asked, over HTTP.
    pub(super) fn untold(&mut self, visitor: u32) {
        let lacks = |swarm: &Swarm<Counted>| swarm.lacks_digests();
        if self
            .get(visitor)
            .is_some_and(|them| them.swarm.as_ref().is_some_and(lacks))
        {
            self.tally
                .signal(cost::origin(cost::list(self.scenario.page) + HEAD));
            self.later(self.scenario.rtt, Event::Listed(visitor));
        }
    }

    /// What the origin sent of them is here.
    pub(super) fn listed(&mut self, visitor: u32) {
        for list in Counted::new(self.scenario.page, false).lists() {
            self.tell(visitor, Input::Digests(list));
        }
    }

    /// What is sent with what TCP sends again, and how much later it is whole: by a round trip, if anything was lost.
    fn resent(&mut self, bytes: u64) -> (u64, Duration) {
        let loss = self.scenario.loss;
        if loss <= 0.0 {
            return (bytes, Duration::ZERO);
        }
        let packets = bytes.div_ceil(cost::SEGMENT) as i32;
        let lost = self.random.random_bool(1.0 - (1.0 - loss).powi(packets));
        let again = (bytes as f64 * loss / (1.0 - loss)) as u64;
        (
            bytes + again,
            if lost { self.scenario.rtt } else { Duration::ZERO },
        )
    }

    /// Visitors that the origin serves one after the other, the oldest first: together they have no more uplink than three quarters
    /// of its own. With half of it a page takes 6 % longer at load 1.
    fn few(&self) -> f64 {
        self.scenario.budget().bytes_per_second() as f64 / self.scenario.mean_up().bytes_per_second() as f64
            * 0.75
    }

    /// What only the origin can send is here, or a chunk of the page if it is alone.
    pub(super) fn page(&mut self, visitor: u32) {
        let (now, rtt) = (self.now, self.scenario.rtt);
        if let Some(them) = self.get(visitor)
            && !std::mem::replace(&mut them.began, true)
        {
            let (measured, span) = (them.measured, now.since(them.arrived));
            self.tally.first(measured, span);
        }
        if !self.scenario.origin_only {
            self.later(cost::socket(rtt, self.scenario.http1), Event::Join(visitor));
            return;
        }
        let Some(them) = self.get(visitor) else {
            return;
        };
        them.rest = them.rest.saturating_sub(CHUNK as u64);
        if them.rest > 0 {
            self.origin.ask_page(visitor);
            self.serve();
        } else {
            self.complete(visitor);
        }
    }

    /// Hands a chunk of the origin's to the exchange, block by block.
    pub(super) fn chunk(&mut self, visitor: u32, chunk: u32) {
        let source = Counted::new(self.scenario.page, false);
        let proof = Proof {
            chunk,
            digests: Vec::new(),
        };
        self.tell(visitor, Input::Origin(Message::Proof(proof)));
        for block in 0..BLOCKS {
            let Some(bytes) = source.block(chunk, block) else {
                break;
            };
            let block = Block {
                credit: 0,
                chunk,
                block,
                bytes,
            };
            self.tell(visitor, Input::Origin(Message::Block(block)));
        }
    }
}

/// Bytes of an answer's head.
const HEAD: u64 = 200;
/// Introductions that count for a seed: a newcomer has no more yet.
const MET: usize = 4;
/// More than this in front of a downlink, and the origin serves somebody else.
const BACKLOG: Duration = Duration::from_millis(40);
