//! What is counted while a scenario is played.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    sim::{
        cost,
        origin::Job,
        report::Seconds,
        visitor::{Kind, Visitor},
    },
    swarm::{Message, PeerFault},
};

#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) arrived: u64,
    pub(super) completed: u64,
    /// Of the honest.
    pub(super) seconds: Times,
    /// Of those who understate their credit.
    pub(super) understating: Times,
    /// Until the first of the page was there.
    pub(super) first: Times,
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
    /// Bytes that visitors sent again.
    pub(super) again: u64,
    /// New numbers of Sybils.
    pub(super) again_joined: u64,
    pub(super) accusations: u64,
    /// Visitors that the broker introduced no more: those who cheat, and those who do not.
    pub(super) caught: u64,
    pub(super) slandered: u64,
    /// Packets between visitors.
    pub(super) packets: u64,
    /// Bytes of the messages of each kind, without headers.
    messages: [(u64, u64); NAMES.len()],
    pub(super) faults: BTreeMap<PeerFault, u64>,
    pub(super) law3: u64,
    pub(super) wrong: u64,
}

/// Seconds of some visitors, and how many of them never came to an end.
#[derive(Debug, Default)]
pub(super) struct Times {
    seconds: Vec<f64>,
    pub(super) unfinished: u64,
}

impl Times {
    pub(super) fn push(&mut self, span: Duration) {
        self.seconds.push(span.as_secs_f64());
    }

    pub(super) const fn count(&self) -> u64 {
        self.seconds.len() as u64 + self.unfinished
    }

    pub(super) fn percentiles(&mut self) -> Seconds {
        self.seconds.sort_unstable_by(f64::total_cmp);
        let count = self.count();
        let at = |share: f64| self.seconds.get((count as f64 * share) as usize).copied();
        Seconds {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
        }
    }
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
            Message::Learn => 11,
            Message::Digests(_) => 12,
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

    /// Of a newcomer, or of one who asked the broker for more.
    pub(super) const fn introduction(&mut self, newcomer: bool) {
        self.by_broker += 1;
        self.signal(2 * cost::INTRODUCTION - if newcomer { cost::WELCOMED } else { 0 });
    }

    pub(super) fn complete(&mut self, kind: Kind, measured: bool, span: Duration) {
        self.completed += 1;
        if measured {
            self.times(kind).push(span);
        }
    }

    pub(super) fn first(&mut self, measured: bool, span: Duration) {
        if measured {
            self.first.push(span);
        }
    }

    pub(super) const fn accused(&mut self, fair: bool, banned: bool) {
        self.accusations += 1;
        self.slandered += (fair && banned) as u64;
        self.caught += (!fair && banned) as u64;
    }

    pub(super) fn left(&mut self, them: &Visitor, page: u64) {
        let got = them.swarm.as_ref().map_or(0, |swarm| swarm.ledger().got());
        self.got += if them.swarm.is_some() {
            got.saturating_sub(them.brought)
        } else {
            page.saturating_sub(them.rest)
        };
        self.times(them.kind).unfinished += u64::from(them.measured && !them.complete);
    }

    const fn times(&mut self, kind: Kind) -> &mut Times {
        match kind {
            Kind::Understating => &mut self.understating,
            _ => &mut self.seconds,
        }
    }

    pub(super) const fn origin_wire(&self) -> u64 {
        self.pages + self.seeds + self.spare + self.signals
    }
}

/// Messages between visitors, in the order in which they are counted.
const NAMES: [&str; 13] = [
    "block", "have", "ask", "cancel", "proof", "hello", "lack", "seek", "meet", "signal", "relayed", "learn",
    "digests",
];
