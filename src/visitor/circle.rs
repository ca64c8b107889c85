//! Whom this visitor knows: links under way and open, who introduced them, and whom it will not meet again. It decides
//! nothing about the exchange.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::link::{Event, Events, Link, LinkId, Stuck, Terms};
use crate::swarm::Body;

/// Links under way and open.
#[derive(Debug)]
pub(super) struct Circle {
    id: u32,
    terms: Terms,
    events: Events,
    known: HashMap<u32, Acquaintance>,
    /// At most as many as were ever met.
    banned: HashSet<u32>,
    made: u32,
}

#[derive(Debug)]
struct Acquaintance {
    link: Link,
    serial: u64,
    since: Instant,
    open: bool,
    introducer: Introducer,
}

/// Who made two visitors meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Introducer {
    Broker,
    /// A neighbour of both; what they have to tell each other goes through it, as the exchange has it.
    Neighbour,
}

/// A link that is over.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) introducer: Introducer,
    pub(super) was_open: bool,
    pub(super) after: Duration,
}

impl Circle {
    /// Nobody is known yet; what happens to links is told to the receiver.
    pub(super) fn new(id: u32, terms: Terms) -> (Self, mpsc::Receiver<(LinkId, Event)>) {
        let (events, happened) = mpsc::channel(EVENTS);
        let circle = Self {
            id,
            terms,
            events,
            known: HashMap::new(),
            banned: HashSet::new(),
            made: 0,
        };
        (circle, happened)
    }

    /// Begins to connect. False if nothing comes of it: it is known, unwanted, or one too many.
    pub(super) fn meet(&mut self, visitor: u32, introducer: Introducer, now: Instant) -> bool {
        let unwanted =
            visitor == self.id || self.banned.contains(&visitor) || self.known.contains_key(&visitor);
        if unwanted || self.known.len() >= KNOWN_MAX || self.made >= MADE_MAX {
            return false;
        }
        self.made += 1;
        let serial = u64::from(self.made);
        let link = Link::open(
            LinkId { visitor, serial },
            self.terms.clone(),
            self.id < visitor,
            self.events.clone(),
        );
        self.known.insert(
            visitor,
            Acquaintance {
                link,
                serial,
                since: now,
                open: false,
                introducer,
            },
        );
        true
    }

    /// Whether this is a link that is known still, and not one that was replaced since.
    pub(super) fn is_current(&self, id: LinkId) -> bool {
        self.known
            .get(&id.visitor)
            .is_some_and(|them| them.serial == id.serial)
    }

    pub(super) fn knows(&self, visitor: u32) -> bool {
        self.known.contains_key(&visitor)
    }

    pub(super) fn introducer(&self, visitor: u32) -> Option<Introducer> {
        self.known.get(&visitor).map(|them| them.introducer)
    }

    /// Takes note that a link is open; gives its introducer and how long that took.
    pub(super) fn opened(&mut self, visitor: u32, now: Instant) -> Option<(Introducer, Duration)> {
        let them = self.known.get_mut(&visitor)?;
        them.open = true;
        Some((them.introducer, now - them.since))
    }

    pub(super) fn is_open(&self, visitor: u32) -> bool {
        self.known.get(&visitor).is_some_and(|them| them.open)
    }

    /// Links that are open.
    pub(super) fn open(&self) -> usize {
        self.known.values().filter(|them| them.open).count()
    }

    /// Links that may open yet.
    pub(super) fn opening(&self) -> usize {
        self.known.len() - self.open()
    }

    /// What a visitor that is to be met tells through `introducer`; from anybody else it is nothing.
    pub(super) fn signal(&self, visitor: u32, introducer: Introducer, body: Body) {
        if let Some(them) = self
            .known
            .get(&visitor)
            .filter(|them| them.introducer == introducer)
        {
            them.link.signal(body);
        }
    }

    /// Queues a message for a neighbour. True if no more blocks should follow for now.
    pub(super) fn send(&self, visitor: u32, bytes: Bytes) -> Result<bool, Stuck> {
        self.known
            .get(&visitor)
            .map_or(Ok(false), |them| them.link.send(bytes))
    }

    /// Ends a link.
    pub(super) fn close(&mut self, visitor: u32, now: Instant) -> Option<Ended> {
        self.known.remove(&visitor).map(|them| Ended {
            introducer: them.introducer,
            was_open: them.open,
            after: now - them.since,
        })
    }

    /// Ends all links.
    pub(super) fn disband(&mut self) {
        self.known.clear();
    }

    /// Never again.
    pub(super) fn ban(&mut self, visitor: u32) {
        self.banned.insert(visitor);
    }
}

/// What waits for the visitor: more only makes the links wait, and with them their neighbours.
const EVENTS: usize = 256;
/// More than the exchange keeps: some introductions fail.
const KNOWN_MAX: usize = 14;
/// Connections made in one visit: a room full of strangers must not keep us connecting.
const MADE_MAX: u32 = 64;
