//! The origin's uplink: one thing at a time, in strict order. Pages first; then what the [`Valve`] says, which is the
//! broker's own, within the [`Budget`] that is the broker's as well. With all of the uplink as its budget it never waits while
//! anybody wishes for anything.

use std::{collections::VecDeque, ops::Range, time::Duration};

use rand::rngs::SmallRng;
use smallvec::SmallVec;

use crate::{
    swarm::{Moment, budget::Budget, valve::Valve},
    unit::BitRate,
};

#[derive(Debug)]
pub(super) struct Origin {
    pub(super) busy: bool,
    pages: VecDeque<u32>,
    valve: Valve,
    /// What it may send, if that is less than its uplink.
    budget: Option<(BitRate, Budget)>,
    /// Chunks that are whole: a short tail is worth too little as a seed.
    whole: Range<u32>,
}

/// What to send next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Job {
    Page(u32),
    Seed(u32, u32),
    Spare(u32, u32),
}

impl Origin {
    pub(super) fn new(page: u64, budget: Option<BitRate>) -> Self {
        let whole = ((page / crate::content::CHUNK as u64) as u32).max(1);
        Self {
            busy: false,
            pages: VecDeque::new(),
            valve: Valve::default(),
            budget: budget.map(|rate| (rate, Budget::default())),
            whole: 0..whole,
        }
    }

    pub(super) fn ask_page(&mut self, visitor: u32) {
        self.pages.push_back(visitor);
    }

    /// Pages and seeds that wait.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.pages.len(), self.valve.waiting())
    }

    pub(super) fn join(&mut self, visitor: u32, seed: bool) {
        self.valve.join(visitor, seed);
    }

    pub(super) fn leave(&mut self, visitor: u32) {
        self.valve.leave(visitor);
    }

    pub(super) fn wish(&mut self, visitor: u32, spare: SmallVec<[u32; 6]>) {
        self.valve.wish(visitor, spare);
    }

    /// How long seeds and spare chunks have to wait; `sent` bytes were pages until now.
    pub(super) fn wait(&mut self, sent: u64, now: Moment) -> Duration {
        let Some((rate, budget)) = &mut self.budget else {
            return Duration::ZERO;
        };
        budget.look(rate.bytes_per_second(), sent, Duration::from_micros(now.micros()));
        budget.wait()
    }

    /// A seed or a spare chunk takes so many bytes.
    pub(super) fn spend(&mut self, bytes: u64) {
        if let Some((_, budget)) = &mut self.budget {
            budget.spend(bytes as usize);
        }
    }

    /// The next page, if one is waited for.
    pub(super) fn next_page(&mut self) -> Option<Job> {
        self.pages.pop_front().map(Job::Page)
    }

    /// The next chunk to send. `free` says whether a visitor's downlink can take more and it may have it, `met` to whom it
    /// was introduced.
    pub(super) fn next_chunk(
        &mut self,
        oldest_first: bool,
        free: impl Fn(u32) -> bool,
        met: impl Fn(u32) -> SmallVec<[u32; 4]>,
        random: &mut SmallRng,
    ) -> Option<Job> {
        let seed = self.valve.seed(std::slice::from_ref(&self.whole), met, random);
        let (visitor, job) = match seed {
            Some((visitor, chunk)) => (visitor, Job::Seed(visitor, chunk)),
            None => {
                let (visitor, chunk) = self.valve.spare(oldest_first, free)?;
                (visitor, Job::Spare(visitor, chunk))
            }
        };
        // Here the links say what a visitor can take.
        self.valve.took(visitor);
        Some(job)
    }

    /// Whether anybody wishes for something or waits for its seed.
    pub(super) fn is_wanted(&self) -> bool {
        self.valve.is_wanted() || self.valve.waiting() > 0
    }
}
