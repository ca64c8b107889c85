//! sim
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod cost;
mod counted;
mod hall;
mod origin;
mod queue;
mod report;
mod scenario;
mod tally;
mod visitor;
mod world;

pub use report::{Report, Seconds};
pub use scenario::{Arrivals, Scenario};

/// Plays a scenario to its end.
#[must_use]
pub fn simulate(scenario: &Scenario) -> Report {
    report::Report::new(scenario, world::World::new(scenario).play())
}
