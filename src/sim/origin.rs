//! The origin's uplink: one thing at a time, in strict order. Pages first; then one seed for each newcomer; then, with
//! what is left, a chunk to whoever had the fewest. It never waits while anybody wishes for anything.

use std::collections::{BTreeSet, HashMap, VecDeque};

use foldhash::fast::FixedState;
use rand::{RngExt, rngs::SmallRng};
use smallvec::SmallVec;

use crate::swarm::marks::Marks;

#[derive(Debug)]
pub(super) struct Origin {
    pub(super) busy: bool,
    pages: VecDeque<u32>,
    seeds: VecDeque<u32>,
    subscribers: HashMap<u32, Subscriber, FixedState>,
    /// Those who wish for something, by how little they had.
    order: BTreeSet<(u32, u32, u32)>,
    /// How often each chunk was sent.
    sent: Vec<u32>,
    /// Chunks that are whole: a short tail is worth too little as a seed.
    whole: u32,
}

/// What the origin knows of a visitor.
#[derive(Debug)]
struct Subscriber {
    spare: SmallVec<[u32; 4]>,
    sent: Marks,
    /// Place in `order`.
    rank: (u32, u32, u32),
}

/// What to send next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Job {
    Page(u32),
    Seed(u32, u32),
    Spare(u32, u32),
}

impl Origin {
    pub(super) fn new(page: u64, chunks: u32) -> Self {
        Self {
            busy: false,
            pages: VecDeque::new(),
            seeds: VecDeque::new(),
            subscribers: HashMap::with_hasher(FixedState::default()),
            order: BTreeSet::new(),
            sent: vec![0; chunks as usize],
            whole: ((page / crate::content::CHUNK as u64) as u32).max(1),
        }
    }

    pub(super) fn ask_page(&mut self, visitor: u32) {
        self.pages.push_back(visitor);
    }

    /// Pages and seeds that wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.pages.len(), self.seeds.len())
    }

    /// A newcomer is known from now on. Among equals the order is a scattered one: the oldest first would burn what it gets.
    pub(super) fn join(&mut self, visitor: u32, seed: bool) {
        let subscriber = Subscriber {
            spare: SmallVec::new(),
            sent: Marks::new(self.sent.len() as u32),
            rank: (0, visitor.wrapping_mul(SCATTER), visitor),
        };
        self.subscribers.insert(visitor, subscriber);
        if seed {
            self.seeds.push_back(visitor);
        }
    }

    pub(super) fn leave(&mut self, visitor: u32) {
        if let Some(gone) = self.subscribers.remove(&visitor) {
            self.order.remove(&gone.rank);
        }
    }

    /// What the visitor would take out of turn; what it was sent is not sent again.
    pub(super) fn wish(&mut self, visitor: u32, mut spare: SmallVec<[u32; 4]>) {
        let Some(them) = self.subscribers.get_mut(&visitor) else {
            return;
        };
        spare.retain(|chunk| !them.sent.has(*chunk));
        them.spare = spare;
        if them.spare.is_empty() {
            self.order.remove(&them.rank);
        } else {
            self.order.insert(them.rank);
        }
    }

    /// The next thing to send. `free` says whether a visitor's downlink can take more and it may have it.
    pub(super) fn next(
        &mut self,
        oldest_first: bool,
        free: impl Fn(u32) -> bool,
        random: &mut SmallRng,
    ) -> Option<Job> {
        if let Some(visitor) = self.pages.pop_front() {
            return Some(Job::Page(visitor));
        }
        while let Some(visitor) = self.seeds.pop_front() {
            if self.subscribers.contains_key(&visitor) {
                let chunk = self.least_sent(random);
                self.count(visitor, chunk);
                return Some(Job::Seed(visitor, chunk));
            }
        }
        let able = self
            .order
            .iter()
            .map(|(_, _, visitor)| *visitor)
            .filter(|visitor| free(*visitor));
        let visitor = if oldest_first {
            able.min()
        } else {
            able.into_iter().next()
        }?;
        let chunk = self.subscribers.get_mut(&visitor)?.spare.remove(0);
        self.count(visitor, chunk);
        Some(Job::Spare(visitor, chunk))
    }

    /// Whether anybody wishes for something.
    pub(super) fn is_wanted(&self) -> bool {
        !self.order.is_empty()
    }

    fn count(&mut self, visitor: u32, chunk: u32) {
        self.sent[chunk as usize] += 1;
        let Some(them) = self.subscribers.get_mut(&visitor) else {
            return;
        };
        self.order.remove(&them.rank);
        them.rank.0 += 1;
        them.sent.set(chunk);
        them.spare.retain(|spare| *spare != chunk);
        if !them.spare.is_empty() {
            self.order.insert(them.rank);
        }
    }

    fn least_sent(&self, random: &mut SmallRng) -> u32 {
        let start = random.random_range(0..self.whole);
        let turned = (0..self.whole).map(|step| (start + step) % self.whole);
        turned
            .min_by_key(|chunk| self.sent[*chunk as usize])
            .unwrap_or_default()
    }
}

/// Odd, so that it is a permutation; 2^32 divided by the golden ratio.
const SCATTER: u32 = 0x9e37_79b9;
