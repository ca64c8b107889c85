//! What the origin sends to whom when its pages leave it room: one seed for each newcomer, then chunks to those who had the
//! fewest. The broker and the simulator both go by it. It decides the order; how much room there is, others say.
//!
//! It stands here and not with the broker because the simulator, which is pure, may not import that one.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap, VecDeque},
    ops::Range,
};

use foldhash::fast::FixedState;
use rand::{Rng, RngExt};
use smallvec::SmallVec;

/// Visitors in a room from which on a newcomer's neighbours tell it the digests of chunks: with fewer it may have none for
/// long, and the origin has time to tell them in the page.
pub(crate) const CROWD: usize = 32;

/// The visitors of one page, and what the origin has for them.
#[derive(Debug, Default)]
pub(crate) struct Valve {
    /// Newcomers that wait for their seed.
    seeds: VecDeque<u32>,
    subscribers: HashMap<u32, Subscriber, FixedState>,
    /// Those who wish for something and can take it.
    order: BTreeSet<Rank>,
    /// How often each chunk was sent; as long as the page.
    sent: Vec<u32>,
}

/// What the origin knows of a visitor.
#[derive(Debug)]
struct Subscriber {
    spare: SmallVec<[u32; 6]>,
    /// What it was sent last, the oldest first: its wishes may still name it. At most [`LATELY`].
    lately: VecDeque<u32>,
    rank: Rank,
    /// A chunk is under way to it.
    busy: bool,
}

/// How little a visitor had; among equals a scattered order, for the oldest first would burn what it gets; the visitor.
type Rank = (u32, u32, u32);

impl Valve {
    /// A newcomer is known from now on, and waits for its seed if it is to have one of the origin.
    pub(crate) fn join(&mut self, visitor: u32, seed: bool) {
        let subscriber = Subscriber {
            spare: SmallVec::new(),
            lately: VecDeque::new(),
            rank: (0, visitor.wrapping_mul(SCATTER), visitor),
            busy: false,
        };
        self.subscribers.insert(visitor, subscriber);
        if seed {
            self.seeds.push_back(visitor);
        }
    }

    pub(crate) fn leave(&mut self, visitor: u32) {
        if let Some(gone) = self.subscribers.remove(&visitor) {
            self.order.remove(&gone.rank);
        }
    }

    /// What the visitor would take out of turn; what it was just sent is not sent again.
    pub(crate) fn wish(&mut self, visitor: u32, mut spare: SmallVec<[u32; 6]>) {
        if let Some(them) = self.subscribers.get_mut(&visitor) {
            spare.retain(|chunk| !them.lately.contains(chunk));
            them.spare = spare;
            self.rank(visitor);
        }
    }

    /// Newcomers that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.seeds.len()
    }

    /// Whether anybody wishes for something and can take it.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.order.is_empty()
    }

    /// The next newcomer, and its seed, one of `whole`, which leaves out short tails, worth too little: what those wish for
    /// to whom it was introduced (`met`), so that it is asked for at once; else the least sent.
    pub(crate) fn seed(
        &mut self,
        whole: &[Range<u32>],
        met: impl Fn(u32) -> SmallVec<[u32; 4]>,
        random: &mut impl Rng,
    ) -> Option<(u32, u32)> {
        while let Some(visitor) = self.seeds.front().copied() {
            if self.subscribers.get(&visitor).is_some_and(|them| !them.busy) {
                let wished = self.most_wished(whole, &met(visitor));
                let chunk = wished.or_else(|| self.least_sent(whole, random))?;
                self.seeds.pop_front();
                self.count(visitor, chunk);
                return Some((visitor, chunk));
            }
            self.seeds.pop_front();
        }
        None
    }

    /// Who had the fewest, and a chunk that it wishes for. In a small crowd the oldest comes first: it is done sooner, and
    /// has more to give meanwhile. `free` says whether a visitor's downlink can take more and it may have it.
    pub(crate) fn spare(&mut self, oldest_first: bool, free: impl Fn(u32) -> bool) -> Option<(u32, u32)> {
        let mut able = self
            .order
            .iter()
            .map(|(.., visitor)| *visitor)
            .filter(|visitor| free(*visitor));
        let visitor = if oldest_first { able.min() } else { able.next() }?;
        let chunk = self.subscribers.get_mut(&visitor)?.spare.remove(0);
        self.count(visitor, chunk);
        Some((visitor, chunk))
    }

    /// What was under way to the visitor has left, or is not to be had.
    pub(crate) fn took(&mut self, visitor: u32) {
        if let Some(them) = self.subscribers.get_mut(&visitor) {
            them.busy = false;
            self.rank(visitor);
        }
    }

    fn count(&mut self, visitor: u32, chunk: u32) {
        // A stranger may wish for what no page has: only what was chosen here, or is sent in truth, makes the list longer.
        if let Some(sent) = self.sent.get_mut(chunk as usize) {
            *sent += 1;
        }
        let Some(them) = self.subscribers.get_mut(&visitor) else {
            return;
        };
        self.order.remove(&them.rank);
        them.rank.0 += 1;
        them.busy = true;
        them.spare.retain(|spare| *spare != chunk);
        if them.lately.len() >= LATELY {
            them.lately.pop_front();
        }
        them.lately.push_back(chunk);
    }

    fn rank(&mut self, visitor: u32) {
        let Some(them) = self.subscribers.get(&visitor) else {
            return;
        };
        if them.busy || them.spare.is_empty() {
            self.order.remove(&them.rank);
        } else {
            self.order.insert(them.rank);
        }
    }

    /// What most of these visitors wish for; of equals the least sent. Whoever lies about its wishes makes a seed worth no
    /// more than a random one.
    fn most_wished(&self, whole: &[Range<u32>], met: &[u32]) -> Option<u32> {
        let wishes = || {
            met.iter()
                .filter_map(|other| self.subscribers.get(other))
                .flat_map(|them| &them.spare)
        };
        let many = |chunk: u32| wishes().filter(|wish| **wish == chunk).count();
        let sent = |chunk: u32| self.sent.get(chunk as usize).copied().unwrap_or(0);
        wishes()
            .copied()
            .filter(|chunk| whole.iter().any(|run| run.contains(chunk)))
            .min_by_key(|chunk| (Reverse(many(*chunk)), sent(*chunk)))
    }

    fn least_sent(&mut self, whole: &[Range<u32>], random: &mut impl Rng) -> Option<u32> {
        let end = whole.iter().map(|run| run.end).max()? as usize;
        if self.sent.len() < end {
            self.sent.resize(end, 0);
        }
        let count: u32 = whole.iter().map(|run| run.end - run.start).sum();
        // Of equals the first behind a random one.
        let start = random.random_range(0..count.max(1));
        let chunks = whole.iter().cloned().flatten().enumerate();
        let (_, chunk) = chunks
            .min_by_key(|(at, chunk)| (self.sent[*chunk as usize], (*at as u32).wrapping_sub(start)))?;
        Some(chunk)
    }
}

/// Odd, so that it is a permutation; 2^32 divided by the golden ratio.
const SCATTER: u32 = 0x9e37_79b9;
/// As many as one may name at once.
const LATELY: usize = 8;

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    fn nobody(_: u32) -> SmallVec<[u32; 4]> {
        SmallVec::new()
    }

    fn random() -> SmallRng {
        SmallRng::seed_from_u64(7)
    }

    fn crowd(count: u32, seed: bool) -> Valve {
        let mut valve = Valve::default();
        (1..=count).for_each(|visitor| valve.join(visitor, seed));
        valve
    }

    #[test]
    fn each_newcomer_gets_one_seed_and_no_chunk_is_sent_twice_before_all_were_once() {
        let (mut valve, mut random) = (crowd(6, true), random());
        let whole = [2..4, 10..11];
        let mut seeds: Vec<_> = std::iter::from_fn(|| valve.seed(&whole, nobody, &mut random)).collect();
        let visitors: Vec<_> = seeds.iter().map(|(visitor, _)| *visitor).collect();
        assert_eq!(visitors, [1, 2, 3, 4, 5, 6]);
        seeds.sort_by_key(|(_, chunk)| *chunk);
        let chunks: Vec<_> = seeds.iter().map(|(_, chunk)| *chunk).collect();
        assert_eq!(chunks, [2, 2, 3, 3, 10, 10]);
        assert_eq!(valve.waiting(), 0);
    }

    #[test]
    fn a_seed_is_what_those_whom_the_newcomer_met_wish_for() {
        let (mut valve, mut random) = (crowd(2, false), random());
        let whole = [0..50, 51..55];
        valve.wish(1, [7, 8, 60].into_iter().collect());
        valve.wish(2, [9, 8].into_iter().collect());
        valve.join(3, true);
        valve.join(4, true);
        valve.join(5, true);
        let mut seed = |met: &[u32]| valve.seed(&whole, |_| met.into(), &mut random).expect("a seed").1;
        assert_eq!(seed(&[1, 2]), 8, "both lack it");
        assert_eq!(seed(&[1]), 7, "8 was sent before; 60 is no whole chunk");
        assert!(![7, 8].contains(&seed(&[])), "else the least sent");
    }

    #[test]
    fn a_page_without_a_whole_chunk_keeps_its_newcomers_waiting() {
        let (mut valve, mut random) = (crowd(1, true), random());
        assert_eq!((valve.seed(&[], nobody, &mut random), valve.waiting()), (None, 1));
    }

    #[test]
    fn whoever_had_the_fewest_comes_first_and_one_at_a_time() {
        let mut valve = crowd(2, false);
        let spare = |chunks: &[u32]| chunks.iter().copied().collect();
        valve.wish(1, spare(&[5, 6]));
        let free = |_| true;
        assert_eq!(valve.spare(false, free), Some((1, 5)));
        valve.wish(1, spare(&[6, 9]));
        assert_eq!(valve.spare(false, free), None, "one is under way");
        valve.wish(2, spare(&[7, 8]));
        valve.took(1);
        assert_eq!(valve.spare(false, free), Some((2, 7)));
        valve.took(2);
        valve.wish(1, spare(&[5, 6]));
        let next = [valve.spare(false, free), valve.spare(false, free)];
        assert!(
            next.contains(&Some((1, 6))),
            "what was just sent is not sent again: {next:?}"
        );
        assert!(next.contains(&Some((2, 8))), "{next:?}");
    }

    #[test]
    fn who_left_gets_nothing_and_is_forgotten() {
        let (mut valve, mut random) = (crowd(2, true), random());
        valve.wish(2, [3].into_iter().collect());
        valve.leave(1);
        valve.leave(2);
        let whole = 0..9;
        assert_eq!(
            valve.seed(std::slice::from_ref(&whole), nobody, &mut random),
            None
        );
        assert_eq!(valve.spare(true, |_| true), None);
        assert!(valve.subscribers.is_empty() && valve.order.is_empty() && !valve.is_wanted());
    }

    #[test]
    fn a_wish_for_what_no_page_has_takes_no_memory() {
        let mut valve = crowd(1, false);
        valve.wish(1, [(1 << 24) - 1].into_iter().collect());
        assert!(valve.spare(false, |_| true).is_some());
        assert_eq!(valve.sent.len(), 0);
    }
}
