//! What the visitor of a hot page does: what the exchange decided goes to links and broker, and what they say goes to the
//! exchange.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{
    carry::Carry,
    circle::Introducer,
    link::{Event, LinkId},
    settings::Conduct,
    socket::Heard,
};
use crate::{
    broker::signal::{FromBroker, FromVisitor, Outcome, Spare},
    swarm::{Input, Message, Output},
};

impl Carry {
    /// Does what the exchange decided.
    pub(super) fn obey(&mut self) {
        while let Some(output) = self.swarm.poll() {
            match output {
                Output::Send(link, message) => self.send(link, message),
                Output::Close(link) => self.close(link),
                Output::Drop { link, fault, accuse } => {
                    self.visit.fault(fault);
                    self.circle.ban(link);
                    if accuse {
                        self.say(&FromVisitor::Accuse { visitor: link, fault });
                    }
                    self.close(link);
                }
                Output::Need(count) => self.say(&FromVisitor::Need { count }),
                Output::Meet(visitor) => self.meet(visitor, Introducer::Neighbour),
                Output::Signal(visitor, body) => self.circle.signal(visitor, Introducer::Neighbour, body),
                Output::Spare(chunks) => {
                    let chunks = chunks
                        .iter()
                        .map(|chunk| self.swarm.page().wire(*chunk))
                        .collect();
                    self.say(&FromVisitor::Spare(Spare { chunks }));
                }
                Output::Got(chunk) => self.got(chunk),
                Output::Complete => {}
                Output::Leave => {
                    self.report();
                    self.broker = None;
                }
            }
        }
    }

    /// Gives blocks while the uplink has room.
    pub(super) fn give(&mut self) {
        if self.course.settings.conduct == Conduct::FreeRider {
            return;
        }
        while self.course.terms.up.has_room(Instant::now()) {
            let now = self.now();
            let Some((link, message)) = self.swarm.give(now) else {
                return;
            };
            // Ahead of it, for it goes to the end of its packet: what is told with it.
            while let Some(word) = self.swarm.more(link) {
                self.send(link, word);
            }
            self.send(link, message);
        }
    }

    fn send(&mut self, link: u32, mut message: Message) {
        if let Message::Block(block) = &mut message {
            self.visit
                .gives(link, block.bytes.len() as u64, &self.course.gauge);
            if self.course.settings.conduct == Conduct::Liar {
                block.bytes = falsified(&block.bytes);
            }
        }
        let is_block = matches!(message, Message::Block(_));
        let bytes = self.swarm.page().outgoing(message).encode();
        match self.circle.send(link, bytes.into()) {
            Ok(true) if is_block => self.input(Input::Full(link, true)),
            Ok(_) => {}
            Err(_) => {
                self.close(link);
                self.input(Input::Closed(link));
            }
        }
    }

    fn meet(&mut self, visitor: u32, introducer: Introducer) {
        if !self.circle.meet(visitor, introducer, Instant::now()) && !self.circle.knows(visitor) {
            self.input(Input::Missed(visitor));
        }
    }

    /// Ends a link that the exchange does not know any more, or never did.
    fn close(&mut self, visitor: u32) {
        let Some(ended) = self.circle.close(visitor, Instant::now()) else {
            return;
        };
        if !ended.was_open {
            self.tell_outcome(visitor, ended.introducer, Outcome::Failed, ended.after);
            self.input(Input::Missed(visitor));
        }
        self.course.gauge.links(self.circle.open());
    }

    fn tell_outcome(&mut self, visitor: u32, introducer: Introducer, outcome: Outcome, after: Duration) {
        if introducer == Introducer::Broker {
            self.say(&FromVisitor::Linked {
                visitor,
                outcome,
                milliseconds: u16::try_from(after.as_millis()).unwrap_or(u16::MAX),
            });
        }
    }

    /// Takes what happened to a link.
    pub(super) fn linked(&mut self, id: LinkId, event: Event) {
        // Of a link that was let go: nobody's.
        if !self.circle.is_current(id) {
            return;
        }
        let LinkId { visitor, .. } = id;
        match event {
            Event::Signal(bodies) => {
                for body in bodies {
                    match self.circle.introducer(visitor) {
                        Some(Introducer::Broker) => self.say(&FromVisitor::Signal { to: visitor, body }),
                        Some(Introducer::Neighbour) => self.input(Input::Signal(visitor, body)),
                        None => {}
                    }
                }
            }
            Event::Opened => {
                if let Some((introducer, after)) = self.circle.opened(visitor, Instant::now()) {
                    match introducer {
                        Introducer::Broker => self.visit.met_by_broker += 1,
                        Introducer::Neighbour => self.visit.met_by_neighbour += 1,
                    }
                    self.course.gauge.met_by_neighbour(self.visit.met_by_neighbour);
                    self.tell_outcome(visitor, introducer, Outcome::Open, after);
                }
                self.course.gauge.links(self.circle.open());
                self.way_out.progressed(Instant::now());
                self.input(Input::Opened(visitor));
            }
            Event::Heard(bytes) => self.said(visitor, bytes),
            Event::Drained => self.input(Input::Full(visitor, false)),
            Event::Closed => {
                let was_open = self.circle.is_open(visitor);
                self.close(visitor);
                if was_open {
                    self.input(Input::Closed(visitor));
                }
            }
        }
    }

    /// Takes what a neighbour said, which may be several things.
    fn said(&mut self, link: u32, bytes: Bytes) {
        match Message::decode_all(bytes) {
            Ok(messages) => messages.into_iter().for_each(|message| self.told(link, message)),
            Err(fault) => self.input(Input::Garbled(link, fault)),
        }
    }

    fn told(&mut self, link: u32, message: Message) {
        if let Some(refusal) = self.swarm.page().refusal(&message) {
            // What it asks for is of another manifest; the exchange has no number for it.
            let _ = self.circle.send(link, refusal.encode().into());
            return;
        }
        // With a list comes what the origin had sent ahead of it.
        let from = match message {
            Message::Block(_) => Some(Some(link)),
            Message::Digests(_) => Some(None),
            _ => None,
        };
        let message = self.swarm.page().incoming(message);
        self.input(Input::Heard(link, message));
        if let Some(from) = from {
            self.stored(from);
        }
    }

    /// Takes what the broker said.
    pub(super) fn hear(&mut self, heard: Heard) {
        let message = match heard {
            Heard::Said(message) => message,
            Heard::Lost => {
                self.broker = None;
                // Nobody new will tell the digests.
                self.untold = self.untold.map(|_| Instant::now());
                return;
            }
        };
        self.visit.hears(&message);
        match message {
            // It is welcomed once.
            FromBroker::Welcome { .. } => {}
            FromBroker::Meet { visitor } => {
                self.input(Input::Met(visitor));
                self.meet(visitor, Introducer::Broker);
            }
            FromBroker::Signal { from, body } => self.circle.signal(from, Introducer::Broker, body),
            // One who has only lost its socket is still a neighbour.
            FromBroker::Gone { visitor } => {
                if !self.circle.is_open(visitor) {
                    self.close(visitor);
                }
            }
            FromBroker::Calm => self.calm(),
            FromBroker::Chunk(chunk) => {
                self.seeded = true;
                if let Some(number) = self.swarm.page().known(chunk.chunk) {
                    self.origin(number, &chunk.bytes);
                }
            }
            FromBroker::Sponsor { visitor } => self.input(Input::Sponsor(visitor)),
        }
    }

    /// The crowd is over: what is lacking comes from the site.
    fn calm(&mut self) {
        self.broker = None;
        let neighbours: Vec<_> = self.swarm.neighbours().collect();
        self.circle.disband();
        for link in neighbours {
            self.input(Input::Closed(link));
        }
    }
}

/// As long as the origin's, and not the origin's.
fn falsified(bytes: &Bytes) -> Bytes {
    bytes.iter().map(|byte| !byte).collect::<Vec<u8>>().into()
}
