//! A request for one chunk.

use crate::swarm::{
    PeerFault,
    message::{read_block, read_credit},
    wire::Reader,
};

/// Send this chunk, from this block on. One is outstanding per link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What the sender may still give, in units of 2 KiB: the poorest are served first.
    pub credit: u8,
    /// The chunk.
    pub chunk: u32,
    /// The first block that is lacking: what another neighbour began is resumed, not repeated.
    pub block: u8,
}

impl Ask {
    pub(super) const TYPE: u8 = 0x12;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[Self::TYPE, self.credit]);
        out.extend_from_slice(&self.chunk.to_be_bytes());
        out.push(self.block);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        Ok(Self {
            credit: read_credit(reader)?,
            chunk: reader.chunk()?,
            block: read_block(reader)?,
        })
    }
}
