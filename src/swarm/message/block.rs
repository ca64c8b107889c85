//! The bytes themselves.

use std::fmt;

use bytes::Bytes;

use crate::{
    content,
    swarm::{
        PeerFault,
        message::{read_block, read_credit},
        wire::Reader,
    },
};

/// One block of a chunk. It is worth nothing before it matches its digest: law 2.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// What the sender may still give, in units of 2 KiB, this block already charged.
    pub credit: u8,
    /// The chunk.
    pub chunk: u32,
    /// The block's number in the chunk.
    pub block: u8,
    /// One to [`BLOCK`](content::BLOCK) bytes.
    pub bytes: Bytes,
}

impl Block {
    pub(super) const TYPE: u8 = 0x15;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.reserve(8 + self.bytes.len());
        out.extend_from_slice(&[Self::TYPE, self.credit]);
        out.extend_from_slice(&self.chunk.to_be_bytes());
        out.push(self.block);
        out.extend_from_slice(&self.bytes);
    }

    pub(super) fn read(mut reader: Reader<'_>, message: &Bytes) -> Result<Self, PeerFault> {
        let (credit, chunk, block) = (
            read_credit(&mut reader)?,
            reader.chunk()?,
            read_block(&mut reader)?,
        );
        let bytes = message.slice(message.len() - reader.remaining()..);
        match bytes.len() {
            0 => Err(PeerFault::Short),
            1..=content::BLOCK => Ok(Self {
                credit,
                chunk,
                block,
                bytes,
            }),
            _ => Err(PeerFault::Long),
        }
    }
}

/// A page's bytes have no place in a log; their number has.
impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("credit", &self.credit)
            .field("chunk", &self.chunk)
            .field("block", &self.block)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}
