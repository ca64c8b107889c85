//! The digests of an object's chunks, told by whoever knows them: where many are in the room, the origin leaves them out of
//! the page.

use std::fmt;

use crate::{
    content::Digest,
    swarm::{PeerFault, wire::Reader},
};

/// The digests of all chunks of one object. Their digest is the object's, which the origin named: law 2.
#[derive(Clone, PartialEq, Eq)]
pub struct Digests {
    /// The object's first chunk.
    pub chunk: u32,
    /// One to [`COUNT_MAX`](Self::COUNT_MAX) digests, in the order of the chunks.
    pub digests: Vec<Digest>,
}

impl Digests {
    /// Chunks of an object at most: the list of a larger one is fetched from the origin.
    pub const COUNT_MAX: usize = 128;

    pub(super) const TYPE: u8 = 0x1c;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(Self::TYPE);
        out.extend_from_slice(&self.chunk.to_be_bytes());
        out.push(self.digests.len() as u8);
        self.digests
            .iter()
            .for_each(|digest| out.extend_from_slice(&digest.0));
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let chunk = reader.chunk()?;
        let count = usize::from(reader.u8()?);
        if !(1..=Self::COUNT_MAX).contains(&count) {
            return Err(PeerFault::Value);
        }
        let digests = (0..count)
            .map(|_| reader.array().map(Digest))
            .collect::<Result<_, _>>()?;
        Ok(Self { chunk, digests })
    }
}

/// Digests say nothing to a reader of a log; their number does.
impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digests")
            .field("chunk", &self.chunk)
            .field("digests", &self.digests.len())
            .finish()
    }
}
