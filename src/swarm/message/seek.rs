//! A request for more neighbours, made of one that there is.

use smallvec::SmallVec;

use crate::swarm::{PeerFault, wire::Reader};

/// Introduce so many of your neighbours to me, but none of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seek {
    /// How many, from 1 to [`COUNT_MAX`](Self::COUNT_MAX).
    pub count: u8,
    /// Visitors whom the sender knows already: at most [`KNOWN_MAX`](Self::KNOWN_MAX).
    pub known: SmallVec<[u32; 12]>,
}

impl Seek {
    /// Neighbours that are sought at once: more would come from one side of the crowd.
    pub const COUNT_MAX: u8 = 4;
    /// Visitors that are named: all links that a visitor may have, and some that it lost.
    pub const KNOWN_MAX: usize = 16;

    pub(super) const TYPE: u8 = 0x17;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[Self::TYPE, self.count]);
        self.known
            .iter()
            .for_each(|visitor| out.extend_from_slice(&visitor.to_be_bytes()));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let count = reader.u8()?;
        if !(1..=Self::COUNT_MAX).contains(&count) {
            return Err(PeerFault::Value);
        }
        let mut known = SmallVec::new();
        // The message's length alone says how many there are: what is beyond the bound is left, and is a fault.
        while reader.remaining() > 0 && known.len() < Self::KNOWN_MAX {
            known.push(reader.u32()?);
        }
        Ok(Self { count, known })
    }
}
