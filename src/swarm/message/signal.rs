//! A signal on the first half of its way: from one who was introduced to the introducer.

use crate::swarm::{Body, PeerFault, wire::Reader};

/// To be handed on to this visitor, whom the receiver introduced to the sender. It arrives there as
/// [`Relayed`](super::Relayed), which is another message, so that nothing can be handed on twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Whom it is for.
    pub to: u32,
    /// What it is told.
    pub body: Body,
}

impl Signal {
    pub(super) const TYPE: u8 = 0x19;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.push(Self::TYPE);
        out.extend_from_slice(&self.to.to_be_bytes());
        self.body.write(out);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        Ok(Self {
            to: reader.u32()?,
            body: Body::read(reader)?,
        })
    }
}
