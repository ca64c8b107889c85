//! The digests of a chunk's blocks, sent ahead of them, so that the origin need not send them and each block is
//! verified on arrival.

use std::fmt;

use crate::{
    content::Digest,
    swarm::{PeerFault, message::BLOCKS, wire::Reader},
};

/// The digests of all blocks of a chunk. Their digest is the chunk's, which the origin named: law 2.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    /// The chunk.
    pub chunk: u32,
    /// One to [`BLOCKS`] digests, in the order of the blocks.
    pub digests: Vec<Digest>,
}

impl Proof {
    pub(super) const TYPE: u8 = 0x14;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(Self::TYPE);
        out.extend_from_slice(&self.chunk.to_be_bytes());
        self.digests
            .iter()
            .for_each(|digest| out.extend_from_slice(&digest.0));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let chunk = reader.chunk()?;
        let mut digests = vec![Digest(reader.array()?)];
        // The message's length alone says how many there are: what a chunk cannot have is left, and is a fault.
        while reader.remaining() > 0 && digests.len() < usize::from(BLOCKS) {
            digests.push(Digest(reader.array()?));
        }
        Ok(Self { chunk, digests })
    }
}

/// Sixteen digests say nothing to a reader of a log; their number does.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proof")
            .field("chunk", &self.chunk)
            .field("digests", &self.digests.len())
            .finish()
    }
}
