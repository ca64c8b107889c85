//! The words between neighbours: one message per file, as `docs/protocol.md` lays them out. Bytes become a value here
//! or a [`PeerFault`]; nobody behind this door checks a bound again.
//!
//! ```
//! use bytes::Bytes;
//! use tower_flashback::swarm::{Message, PeerFault, message::Ask};
//!
//! let ask = Message::Ask(Ask { credit: 16, chunk: 7, block: 3 });
//! let bytes = Bytes::from(ask.encode());
//! assert_eq!(Message::decode(bytes.clone()), Ok(ask));
//! assert_eq!(Message::decode(bytes.slice(..6)), Err(PeerFault::Short));
//! ```

mod ask;
mod block;
mod bundle;
mod cancel;
mod digests;
mod have;
mod hello;
mod lack;
mod meet;
mod proof;
mod relayed;
mod seek;
mod signal;

use bytes::{Buf, Bytes};
use smallvec::SmallVec;

pub use ask::Ask;
pub use block::Block;
pub use bundle::Bundle;
pub use cancel::Cancel;
pub use digests::Digests;
pub use have::Have;
pub use hello::Hello;
pub use lack::Lack;
pub use meet::Meet;
pub use proof::Proof;
pub use relayed::Relayed;
pub use seek::Seek;
pub use signal::Signal;

use crate::swarm::{PeerFault, wire::Reader};

/// Bytes of the longest message that is looked at. A Have of 4,096 ranges needs less than 20 KiB; what is longer than
/// this is no message of ours, and is not parsed.
pub const MESSAGE_MAX: usize = 32 * 1024;

/// The version of the protocol that this code speaks.
pub const VERSION: u8 = 1;

/// The top of the scale of a credit, which counts units of 2 KiB: more is not worth telling.
pub const CREDIT_MAX: u8 = 16;

/// Blocks in a whole chunk.
pub const BLOCKS: u8 = (crate::content::CHUNK / crate::content::BLOCK) as u8;

const LEARN: u8 = 0x1b;

/// What one neighbour says to another over their data channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// See [`Hello`].
    Hello(Hello),
    /// See [`Have`].
    Have(Have),
    /// See [`Ask`].
    Ask(Ask),
    /// See [`Cancel`].
    Cancel(Cancel),
    /// See [`Proof`].
    Proof(Proof),
    /// See [`Block`].
    Block(Block),
    /// See [`Lack`].
    Lack(Lack),
    /// See [`Seek`].
    Seek(Seek),
    /// See [`Meet`].
    Meet(Meet),
    /// See [`Signal`].
    Signal(Signal),
    /// See [`Relayed`].
    Relayed(Relayed),
    /// The sender lacks digests of chunks, and may be told those that the receiver knows: once on a link.
    Learn,
    /// See [`Digests`].
    Digests(Digests),
}

impl Message {
    /// The bytes of the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        match self {
            Self::Hello(hello) => hello.write(&mut out),
            Self::Have(have) => have.write(&mut out),
            Self::Ask(ask) => ask.write(&mut out),
            Self::Cancel(cancel) => cancel.write(&mut out),
            Self::Proof(proof) => proof.write(&mut out),
            Self::Block(block) => block.write(&mut out),
            Self::Lack(lack) => lack.write(&mut out),
            Self::Seek(seek) => seek.write(&mut out),
            Self::Meet(meet) => meet.write(&mut out),
            Self::Signal(signal) => signal.write(&mut out),
            Self::Relayed(relayed) => relayed.write(&mut out),
            Self::Learn => out.push(LEARN),
            Self::Digests(digests) => digests.write(&mut out),
        }
        out
    }

    /// The one message that `bytes` are.
    ///
    /// # Errors
    /// The first [`PeerFault`] that the form shows; [`PeerFault::Long`] if there is anything behind it.
    pub fn decode(bytes: Bytes) -> Result<Self, PeerFault> {
        match Self::first(&bytes)? {
            (message, 0) => Ok(message),
            _ => Err(PeerFault::Long),
        }
    }

    /// The messages that `bytes` are, at least one ([`Bundle`]); a block keeps its payload in them, without a copy.
    ///
    /// # Errors
    /// The first [`PeerFault`] that the form of any of them shows.
    pub fn decode_all(mut bytes: Bytes) -> Result<SmallVec<[Self; 2]>, PeerFault> {
        let mut messages = SmallVec::new();
        loop {
            let (message, rest) = Self::first(&bytes)?;
            messages.push(message);
            if rest == 0 {
                return Ok(messages);
            }
            bytes.advance(bytes.len() - rest);
        }
    }

    /// The first message, and how many bytes are behind it.
    fn first(bytes: &Bytes) -> Result<(Self, usize), PeerFault> {
        if bytes.len() > MESSAGE_MAX {
            return Err(PeerFault::Long);
        }
        let mut reader = Reader::new(bytes);
        let message = match reader.u8()? {
            Hello::TYPE => Self::Hello(Hello::read(&mut reader)?),
            Have::TYPE => Self::Have(Have::read(&mut reader)?),
            Ask::TYPE => Self::Ask(Ask::read(&mut reader)?),
            Cancel::TYPE => Self::Cancel(Cancel::read(&mut reader)?),
            Proof::TYPE => Self::Proof(Proof::read(&mut reader)?),
            Block::TYPE => return Block::read(reader, bytes).map(|block| (Self::Block(block), 0)),
            Lack::TYPE => Self::Lack(Lack::read(&mut reader)?),
            Seek::TYPE => Self::Seek(Seek::read(&mut reader)?),
            Meet::TYPE => Self::Meet(Meet::read(&mut reader)?),
            Signal::TYPE => Self::Signal(Signal::read(&mut reader)?),
            Relayed::TYPE => Self::Relayed(Relayed::read(&mut reader)?),
            LEARN => Self::Learn,
            Digests::TYPE => Self::Digests(Digests::read(&mut reader)?),
            _ => return Err(PeerFault::Type),
        };
        // Some take all there is: what they leave is more than they may have.
        if matches!(message, Self::Proof(_) | Self::Seek(_)) {
            reader.end()?;
            return Ok((message, 0));
        }
        Ok((message, reader.remaining()))
    }
}

fn read_credit(reader: &mut Reader<'_>) -> Result<u8, PeerFault> {
    reader.u8().and_then(|credit| {
        if credit <= CREDIT_MAX {
            Ok(credit)
        } else {
            Err(PeerFault::Credit)
        }
    })
}

fn read_block(reader: &mut Reader<'_>) -> Result<u8, PeerFault> {
    reader.u8().and_then(|block| {
        if block < BLOCKS {
            Ok(block)
        } else {
            Err(PeerFault::Block)
        }
    })
}
