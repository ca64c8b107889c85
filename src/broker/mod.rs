//! Who meets whom.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod room_id;
pub mod signal;

pub use room_id::RoomId;
