//! What the broker says to a visitor.

use crate::{
    broker::signal::{Body, Chunk, FROM_BROKER_MAX},
    swarm::{PeerFault, wire::Reader},
};

/// A message from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromBroker {
    /// The visitor has joined.
    Welcome {
        /// Its number in the room.
        id: u32,
        /// Visitors in the room, this one not counted; the largest value stands for all above it.
        others: u16,
    },
    /// Connect to this visitor: it is told the same of you.
    Meet {
        /// The visitor to meet.
        visitor: u32,
    },
    /// Another visitor's signal.
    Signal {
        /// The sender.
        from: u32,
        /// What it says.
        body: Body,
    },
    /// A visitor that this one was introduced to has left.
    Gone {
        /// The visitor.
        visitor: u32,
    },
    /// The page is calm: leave.
    Calm,
    /// Bytes of the page, from the origin.
    Chunk(Chunk),
    /// This neighbour's seed waits: it may be given 16 KiB more than it would be trusted with.
    Sponsor {
        /// The neighbour.
        visitor: u32,
    },
}

impl FromBroker {
    /// The bytes of the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8);
        match self {
            Self::Welcome { id, others } => {
                out.push(WELCOME);
                out.extend_from_slice(&id.to_be_bytes());
                out.extend_from_slice(&others.to_be_bytes());
            }
            Self::Meet { visitor } => {
                out.push(MEET);
                out.extend_from_slice(&visitor.to_be_bytes());
            }
            Self::Signal { from, body } => {
                out.push(SIGNAL);
                out.extend_from_slice(&from.to_be_bytes());
                body.write(&mut out);
            }
            Self::Gone { visitor } => {
                out.push(GONE);
                out.extend_from_slice(&visitor.to_be_bytes());
            }
            Self::Calm => out.push(CALM),
            Self::Chunk(chunk) => chunk.write(&mut out),
            Self::Sponsor { visitor } => {
                out.push(SPONSOR);
                out.extend_from_slice(&visitor.to_be_bytes());
            }
        }
        out
    }

    /// The message that `bytes` are: for visitors that are no browser.
    ///
    /// # Errors
    /// The first [`PeerFault`] that the form shows.
    pub fn decode(bytes: &[u8]) -> Result<Self, PeerFault> {
        if bytes.len() > FROM_BROKER_MAX {
            return Err(PeerFault::Long);
        }
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            WELCOME => Self::Welcome {
                id: reader.u32()?,
                others: reader.u16()?,
            },
            MEET => Self::Meet {
                visitor: reader.u32()?,
            },
            SIGNAL => Self::Signal {
                from: reader.u32()?,
                body: Body::read(&mut reader)?,
            },
            GONE => Self::Gone {
                visitor: reader.u32()?,
            },
            CALM => Self::Calm,
            Chunk::TYPE => Self::Chunk(Chunk::read(&mut reader)?),
            SPONSOR => Self::Sponsor {
                visitor: reader.u32()?,
            },
            _ => return Err(PeerFault::Type),
        };
        reader.end()?;
        Ok(message)
    }
}

const WELCOME: u8 = 0x60;
const MEET: u8 = 0x61;
const SIGNAL: u8 = 0x62;
const GONE: u8 = 0x63;
const CALM: u8 = 0x64;
const SPONSOR: u8 = 0x66;
