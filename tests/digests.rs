//! Digests that the page leaves out and neighbours tell: nothing is asked for that could not be verified, nothing is taken that
//! the origin did not name, and nobody is told twice.

#![allow(clippy::unwrap_used)]

use std::ops::Range;

use bytes::Bytes;
use rand::{SeedableRng, rngs::SmallRng};
use tower_flashback::{
    content::{BLOCK, CHUNK, Digest, RoomId},
    swarm::{
        Input, Learned, Message, Moment, Output, Payload, PeerFault, Pieces, Ranges, Rules, Swarm,
        message::{Block, Digests, Have, Hello, Proof},
    },
};

const ROOM: RoomId = RoomId([7; 8]);
/// Chunks of the page's two objects.
const OBJECTS: [Range<u32>; 2] = [0..3, 3..5];

fn bytes(chunk: u32) -> Vec<u8> {
    (0..CHUNK).map(|at| (at as u32 * (chunk + 3)) as u8).collect()
}

fn list(object: usize) -> Digests {
    let chunks = OBJECTS[object].clone();
    Digests {
        chunk: chunks.start,
        digests: chunks.map(|chunk| Digest::of_chunk(&bytes(chunk))).collect(),
    }
}

/// A page of two objects that knows each by its digest, and its chunks' digests only when it was told them.
#[derive(Debug)]
struct Book {
    pieces: Pieces,
    known: [bool; 2],
}

impl Book {
    fn new(known: bool) -> Self {
        let digests = (0..2).flat_map(|object| list(object).digests);
        Self {
            pieces: Pieces::new(digests.map(|digest| (digest, CHUNK as u32))),
            known: [known; 2],
        }
    }
}

impl Payload for Book {
    fn chunks(&self) -> u32 {
        self.pieces.chunks()
    }

    fn length(&self, chunk: u32) -> usize {
        self.pieces.length(chunk)
    }

    fn prove(&mut self, chunk: u32, digests: Vec<Digest>) -> bool {
        let place = OBJECTS.iter().position(|object| object.contains(&chunk)).unwrap();
        assert!(
            self.known[place],
            "chunk {chunk} was asked for, and cannot be verified"
        );
        self.pieces.prove(chunk, digests)
    }

    fn put(&mut self, chunk: u32, block: u8, bytes: Bytes) -> bool {
        self.pieces.put(chunk, block, bytes)
    }

    fn proof(&self, chunk: u32) -> Vec<Digest> {
        self.pieces.proof(chunk)
    }

    fn block(&self, chunk: u32, block: u8) -> Option<Bytes> {
        self.pieces.block(chunk, block)
    }

    fn sealed(&self) -> Vec<Range<u32>> {
        let objects = OBJECTS.into_iter().zip(self.known);
        objects
            .filter(|(_, known)| !known)
            .map(|(object, _)| object)
            .collect()
    }

    fn lists(&self) -> Vec<Digests> {
        (0..2).filter(|object| self.known[*object]).map(list).collect()
    }

    fn learn(&mut self, told: Digests) -> Learned {
        match OBJECTS.iter().position(|object| object.start == told.chunk) {
            Some(object) if self.known[object] => Learned::Stale,
            Some(object) if told == list(object) => {
                self.known[object] = true;
                Learned::Chunks(OBJECTS[object].clone())
            }
            Some(_) => Learned::Wrong,
            None => Learned::Stale,
        }
    }
}

fn visitor(id: u32, known: bool) -> Swarm<Book> {
    let (hello, random) = (Hello { room: ROOM, id }, SmallRng::seed_from_u64(1));
    Swarm::new(Book::new(known), hello, Rules::default(), random, NOW)
}

/// With a greeted neighbour, number 2, that holds all.
fn acquainted(known: bool) -> Swarm<Book> {
    let mut swarm = visitor(1, known);
    greet(&mut swarm, 2);
    swarm
}

fn greet(swarm: &mut Swarm<Book>, link: u32) {
    swarm.handle(Input::Opened(link), NOW);
    let hello = Hello { room: ROOM, id: link };
    swarm.handle(Input::Heard(link, Message::Hello(hello)), NOW);
    let ranges: Ranges = std::iter::once(0..5).collect();
    swarm.handle(
        Input::Heard(link, Message::Have(Have { credit: 16, ranges })),
        NOW,
    );
}

fn said(swarm: &mut Swarm<Book>) -> Vec<Output> {
    std::iter::from_fn(|| swarm.poll()).collect()
}

fn asked(outputs: &[Output]) -> Vec<(u32, u32)> {
    let ask = |output: &Output| match output {
        Output::Send(link, Message::Ask(ask)) => Some((*link, ask.chunk)),
        _ => None,
    };
    outputs.iter().filter_map(ask).collect()
}

fn told(outputs: &[Output]) -> Vec<Digests> {
    let list = |output: &Output| match output {
        Output::Send(_, Message::Digests(list)) => Some(list.clone()),
        _ => None,
    };
    outputs.iter().filter_map(list).collect()
}

fn seed(swarm: &mut Swarm<Book>, chunk: u32) {
    let bytes = bytes(chunk);
    let digests = bytes.chunks(BLOCK).map(Digest::of).collect();
    swarm.handle(Input::Origin(Message::Proof(Proof { chunk, digests })), NOW);
    for (block, bytes) in bytes.chunks(BLOCK).enumerate() {
        let block = Block {
            credit: 0,
            chunk,
            block: block as u8,
            bytes: Bytes::copy_from_slice(bytes),
        };
        swarm.handle(Input::Origin(Message::Block(block)), NOW);
    }
}

#[test]
fn who_lacks_digests_says_so_with_its_first_word_and_asks_for_nothing() {
    let mut swarm = acquainted(false);
    let first = swarm.poll();
    assert!(
        matches!(first, Some(Output::Send(2, Message::Hello(_)))),
        "{first:?}"
    );
    assert_eq!(swarm.more(2), Some(Message::Learn), "in the same packet");
    let outputs = said(&mut swarm);
    assert_eq!(asked(&outputs), []);
    assert!(
        !outputs.iter().any(|output| matches!(output, Output::Spare(_))),
        "nor of the origin: {outputs:?}"
    );
    assert!(swarm.lacks_digests());
}

#[test]
fn what_is_told_is_asked_for_at_once_and_what_is_not_yet_is_not() {
    let mut swarm = acquainted(false);
    said(&mut swarm);
    swarm.handle(Input::Heard(2, Message::Digests(list(1))), NOW);
    let outputs = said(&mut swarm);
    let mut open: Vec<u32> = asked(&outputs).iter().map(|(_, chunk)| *chunk).collect();
    for output in &outputs {
        if let Output::Spare(spare) = output {
            open.extend(spare);
        }
    }
    assert!(
        !open.is_empty() && open.iter().all(|chunk| OBJECTS[1].contains(chunk)),
        "{outputs:?}"
    );
    assert!(swarm.lacks_digests(), "of the other object");
    swarm.handle(Input::Heard(2, Message::Digests(list(0))), NOW);
    assert!(!swarm.lacks_digests());
}

#[test]
fn who_knows_them_tells_them_once_and_never_asks() {
    let mut swarm = acquainted(true);
    let outputs = said(&mut swarm);
    let learns = outputs
        .iter()
        .any(|output| matches!(output, Output::Send(_, Message::Learn)));
    assert!(!learns && !asked(&outputs).is_empty(), "{outputs:?}");
    swarm.handle(Input::Heard(2, Message::Learn), NOW);
    assert_eq!(told(&said(&mut swarm)), [list(0), list(1)]);
    swarm.handle(Input::Heard(2, Message::Learn), NOW);
    assert_eq!(told(&said(&mut swarm)), [], "once on a link");
    greet(&mut swarm, 3);
    swarm.handle(Input::Heard(3, Message::Learn), NOW);
    assert_eq!(told(&said(&mut swarm)).len(), 2, "and on each");
}

#[test]
fn a_false_list_costs_its_teller_the_link_and_the_next_one_is_believed() {
    let mut swarm = acquainted(false);
    greet(&mut swarm, 3);
    said(&mut swarm);
    let mut lie = list(0);
    lie.digests.swap(0, 1);
    swarm.handle(Input::Heard(2, Message::Digests(lie)), NOW);
    let outputs = said(&mut swarm);
    let dropped = Output::Drop {
        link: 2,
        fault: PeerFault::Digest,
        accuse: true,
    };
    assert!(
        outputs.contains(&dropped) && asked(&outputs).is_empty(),
        "{outputs:?}"
    );
    swarm.handle(Input::Heard(3, Message::Digests(list(0))), NOW);
    assert_eq!(asked(&said(&mut swarm)).first().map(|(link, _)| *link), Some(3));
}

#[test]
fn a_list_of_what_this_page_has_not_or_that_is_known_is_no_fault() {
    let mut swarm = acquainted(true);
    said(&mut swarm);
    let mut strange = list(0);
    strange.chunk = 77;
    for list in [strange, list(0)] {
        swarm.handle(Input::Heard(2, Message::Digests(list)), NOW);
    }
    let outputs = said(&mut swarm);
    assert!(
        !outputs.iter().any(|output| matches!(output, Output::Drop { .. })),
        "{outputs:?}"
    );
}

#[test]
fn a_seed_that_comes_before_its_digests_waits_for_them_and_only_two_do() {
    let mut swarm = acquainted(false);
    (0..3).for_each(|chunk| seed(&mut swarm, chunk));
    said(&mut swarm);
    assert_eq!(
        swarm.ledger().got(),
        0,
        "law 2: nothing counts that is not verified"
    );
    swarm.handle(Input::Heard(2, Message::Digests(list(0))), NOW);
    let outputs = said(&mut swarm);
    let got: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Got(chunk) => Some(*chunk),
            _ => None,
        })
        .collect();
    assert_eq!((got, swarm.ledger().got()), (vec![0, 1], 2 * CHUNK as u64));
}

#[test]
fn the_origin_tells_what_no_neighbour_did() {
    let mut swarm = visitor(1, false);
    let mut wrong = list(0);
    wrong.digests.pop();
    swarm.handle(Input::Digests(wrong), NOW);
    assert!(swarm.lacks_digests());
    (0..2).for_each(|object| swarm.handle(Input::Digests(list(object)), NOW));
    assert!(!swarm.lacks_digests());
    greet(&mut swarm, 2);
    assert!(!asked(&said(&mut swarm)).is_empty());
}

const NOW: Moment = Moment::from_micros(0);
