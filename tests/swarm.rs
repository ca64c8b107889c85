//! The exchange between visitors, from outside: swarms that talk over links of our making, which delay, break and lie. Law 2
//! and law 3 are judged by what was sent and kept, not by the swarms' own books.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tower_flashback::{
    content::{BLOCK, CHUNK, Digest, RoomId},
    swarm::{
        Input, Message, Moment, Output, PeerFault, Pieces, Ranges, Rules, Swarm,
        message::{Ask, Block, Have, Hello, Proof},
    },
};

/// Bytes of the page: five whole chunks and one of a block and a half.
const PAGE: usize = 5 * CHUNK + BLOCK * 3 / 2;
const ROOM: RoomId = RoomId([7; 8]);

fn page() -> Vec<u8> {
    (0..PAGE).map(|at| (at * 31 % 251) as u8).collect()
}

fn pieces(page: &[u8]) -> Pieces {
    Pieces::new(
        page.chunks(CHUNK)
            .map(|chunk| (Digest::of_chunk(chunk), chunk.len() as u32)),
    )
}

fn visitor(id: u32, now: Moment) -> Swarm<Pieces> {
    let hello = Hello { room: ROOM, id };
    Swarm::new(
        pieces(&page()),
        hello,
        Rules::default(),
        SmallRng::seed_from_u64(id.into()),
        now,
    )
}

/// The messages in which a giver, or the origin, sends a chunk of these bytes.
fn sent(page: &[u8], chunk: u32) -> Vec<Message> {
    let bytes = page.chunks(CHUNK).nth(chunk as usize).unwrap();
    let digests = bytes.chunks(BLOCK).map(Digest::of).collect();
    let blocks = bytes.chunks(BLOCK).enumerate().map(|(block, bytes)| {
        Message::Block(Block {
            credit: 0,
            chunk,
            block: block as u8,
            bytes: Bytes::copy_from_slice(bytes),
        })
    });
    std::iter::once(Message::Proof(Proof { chunk, digests }))
        .chain(blocks)
        .collect()
}

fn seed(swarm: &mut Swarm<Pieces>, chunk: u32, now: Moment) {
    for message in sent(&page(), chunk) {
        swarm.handle(Input::Origin(message), now);
    }
}

fn said(swarm: &mut Swarm<Pieces>) -> Vec<Output> {
    std::iter::from_fn(|| swarm.poll()).collect()
}

/// A visitor with a greeted neighbour, number 2, that says it holds all.
fn acquainted(now: Moment) -> Swarm<Pieces> {
    let mut swarm = visitor(1, now);
    swarm.handle(Input::Opened(2), now);
    swarm.handle(Input::Heard(2, hello(2)), now);
    let ranges: Ranges = std::iter::once(0..6).collect();
    swarm.handle(Input::Heard(2, Message::Have(Have { credit: 16, ranges })), now);
    swarm
}

fn hello(id: u32) -> Message {
    Message::Hello(Hello { room: ROOM, id })
}

fn asked(outputs: &[Output]) -> Option<u32> {
    outputs.iter().find_map(|output| match output {
        Output::Send(2, Message::Ask(ask)) => Some(ask.chunk),
        _ => None,
    })
}

fn fault(outputs: &[Output]) -> Option<PeerFault> {
    outputs.iter().find_map(|output| match output {
        Output::Drop { link: 2, fault, .. } => Some(*fault),
        _ => None,
    })
}

/// Some visitors, and links that keep the order of messages and nothing else.
struct Network {
    visitors: Vec<Swarm<Pieces>>,
    liars: BTreeSet<u32>,
    /// By sender and receiver, with the time at which each message may arrive.
    lines: BTreeMap<(u32, u32), Vec<(Moment, Message)>>,
    sent: Vec<u64>,
    /// What each would take of the origin.
    wishes: Vec<Option<u32>>,
    /// Microseconds that a message takes at most.
    delay: u64,
    now: Moment,
    random: SmallRng,
}

impl Network {
    fn new(count: u32, liars: u32, delay: u64, seed: u64) -> Self {
        let now = Moment::default();
        Self {
            visitors: (0..count).map(|id| visitor(id, now)).collect(),
            liars: (0..liars.min(count.saturating_sub(1))).collect(),
            lines: BTreeMap::new(),
            sent: vec![0; count as usize],
            wishes: vec![None; count as usize],
            delay,
            now,
            random: SmallRng::seed_from_u64(seed),
        }
    }

    fn link(&mut self, one: u32, other: u32) {
        if one == other || self.lines.contains_key(&(one, other)) {
            return;
        }
        for (from, to) in [(one, other), (other, one)] {
            self.lines.insert((from, to), Vec::new());
            self.tell(from, Input::Opened(to));
        }
    }

    fn cut(&mut self, one: u32, other: u32) {
        if self.lines.remove(&(one, other)).is_some() {
            self.lines.remove(&(other, one));
            self.tell(one, Input::Closed(other));
            self.tell(other, Input::Closed(one));
        }
    }

    fn tell(&mut self, to: u32, input: Input) {
        self.visitors[to as usize].handle(input, self.now);
        self.obey(to);
    }

    fn obey(&mut self, from: u32) {
        while let Some(output) = self.visitors[from as usize].poll() {
            match output {
                Output::Send(to, message) => self.send(from, to, message),
                Output::Close(to) | Output::Drop { link: to, .. } => self.cut(from, to),
                Output::Spare(chunks) => self.wishes[from as usize] = chunks.first().copied(),
                Output::Got(_) | Output::Need(_) | Output::Complete => {}
            }
        }
    }

    fn give(&mut self, from: u32) {
        let Some((to, message)) = self.visitors[from as usize].give(self.now) else {
            return;
        };
        if let Message::Block(block) = &message {
            self.sent[from as usize] += block.bytes.len() as u64;
        }
        self.send(from, to, message);
        // Law 3, at the instant at which it could be broken.
        let got = self.visitors[from as usize].ledger().got();
        assert!(
            self.sent[from as usize] <= got,
            "{} sent, {got} got",
            self.sent[from as usize]
        );
    }

    fn send(&mut self, from: u32, to: u32, mut message: Message) {
        if let Message::Block(block) = &mut message
            && self.liars.contains(&from)
        {
            let mut bytes = block.bytes.to_vec();
            bytes[0] ^= 1;
            block.bytes = bytes.into();
        }
        let delay = Moment::from_micros(self.now.micros() + self.random.random_range(0..self.delay));
        if let Some(line) = self.lines.get_mut(&(from, to)) {
            line.push((delay, message));
        }
    }

    /// Delivers the first message of a random line, if it is due.
    fn deliver(&mut self) {
        let index = self.random.random_range(0..self.lines.len().max(1));
        let Some((&(from, to), line)) = self.lines.iter_mut().nth(index) else {
            return;
        };
        if line.first().is_some_and(|(due, _)| *due <= self.now) {
            let (_, message) = line.remove(0);
            // As it travels: what the wire cannot say, a test must not.
            self.tell(to, Input::heard(from, message.encode().into()));
        }
    }

    fn wait(&mut self, micros: u64) {
        self.now = Moment::from_micros(self.now.micros() + micros);
        for visitor in 0..self.visitors.len() as u32 {
            if self.visitors[visitor as usize].deadline() <= self.now {
                self.tell(visitor, Input::Tick);
            }
        }
    }

    fn step(&mut self) {
        let count = self.visitors.len() as u32;
        let (one, other) = (
            self.random.random_range(0..count),
            self.random.random_range(0..count),
        );
        match self.random.random_range(0..100) {
            0..45 => self.give(one),
            45..90 => self.deliver(),
            90..95 => self.wait(30_000),
            95..97 => self.link(one, other),
            97..98 => self.cut(one, other),
            _ => {
                let chunk = self.random.random_range(0..6);
                let now = self.now;
                seed(&mut self.visitors[one as usize], chunk, now);
                self.obey(one);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is lost, late or false: nobody gives more than it got, and what is kept is the origin's.
    #[test]
    fn law_3_and_law_2_hold_in_any_schedule(count in 2..6_u32, liars in 0..3_u32, seed: u64, steps in 0..600_usize) {
        let mut network = Network::new(count, liars, 400_000, seed);
        for _ in 0..steps {
            network.step();
        }
        let page = page();
        for swarm in &network.visitors {
            prop_assert!(swarm.ledger().given() <= swarm.ledger().got());
            for (chunk, bytes) in page.chunks(CHUNK).enumerate() {
                let kept = swarm.page().chunk(chunk as u32);
                prop_assert!(kept.is_none_or(|kept| kept == bytes));
            }
        }
    }

    /// No bytes of a stranger make a panic, or a neighbour that stays after a fault.
    #[test]
    fn any_bytes_are_a_message_or_a_fault(sent in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let now = Moment::default();
        let mut swarm = acquainted(now);
        for bytes in sent {
            swarm.handle(Input::heard(2, bytes.into()), now);
            swarm.give(now);
        }
        let dropped = fault(&said(&mut swarm)).is_some();
        prop_assert_eq!(swarm.links(), usize::from(!dropped));
    }
}

/// It is not only safe but works: with chunks of the origin at different visitors, they get the page from each other. Now
/// and then the origin sends a chunk, for credit may end where nobody can use it.
#[test]
fn a_page_in_pieces_comes_together() {
    for seed_of_chance in 0..40 {
        let mut network = Network::new(4, 0, 50_000, seed_of_chance);
        let now = network.now;
        for chunk in 0..6 {
            seed(&mut network.visitors[chunk as usize % 4], chunk, now);
            // Peers move credit and never make it; two copies of each chunk are credit for the others.
            seed(&mut network.visitors[(chunk as usize + 1) % 4], chunk, now);
        }
        for (one, other) in [(0, 1), (1, 2), (2, 3), (3, 0), (0, 2), (1, 3)] {
            network.link(one, other);
        }
        for step in 0..20_000 {
            let one = network.random.random_range(0..4);
            if let (0, Some(chunk)) = (step % 500, network.wishes[one as usize]) {
                let now = network.now;
                seed(&mut network.visitors[one as usize], chunk, now);
                network.obey(one);
            }
            network.give(one);
            (0..4).for_each(|_| network.deliver());
            network.wait(5_000);
        }
        for swarm in &network.visitors {
            assert!(swarm.is_complete(), "seed {seed_of_chance}: {:?}", swarm.ledger());
        }
        let peers: u64 = network.sent.iter().sum();
        assert!(
            peers > PAGE as u64,
            "seed {seed_of_chance}: {peers} bytes from each other"
        );
    }
}

#[test]
fn a_liar_is_dropped_and_accused_and_costs_one_block() {
    let now = Moment::default();
    let mut swarm = acquainted(now);
    let chunk = asked(&said(&mut swarm)).expect("it holds what we lack");
    let mut messages = sent(&page(), chunk);
    if let Message::Block(block) = &mut messages[2] {
        block.bytes = Bytes::from(vec![0xee; block.bytes.len()]);
    }
    for message in messages {
        swarm.handle(Input::Heard(2, message), now);
    }
    let outputs = said(&mut swarm);
    let drop = Output::Drop {
        link: 2,
        fault: PeerFault::Digest,
        accuse: true,
    };
    assert!(outputs.contains(&drop), "{outputs:?}");
    assert_eq!(swarm.ledger().got(), BLOCK as u64);
}

#[test]
fn a_proof_of_another_page_is_a_lie() {
    let now = Moment::default();
    let mut swarm = acquainted(now);
    let chunk = asked(&said(&mut swarm)).expect("it holds what we lack");
    // The page changed at the neighbour: a new entity tag, other bytes.
    let other: Vec<u8> = page().iter().map(|byte| byte ^ 0xff).collect();
    for message in sent(&other, chunk) {
        swarm.handle(Input::Heard(2, message), now);
    }
    assert_eq!(fault(&said(&mut swarm)), Some(PeerFault::Digest));
    assert_eq!(swarm.ledger().got(), 0);
}

#[test]
fn each_fault_of_a_neighbour_has_its_name() {
    let unasked = (0..6).find(|chunk| Some(*chunk) != asked(&said(&mut acquainted(Moment::default()))));
    let chunk = unasked.unwrap();
    let block = |chunk, bytes: usize| {
        Message::Block(Block {
            credit: 0,
            chunk,
            block: 0,
            bytes: vec![0; bytes].into(),
        })
    };
    let cases = [
        (sent(&page(), chunk)[0].clone(), PeerFault::Unasked),
        (block(chunk, BLOCK), PeerFault::Unasked),
        (block(9_999, 1), PeerFault::Unasked),
        (hello(2), PeerFault::Order),
    ];
    for (message, expected) in cases {
        let mut swarm = acquainted(Moment::default());
        swarm.handle(Input::Heard(2, message.clone()), Moment::default());
        assert_eq!(fault(&said(&mut swarm)), Some(expected), "{message:?}");
    }
}

#[test]
fn a_stranger_says_first_who_it_is_and_truly() {
    let other_room = Message::Hello(Hello {
        room: RoomId([8; 8]),
        id: 2,
    });
    let have = Message::Have(Have {
        credit: 0,
        ranges: Ranges::new(),
    });
    // The third is one of two visitors with one number; the fourth claims to be ourselves.
    let cases = [
        (other_room, PeerFault::Room),
        (have, PeerFault::Order),
        (hello(3), PeerFault::Value),
        (hello(1), PeerFault::Value),
    ];
    for (message, expected) in cases {
        let mut swarm = visitor(1, Moment::default());
        swarm.handle(Input::Opened(2), Moment::default());
        swarm.handle(Input::Heard(2, message.clone()), Moment::default());
        assert_eq!(fault(&said(&mut swarm)), Some(expected), "{message:?}");
    }
}

#[test]
fn a_block_beyond_its_chunk_is_a_fault_and_a_chunk_beyond_the_page_is_not_held() {
    let now = Moment::default();
    let mut swarm = acquainted(now);
    (0..6).for_each(|chunk| seed(&mut swarm, chunk, now));
    said(&mut swarm);
    let ask = |chunk, block| {
        Message::Ask(Ask {
            credit: 0,
            chunk,
            block,
        })
    };
    swarm.handle(Input::Heard(2, ask(6, 0)), now);
    let outputs = said(&mut swarm);
    assert!(
        matches!(outputs[..], [Output::Send(2, Message::Lack(_))]),
        "{outputs:?}"
    );
    swarm.handle(Input::Heard(2, ask(5, 2)), now);
    assert_eq!(fault(&said(&mut swarm)), Some(PeerFault::Block));
}

#[test]
fn one_who_never_says_who_it_is_is_let_go_without_a_charge() {
    let now = Moment::default();
    let mut swarm = visitor(1, now);
    swarm.handle(Input::Opened(2), now);
    swarm.handle(Input::Tick, now.after(Rules::default().greeting));
    let drop = Output::Drop {
        link: 2,
        fault: PeerFault::Order,
        accuse: false,
    };
    assert!(said(&mut swarm).contains(&drop));
}

#[test]
fn a_flood_of_words_is_a_fault_and_its_memory_is_bounded() {
    let now = Moment::default();
    let mut swarm = acquainted(now);
    let ask = Message::Ask(Ask {
        credit: 0,
        chunk: 3,
        block: 0,
    });
    for _ in 0..1_000 {
        swarm.handle(Input::Heard(2, ask.clone()), now);
    }
    let outputs = said(&mut swarm);
    assert_eq!(fault(&outputs), Some(PeerFault::Flood));
    assert!(outputs.len() < 1_000, "{} answers", outputs.len());
}

#[test]
fn a_taker_gets_its_trust_and_is_let_go() {
    let start = Moment::default();
    let mut swarm = acquainted(start);
    seed(&mut swarm, 0, start);
    let ask = Message::Ask(Ask {
        credit: 0,
        chunk: 0,
        block: 0,
    });
    swarm.handle(Input::Heard(2, ask), start);
    let given = std::iter::from_fn(|| swarm.give(start)).count();
    assert_eq!(given, 1 + 2, "a proof, and two blocks of trust");
    let rules = Rules::default();
    for look in 1..=8 {
        swarm.handle(Input::Tick, start.after(rules.look * look));
    }
    let drop = Output::Drop {
        link: 2,
        fault: PeerFault::Taker,
        accuse: true,
    };
    assert!(said(&mut swarm).contains(&drop));
}
