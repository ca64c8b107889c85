//! What a visitor leaves to the origin.

use smallvec::SmallVec;

use crate::swarm::{PeerFault, wire::Reader};

/// Chunks that the origin may send when it has nothing better to do; what was said before is void.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spare {
    /// At most [`MAX`](Self::MAX), by their numbers in the room.
    pub chunks: SmallVec<[u32; 6]>,
}

impl Spare {
    /// More than the exchange asks for by default: room for a site whose visitors are far away.
    pub const MAX: usize = 8;

    pub(super) const TYPE: u8 = 0x46;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(Self::TYPE);
        self.chunks
            .iter()
            .for_each(|chunk| out.extend_from_slice(&chunk.to_be_bytes()));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let mut chunks = SmallVec::new();
        // The message's length alone says how many there are: what is beyond the bound is left, and is a fault.
        while reader.remaining() > 0 && chunks.len() < Self::MAX {
            chunks.push(reader.chunk()?);
        }
        Ok(Self { chunks })
    }
}
