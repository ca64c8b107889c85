//! Chunks, blocks and their digests: how a body is cut, and what names each piece. `docs/protocol.md`, "Digests", is
//! the contract; `tests/vectors/digests.json` holds it against the TypeScript client. Hashing a stream is in `hasher.rs`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes of a chunk: what is held and asked for. At load 32 the swarm works with 16 KiB and not with 32 (`docs/swarm.md`).
pub const CHUNK: usize = 16 * 1024;
/// Bytes of a block: what is verified and credited. It fits one packet.
pub const BLOCK: usize = 1024;
/// Bytes of a digest: 128 bits against a second preimage; the origin is the only author.
pub const DIGEST: usize = 16;

/// SHA-256, cut to [`DIGEST`] bytes. Written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; DIGEST]);

impl Digest {
    /// The digest of some bytes as they are. For a chunk or an object that is not its name: see [`Self::of_chunk`].
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::cut(Sha256::digest(bytes))
    }

    /// The digest of a chunk: over the digests of its blocks.
    #[must_use]
    pub fn of_chunk(chunk: &[u8]) -> Self {
        Self::of_digests(blocks(chunk))
    }

    /// The digest over a list of digests, as a chunk's over its blocks' and an object's over its chunks'.
    #[must_use]
    pub fn of_digests(digests: impl IntoIterator<Item = Self>) -> Self {
        let mut hash = Sha256::new();
        for digest in digests {
            hash.update(digest.0);
        }
        Self::cut(hash.finalize())
    }

    /// The first [`DIGEST`] bytes of a whole SHA-256.
    pub(super) fn cut(whole: impl AsRef<[u8]>) -> Self {
        let mut cut = [0; DIGEST];
        cut.copy_from_slice(&whole.as_ref()[..DIGEST]);
        Self(cut)
    }
}

/// The digests of a chunk's blocks, in order: what a giver sends as Proof ahead of the blocks.
///
/// At most [`CHUNK`]` / `[`BLOCK`] of them for a chunk; none for no bytes.
#[must_use]
pub fn block_digests(chunk: &[u8]) -> Vec<Digest> {
    blocks(chunk).collect()
}

/// Whether these bytes are the chunk of that name.
#[must_use]
pub fn verify(chunk: &[u8], digest: &Digest) -> bool {
    chunk.len() <= CHUNK && Digest::of_chunk(chunk) == *digest
}

/// How many chunks an object of so many bytes has.
#[must_use]
pub const fn chunks_of(length: u64) -> u64 {
    length.div_ceil(CHUNK as u64)
}

fn blocks(chunk: &[u8]) -> impl Iterator<Item = Digest> {
    chunk.chunks(BLOCK).map(Digest::of)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a digest: 32 lower-case hexadecimal digits are expected")]
pub struct DigestError;

impl FromStr for Digest {
    type Err = DigestError;

    /// Upper case is refused, so that an object has one address.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: &[u8; 2 * DIGEST] = text.as_bytes().try_into().map_err(|_| DigestError)?;
        let mut digest = [0; DIGEST];
        for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(digest))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

const fn nibble(digit: u8) -> Result<u8, DigestError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(DigestError),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_survives_being_written_and_read() {
        let digest = Digest::of(b"origin");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let json = serde_json::to_string(&digest).expect("a digest is a string");
        assert_eq!(json, format!("\"{digest}\""));
        assert_eq!(
            serde_json::from_str::<Digest>(&json).expect("was just written"),
            digest
        );
    }

    #[test]
    fn other_text_is_no_digest() {
        let upper = Digest::of(b"origin").to_string().to_uppercase();
        for text in [
            "",
            "00",
            &"g".repeat(32),
            &"0".repeat(33),
            &"é".repeat(16),
            &upper,
        ] {
            assert_eq!(text.parse::<Digest>(), Err(DigestError), "{text}");
        }
    }

    #[test]
    fn a_chunk_is_verified_by_every_byte_and_its_length() {
        let chunk = vec![7; BLOCK + 1];
        let digest = Digest::of_chunk(&chunk);
        assert!(verify(&chunk, &digest));
        for place in [0, BLOCK - 1, BLOCK] {
            let mut other = chunk.clone();
            other[place] ^= 1;
            assert!(!verify(&other, &digest), "byte {place}");
        }
        assert!(!verify(&chunk[..BLOCK], &digest));
        let long = vec![7; CHUNK + 1];
        assert!(!verify(&long, &Digest::of_chunk(&long)), "longer than a chunk");
    }
}
