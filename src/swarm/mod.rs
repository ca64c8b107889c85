//! The exchange between visitors: what is held, what is owed, and the words for it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod candidate;
mod fault;
mod identity;
pub mod message;
mod ranges;
pub(crate) mod wire;

pub use candidate::Candidate;
pub use fault::PeerFault;
pub use identity::Identity;
pub use message::Message;
pub use ranges::Ranges;
