//! A signal on the second half of its way: from the introducer to the other who was introduced.

use crate::swarm::{Body, PeerFault, wire::Reader};

/// The signal of this visitor, whom the sender introduced to the receiver. It goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// Who says it.
    pub from: u32,
    /// What it says.
    pub body: Body,
}

impl Relayed {
    pub(super) const TYPE: u8 = 0x1a;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(Self::TYPE);
        out.extend_from_slice(&self.from.to_be_bytes());
        self.body.write(out);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        Ok(Self {
            from: reader.u32()?,
            body: Body::read(reader)?,
        })
    }
}
