//! Who meets whom (skeleton).

pub use crate::content::RoomId;
