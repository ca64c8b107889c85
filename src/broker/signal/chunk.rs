//! Bytes of the page over the signalling socket: seeds, and what is spare.

use std::fmt;

use bytes::Bytes;

use crate::{
    content::CHUNK,
    swarm::{PeerFault, wire::Reader},
};

/// A whole chunk from the origin. The visitor verifies it against its manifest like a neighbour's: law 2.
#[derive(Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its number in the room.
    pub chunk: u32,
    /// One to [`CHUNK`] bytes.
    pub bytes: Bytes,
}

impl Chunk {
    /// Bytes of the longest.
    pub(super) const MAX: usize = 1 + 4 + CHUNK;
    pub(super) const TYPE: u8 = 0x65;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.reserve_exact(5 + self.bytes.len());
        out.push(Self::TYPE);
        out.extend_from_slice(&self.chunk.to_be_bytes());
        out.extend_from_slice(&self.bytes);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let chunk = reader.chunk()?;
        // The bound of the message is that of its bytes.
        let bytes = Bytes::copy_from_slice(reader.take(reader.remaining())?);
        if bytes.is_empty() {
            return Err(PeerFault::Short);
        }
        Ok(Self { chunk, bytes })
    }
}

/// A page's bytes have no place in a log; their number has.
impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunk")
            .field("chunk", &self.chunk)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}
