//! What the sender now holds.

use crate::swarm::{PeerFault, Ranges, message::read_credit, wire::Reader};

/// Chunks that are added to what the sender said before. A set of more than [`Ranges::WIRE_MAX`] runs is told in
/// [`parts`](Ranges::parts).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Have {
    /// What the sender may still give, in units of 2 KiB.
    pub credit: u8,
    /// The chunks.
    pub ranges: Ranges,
}

impl Have {
    pub(super) const TYPE: u8 = 0x11;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[Self::TYPE, self.credit]);
        self.ranges.write(out);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        Ok(Self {
            credit: read_credit(reader)?,
            ranges: Ranges::read(reader)?,
        })
    }
}
