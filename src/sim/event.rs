//! What happens, packed: hundreds of thousands of events wait at once, and the cache holds them only if they are small. Most
//! are messages, of which most are blocks; a message that does not fit waits in a [`Shelf`], and its event names the place.

use crate::{
    sim::counted::Counted,
    swarm::{
        Message, Payload,
        message::{Ask, Block, Cancel, Lack, Meet, Proof},
    },
};

/// What happens to a visitor, or to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The next visitor opens the page.
    Arrival,
    /// Its request is at the origin.
    Request(u32),
    /// What only the origin can send is here.
    Page(u32),
    /// The signalling socket is open.
    Join(u32),
    /// The origin's uplink is free.
    Origin,
    /// Nobody has told the digests, perhaps.
    Untold(u32),
    /// The origin has.
    Listed(u32),
    /// A chunk of the origin's is here.
    Chunk(u32, u32),
    /// A wish is at the origin; its place on the shelf.
    Wish(u32, u32),
    /// So many neighbours are wanted.
    Need(u32, u8),
    Opened(u32, u32),
    Missed(u32, u32),
    Closed(u32, u32),
    Heard(u32, u32, Word),
    /// A block has left.
    Sent(u32),
    Tick(u32),
    Leave(u32),
    /// A Sybil comes again.
    Again(u32),
}

/// A message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Block {
        credit: u8,
        block: u8,
        lies: bool,
        chunk: u32,
    },
    Proof(u32),
    Ask {
        credit: u8,
        block: u8,
        chunk: u32,
    },
    Cancel(u32),
    Lack(u32),
    Meet {
        gives: bool,
        visitor: u32,
    },
    /// Its place on the shelf.
    Other(u32),
}

impl Word {
    pub(super) fn pack(message: Message, shelf: &mut Shelf<Message>) -> Self {
        match message {
            Message::Block(block) => Self::Block {
                credit: block.credit,
                block: block.block,
                lies: !Counted::is_true(&block.bytes),
                chunk: block.chunk,
            },
            Message::Proof(proof) if proof.digests.is_empty() => Self::Proof(proof.chunk),
            Message::Ask(ask) => Self::Ask {
                credit: ask.credit,
                block: ask.block,
                chunk: ask.chunk,
            },
            Message::Cancel(cancel) => Self::Cancel(cancel.chunk),
            Message::Lack(lack) => Self::Lack(lack.chunk),
            Message::Meet(meet) => Self::Meet {
                gives: meet.gives,
                visitor: meet.visitor,
            },
            other => Self::Other(shelf.put(other)),
        }
    }

    /// The message, of a page of so many bytes; none if it was taken already.
    pub(super) fn unpack(self, page: u64, shelf: &mut Shelf<Message>) -> Option<Message> {
        Some(match self {
            Self::Block {
                credit,
                block,
                lies,
                chunk,
            } => Message::Block(Block {
                credit,
                chunk,
                block,
                bytes: Counted::new(page, lies).block(chunk, block)?,
            }),
            Self::Proof(chunk) => Message::Proof(Proof {
                chunk,
                digests: Vec::new(),
            }),
            Self::Ask { credit, block, chunk } => Message::Ask(Ask { credit, chunk, block }),
            Self::Cancel(chunk) => Message::Cancel(Cancel { chunk }),
            Self::Lack(chunk) => Message::Lack(Lack { chunk }),
            Self::Meet { gives, visitor } => Message::Meet(Meet { visitor, gives }),
            Self::Other(place) => return shelf.take(place),
        })
    }
}

/// What waits and does not fit an event. A place is used again when it is empty: the shelf is as long as the most that ever
/// waited.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    places: Vec<Option<T>>,
    empty: Vec<u32>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            empty: Vec::new(),
        }
    }
}

impl<T> Shelf<T> {
    pub(super) fn put(&mut self, thing: T) -> u32 {
        if let Some(place) = self.empty.pop() {
            self.places[place as usize] = Some(thing);
            return place;
        }
        self.places.push(Some(thing));
        self.places.len() as u32 - 1
    }

    /// Whether something waits there.
    pub(super) fn holds(&self, place: u32) -> bool {
        self.places.get(place as usize).is_some_and(Option::is_some)
    }

    pub(super) fn take(&mut self, place: u32) -> Option<T> {
        let thing = self.places.get_mut(place as usize)?.take()?;
        self.empty.push(place);
        Some(thing)
    }
}

const _: () = assert!(size_of::<Event>() == 16, "four events in a line of the cache");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::{Ranges, message::Have};

    #[test]
    fn a_message_survives_being_packed() {
        let mut shelf = Shelf::default();
        let page = 40_000;
        let block = |lies, chunk, block| {
            Message::Block(Block {
                credit: 7,
                chunk,
                block,
                bytes: Counted::new(page, lies)
                    .block(chunk, block)
                    .expect("a block of the page"),
            })
        };
        let have = |chunk: u32| {
            Message::Have(Have {
                credit: 1,
                ranges: Ranges::of_ascending(std::iter::once(chunk)),
            })
        };
        let messages = [
            block(false, 0, 15),
            block(true, 2, 7),
            have(3),
            Message::Ask(Ask {
                credit: 2,
                chunk: 1,
                block: 9,
            }),
            Message::Lack(Lack { chunk: 2 }),
            have(4),
        ];
        let words: Vec<Word> = messages
            .iter()
            .map(|message| Word::pack(message.clone(), &mut shelf))
            .collect();
        for (word, message) in words.iter().zip(messages) {
            assert_eq!(word.unpack(page, &mut shelf), Some(message));
        }
        assert_eq!(words[2].unpack(page, &mut shelf), None, "it was taken");
        Word::pack(have(5), &mut shelf);
        Word::pack(have(6), &mut shelf);
        assert_eq!(shelf.places.len(), 2, "places are used again");
    }
}
