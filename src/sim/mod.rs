//! The exchange under a simulated network: what a crowd of any size would see, and cost. Every decision is that of
//! [`Swarm`](crate::swarm::Swarm), the code that visitors run; only the bytes are numbers, and the links arithmetic.
//!
//! - A visitor's uplink sends one message at a time, its downlink receives one at a time; every message takes half a round
//!   trip. Each is a packet with the headers of IP, UDP, DTLS and SCTP, and is acknowledged; links cost a handshake.
//! - The origin's uplink sends one thing at a time, in strict order: what only it can send, then a seed for each
//!   newcomer, then, if nothing waits, a chunk to whoever had the fewest. TCP and TLS are counted.
//! - The broker makes the first introductions of each visitor, neighbours the others by the messages of the exchange; some
//!   pairs cannot meet.
//! - Packets are lost and sent again in order, uplinks and NATs differ, and some visitors cheat, if the scenario says so.
//!
//! Beside it, [`fluid`] says what the same crowd would take if no uplink ever rested.
//!
//! Not simulated: congestion, slow start. What is and what is not, with its costs, is in `docs/simulate.md`.
//!
//! ```
//! use tower_flashback::sim::{Scenario, simulate};
//!
//! let mut scenario = Scenario::default();
//! scenario.load = 2.0;
//! scenario.visitors = Some(30);
//! let report = simulate(&scenario);
//! assert_eq!((report.completed, report.law3_violations), (30, 0));
//! ```
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod arrivals;
mod cost;
mod counted;
mod dwell;
mod event;
mod fluid;
mod foresight;
mod hall;
mod nat;
mod network;
mod origin;
mod queue;
mod report;
mod scenario;
mod serving;
mod sybil;
mod tally;
#[cfg(test)]
mod tests;
mod uplinks;
mod visitor;
mod world;

pub use dwell::{Dwell, DwellError};
pub use fluid::fluid;
pub use report::{Bytes, Cheats, Report, Seconds, Signals};
pub use scenario::{Arrivals, Depth, Scenario, ScenarioError};
pub use uplinks::{Uplinks, UplinksError};
pub use world::Glance;

/// Plays a scenario to its end. The same scenario gives the same report.
#[must_use]
pub fn simulate(scenario: &Scenario) -> Report {
    simulate_watched(scenario, |_| {})
}

/// The same, and shows now and then how far it is; what is shown changes nothing.
#[must_use]
pub fn simulate_watched(scenario: &Scenario, watch: impl FnMut(Glance)) -> Report {
    Report::new(scenario, world::World::new(scenario).play(watch))
}
