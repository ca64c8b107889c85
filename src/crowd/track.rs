//! What is kept of a page beyond its front: whole epochs, its mean, its clients, its state. It decides nothing.

use super::{
    Key, Mode, Rule, State, Time, audience::Audience, baseline::Baseline, epoch::Rings, front::Front,
    grid::Moment, plan::Plan,
};

/// What is kept of a page beyond its front. The rings come first, so that each is in a line of the cache of its own.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Track {
    pub(super) rings: Rings,
    pub(super) baseline: Baseline,
    pub(super) state: State,
    pub(super) pin: Mode,
    pub(super) name: u64,
    pub(super) audience: Option<Box<Audience>>,
    pub(super) episode: Option<Box<Episode>>,
    pub(super) key: Key,
}

/// What made a page hot, kept until it is calm.
#[derive(Debug)]
pub(super) struct Episode {
    pub(super) rule: Rule,
    pub(super) scale: Option<usize>,
    pub(super) average: f64,
    pub(super) since: Time,
}

impl Track {
    pub(super) fn new(name: u64, key: Key) -> Self {
        Self {
            name,
            key,
            rings: Rings::default(),
            baseline: Baseline::default(),
            state: State::Calm,
            pin: Mode::Auto,
            audience: None,
            episode: None,
        }
    }

    /// Whether it may make room for another page.
    pub(super) fn dispensable(&self) -> bool {
        self.state == State::Calm && self.pin == Mode::Auto
    }

    /// Lets the epochs pass that a page has not been asked in.
    pub(super) fn advance(&mut self, front: &mut Front, plan: &Plan, now: Moment) {
        let Self { rings, baseline, .. } = self;
        let mut newest = plan.grid.half(plan.grid.longest(), front.heads.epoch());
        let begun = newest;
        front
            .heads
            .advance(rings, &plan.grid, now.epoch, |count, halves| {
                baseline.learn(&plan.past, newest, count, halves);
                newest += halves;
            });
        if newest > begun {
            front.accustom(baseline.count());
        }
    }

    /// Reads a word of the line of the cache that the end of an epoch needs.
    pub(super) fn warm(&self, epoch: u32) -> u32 {
        self.rings.warm(epoch)
    }
}
