//! What is counted while a scenario is played.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    sim::{cost, origin::Job, visitor::Visitor},
    swarm::{Message, PeerFault},
};

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) arrived: u64,
    pub(super) completed: u64,
    /// Seconds of those who are measured, and how many of them never came to an end.
    pub(super) seconds: Vec<f64>,
    pub(super) unfinished: u64,
    /// Payload that visitors got, of whomever.
    pub(super) got: u64,
    /// Payload between visitors.
    pub(super) peer: u64,
    /// Everything that visitors sent, headers and all.
    pub(super) peer_wire: u64,
    /// Everything that the origin sent, headers and all: pages, seeds, spare chunks, signalling.
    pub(super) pages: u64,
    pub(super) seeds: u64,
    pub(super) spare: u64,
    pub(super) signals: u64,
    /// Of the broker's, what has not taken its time on the origin's uplink yet.
    pub(super) spoken: u64,
    pub(super) by_broker: u64,
    pub(super) by_neighbour: u64,
    /// Bytes of the messages of each kind, headers and all.
    messages: [(u64, u64); NAMES.len()],
    pub(super) faults: BTreeMap<PeerFault, u64>,
    pub(super) law3: u64,
    pub(super) wrong: u64,
}

impl Tally {
    pub(super) fn fault(&mut self, fault: PeerFault) {
        *self.faults.entry(fault).or_default() += 1;
    }

    pub(super) fn said(&mut self, message: &Message, bytes: u64) {
        let kind = match message {
            Message::Block(_) => 0,
            Message::Have(_) => 1,
            Message::Ask(_) => 2,
            Message::Cancel(_) => 3,
            Message::Proof(_) => 4,
            Message::Hello(_) => 5,
            Message::Lack(_) => 6,
            Message::Seek(_) => 7,
            Message::Meet(_) => 8,
            Message::Signal(_) => 9,
            Message::Relayed(_) => 10,
        };
        let (count, sum) = &mut self.messages[kind];
        *count += 1;
        *sum += bytes;
    }

    /// How many messages of each kind there were, and their bytes.
    pub(super) fn messages(&self) -> BTreeMap<&'static str, (u64, u64)> {
        NAMES.into_iter().zip(self.messages).collect()
    }

    pub(super) const fn origin(&mut self, job: Job, bytes: u64) {
        match job {
            Job::Page(_) => self.pages += bytes,
            Job::Seed(..) => self.seeds += bytes,
            Job::Spare(..) => self.spare += bytes,
        }
    }

    /// Bytes of signalling that the broker sent.
    pub(super) const fn signal(&mut self, bytes: u64) {
        self.signals += bytes;
        self.spoken += bytes;
    }

    pub(super) const fn introduction(&mut self, by_broker: bool) {
        if by_broker {
            self.by_broker += 1;
            self.signal(2 * cost::INTRODUCTION);
        } else {
            self.by_neighbour += 1;
        }
    }

    pub(super) fn complete(&mut self, measured: bool, span: Duration) {
        self.completed += 1;
        if measured {
            self.seconds.push(span.as_secs_f64());
        }
    }

    pub(super) fn left(&mut self, them: &Visitor, page: u64) {
        let got = them.swarm.as_ref().map_or(0, |swarm| swarm.ledger().got());
        self.got += if them.swarm.is_some() {
            got
        } else {
            page - them.rest
        };
        self.unfinished += u64::from(them.measured && !them.complete);
    }

    pub(super) const fn origin_wire(&self) -> u64 {
        self.pages + self.seeds + self.spare + self.signals
    }
}

/// Messages between visitors, in the order in which they are counted.
const NAMES: [&str; 11] = [
    "block", "have", "ask", "cancel", "proof", "hello", "lack", "seek", "meet", "signal", "relayed",
];
