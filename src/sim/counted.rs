//! A page of numbers instead of bytes: blocks of the right length from one static buffer, so that the exchange runs as it
//! does for visitors, and nothing is hashed.

use std::ops::Range;

use bytes::Bytes;

use crate::{
    content::{BLOCK, CHUNK, DIGEST, Digest},
    swarm::{Learned, Payload, message::Digests},
};

/// A page of so many bytes. A true block is made of zeros, a false one of ones.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    page: u64,
    /// Whether what is given is false.
    pub(super) lies: bool,
    /// Whether it tells neighbours the digests that they lack.
    tells: bool,
    /// A bit for each object whose digests are not known: an object is as long as a list may be.
    sealed: u64,
}

impl Counted {
    pub(super) const fn new(page: u64, lies: bool) -> Self {
        Self {
            page,
            lies,
            tells: true,
            sealed: 0,
        }
    }

    /// The same, of a visitor that tells no digests.
    pub(super) const fn silent(self) -> Self {
        Self { tells: false, ..self }
    }

    /// The same, without the digests of its chunks. A page of more objects than there are bits keeps them.
    pub(super) fn unlisted(self) -> Self {
        let objects = self.objects().count() as u32;
        let sealed = 1_u64.checked_shl(objects).map_or(0, |end| end - 1);
        Self { sealed, ..self }
    }

    fn objects(&self) -> impl Iterator<Item = Range<u32>> + use<> {
        let chunks = self.chunks();
        let first = (0..chunks).step_by(Digests::COUNT_MAX);
        first.map(move |first| first..chunks.min(first + Digests::COUNT_MAX as u32))
    }

    fn is_sealed(&self, object: u32) -> bool {
        self.sealed.checked_shr(object).is_some_and(|bits| bits & 1 != 0)
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

    fn sealed(&self) -> Vec<Range<u32>> {
        let sealed = |(object, chunks)| self.is_sealed(object).then_some(chunks);
        (0..).zip(self.objects()).filter_map(sealed).collect()
    }

    fn lists(&self) -> Vec<Digests> {
        let known = |(object, chunks): (u32, Range<u32>)| {
            let digest = Digest([u8::from(self.lies); DIGEST]);
            (self.tells && !self.is_sealed(object)).then(|| Digests {
                chunk: chunks.start,
                digests: vec![digest; chunks.len()],
            })
        };
        (0..).zip(self.objects()).filter_map(known).collect()
    }

    fn learn(&mut self, list: Digests) -> Learned {
        let object = list.chunk / Digests::COUNT_MAX as u32;
        if !self.is_sealed(object) {
            return Learned::Stale;
        }
        if list.digests.first() != Some(&Digest([0; DIGEST])) {
            return Learned::Wrong;
        }
        self.sealed &= !(1 << object);
        Learned::Chunks(list.chunk..list.chunk + list.digests.len() as u32)
    }
}

static TRUE: [u8; BLOCK] = [0; BLOCK];
static FALSE: [u8; BLOCK] = [1; BLOCK];
