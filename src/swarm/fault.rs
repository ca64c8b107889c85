//! What a stranger did wrong: a closed list, so that it can be counted, told to the broker in one byte, and never
//! carries the stranger's own bytes into a log. It is not for faults of ours.

/// A fault of a neighbour or of a visitor. It ends the link to them; it is never an error of the host.
///
/// The number of each is its byte in an *Accuse* message (`docs/protocol.md`, "Faults").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[repr(u8)]
pub enum PeerFault {
    /// A message ends before its form does.
    #[error("the message is too short")]
    Short = 1,
    /// A message goes on after its form has ended, or is longer than any message may be.
    #[error("the message is too long")]
    Long = 2,
    /// No message has this type.
    #[error("no message has this type")]
    Type = 3,
    /// Another version of the protocol.
    #[error("another version of the protocol")]
    Version = 4,
    /// A varint that is not in its shortest form, or exceeds 32 bits.
    #[error("a varint is not the shortest, or exceeds 32 bits")]
    Varint = 5,
    /// Too many ranges, an empty one, or two that touch.
    #[error("ranges are too many, empty or touching")]
    Ranges = 6,
    /// A chunk number that no page can have.
    #[error("a chunk number is out of bounds")]
    Chunk = 7,
    /// A block number that no chunk can have.
    #[error("a block number is out of bounds")]
    Block = 8,
    /// A credit above its scale.
    #[error("a credit is out of bounds")]
    Credit = 9,
    /// An identity that no browser makes, or not in the first shape that fits.
    #[error("an identity is malformed")]
    Identity = 10,
    /// A candidate of no known kind, or without a port.
    #[error("a candidate is malformed")]
    Candidate = 11,
    /// A number, outcome or fault that does not exist.
    #[error("a field has a value that does not exist")]
    Value = 12,

    /// A neighbour of another page.
    #[error("it belongs to another room")]
    Room = 32,
    /// The first message is not the one that must come first, or it comes twice.
    #[error("the messages come in no valid order")]
    Order = 33,
    /// A block or proof that nobody asked for.
    #[error("it sent what nobody asked for")]
    Unasked = 34,
    /// Bytes that do not match the origin's digests: law 2.
    #[error("its bytes are not the origin's")]
    Digest = 35,
    /// It takes to its limit and does not give.
    #[error("it takes and does not give")]
    Taker = 36,
    /// More messages than any honest page sends.
    #[error("it sends too fast")]
    Flood = 37,
}

impl PeerFault {
    /// Every fault there is, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Short,
        Self::Long,
        Self::Type,
        Self::Version,
        Self::Varint,
        Self::Ranges,
        Self::Chunk,
        Self::Block,
        Self::Credit,
        Self::Identity,
        Self::Candidate,
        Self::Value,
        Self::Room,
        Self::Order,
        Self::Unasked,
        Self::Digest,
        Self::Taker,
        Self::Flood,
    ];

    /// One word for it: the label of a metric, and its name in `tests/vectors/`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Long => "long",
            Self::Type => "type",
            Self::Version => "version",
            Self::Varint => "varint",
            Self::Ranges => "ranges",
            Self::Chunk => "chunk",
            Self::Block => "block",
            Self::Credit => "credit",
            Self::Identity => "identity",
            Self::Candidate => "candidate",
            Self::Value => "value",
            Self::Room => "room",
            Self::Order => "order",
            Self::Unasked => "unasked",
            Self::Digest => "digest",
            Self::Taker => "taker",
            Self::Flood => "flood",
        }
    }

    /// The byte that stands for it on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The fault that a byte stands for.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_fault_has_its_own_word_and_number() {
        let words: HashSet<_> = PeerFault::ALL.into_iter().map(PeerFault::as_str).collect();
        assert_eq!(words.len(), PeerFault::ALL.len());
        for fault in PeerFault::ALL {
            assert_eq!(PeerFault::from_number(fault.number()), Some(fault));
        }
        assert_eq!(PeerFault::from_number(0), None);
        assert_eq!(PeerFault::from_number(255), None);
    }
}
