//! An introduction by a neighbour of both.

use crate::swarm::{PeerFault, wire::Reader};

/// The sender introduces this visitor, and tells it the same of the receiver. Signals for it go through the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meet {
    /// The visitor to meet, by the number that the broker gave it.
    pub visitor: u32,
    /// Whether it has given the sender anything: it is no free rider.
    pub gives: bool,
}

impl Meet {
    pub(super) const TYPE: u8 = 0x18;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(Self::TYPE);
        out.extend_from_slice(&self.visitor.to_be_bytes());
        out.push(self.gives.into());
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        Ok(Self {
            visitor: reader.u32()?,
            gives: match reader.u8()? {
                0 => false,
                1 => true,
                _ => return Err(PeerFault::Value),
            },
        })
    }
}
