//! The digests of an object, computed while its bytes pass by. It keeps one chunk's worth of state, never the bytes.

use sha2::{Digest as _, Sha256};

use super::chunk::{BLOCK, CHUNK, DIGEST, Digest};

/// The name of an object, and the names of its chunks in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Over the digests of all chunks: names the object.
    pub object: Digest,
    /// One for each chunk.
    pub chunks: Box<[Digest]>,
}

impl Digests {
    /// The digests of bytes that are all there.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The list as it travels: [`DIGEST`] bytes for each chunk, nothing between.
    #[must_use]
    pub fn list(&self) -> Vec<u8> {
        self.chunks.iter().flat_map(|digest| digest.0).collect()
    }

    /// Bytes of memory that the list takes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.chunks.len() * DIGEST
    }
}

/// Takes a body in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct Hasher {
    block: Sha256,
    in_block: usize,
    chunk: Sha256,
    in_chunk: usize,
    chunks: Vec<Digest>,
}

impl Hasher {
    /// The next bytes of the object.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (head, rest) = bytes.split_at(bytes.len().min(BLOCK - self.in_block));
            self.block.update(head);
            self.in_block += head.len();
            self.in_chunk += head.len();
            if self.in_block == BLOCK {
                self.close_block();
            }
            if self.in_chunk == CHUNK {
                self.close_chunk();
            }
            bytes = rest;
        }
    }

    /// No more bytes come.
    #[must_use]
    pub fn finish(mut self) -> Digests {
        if self.in_block > 0 {
            self.close_block();
        }
        if self.in_chunk > 0 {
            self.close_chunk();
        }
        Digests {
            object: Digest::of_digests(self.chunks.iter().copied()),
            chunks: self.chunks.into(),
        }
    }

    fn close_block(&mut self) {
        self.chunk.update(Digest::cut(self.block.finalize_reset()).0);
        self.in_block = 0;
    }

    fn close_chunk(&mut self) {
        self.chunks.push(Digest::cut(self.chunk.finalize_reset()));
        self.in_chunk = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::chunk::block_digests, *};

    /// The rule of `docs/protocol.md`, word by word.
    fn oracle(bytes: &[u8]) -> Digests {
        let chunks: Box<[Digest]> = bytes
            .chunks(CHUNK)
            .map(|chunk| Digest::of_digests(block_digests(chunk)))
            .collect();
        Digests {
            object: Digest::of_digests(chunks.iter().copied()),
            chunks,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_digests_do_not_depend_on_the_pieces(
            length in 0..3 * CHUNK + 2,
            cuts in prop::collection::vec(0..3 * CHUNK + 2, 0..20),
        ) {
            let bytes: Vec<u8> = (0..length).map(|i| (i * 7 % 251) as u8).collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(length)).chain([0, length]).collect();
            cuts.sort_unstable();
            let mut hasher = Hasher::default();
            for pair in cuts.windows(2) {
                hasher.update(&bytes[pair[0]..pair[1]]);
            }
            prop_assert_eq!(hasher.finish(), oracle(&bytes));
        }
    }

    /// Both sides compute these; the file was made by a third program, from the words of `docs/protocol.md`.
    #[test]
    fn the_shared_vectors_hold() {
        #[derive(serde::Deserialize)]
        struct File {
            vectors: Vec<Vector>,
        }
        #[derive(serde::Deserialize)]
        struct Vector {
            length: usize,
            object: Digest,
            chunks: Vec<Digest>,
            blocks: Vec<Digest>,
        }
        let file: File =
            serde_json::from_str(include_str!("../../tests/vectors/digests.json")).expect("is JSON");
        assert!(!file.vectors.is_empty());
        for vector in file.vectors {
            let bytes: Vec<u8> = (0..vector.length).map(|i| ((i * 7 + 3) % 251) as u8).collect();
            let digests = Digests::of(&bytes);
            assert_eq!(digests.object, vector.object, "{}", vector.length);
            assert_eq!(*digests.chunks, *vector.chunks, "{}", vector.length);
            let last = bytes.chunks(CHUNK).last().unwrap_or_default();
            assert_eq!(block_digests(last), vector.blocks, "{}", vector.length);
        }
    }

    #[test]
    fn the_list_is_the_digests_side_by_side() {
        let digests = Digests::of(&[1; CHUNK + 1]);
        let list = digests.list();
        assert_eq!(list.len(), digests.size());
        assert_eq!(list[..DIGEST], digests.chunks[0].0);
        assert_eq!(list[DIGEST..], digests.chunks[1].0);
    }
}
