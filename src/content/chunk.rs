//! Chunks, blocks and their digests (skeleton).

/// Bytes of a chunk: what is held and asked for. At load 32 the swarm works with 16 KiB and not with 32 (`docs/swarm.md`).
pub const CHUNK: usize = 16 * 1024;
/// Bytes of a block: what is verified and credited. It fits one packet.
pub const BLOCK: usize = 1024;
/// Bytes of a digest: 128 bits against a second preimage; the origin is the only author.
pub const DIGEST: usize = 16;

/// SHA-256, cut to [`DIGEST`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; DIGEST]);
