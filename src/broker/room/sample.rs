//! Some of a room's visitors for an operator to look at: who is linked to whom, and what each says to have got and given.
//! Numbers of the room, never addresses; it changes nothing.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::Room;
use crate::broker::acquaintance::Acquaintance;

/// A part of a room at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Visitors in the room, those left out here included.
    pub visitors: usize,
    /// Those that were looked at.
    pub seen: Vec<Seen>,
    /// Links between them that were said to have opened and not to have ended, each once, the lower number first.
    pub links: Vec<(u32, u32)>,
}

/// One visitor, in payload bytes of its visit as it says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its number in the room.
    pub id: u32,
    /// From the origin.
    pub origin: u64,
    /// From neighbours.
    pub peer: u64,
    /// To neighbours.
    pub given: u64,
}

impl Room {
    /// At most `most` visitors, and the links between them. From second to second the same ones, but for those who leave,
    /// so that a picture of them does not flicker.
    #[must_use]
    pub fn sample(&self, most: usize) -> Sample {
        let chosen = &self.places[..self.places.len().min(most)];
        let all_seen = chosen.len() == self.places.len();
        let among: HashSet<u32, RandomState> = if all_seen {
            HashSet::default()
        } else {
            chosen.iter().copied().collect()
        };
        let mut sample = Sample {
            visitors: self.places.len(),
            seen: Vec::with_capacity(chosen.len()),
            links: Vec::new(),
        };
        for &id in chosen {
            let Some(visitor) = self.visitors.get(&id) else {
                continue;
            };
            sample.seen.push(Seen {
                id,
                origin: visitor.report.origin,
                peer: visitor.report.peer,
                given: visitor.report.given,
            });
            let linked = visitor.met().filter(|other| id < other.id && is_link(other));
            let linked = linked.filter(|other| all_seen || among.contains(&other.id));
            sample.links.extend(linked.map(|other| (id, other.id)));
        }
        sample
    }
}

/// Its outcome was told, and it is not over: a failed or lost one would be.
const fn is_link(other: &Acquaintance) -> bool {
    other.told && !other.over
}
