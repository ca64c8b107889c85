//! A page of numbers instead of bytes: blocks of the right length from one static buffer, so that the exchange runs as it
//! does for visitors, and nothing is hashed.

use bytes::Bytes;

use crate::{
    content::{BLOCK, CHUNK, Digest},
    swarm::Payload,
};

/// A page of so many bytes. A true block is made of zeros, a false one of ones.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    page: u64,
    /// Whether what is given is false.
    pub(super) lies: bool,
}

impl Counted {
    pub(super) const fn new(page: u64, lies: bool) -> Self {
        Self { page, lies }
    }

    pub(super) fn is_true(bytes: &Bytes) -> bool {
        bytes.first() == Some(&TRUE[0])
    }
}

impl Payload for Counted {
    fn chunks(&self) -> u32 {
        self.page.div_ceil(CHUNK as u64) as u32
    }

    fn length(&self, chunk: u32) -> usize {
        self.page
            .saturating_sub(u64::from(chunk) * CHUNK as u64)
            .min(CHUNK as u64) as usize
    }

    fn prove(&mut self, _: u32, _: Vec<Digest>) -> bool {
        true
    }

    fn put(&mut self, _: u32, _: u8, bytes: Bytes) -> bool {
        Self::is_true(&bytes)
    }

    /// Without digests, which would have to be allocated: `cost.rs` knows how many there would be.
    fn proof(&self, _: u32) -> Vec<Digest> {
        Vec::new()
    }

    fn block(&self, chunk: u32, block: u8) -> Option<Bytes> {
        let rest = self.length(chunk).checked_sub(usize::from(block) * BLOCK)?;
        let source = if self.lies { &FALSE } else { &TRUE };
        (rest > 0).then(|| Bytes::from_static(&source[..rest.min(BLOCK)]))
    }
}

static TRUE: [u8; BLOCK] = [0; BLOCK];
static FALSE: [u8; BLOCK] = [1; BLOCK];
