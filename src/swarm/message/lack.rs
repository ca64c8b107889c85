//! The refusal of a request.

use crate::swarm::{PeerFault, wire::Reader};

/// The chunk that was asked for is not held, or not any more: ask elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The chunk.
    pub chunk: u32,
}

impl Lack {
    pub(super) const TYPE: u8 = 0x16;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(Self::TYPE);
        out.extend_from_slice(&self.chunk.to_be_bytes());
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        Ok(Self {
            chunk: reader.chunk()?,
        })
    }
}
