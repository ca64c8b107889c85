//! The bytes of a hot page as they come together: verified by the manifest's digests, numbered without gaps for the
//! exchange, and with the manifest's own numbers for the wire. Numbers of objects that changed are never given again, so a
//! page's may have gaps.

use std::ops::Range;

use bytes::Bytes;

use super::page::Listed;
use crate::{
    content::Digest,
    swarm::{
        Learned, Message, Payload, Pieces,
        message::{Ask, Block, Cancel, Digests, Have, Lack, Proof},
    },
};

/// The objects that are carried, and their verified bytes.
#[derive(Debug)]
pub(super) struct Carried {
    pieces: Pieces,
    objects: Vec<Placed>,
    /// Verified bytes, each counted once: what the audit holds against what was given.
    stored: u64,
}

/// An object and the first of its numbers in the exchange.
#[derive(Debug)]
struct Placed {
    object: Listed,
    first: u32,
}

impl Carried {
    /// A page of objects whose digests are known, or told by neighbours.
    pub(super) fn new(objects: impl IntoIterator<Item = Listed>) -> Self {
        let (mut placed, mut chunks) = (Vec::new(), Vec::new());
        for object in objects {
            let first = chunks.len() as u32;
            chunks.extend((object.first..object.end() as u32).map(|chunk| {
                let bytes = object.bytes_of(chunk);
                let digests = object.chunks.as_ref();
                let digest = digests.and_then(|digests| digests.get((chunk - object.first) as usize));
                (digest.copied(), (bytes.end - bytes.start) as u32)
            }));
            placed.push(Placed { object, first });
        }
        Self {
            pieces: Pieces::with_unknown(chunks),
            objects: placed,
            stored: 0,
        }
    }

    pub(super) const fn stored(&self) -> u64 {
        self.stored
    }

    /// The object of a chunk of the exchange, and which of its bytes the chunk is.
    pub(super) fn locate(&self, chunk: u32) -> Option<(&Listed, Range<u64>)> {
        let placed = self.placed(chunk)?;
        let number = placed.object.first + (chunk - placed.first);
        Some((&placed.object, placed.object.bytes_of(number)))
    }

    /// The digest that the manifest has for a chunk.
    pub(super) fn digest(&self, chunk: u32) -> Option<Digest> {
        let placed = self.placed(chunk)?;
        let digests = placed.object.chunks.as_ref()?;
        digests.get((chunk - placed.first) as usize).copied()
    }

    /// Objects whose digests are not known yet, and the chunks of each.
    pub(super) fn unlisted(&self) -> impl Iterator<Item = (Range<u32>, &Listed)> {
        let unlisted = |placed: &&Placed| placed.object.chunks.is_none();
        self.objects
            .iter()
            .filter(unlisted)
            .map(|placed| (placed.first..placed.end(), &placed.object))
    }

    /// A chunk, if all of it is here.
    pub(super) fn chunk(&self, chunk: u32) -> Option<Bytes> {
        self.pieces.chunk(chunk)
    }

    /// Each object, whole; none for one that lacks a part.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&Listed, Option<Bytes>)> {
        self.objects.iter().map(|placed| {
            let chunks =
                placed.first..placed.first + (placed.object.end() - u64::from(placed.object.first)) as u32;
            let bytes: Option<Vec<Bytes>> = chunks.map(|chunk| self.pieces.chunk(chunk)).collect();
            (&placed.object, bytes.map(|bytes| bytes.concat().into()))
        })
    }

    /// The number on the wire of a chunk of the exchange.
    pub(super) fn wire(&self, chunk: u32) -> u32 {
        self.placed(chunk)
            .map_or(chunk, |placed| placed.object.first + (chunk - placed.first))
    }

    /// The number in the exchange; none for a chunk of objects that this visitor does not know.
    pub(super) fn known(&self, wire: u32) -> Option<u32> {
        let at = self.objects.partition_point(|placed| placed.object.first <= wire);
        let placed = self.objects.get(at.checked_sub(1)?)?;
        (u64::from(wire) < placed.object.end()).then(|| placed.first + (wire - placed.object.first))
    }

    /// What the exchange says, as neighbours understand it.
    pub(super) fn outgoing(&self, message: Message) -> Message {
        match message {
            Message::Have(have) => Message::Have(Have {
                ranges: have.ranges.runs().flat_map(|run| self.wire_runs(run)).collect(),
                ..have
            }),
            other => renumber(other, |chunk| self.wire(chunk)),
        }
    }

    /// What a neighbour says, as the exchange understands it. What it says of chunks that are not known here becomes a
    /// number that no chunk has.
    pub(super) fn incoming(&self, message: Message) -> Message {
        match message {
            Message::Have(have) => Message::Have(Have {
                ranges: have.ranges.runs().flat_map(|run| self.known_runs(run)).collect(),
                ..have
            }),
            other => renumber(other, |chunk| self.known(chunk).unwrap_or(u32::MAX)),
        }
    }

    /// The answer to a request for what is not known here: the exchange cannot name it.
    pub(super) fn refusal(&self, message: &Message) -> Option<Message> {
        match message {
            Message::Ask(ask) if self.known(ask.chunk).is_none() => {
                Some(Message::Lack(Lack { chunk: ask.chunk }))
            }
            _ => None,
        }
    }

    fn placed(&self, chunk: u32) -> Option<&Placed> {
        let at = self.objects.partition_point(|placed| placed.first <= chunk);
        let placed = self.objects.get(at.checked_sub(1)?)?;
        (chunk < placed.end()).then_some(placed)
    }

    fn wire_runs(&self, run: Range<u32>) -> impl Iterator<Item = Range<u32>> {
        self.objects.iter().filter_map(move |placed| {
            let (from, to) = (run.start.max(placed.first), run.end.min(placed.end()));
            let shift = |chunk: u32| placed.object.first + (chunk - placed.first);
            (from < to).then(|| shift(from)..shift(to - 1) + 1)
        })
    }

    fn known_runs(&self, run: Range<u32>) -> impl Iterator<Item = Range<u32>> {
        self.objects.iter().filter_map(move |placed| {
            let (from, to) = (
                run.start.max(placed.object.first),
                u64::from(run.end).min(placed.object.end()) as u32,
            );
            let shift = |chunk: u32| placed.first + (chunk - placed.object.first);
            (from < to).then(|| shift(from)..shift(to - 1) + 1)
        })
    }
}

impl Placed {
    fn end(&self) -> u32 {
        self.first + (self.object.end() - u64::from(self.object.first)) as u32
    }
}

impl Payload for Carried {
    fn chunks(&self) -> u32 {
        self.pieces.chunks()
    }

    fn length(&self, chunk: u32) -> usize {
        self.pieces.length(chunk)
    }

    fn prove(&mut self, chunk: u32, digests: Vec<Digest>) -> bool {
        self.pieces.prove(chunk, digests)
    }

    fn put(&mut self, chunk: u32, block: u8, bytes: Bytes) -> bool {
        let length = bytes.len() as u64;
        let right = self.pieces.put(chunk, block, bytes);
        if right {
            self.stored += length;
        }
        right
    }

    fn proof(&self, chunk: u32) -> Vec<Digest> {
        self.pieces.proof(chunk)
    }

    fn block(&self, chunk: u32, block: u8) -> Option<Bytes> {
        self.pieces.block(chunk, block)
    }

    fn sealed(&self) -> Vec<Range<u32>> {
        self.unlisted().map(|(chunks, _)| chunks).collect()
    }

    fn lists(&self) -> Vec<Digests> {
        let list = |placed: &Placed| {
            let digests = placed.object.chunks.clone()?;
            (digests.len() <= Digests::COUNT_MAX).then_some(Digests {
                chunk: placed.first,
                digests,
            })
        };
        self.objects.iter().filter_map(list).collect()
    }

    fn learn(&mut self, list: Digests) -> Learned {
        let place = self.objects.iter().position(|placed| placed.first == list.chunk);
        let Some(placed) = place
            .map(|place| &mut self.objects[place])
            .filter(|placed| placed.object.chunks.is_none())
        else {
            return Learned::Stale;
        };
        if !placed.object.learn(list.digests) {
            return Learned::Wrong;
        }
        self.pieces
            .unseal(placed.first, placed.object.chunks.as_deref().unwrap_or_default());
        Learned::Chunks(placed.first..placed.end())
    }
}

fn renumber(message: Message, number: impl Fn(u32) -> u32) -> Message {
    match message {
        Message::Ask(Ask { credit, chunk, block }) => Message::Ask(Ask {
            credit,
            chunk: number(chunk),
            block,
        }),
        Message::Cancel(Cancel { chunk }) => Message::Cancel(Cancel { chunk: number(chunk) }),
        Message::Lack(Lack { chunk }) => Message::Lack(Lack { chunk: number(chunk) }),
        Message::Proof(Proof { chunk, digests }) => Message::Proof(Proof {
            chunk: number(chunk),
            digests,
        }),
        Message::Block(block) => Message::Block(Block {
            chunk: number(block.chunk),
            ..block
        }),
        Message::Digests(list) => Message::Digests(Digests {
            chunk: number(list.chunk),
            ..list
        }),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        content::{CHUNK, block_digests},
        swarm::Ranges,
    };

    fn object(first: u32, bytes: &[u8]) -> Listed {
        let chunks: Vec<_> = bytes
            .chunks(CHUNK)
            .map(|chunk| Digest::of_digests(block_digests(chunk)))
            .collect();
        Listed {
            url: format!("/{first}"),
            kind: "image/png".to_owned(),
            length: bytes.len() as u64,
            first,
            digest: Digest::of_digests(chunks.iter().copied()),
            chunks: Some(chunks),
        }
    }

    /// Two objects of two chunks each, and a gap of three numbers between them.
    fn page() -> Carried {
        Carried::new([object(0, &[1; CHUNK + 1]), object(5, &[2; CHUNK + 7])])
    }

    #[test]
    fn numbers_have_gaps_on_the_wire_alone() {
        let page = page();
        assert_eq!(
            (0..4).map(|chunk| page.wire(chunk)).collect::<Vec<_>>(),
            [0, 1, 5, 6]
        );
        let known: Vec<_> = (0..8).map(|wire| page.known(wire)).collect();
        assert_eq!(
            known,
            [Some(0), Some(1), None, None, None, Some(2), Some(3), None]
        );
        assert_eq!((page.chunks(), page.length(3)), (4, 7));
        let (object, bytes) = page.locate(3).expect("exists");
        assert_eq!(
            (object.url.as_str(), bytes),
            ("/5", CHUNK as u64..CHUNK as u64 + 7)
        );
        assert!(page.locate(4).is_none());
    }

    #[test]
    fn what_is_said_of_many_chunks_is_renumbered() {
        let page = page();
        let have = |ranges| Message::Have(Have { credit: 1, ranges });
        let all = page.incoming(have(Ranges::from_iter([0..50, 50..100])));
        assert_eq!(all, have(Ranges::from_iter([0..2, 2..4])));
        assert_eq!(page.outgoing(all), have(Ranges::from_iter([0..2, 5..7])));
        let ask = |chunk| {
            Message::Ask(Ask {
                credit: 0,
                chunk,
                block: 3,
            })
        };
        assert_eq!(page.incoming(ask(6)), ask(3));
        assert_eq!(page.incoming(ask(3)), ask(u32::MAX), "an object that changed");
    }

    #[test]
    fn only_what_is_right_is_stored_and_whole_objects_come_out() {
        let mut page = page();
        let bytes = [2; CHUNK + 7];
        for (chunk, part) in (2..).zip(bytes.chunks(CHUNK)) {
            assert!(page.prove(chunk, block_digests(part)));
            for (block, bytes) in (0..).zip(part.chunks(crate::content::BLOCK)) {
                assert!(!page.put(chunk, block, Bytes::from_static(b"wrong")));
                assert!(page.put(chunk, block, Bytes::copy_from_slice(bytes)));
            }
        }
        assert_eq!(page.stored(), bytes.len() as u64);
        let whole: Vec<_> = page.objects().map(|(_, bytes)| bytes).collect();
        assert_eq!(whole, [None, Some(Bytes::copy_from_slice(&bytes))]);
    }
}
