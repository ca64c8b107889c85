//! How a visitor comes by the digests of chunks where the page does not list them: each neighbour is asked when its link opens, and
//! tells what it knows. Until then nothing of an object is asked for, for nothing could be verified, and what the origin
//! sends of it waits.

use crate::swarm::{Message, Payload, PeerFault, Swarm, message::Digests, payload::Learned};

impl<P: Payload> Swarm<P> {
    /// Whether chunks are lacking that cannot be verified yet: if no neighbour tells their digests, the origin must
    /// ([`Input::Digests`](crate::swarm::Input::Digests)).
    #[must_use]
    pub fn lacks_digests(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Tells a neighbour all lists that are known here, once.
    pub(super) fn teach(&mut self, place: usize) -> bool {
        let them = &mut self.neighbours[place];
        if !std::mem::replace(&mut them.taught, true) {
            let link = them.link;
            for list in self.page.lists().into_iter().take(LISTS) {
                self.say(link, Message::Digests(list));
            }
        }
        false
    }

    /// Takes a list: of a neighbour, or of the origin, which is not accused.
    pub(super) fn learn(&mut self, from: Option<u32>, list: Digests) -> bool {
        match self.page.learn(list) {
            Learned::Stale => false,
            Learned::Wrong => from.is_some_and(|link| self.wrong(link, PeerFault::Digest)),
            Learned::Chunks(chunks) => {
                for chunk in chunks {
                    self.sealed.clear(chunk);
                    self.under_way.clear(chunk);
                }
                for message in std::mem::take(&mut self.waiting) {
                    self.origin(message);
                }
                true
            }
        }
    }

    /// Keeps what the origin sent of a chunk that cannot be verified yet; no more than what it sends ahead of the first link.
    pub(super) fn postpone(&mut self, message: Message) -> bool {
        if self.waiting.len() < WAITING {
            self.waiting.push(message);
        }
        false
    }
}

/// Lists that are told on one link: half of the words that a neighbour may say between two looks.
const LISTS: usize = 256;
/// Proof and blocks of two chunks: a seed, and one that was spare.
const WAITING: usize = 2 * (1 + crate::swarm::message::BLOCKS as usize);
