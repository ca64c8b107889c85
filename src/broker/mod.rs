//! Who meets whom (skeleton).

mod room_id;

pub use room_id::RoomId;
