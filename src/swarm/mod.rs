//! The exchange between visitors: what is held, what is owed, and the words for it. It decides, and touches nothing:
//! no socket, no clock, no task; the same code serves a native visitor and the simulator, and the TypeScript client is
//! its twin, file by file.
//!
//! > **Law 2. The origin's bytes or nothing.** A byte is shown, passed on or counted only after its block matched the
//! > SHA-256 digests that the origin sent over its own connection.
//! >
//! > **Law 3. Give at most what you got.** At every instant a visitor has sent at most as many payload bytes as it has
//! > received of this site's swarm content, origin bytes counted.
//!
//! - [`Ranges`]: which chunks of a page are held.
//! - [`Ledger`]: what may be given. Credit moves between visitors, and only the origin makes it.
//! - [`Message`]: what neighbours say to each other; [`Body`], an [`Identity`] or a [`Candidate`]: how two visitors find
//!   each other.
//! - [`PeerFault`]: what a stranger can do wrong. A stranger's bytes never make an error of ours, let alone a panic.
//!
//! A visitor that holds part of a page looks for what a neighbour has and it lacks:
//!
//! ```
//! use tower_flashback::swarm::{Message, Ranges, message::Ask};
//!
//! let page = Ranges::from_iter([0..62]);
//! let held = Ranges::from_iter([0..16, 20..24]);
//! let neighbour = Ranges::from_iter([10..22]);
//!
//! let wanted = page.subtract(&held).intersect(&neighbour);
//! assert_eq!(wanted, Ranges::from_iter([16..20]));
//!
//! let chunk = wanted.nth(2).expect("four chunks are wanted");
//! let ask = Message::Ask(Ask { credit: 3, chunk, block: 0 });
//! assert_eq!(ask.encode(), [0x12, 3, 0, 0, 0, 18, 0]);
//! ```
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod asking;
mod body;
#[cfg(any(feature = "layer", feature = "sim"))]
pub(crate) mod budget;
mod calls;
pub mod candidate;
mod exchange;
mod fault;
#[cfg(feature = "sim")]
mod foresight;
mod giving;
mod identity;
mod introducing;
mod learning;
mod ledger;
pub(crate) mod marks;
pub mod message;
mod moment;
mod neighbour;
mod payload;
mod places;
mod ranges;
mod reach;
mod roulette;
mod rules;
mod seeking;
#[cfg(any(feature = "layer", feature = "sim"))]
pub(crate) mod valve;
pub(crate) mod wire;

pub use body::Body;
pub(crate) use body::Said;
pub use calls::{Input, Output};
pub use candidate::Candidate;
pub use exchange::Swarm;
pub use fault::PeerFault;
pub use identity::Identity;
pub use ledger::{Ledger, NoCredit, Pair};
pub use message::Message;
pub use moment::Moment;
#[cfg(feature = "sim")]
pub(crate) use neighbour::Neighbour;
pub use payload::{Learned, Payload, Pieces};
pub use ranges::Ranges;
pub use rules::Rules;
