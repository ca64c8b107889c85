//! The bytes behind the exchange: what they must match, and where they are kept. The exchange decides by numbers alone;
//! what verifies and stores is handed to it, so that a simulator can run the same decisions without hashing megabytes.

use std::{fmt, ops::Range};

use bytes::Bytes;

use crate::{
    content::{self, Digest},
    swarm::message::{BLOCKS, Digests},
};

/// The page as the exchange sees it: numbered chunks of known length, taken only when they are the origin's.
///
/// Whoever implements it keeps law 2: [`put`](Self::put) says yes to no other bytes than the origin's.
pub trait Payload {
    /// Chunks of the page; all below this number exist.
    fn chunks(&self) -> u32;

    /// Bytes of a chunk, from 1 to [`CHUNK`](content::CHUNK).
    fn length(&self, chunk: u32) -> usize;

    /// Takes the digests of a chunk's blocks, ahead of them. False if they are not the origin's.
    fn prove(&mut self, chunk: u32, digests: Vec<Digest>) -> bool;

    /// Takes the next block of a chunk that was proven. False, and nothing is kept, if it is not the origin's.
    fn put(&mut self, chunk: u32, block: u8, bytes: Bytes) -> bool;

    /// The digests of a held chunk's blocks, for a neighbour.
    fn proof(&self, chunk: u32) -> Vec<Digest>;

    /// A block of a held chunk, for a neighbour; none if it is not kept (any more).
    fn block(&self, chunk: u32, block: u8) -> Option<Bytes>;

    /// Chunks whose digests are not known yet: nothing of them can be verified.
    fn sealed(&self) -> Vec<Range<u32>> {
        Vec::new()
    }

    /// The digests of each object, for a neighbour that lacks them: those that are known, of objects of at most
    /// [`Digests::COUNT_MAX`] chunks.
    fn lists(&self) -> Vec<Digests> {
        Vec::new()
    }

    /// Takes the digests of an object's chunks, if they are the origin's.
    fn learn(&mut self, _list: Digests) -> Learned {
        Learned::Stale
    }
}

/// What became of a list of digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Learned {
    /// These chunks can be verified now.
    Chunks(Range<u32>),
    /// It was known, or is of no object of this page.
    Stale,
    /// It is not the origin's.
    Wrong,
}

/// Blocks in a chunk of so many bytes.
pub(crate) const fn blocks_of(length: usize) -> u8 {
    length.div_ceil(content::BLOCK) as u8
}

/// A page in memory, verified by the digests of its manifest.
///
/// It holds each block once, as it arrived; the page's length is its bound.
#[derive(Clone)]
pub struct Pieces(Vec<Piece>);

#[derive(Clone)]
struct Piece {
    /// None while it is not known.
    digest: Option<Digest>,
    length: u32,
    proof: Vec<Digest>,
    blocks: Vec<Bytes>,
}

impl Pieces {
    /// An empty page of chunks with these digests and lengths, in the order of their numbers, as a manifest names them.
    #[must_use]
    pub fn new(chunks: impl IntoIterator<Item = (Digest, u32)>) -> Self {
        Self::with_unknown(chunks.into_iter().map(|(digest, length)| (Some(digest), length)))
    }

    /// The same, where some digests are not known yet.
    pub(crate) fn with_unknown(chunks: impl IntoIterator<Item = (Option<Digest>, u32)>) -> Self {
        let piece = |(digest, length)| Piece {
            digest,
            length,
            proof: Vec::new(),
            blocks: Vec::new(),
        };
        Self(chunks.into_iter().map(piece).collect())
    }

    /// The digests of the chunks from this one on are these.
    #[cfg(feature = "visitor")]
    pub(crate) fn unseal(&mut self, first: u32, digests: &[Digest]) {
        let pieces = self.0.iter_mut().skip(first as usize);
        pieces
            .zip(digests)
            .for_each(|(piece, digest)| piece.digest = Some(*digest));
    }

    /// A chunk, if all of it is here.
    #[must_use]
    pub fn chunk(&self, chunk: u32) -> Option<Bytes> {
        let piece = self.piece(chunk)?;
        let bytes = piece.blocks.concat();
        (bytes.len() == piece.length as usize).then(|| bytes.into())
    }

    fn piece(&self, chunk: u32) -> Option<&Piece> {
        self.0.get(chunk as usize)
    }
}

impl Payload for Pieces {
    fn chunks(&self) -> u32 {
        self.0.len() as u32
    }

    fn length(&self, chunk: u32) -> usize {
        self.piece(chunk).map_or(0, |piece| piece.length as usize)
    }

    fn prove(&mut self, chunk: u32, digests: Vec<Digest>) -> bool {
        let Some(piece) = self.0.get_mut(chunk as usize) else {
            return false;
        };
        let right = digests.len() == usize::from(blocks_of(piece.length as usize))
            && piece.digest == Some(Digest::of_digests(digests.iter().copied()));
        if right {
            piece.proof = digests;
        }
        right
    }

    fn put(&mut self, chunk: u32, block: u8, bytes: Bytes) -> bool {
        let Some(piece) = self.0.get_mut(chunk as usize) else {
            return false;
        };
        let right = piece.blocks.len() == usize::from(block)
            && piece.proof.get(usize::from(block)) == Some(&Digest::of(&bytes));
        if right {
            // A copy, lest one block keep a whole receive buffer alive.
            piece.blocks.push(Bytes::copy_from_slice(&bytes));
        }
        right
    }

    fn proof(&self, chunk: u32) -> Vec<Digest> {
        self.piece(chunk)
            .map_or_else(Vec::new, |piece| piece.proof.clone())
    }

    fn block(&self, chunk: u32, block: u8) -> Option<Bytes> {
        self.piece(chunk)?.blocks.get(usize::from(block)).cloned()
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").field("chunks", &self.0.len()).finish()
    }
}

const _: () = assert!(BLOCKS == blocks_of(content::CHUNK));
