//! The words between a visitor and the broker, as `docs/protocol.md` lays them out. Bytes become a value here or a
//! [`PeerFault`](crate::swarm::PeerFault); nobody behind this door checks a bound again.

mod chunk;
mod from_broker;
mod from_visitor;
mod spare;

pub use chunk::Chunk;
pub use from_broker::FromBroker;
pub use from_visitor::{FromVisitor, Outcome, Report, TOKEN};
pub use spare::Spare;

pub use crate::swarm::Body;

/// Bytes of the longest message of a visitor. The longest well-formed one, a signal with an identity in text, has 137;
/// the rest is room for later versions, which must be told that they are not spoken here.
pub const MESSAGE_MAX: usize = 512;

/// Bytes of the longest message of the broker: a [`Chunk`].
pub const FROM_BROKER_MAX: usize = Chunk::MAX;
