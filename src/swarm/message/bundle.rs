//! Several messages in one packet: what surrounds a message costs as much as ten of its kind.

use super::{Block, Proof, Seek};

/// What is said to one neighbour at one moment: messages one after the other. One that goes to the end of the packet is the last.
///
/// ```
/// use tower_flashback::swarm::{Message, message::{Bundle, Cancel, Lack}};
///
/// let messages = [Message::Cancel(Cancel { chunk: 7 }), Message::Lack(Lack { chunk: 8 })];
/// let mut bundle = Bundle::new(messages[0].encode());
/// assert!(bundle.add(&messages[1].encode()));
/// let decoded = Message::decode_all(bundle.into_bytes().into());
/// assert_eq!(decoded.map(|all| all.to_vec()), Ok(messages.to_vec()));
/// ```
#[derive(Debug)]
pub struct Bundle {
    bytes: Vec<u8>,
    open: bool,
}

impl Bundle {
    /// Bytes at most, unless one message is longer: with IP, UDP, DTLS and SCTP around them they are a packet of 1,200.
    pub const MAX: usize = 1_107;

    /// One message; others may be added.
    #[must_use]
    pub fn new(message: Vec<u8>) -> Self {
        Self {
            open: is_open(&message),
            bytes: message,
        }
    }

    /// Adds a message behind the others; false if it does not fit, or the one before goes to the end.
    pub fn add(&mut self, message: &[u8]) -> bool {
        let fits = self.open && self.bytes.len() + message.len() <= Self::MAX;
        if fits {
            self.bytes.extend_from_slice(message);
            self.open = is_open(message);
        }
        fits
    }

    /// Bytes so far.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no message is empty")]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What is sent.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Whether the message says itself where it ends.
fn is_open(message: &[u8]) -> bool {
    let closed = [Block::TYPE, Proof::TYPE, Seek::TYPE];
    !message.first().is_some_and(|first| closed.contains(first))
}
