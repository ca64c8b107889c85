//! The words between the exchange and its host: what happened, and what is to be done. They travel nowhere.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::swarm::{Body, Message, PeerFault, message::Digests};

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A link is open.
    Opened(u32),
    /// A link is gone; the neighbour has left, or is out of reach.
    Closed(u32),
    /// The broker introduced this visitor: the host connects, and signals through the broker.
    Met(u32),
    /// A visitor that was introduced, by whomever, cannot be reached.
    Missed(u32),
    /// To be told to a visitor that a neighbour introduced ([`Output::Meet`]), before there is a link.
    Signal(u32, Body),
    /// A neighbour said something.
    Heard(u32, Message),
    /// A neighbour sent what is no message.
    Garbled(u32, PeerFault),
    /// More is queued towards a neighbour than is good, or not any more.
    Full(u32, bool),
    /// The origin sent a proof or a block over its own connection, asked or not. Another message says nothing.
    Origin(Message),
    /// The origin sent the digests of an object's chunks over its own connection: no neighbour had told them in time.
    Digests(Digests),
    /// The broker named this visitor the neighbour's sponsor: its seed is to come from here.
    Sponsor(u32),
    /// Time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Say this to a neighbour.
    Send(u32, Message),
    /// Close a link that is one too many, or give up one that does not come about.
    Close(u32),
    /// A neighbour introduced this visitor: connect to it, and signal with [`Input::Signal`].
    Meet(u32),
    /// What a visitor to be met says, through the neighbour that introduced it.
    Signal(u32, Body),
    /// Close the link to one who did wrong, and never open another; if `accuse`, tell the broker.
    Drop {
        /// The neighbour.
        link: u32,
        /// What it did.
        fault: PeerFault,
        /// Whether it is certain enough to be told.
        accuse: bool,
    },
    /// So many more neighbours are wanted, and no neighbour knows any: the broker is to be asked.
    Need(u8),
    /// The origin may send these chunks when it has nothing better to do; what it was told before is void.
    Spare(SmallVec<[u32; 6]>),
    /// A chunk is complete and verified: the page may have it.
    Got(u32),
    /// All chunks are.
    Complete,
    /// Nothing is left to give, and all links are closed: leave the room, so that nobody is introduced to one who is of no use.
    Leave,
}

impl Input {
    /// What a neighbour sent, as bytes.
    #[must_use]
    pub fn heard(link: u32, bytes: Bytes) -> Self {
        Message::decode(bytes).map_or_else(
            |fault| Self::Garbled(link, fault),
            |message| Self::Heard(link, message),
        )
    }
}
