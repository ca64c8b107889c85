//! The origin's uplink: one thing at a time, in strict order. Pages first; then what the [`Valve`] says, which is the
//! broker's own. It never waits while anybody wishes for anything.

use std::{collections::VecDeque, ops::Range};

use rand::rngs::SmallRng;
use smallvec::SmallVec;

use crate::swarm::valve::Valve;

#[derive(Debug)]
pub(super) struct Origin {
    pub(super) busy: bool,
    pages: VecDeque<u32>,
    valve: Valve,
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
    pub(super) fn new(page: u64) -> Self {
        let whole = ((page / crate::content::CHUNK as u64) as u32).max(1);
        Self {
            busy: false,
            pages: VecDeque::new(),
            valve: Valve::default(),
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

    /// The next thing to send. `free` says whether a visitor's downlink can take more and it may have it, `met` to whom it
    /// was introduced.
    pub(super) fn next(
        &mut self,
        oldest_first: bool,
        free: impl Fn(u32) -> bool,
        met: impl Fn(u32) -> SmallVec<[u32; 4]>,
        random: &mut SmallRng,
    ) -> Option<Job> {
        if let Some(visitor) = self.pages.pop_front() {
            return Some(Job::Page(visitor));
        }
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

    /// Whether anybody wishes for something.
    pub(super) fn is_wanted(&self) -> bool {
        self.valve.is_wanted()
    }
}
