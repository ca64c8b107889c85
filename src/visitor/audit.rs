//! What a visit is held against, beside the exchange and not by it: law 2 and law 3 from the bytes that were stored and
//! those that went out.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use serde::Serialize;

use crate::{
    broker::signal::{FromBroker, FromVisitor},
    content::Digest,
    swarm::PeerFault,
};

/// A visit as it goes: whoever holds it looks on.
#[derive(Debug, Default)]
pub struct Gauge {
    given: AtomicU64,
    got: AtomicU64,
    peer: AtomicU64,
    site: AtomicU64,
    links: AtomicU8,
    by_neighbour: AtomicU64,
    hot: AtomicBool,
    complete: AtomicBool,
}

/// A look at a visit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// Payload bytes that went to neighbours.
    pub given: u64,
    /// Verified payload bytes of the swarm's content, from neighbours and origin.
    pub got: u64,
    /// Those of them that came from neighbours.
    pub peer: u64,
    /// All bytes that came over connections to the site.
    pub site: u64,
    /// Open links.
    pub links: u8,
    /// Introductions by neighbours that became links, so far.
    pub by_neighbour: u64,
    /// The page was carried when it came.
    pub hot: bool,
    /// All of the page is here.
    pub complete: bool,
}

impl Gauge {
    /// How the visit stands now.
    #[must_use]
    pub fn sample(&self) -> Sample {
        // In this order: what was given is read before what was got, which never shrinks. So a sample that shows more given
        // than got shows a law that was broken, and not two moments.
        let given = self.given.load(SeqCst);
        Sample {
            given,
            got: self.got.load(SeqCst),
            peer: self.peer.load(SeqCst),
            site: self.site.load(SeqCst),
            links: self.links.load(SeqCst),
            by_neighbour: self.by_neighbour.load(SeqCst),
            hot: self.hot.load(SeqCst),
            complete: self.complete.load(SeqCst),
        }
    }

    pub(super) fn arrived(&self, hot: bool) {
        self.hot.store(hot, SeqCst);
    }

    pub(super) fn completed(&self) {
        self.complete.store(true, SeqCst);
    }

    pub(super) fn site(&self, bytes: u64) {
        self.site.store(bytes, SeqCst);
    }

    pub(super) fn met_by_neighbour(&self, count: u64) {
        self.by_neighbour.store(count, SeqCst);
    }

    pub(super) fn links(&self, count: usize) {
        self.links.store(count.try_into().unwrap_or(u8::MAX), SeqCst);
    }
}

/// What came of a visit.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Visit {
    /// Its number in the room; none if it never joined.
    pub id: Option<u32>,
    /// Whether the page was carried when it came.
    pub hot: bool,
    /// From the first packet to the whole page.
    pub took: Duration,
    /// What the page consists of, as it came: the visitor's own bytes, hashed again when all were there.
    pub objects: Vec<Arrived>,
    /// Payload bytes given to neighbours.
    pub given: u64,
    /// Verified payload bytes of the swarm's content, from neighbours and origin.
    pub got: u64,
    /// Those of them that came from neighbours.
    pub peer: u64,
    /// What was exchanged with each neighbour, by its number.
    pub exchanged: BTreeMap<u32, Exchanged>,
    /// All bytes that came over connections to the site.
    pub site: u64,
    /// What it had to say to the broker, and the broker to it.
    pub talk: Talk,
    /// Introductions by the broker that became links.
    pub met_by_broker: u64,
    /// Introductions by neighbours that became links.
    pub met_by_neighbour: u64,
    /// Requests to the way out: swarm or socket did not bring what was needed.
    pub ranges: u64,
    /// Bytes that came by them.
    pub ranged: u64,
    /// Neighbours let go, by fault.
    pub faults: BTreeMap<&'static str, u64>,
    /// Blocks that went out while less had been got than given: law 3.
    pub law3_violations: u64,
    /// Bytes of chunks that were called complete and are not the manifest's: law 2.
    pub wrong_bytes: u64,
}

/// Payload bytes between a visitor and one neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Exchanged {
    /// Verified, from the neighbour.
    pub got: u64,
    /// To the neighbour.
    pub given: u64,
}

/// Messages between a visitor and the broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Talk {
    /// Those by which visitors meet, both ways: what the broker is there for.
    pub meeting: u64,
    /// Reports and wishes, both ways; seeds and spare chunks are not counted.
    pub others: u64,
    /// Bytes of those that came, without the frames around them.
    pub heard: u64,
    /// Bytes of seeds and spare chunks that came, those that were here before included.
    pub chunks: u64,
}

/// One object of a page, as a visitor has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrived {
    /// Path and query.
    pub url: String,
    /// Bytes.
    pub length: u64,
    /// Over all bytes.
    pub digest: Digest,
}

impl Visit {
    pub(super) fn arrived(&mut self, url: &str, bytes: &[u8]) {
        self.objects.push(Arrived {
            url: url.to_owned(),
            length: bytes.len() as u64,
            digest: Digest::of(bytes),
        });
    }

    pub(super) fn fault(&mut self, fault: PeerFault) {
        *self.faults.entry(fault.as_str()).or_default() += 1;
    }

    /// Books what is stored now; what it grew by came from this neighbour, or from the origin.
    pub(super) fn stored(&mut self, stored: u64, from: Option<u32>, gauge: &Gauge) -> bool {
        let grown = stored - self.got;
        self.got = stored;
        gauge.got.store(stored, SeqCst);
        if let Some(neighbour) = from {
            self.peer += grown;
            self.exchanged.entry(neighbour).or_default().got += grown;
            gauge.peer.store(self.peer, SeqCst);
        }
        grown > 0
    }

    /// Books a word to the broker.
    pub(super) fn says(&mut self, message: &FromVisitor) {
        match message {
            FromVisitor::Report(_) | FromVisitor::Spare(_) => self.talk.others += 1,
            FromVisitor::Join { .. }
            | FromVisitor::Signal { .. }
            | FromVisitor::Need { .. }
            | FromVisitor::Accuse { .. }
            | FromVisitor::Linked { .. } => self.talk.meeting += 1,
        }
    }

    /// Books a word of the broker.
    pub(super) fn hears(&mut self, message: &FromBroker) {
        match message {
            FromBroker::Chunk(chunk) => {
                self.talk.chunks += chunk.bytes.len() as u64;
                return;
            }
            FromBroker::Sponsor { .. } | FromBroker::Calm => self.talk.others += 1,
            FromBroker::Welcome { .. }
            | FromBroker::Meet { .. }
            | FromBroker::Signal { .. }
            | FromBroker::Gone { .. } => self.talk.meeting += 1,
        }
        self.talk.heard += message.encode().len() as u64;
    }

    /// Books a block that goes out now.
    pub(super) fn gives(&mut self, to: u32, bytes: u64, gauge: &Gauge) {
        self.given += bytes;
        self.exchanged.entry(to).or_default().given += bytes;
        gauge.given.store(self.given, SeqCst);
        if self.given > self.got {
            self.law3_violations += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_sees_a_law_that_is_broken() {
        let (mut visit, gauge) = (Visit::default(), Gauge::default());
        assert!(visit.stored(1_000, None, &gauge));
        visit.gives(7, 1_000, &gauge);
        assert_eq!(visit.law3_violations, 0);
        visit.gives(7, 1, &gauge);
        assert_eq!(visit.law3_violations, 1);
        assert!(!visit.stored(1_000, Some(7), &gauge), "nothing came");
        let sample = gauge.sample();
        assert_eq!((sample.given, sample.got, sample.peer), (1_001, 1_000, 0));
        assert_eq!(visit.exchanged[&7], Exchanged { got: 0, given: 1_001 });
    }
}
