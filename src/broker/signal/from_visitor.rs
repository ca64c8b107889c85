//! What a visitor says to the broker.

use crate::{
    broker::signal::{Body, MESSAGE_MAX, Spare},
    swarm::{PeerFault, message::VERSION, wire::Reader},
};

/// Bytes of a token.
pub const TOKEN: usize = 29;

/// A message from a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromVisitor {
    /// The first word: the token that came with the page.
    Join {
        /// The token as it stands in the page, decoded from base64.
        token: [u8; TOKEN],
    },
    /// To be handed to a visitor that this one was introduced to.
    Signal {
        /// The receiver.
        to: u32,
        /// What it is told.
        body: Body,
    },
    /// More neighbours are wanted.
    Need {
        /// How many.
        count: u8,
    },
    /// A neighbour did wrong.
    Accuse {
        /// The neighbour.
        visitor: u32,
        /// What it did.
        fault: PeerFault,
    },
    /// Payload bytes of this visit so far.
    Report(Report),
    /// How an introduction ended.
    Linked {
        /// The visitor that was to be met.
        visitor: u32,
        /// Whether the link opened.
        outcome: Outcome,
        /// Milliseconds from the introduction to the outcome; the largest value stands for all above it.
        milliseconds: u16,
    },
    /// What the origin may send when it has nothing better to do.
    Spare(Spare),
}

/// Payload bytes of a visit so far, as the visitor tells them: a claim, not a fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Received from the origin.
    pub origin: u64,
    /// Received from neighbours and verified.
    pub peer: u64,
    /// Given to neighbours.
    pub given: u64,
    /// Open links. One with as many as it may have is introduced to nobody until it says Need; who has all and has given it says 255.
    pub links: u8,
}

/// How an introduction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The link is open.
    Open,
    /// It could not be opened.
    Failed,
}

impl FromVisitor {
    /// The bytes of the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Self::Join { token } => {
                out.extend_from_slice(&[JOIN, VERSION]);
                out.extend_from_slice(token);
            }
            Self::Signal { to, body } => {
                out.push(SIGNAL);
                out.extend_from_slice(&to.to_be_bytes());
                body.write(&mut out);
            }
            Self::Need { count } => out.extend_from_slice(&[NEED, *count]),
            Self::Accuse { visitor, fault } => {
                out.push(ACCUSE);
                out.extend_from_slice(&visitor.to_be_bytes());
                out.push(fault.number());
            }
            Self::Report(report) => report.write(&mut out),
            Self::Linked {
                visitor,
                outcome,
                milliseconds,
            } => {
                out.push(LINKED);
                out.extend_from_slice(&visitor.to_be_bytes());
                out.push(u8::from(*outcome == Outcome::Failed));
                out.extend_from_slice(&milliseconds.to_be_bytes());
            }
            Self::Spare(spare) => spare.write(&mut out),
        }
        out
    }

    /// The message that `bytes` are.
    ///
    /// # Errors
    /// The first [`PeerFault`] that the form shows.
    pub fn decode(bytes: &[u8]) -> Result<Self, PeerFault> {
        if bytes.len() > MESSAGE_MAX {
            return Err(PeerFault::Long);
        }
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            JOIN if reader.u8()? != VERSION => return Err(PeerFault::Version),
            JOIN => Self::Join {
                token: reader.array()?,
            },
            SIGNAL => Self::Signal {
                to: reader.u32()?,
                body: Body::read(&mut reader)?,
            },
            NEED => Self::Need { count: reader.u8()? },
            ACCUSE => Self::Accuse {
                visitor: reader.u32()?,
                fault: read_fault(&mut reader)?,
            },
            REPORT => Self::Report(Report::read(&mut reader)?),
            LINKED => Self::Linked {
                visitor: reader.u32()?,
                outcome: read_outcome(&mut reader)?,
                milliseconds: reader.u16()?,
            },
            Spare::TYPE => Self::Spare(Spare::read(&mut reader)?),
            _ => return Err(PeerFault::Type),
        };
        reader.end()?;
        Ok(message)
    }
}

impl Report {
    /// The largest number that a browser counts without loss, 2^53 − 1.
    pub const MAX: u64 = (1 << 53) - 1;

    fn write(&self, out: &mut Vec<u8>) {
        out.push(REPORT);
        for bytes in [self.origin, self.peer, self.given] {
            out.extend_from_slice(&bytes.to_be_bytes());
        }
        out.push(self.links);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let mut bytes = || {
            reader.u64().and_then(|n| {
                if n <= Self::MAX {
                    Ok(n)
                } else {
                    Err(PeerFault::Value)
                }
            })
        };
        let (origin, peer, given) = (bytes()?, bytes()?, bytes()?);
        Ok(Self {
            origin,
            peer,
            given,
            links: reader.u8()?,
        })
    }
}

fn read_fault(reader: &mut Reader<'_>) -> Result<PeerFault, PeerFault> {
    reader
        .u8()
        .and_then(|number| PeerFault::from_number(number).ok_or(PeerFault::Value))
}

fn read_outcome(reader: &mut Reader<'_>) -> Result<Outcome, PeerFault> {
    match reader.u8()? {
        0 => Ok(Outcome::Open),
        1 => Ok(Outcome::Failed),
        _ => Err(PeerFault::Value),
    }
}

const JOIN: u8 = 0x40;
const SIGNAL: u8 = 0x41;
const NEED: u8 = 0x42;
const ACCUSE: u8 = 0x43;
const REPORT: u8 = 0x44;
const LINKED: u8 = 0x45;
