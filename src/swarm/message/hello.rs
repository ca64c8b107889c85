//! The first word on every link, once, each way.

use crate::{
    content::RoomId,
    swarm::{PeerFault, message::VERSION, wire::Reader},
};

/// Names the room and the visitor. Another room ends the link: it was introduced to the wrong page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The room that the sender is in.
    pub room: RoomId,
    /// The number that the broker gave the sender.
    pub id: u32,
}

impl Hello {
    pub(super) const TYPE: u8 = 0x10;

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[Self::TYPE, VERSION]);
        out.extend_from_slice(&self.room.0);
        out.extend_from_slice(&self.id.to_be_bytes());
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        if reader.u8()? != VERSION {
            return Err(PeerFault::Version);
        }
        Ok(Self {
            room: RoomId(reader.array()?),
            id: reader.u32()?,
        })
    }
}
