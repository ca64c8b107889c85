//! What becomes peer-to-peer (skeleton).

mod chunk;

pub use chunk::{BLOCK, CHUNK, DIGEST, Digest};
