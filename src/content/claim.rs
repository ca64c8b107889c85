//! A fetch's place in the list of fetches. Whatever becomes of the fetch, nobody is left waiting: a claim is given up exactly once, by
//! word or by being dropped.

use std::{sync::Arc, time::SystemTime};

use super::{
    filling::{End, Ended, Filling},
    reason::Reason,
    shelf::Shelf,
};

/// Held by the leader, then by the writer.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) shelf: Arc<Shelf>,
    pub(super) filling: Arc<Filling>,
    settled: bool,
}

impl Claim {
    pub(super) fn new(shelf: &Arc<Shelf>, filling: Arc<Filling>) -> Self {
        Self {
            shelf: Arc::clone(shelf),
            filling,
            settled: false,
        }
    }

    /// Ends the fetch for all who wait.
    pub(super) fn settle(&mut self, ended: Ended) {
        self.settled = true;
        self.shelf.settle(&self.filling, ended);
    }

    /// Ends it with a refusal, that later requests find too.
    pub(super) fn pass(&mut self, reason: Reason, now: SystemTime) {
        self.shelf.marks.pass(&self.filling.key, reason, now);
        self.settle(Ended::Pass(reason));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // First the word, then the break: who has read nothing yet shall try again and not inherit a broken body.
        if !self.settled {
            self.settle(Ended::Again);
        }
        self.filling.change(|state| {
            if matches!(state.end, End::Open) {
                state.end = End::Broken;
            }
        });
    }
}
