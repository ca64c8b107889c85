//! What the visitors of a room say that they got and gave.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// Payload bytes of all visits, as visitors report them: bounded claims, not facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// From the origin.
    pub origin: u64,
    /// From neighbours.
    pub peer: u64,
    /// To neighbours.
    pub given: u64,
}

impl Reported {
    /// Adds, never beyond the scale.
    pub const fn add(&mut self, other: Self) {
        self.origin = self.origin.saturating_add(other.origin);
        self.peer = self.peer.saturating_add(other.peer);
        self.given = self.given.saturating_add(other.given);
    }
}
