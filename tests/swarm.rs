//! The exchange between visitors, from outside: swarms that talk over links of our making, which delay, break and lie. Law 2
//! and law 3 are judged by what was sent and kept, not by the swarms' own books.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use proptest::prelude::*;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tower_flashback::{
    content::{BLOCK, CHUNK, Digest, RoomId},
    swarm::{
        Body, Candidate, Identity, Input, Message, Moment, Output, PeerFault, Pieces, Ranges, Rules, Swarm,
        candidate::{Host, Kind},
        message::{Ask, Block, Cancel, Have, Hello, Meet, Proof, Relayed, Seek, Signal},
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

/// An introduction of one whom the introducer got nothing of.
fn meet(visitor: u32) -> Message {
    Message::Meet(Meet {
        visitor,
        gives: false,
    })
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
                Output::Got(_)
                | Output::Need(_)
                | Output::Complete
                | Output::Leave
                | Output::Meet(_)
                | Output::Signal(..) => {}
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
    assert_eq!(given, 1 + 1, "a proof, and a block of trust");
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

/// Visitors whose links take no time: what one says the other hears at once, as it travels. Whoever is told to meet says
/// who it is, and the link is open when both have heard of each other.
#[derive(Default)]
struct Hall {
    visitors: BTreeMap<u32, Swarm<Pieces>>,
    heard: BTreeSet<(u32, u32)>,
    /// What was said between visitors, and what was asked of the broker.
    said: Vec<(u32, u32, Message)>,
    needs: Vec<u32>,
    now: Moment,
}

impl Hall {
    fn of(visitors: std::ops::RangeInclusive<u32>, links: &[(u32, u32)]) -> Self {
        let mut hall = Self::default();
        let now = hall.now;
        hall.visitors = visitors.map(|id| (id, visitor(id, now))).collect();
        links.iter().for_each(|(one, two)| hall.link(*one, *two));
        hall
    }

    fn link(&mut self, one: u32, two: u32) {
        let now = self.now;
        for (from, to) in [(one, two), (two, one)] {
            self.visitors
                .get_mut(&from)
                .unwrap()
                .handle(Input::Opened(to), now);
        }
        self.obey(one);
        self.obey(two);
    }

    fn tell(&mut self, to: u32, input: Input) {
        let now = self.now;
        if let Some(swarm) = self.visitors.get_mut(&to) {
            swarm.handle(input, now);
            self.obey(to);
        }
    }

    fn obey(&mut self, from: u32) {
        while let Some(output) = self.visitors.get_mut(&from).and_then(Swarm::poll) {
            match output {
                Output::Send(to, message) => {
                    self.said.push((from, to, message.clone()));
                    self.tell(to, Input::heard(from, message.encode().into()));
                }
                Output::Meet(visitor) => {
                    for body in [candidate("1.1.1.1"), candidate("192.168.0.1"), identity()] {
                        self.tell(from, Input::Signal(visitor, body));
                    }
                }
                Output::Signal(by, Body::Identity(_)) => {
                    self.heard.insert((from, by));
                    if self.heard.contains(&(by, from)) {
                        self.link(from, by);
                    }
                }
                Output::Close(link) | Output::Drop { link, .. } => self.tell(link, Input::Closed(from)),
                Output::Need(_) => self.needs.push(from),
                _ => {}
            }
        }
    }

    fn wait(&mut self, millis: u64) {
        for _ in 0..millis / 250 {
            self.now = Moment::from_micros(self.now.micros() + 250_000);
            let all: Vec<_> = self.visitors.keys().copied().collect();
            all.into_iter()
                .for_each(|visitor| self.tell(visitor, Input::Tick));
        }
    }

    fn links(&self, visitor: u32) -> usize {
        self.visitors[&visitor].links()
    }
}

fn identity() -> Body {
    Body::Identity(Identity::new("abcd", "0123456789abcdefghijklmn", [7; 32]).unwrap())
}

fn candidate(address: &str) -> Body {
    Body::Candidate(Candidate {
        kind: Kind::Host,
        priority: 1,
        host: Host::Address(address.parse().unwrap()),
        port: 4_000,
    })
}

fn seek_for(count: u8, known: impl IntoIterator<Item = u32>) -> Message {
    let known = known.into_iter().collect();
    Message::Seek(Seek { count, known })
}

/// A visitor, number 1, with greeted neighbours that say what a test makes them say.
fn among(neighbours: std::ops::RangeInclusive<u32>) -> Swarm<Pieces> {
    let mut swarm = visitor(1, Moment::default());
    for link in neighbours {
        swarm.handle(Input::Opened(link), Moment::default());
        swarm.handle(Input::Heard(link, hello(link)), Moment::default());
    }
    said(&mut swarm);
    swarm
}

fn count(outputs: &[Output], which: impl Fn(&Output) -> bool) -> usize {
    outputs.iter().filter(|output| which(output)).count()
}

#[test]
fn neighbours_of_a_neighbour_meet_through_it() {
    let hall = Hall::of(1..=3, &[(1, 2), (2, 3)]);
    assert_eq!(
        hall.visitors[&1].neighbours().collect::<BTreeSet<_>>(),
        BTreeSet::from([2, 3])
    );
    let relayed: Vec<_> = hall
        .said
        .iter()
        .filter(|(.., message)| matches!(message, Message::Relayed(_)))
        .collect();
    assert_eq!(
        relayed.len(),
        4,
        "an identity and the public candidate, each way: {relayed:?}"
    );
    assert!(relayed.iter().all(|(from, ..)| *from == 2));
    assert!(hall.needs.is_empty(), "nobody had to ask the broker");
}

/// When the broker is gone, whoever has one neighbour finds the others.
#[test]
fn a_swarm_without_a_broker_goes_on_meeting() {
    let ring: Vec<_> = (1..=12).map(|one| (one, one % 12 + 1)).collect();
    let mut hall = Hall::of(1..=12, &ring);
    let now = hall.now;
    hall.visitors.insert(13, visitor(13, now));
    let idlest = (1..=12).min_by_key(|one| hall.links(*one)).unwrap();
    hall.link(13, idlest);
    hall.wait(40_000);
    let links: Vec<usize> = (1..=13).map(|visitor| hall.links(visitor)).collect();
    let rules = Rules::default();
    let (wanted, most) = (usize::from(rules.links), usize::from(rules.links_max));
    // Two are the ring's; one whom the others find full may stay a little short.
    assert!(links.iter().all(|count| (4..=most).contains(count)), "{links:?}");
    assert!(links.iter().sum::<usize>() >= 13 * wanted, "{links:?}");
}

#[test]
fn the_broker_is_asked_when_all_neighbours_were_and_more_seldom_each_time() {
    let mut swarm = among(2..=3);
    let (mut seeks, mut needs) = (Vec::new(), Vec::new());
    let start = Moment::default();
    for tick in 0..400_u32 {
        let now = start.after(Rules::default().look * tick);
        swarm.handle(Input::Tick, now);
        for output in said(&mut swarm) {
            match output {
                Output::Send(to, Message::Seek(seek)) => {
                    assert!(
                        seek.known
                            .iter()
                            .all(|known| [2, 3].contains(known) && *known != to)
                    );
                    seeks.push((now.since(start).as_secs(), to));
                }
                Output::Need(count) => needs.push((now.since(start).as_secs(), count)),
                _ => {}
            }
        }
    }
    assert_eq!(
        needs.iter().map(|(_, count)| *count).collect::<BTreeSet<_>>(),
        BTreeSet::from([6]),
        "neither of the two gave anything: they do not count"
    );
    let times: Vec<_> = needs.iter().map(|(time, _)| *time).collect();
    assert!((3..=4).contains(&times[0]), "{times:?}");
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        gaps.windows(2).all(|pair| pair[0] <= pair[1]) && gaps.len() >= 3,
        "{gaps:?}"
    );
    // Both were asked in each round, and none twice within it; one of the first was asked when it said Hello.
    assert!(
        seeks[1..]
            .chunks(2)
            .all(|pair| pair.len() < 2 || pair[0].1 != pair[1].1),
        "{seeks:?}"
    );
}

#[test]
fn what_was_relayed_is_never_relayed_again() {
    // Each of three has introduced the other two, so each would hand on anything that it is asked to.
    let mut swarm = among(2..=4);
    let now = Moment::default();
    for seeker in 2..=4 {
        swarm.handle(Input::Heard(seeker, seek_for(4, [])), now);
    }
    for (by, from) in [(2, 3), (3, 2), (2, 4), (4, 3)] {
        swarm.handle(Input::Heard(by, meet(from)), now);
        swarm.handle(Input::Heard(by, meet(50 + from)), now);
    }
    said(&mut swarm);
    for (by, from) in [(2, 3), (3, 2), (2, 4), (4, 3), (2, 53), (3, 52), (2, 1)] {
        let body = identity();
        swarm.handle(Input::Heard(by, Message::Relayed(Relayed { from, body })), now);
        let outputs = said(&mut swarm);
        assert_eq!(
            count(&outputs, |output| matches!(output, Output::Send(..))),
            0,
            "{outputs:?}"
        );
    }
}

#[test]
fn a_flood_of_seeks_introduces_few() {
    let mut swarm = among(2..=9);
    let mut meets = 0;
    for millis in (0..14_000_u64).step_by(100) {
        let now = Moment::from_micros(millis * 1_000);
        swarm.handle(Input::Tick, now);
        for seeker in 2..=9 {
            swarm.handle(Input::Heard(seeker, seek_for(4, [])), now);
        }
        let outputs = said(&mut swarm);
        let introduced = count(&outputs, |output| {
            matches!(output, Output::Send(_, Message::Meet(_)))
        });
        assert!(
            introduced <= 2 * 8 * 4,
            "one Seek of each counts at once: {introduced}"
        );
        meets += introduced;
    }
    assert!(
        meets > 0 && meets <= 2 * 32,
        "{meets} introductions were said in 15 s"
    );
    assert_eq!(swarm.links(), 8);
}

#[test]
fn a_flood_of_meets_costs_no_more_connections_than_there_may_be_links() {
    let mut swarm = among(2..=3);
    for visitor in 100..500 {
        swarm.handle(Input::Heard(3, meet(visitor)), Moment::default());
    }
    let outputs = said(&mut swarm);
    let meets = count(&outputs, |output| matches!(output, Output::Meet(_)));
    assert_eq!(meets, usize::from(Rules::default().links_max) - 2);
    assert_eq!(swarm.meetings(), meets);
    // They come to nothing, and are given up.
    swarm.handle(Input::Tick, Moment::default().after(Rules::default().silence));
    assert_eq!(swarm.meetings(), 0);
    assert_eq!(
        count(&said(&mut swarm), |output| matches!(output, Output::Close(_))),
        meets
    );
    // Nor does it help to go on: so many in the time that an introduction is good, and no more.
    for visitor in 500..900 {
        let now = Moment::default().after(Rules::default().silence);
        swarm.handle(Input::Heard(3, meet(visitor)), now);
    }
    let more = count(&said(&mut swarm), |output| matches!(output, Output::Meet(_)));
    let (sought, unsought) = (4, usize::from(Rules::default().unsought));
    assert!(meets + more <= sought + unsought, "{meets} and {more}");
}

#[test]
fn a_flood_of_signals_is_cut_to_an_identity_and_eight_candidates() {
    let mut swarm = among(2..=3);
    let now = Moment::default();
    swarm.handle(Input::Heard(2, seek_for(1, [])), now);
    said(&mut swarm);
    for body in std::iter::repeat_n([identity(), candidate("1.1.1.1")], 100).flatten() {
        swarm.handle(Input::Heard(2, Message::Signal(Signal { to: 3, body })), now);
    }
    let outputs = said(&mut swarm);
    assert_eq!(
        count(&outputs, |output| matches!(
            output,
            Output::Send(3, Message::Relayed(_))
        )),
        9
    );
    for _ in 0..400 {
        let body = identity();
        swarm.handle(Input::Heard(2, Message::Signal(Signal { to: 3, body })), now);
    }
    assert_eq!(
        fault(&said(&mut swarm)),
        Some(PeerFault::Flood),
        "it sends faster than any page does"
    );
    assert_eq!(swarm.links(), 1);
}

#[test]
fn what_nobody_introduced_is_dropped_in_silence() {
    let now = Moment::default();
    let mut swarm = among(2..=4);
    let signal = |to| Message::Signal(Signal { to, body: identity() });
    let relayed = |from| {
        Message::Relayed(Relayed {
            from,
            body: identity(),
        })
    };
    for (by, message) in [
        (2, signal(3)),
        (2, signal(99)),
        (2, signal(1)),
        (2, relayed(3)),
        (3, relayed(99)),
    ] {
        swarm.handle(Input::Heard(by, message.clone()), now);
        assert_eq!(said(&mut swarm), [], "{message:?}");
    }
    // Introduced by one, spoken for by another.
    swarm.handle(Input::Heard(2, meet(99)), now);
    assert_eq!(said(&mut swarm), [Output::Meet(99)]);
    swarm.handle(Input::Heard(3, relayed(99)), now);
    assert_eq!(said(&mut swarm), []);
    swarm.handle(Input::Heard(2, relayed(99)), now);
    assert_eq!(said(&mut swarm), [Output::Signal(99, identity())]);
    // Introduced too long ago, or one has left.
    swarm.handle(Input::Heard(3, seek_for(1, [2])), now);
    said(&mut swarm);
    swarm.handle(Input::Heard(3, signal(4)), now.after(Rules::default().meet));
    assert_eq!(said(&mut swarm), []);
    swarm.handle(Input::Heard(2, seek_for(1, [3])), now);
    said(&mut swarm);
    swarm.handle(Input::Closed(4), now);
    swarm.handle(Input::Heard(2, signal(4)), now);
    assert_eq!(said(&mut swarm), []);
}

#[test]
fn a_seek_is_answered_without_those_it_names() {
    let mut swarm = among(2..=5);
    swarm.handle(
        Input::Heard(2, seek_for(4, [3, 4])),
        Moment::default().after(Rules::default().seek),
    );
    let met: Vec<_> = said(&mut swarm)
        .into_iter()
        .filter_map(|output| match output {
            Output::Send(to, Message::Meet(meet)) => Some((to, meet.visitor)),
            _ => None,
        })
        .collect();
    assert_eq!(met, [(2, 5), (5, 2)]);
}

/// Two visitors that claim one number: the introduction goes to whom the broker gave it, and who is another is found out by
/// its Hello; it is dropped, and not accused, for the broker knows nothing of the pair.
#[test]
fn two_visitors_with_one_id_are_met_once_and_the_false_one_is_dropped() {
    let now = Moment::default();
    let mut swarm = among(2..=3);
    for by in [2, 3, 2] {
        swarm.handle(Input::Heard(by, meet(9)), now);
    }
    let outputs = said(&mut swarm);
    assert_eq!(
        count(&outputs, |output| *output == Output::Meet(9)),
        1,
        "{outputs:?}"
    );
    swarm.handle(Input::Opened(9), now);
    swarm.handle(Input::Heard(9, hello(8)), now);
    let drop = Output::Drop {
        link: 9,
        fault: PeerFault::Value,
        accuse: false,
    };
    assert!(said(&mut swarm).contains(&drop));
    // It was let go, and is not met again; nor is the visitor itself, nor a neighbour.
    for visitor in [9, 1, 2] {
        swarm.handle(Input::Heard(3, meet(visitor)), now);
        assert_eq!(said(&mut swarm), []);
    }
}

#[test]
fn what_the_broker_introduced_may_be_accused() {
    let now = Moment::default();
    let mut swarm = visitor(1, now);
    swarm.handle(Input::Met(2), now);
    swarm.handle(Input::Opened(2), now);
    swarm.handle(Input::Heard(2, hello(3)), now);
    let drop = Output::Drop {
        link: 2,
        fault: PeerFault::Value,
        accuse: true,
    };
    assert!(said(&mut swarm).contains(&drop));
}

#[test]
fn who_takes_and_does_not_give_is_not_introduced() {
    let start = Moment::default();
    let mut swarm = acquainted(start);
    for link in [3, 4] {
        swarm.handle(Input::Opened(link), start);
        swarm.handle(Input::Heard(link, hello(link)), start);
    }
    seed(&mut swarm, 0, start);
    let ask = Message::Ask(Ask {
        credit: 0,
        chunk: 0,
        block: 0,
    });
    swarm.handle(Input::Heard(2, ask), start);
    while swarm.give(start).is_some() {}
    let now = start.after(Rules::default().look);
    swarm.handle(Input::Tick, now);
    said(&mut swarm);
    let met = |swarm: &mut Swarm<Pieces>, by| {
        swarm.handle(Input::Heard(by, seek_for(4, [])), now);
        let meets = said(swarm).into_iter().filter_map(|output| match output {
            Output::Send(to, Message::Meet(meet)) if to == by => Some(meet.visitor),
            _ => None,
        });
        meets.collect::<Vec<_>>()
    };
    assert_eq!(met(&mut swarm, 3), [4], "the other owes an answer and a block");
    assert_eq!(met(&mut swarm, 2), [] as [u32; 0]);
}

/// What a visitor with the seed 0 gives the stranger 9, whom neighbour 2 introduced.
fn given_to_a_stranger(gives: bool, settled: u32) -> usize {
    let now = Moment::default();
    let mut rules = Rules::default();
    rules.settled = settled;
    let hello_of_us = Hello { room: ROOM, id: 1 };
    let random = SmallRng::seed_from_u64(1);
    let mut swarm = Swarm::new(pieces(&page()), hello_of_us, rules, random, now);
    seed(&mut swarm, 0, now);
    swarm.handle(Input::Opened(2), now);
    swarm.handle(Input::Heard(2, hello(2)), now);
    let meet = Meet { visitor: 9, gives };
    swarm.handle(Input::Heard(2, Message::Meet(meet)), now);
    swarm.handle(Input::Opened(9), now);
    swarm.handle(Input::Heard(9, hello(9)), now);
    let ask = Ask {
        credit: 0,
        chunk: 0,
        block: 0,
    };
    swarm.handle(Input::Heard(9, Message::Ask(ask)), now);
    let given = std::iter::from_fn(|| swarm.give(now));
    given
        .filter(|(_, message)| matches!(message, Message::Block(_)))
        .count()
}

#[test]
fn a_neighbours_word_is_worth_a_seed_and_a_stranger_little() {
    assert_eq!(given_to_a_stranger(true, 16), 16, "somebody got something of it");
    assert_eq!(
        given_to_a_stranger(false, 16),
        1,
        "two newcomers: one has to begin"
    );
    assert_eq!(given_to_a_stranger(false, 1), 0, "who has chunks can wait");
    assert_eq!(
        given_to_a_stranger(true, 1),
        0,
        "the word of one who gave nothing"
    );
}

#[test]
fn who_has_nothing_else_to_give_takes_over_what_another_has_not_begun() {
    let start = Moment::default();
    let mut swarm = visitor(1, start);
    let mut first = Vec::new();
    for link in [2, 3] {
        swarm.handle(Input::Opened(link), start);
        swarm.handle(Input::Heard(link, hello(link)), start);
        let ranges: Ranges = std::iter::once(5..6).collect();
        swarm.handle(
            Input::Heard(link, Message::Have(Have { credit: 16, ranges })),
            start,
        );
        first.extend(said(&mut swarm));
    }
    let of = |outputs: &[Output], word: fn(&Message) -> bool| {
        let to = outputs.iter().filter_map(move |output| match output {
            Output::Send(to, message) if word(message) => Some(*to),
            _ => None,
        });
        to.collect::<Vec<_>>()
    };
    let is_ask = |message: &Message| matches!(message, Message::Ask(_));
    let is_cancel = |message: &Message| matches!(message, Message::Cancel(_));
    assert_eq!(of(&first, is_ask), [2], "the chunk is on its way");
    // Once it was waited for, whatever happens next is the occasion; a look is one.
    swarm.handle(Input::Tick, start.after(Rules::default().look));
    let then = said(&mut swarm);
    assert_eq!((of(&then, is_ask), of(&then, is_cancel)), (vec![3], vec![2]));
}

/// Links, and a chunk that each was told of.
type Told = Vec<(u32, u32)>;

/// Who was asked for which chunk, and of whom which was taken back.
fn asks_and_cancels(swarm: &mut Swarm<Pieces>) -> (Told, Told) {
    let (mut asks, mut cancels) = (Vec::new(), Vec::new());
    for output in said(swarm) {
        match output {
            Output::Send(to, Message::Ask(ask)) => asks.push((to, ask.chunk)),
            Output::Send(to, Message::Cancel(cancel)) => cancels.push((to, cancel.chunk)),
            _ => {}
        }
    }
    (asks, cancels)
}

/// A visitor whose neighbour 2 holds these chunks; what it was asked for first.
fn asking(held: std::ops::Range<u32>) -> (Swarm<Pieces>, u32) {
    let now = Moment::default();
    let mut swarm = among(2..=2);
    swarm.handle(Input::Heard(2, have(held)), now);
    let (asks, _) = asks_and_cancels(&mut swarm);
    let [(2, first)] = asks[..] else {
        panic!("one chunk of one neighbour, not {asks:?}");
    };
    (swarm, first)
}

#[test]
fn who_has_the_page_is_asked_for_the_next_chunk_while_it_sends_one() {
    let now = Moment::default();
    let (mut swarm, first) = asking(0..6);
    let mut sending = sent(&page(), first).into_iter();
    let hear = |swarm: &mut Swarm<Pieces>, message| {
        swarm.handle(Input::Heard(2, message), now);
        asks_and_cancels(swarm).0
    };
    let asks = hear(&mut swarm, sending.next().unwrap());
    let [(2, second)] = asks[..] else {
        panic!("one more when it has begun, not {asks:?}");
    };
    assert_ne!(second, first);
    for message in sending {
        assert_eq!(hear(&mut swarm, message), []);
    }
    let asks = hear(&mut swarm, sent(&page(), second).remove(0));
    assert!(matches!(asks[..], [(2, third)] if third != first && third != second));
}

#[test]
fn who_lacks_something_is_asked_for_one_chunk_at_a_time() {
    let now = Moment::default();
    let (mut swarm, first) = asking(0..5);
    let (last, sending) = sent(&page(), first)
        .split_last()
        .map(|(last, rest)| (last.clone(), rest.to_vec()))
        .unwrap();
    for message in sending {
        swarm.handle(Input::Heard(2, message), now);
        assert_eq!(asks_and_cancels(&mut swarm), (vec![], vec![]));
    }
    swarm.handle(Input::Heard(2, last), now);
    assert_eq!(asks_and_cancels(&mut swarm).0.len(), 1);
}

#[test]
fn an_idle_neighbour_takes_over_at_once_what_another_was_asked_for_ahead() {
    let now = Moment::default();
    let (mut swarm, first) = asking(0..6);
    swarm.handle(Input::Heard(2, sent(&page(), first).remove(0)), now);
    let ahead = asks_and_cancels(&mut swarm).0[0].1;
    swarm.handle(Input::Opened(3), now);
    swarm.handle(Input::Heard(3, hello(3)), now);
    swarm.handle(Input::Heard(3, have(ahead..ahead + 1)), now);
    let (asks, cancels) = asks_and_cancels(&mut swarm);
    assert_eq!(cancels, [(2, ahead)]);
    assert!(
        matches!(asks[..], [(3, taken), (2, other)] if taken == ahead && other != ahead),
        "its uplink is idle, and has nothing else: {asks:?}"
    );
}

/// What a visitor that has the page gives neighbour 2, chunk by chunk, after these words of it.
fn given_after(words: impl IntoIterator<Item = Message>) -> Vec<(u32, usize)> {
    let now = Moment::default();
    let mut swarm = among(2..=2);
    (0..6).for_each(|chunk| seed(&mut swarm, chunk, now));
    said(&mut swarm);
    for word in words {
        swarm.handle(Input::Heard(2, word), now);
    }
    let mut given: Vec<(u32, usize)> = Vec::new();
    while let Some((_, message)) = swarm.give(now) {
        match message {
            Message::Proof(proof) => given.push((proof.chunk, 0)),
            Message::Block(block) => {
                let last = given.last_mut().unwrap();
                assert_eq!(last.0, block.chunk, "its proof went ahead");
                last.1 += 1;
            }
            _ => {}
        }
    }
    given
}

#[test]
fn two_asks_stand_at_most_and_each_may_be_taken_back() {
    let ask = |chunk, block| {
        Message::Ask(Ask {
            credit: 0,
            chunk,
            block,
        })
    };
    let cancel = |chunk| Message::Cancel(Cancel { chunk });
    assert_eq!(given_after([ask(0, 0), ask(1, 0)]), [(0, 16), (1, 16)]);
    assert_eq!(given_after([ask(0, 0), ask(1, 0), ask(2, 0)]), [(0, 16), (2, 16)]);
    assert_eq!(given_after([ask(0, 9)]), [(0, 7)]);
    assert_eq!(
        given_after([ask(0, 0), ask(1, 0), ask(1, 12), ask(0, 9)]),
        [(0, 16), (1, 16)],
        "those that stand are nothing new"
    );
    assert_eq!(given_after([ask(0, 0), ask(1, 0), cancel(0)]), [(1, 16)]);
    assert_eq!(given_after([ask(0, 0), ask(1, 0), cancel(1)]), [(0, 16)]);
    assert_eq!(given_after([ask(0, 0), cancel(1), cancel(0)]), []);
}

#[test]
fn what_was_asked_for_ahead_waits_like_what_others_ask_for() {
    let (start, later) = (Moment::default(), Moment::default().after(Duration::from_secs(1)));
    let mut swarm = among(2..=3);
    (0..6).for_each(|chunk| seed(&mut swarm, chunk, start));
    for (link, chunk) in [(2, 0), (2, 1), (3, 2)] {
        let ask = Ask {
            credit: 0,
            chunk,
            block: 0,
        };
        swarm.handle(Input::Heard(link, Message::Ask(ask)), start);
        if (link, chunk) == (2, 0) {
            assert!(swarm.give(start).is_some(), "begun");
        }
    }
    let given = std::iter::from_fn(|| swarm.give(later));
    let proven = given.filter_map(|(link, message)| match message {
        Message::Proof(proof) => Some((link, proof.chunk)),
        _ => None,
    });
    assert_eq!(proven.collect::<Vec<_>>(), [(3, 2), (2, 1)]);
}

#[test]
fn a_newcomer_says_that_it_is_poor_until_it_has_something_to_give() {
    let now = Moment::default();
    let mut swarm = acquainted(now);
    said(&mut swarm);
    let told = |swarm: &mut Swarm<Pieces>| {
        let later = now.after(Rules::default().announce);
        swarm.handle(Input::Tick, later);
        swarm.handle(Input::Opened(3), later);
        let haves = said(swarm).into_iter().filter_map(|output| match output {
            Output::Send(3, Message::Have(have)) => Some(have.credit),
            _ => None,
        });
        haves.last()
    };
    (0..5).for_each(|chunk| seed(&mut swarm, chunk, now));
    assert_eq!(told(&mut swarm), Some(0), "five chunks, and 80 KiB of credit");
    seed(&mut swarm, 5, now);
    swarm.handle(Input::Closed(3), now);
    assert_eq!(told(&mut swarm), Some(16), "the most that is told");
}

#[test]
fn the_broker_finds_room_for_two_where_neighbours_find_none() {
    let now = Moment::default();
    let mut swarm = among(2..=13);
    said(&mut swarm);
    let declined = |outputs: &[Output]| count(outputs, |output| matches!(output, Output::Close(_)));
    for (visitor, expected) in [(20, 0), (21, 0), (22, 1)] {
        swarm.handle(Input::Met(visitor), now);
        assert_eq!(declined(&said(&mut swarm)), expected, "{visitor}");
    }
    for visitor in [20, 21] {
        swarm.handle(Input::Opened(visitor), now);
        assert_eq!(declined(&said(&mut swarm)), 0, "{visitor}");
    }
    assert_eq!(swarm.links(), 14);
    swarm.handle(Input::Heard(2, meet(30)), now);
    assert_eq!(swarm.meetings(), 0, "a neighbour's would be one too many");
}

#[test]
fn those_who_stay_longest_are_introduced_first() {
    let now = Moment::default();
    let mut swarm = among(2..=5);
    for (link, held) in [(3, 6), (4, 1), (5, 5)] {
        let ranges: Ranges = std::iter::once(0..held).collect();
        swarm.handle(Input::Heard(link, Message::Have(Have { credit: 0, ranges })), now);
    }
    said(&mut swarm);
    swarm.handle(Input::Heard(2, seek_for(1, [])), now);
    let met = said(&mut swarm).into_iter().find_map(|output| match output {
        Output::Send(2, Message::Meet(meet)) => Some(meet.visitor),
        _ => None,
    });
    assert_eq!(met, Some(4));
}

fn have(chunks: std::ops::Range<u32>) -> Message {
    let ranges = std::iter::once(chunks).collect();
    Message::Have(Have { credit: 0, ranges })
}

fn closed(outputs: &[Output]) -> Vec<u32> {
    let closed = outputs.iter().filter_map(|output| match output {
        Output::Close(link) => Some(*link),
        _ => None,
    });
    closed.collect()
}

#[test]
fn two_who_have_the_page_make_room_for_one_who_lacks_it() {
    let now = Moment::default();
    for complete in [false, true] {
        let mut swarm = among(2..=15);
        for link in 2..=15 {
            swarm.handle(Input::Heard(link, have(0..6)), now);
        }
        (0..if complete { 6 } else { 5 }).for_each(|chunk| seed(&mut swarm, chunk, now));
        assert_eq!((swarm.is_complete(), swarm.links()), (complete, 14));
        said(&mut swarm);
        swarm.handle(Input::Met(20), now);
        let declined = closed(&said(&mut swarm)) == [20];
        swarm.handle(Input::Opened(20), now);
        let closed = closed(&said(&mut swarm));
        if complete {
            assert!(!declined);
            assert!(
                matches!(*closed, [2..=15]),
                "one of those that need nothing: {closed:?}"
            );
        } else {
            assert!(declined, "any of them may still give");
            assert_eq!(closed, [20]);
        }
        assert_eq!(swarm.links(), 14);
    }
}

#[test]
fn who_has_the_page_and_has_given_all_of_it_leaves_when_its_last_block_is_out() {
    let rules = Rules::default();
    let mut now = Moment::default();
    let mut swarm = among(2..=3);
    (0..6).for_each(|chunk| seed(&mut swarm, chunk, now));
    for link in 2..=3 {
        swarm.handle(Input::Heard(link, have(0..0)), now);
    }
    let mut look = |swarm: &mut Swarm<Pieces>| {
        now = now.after(rules.look);
        swarm.handle(Input::Tick, now);
        (now, said(swarm))
    };
    for chunk in 0..6 {
        let (now, outputs) = look(&mut swarm);
        assert!(!swarm.is_spent() && !outputs.contains(&Output::Leave), "{chunk}");
        let ask = Ask {
            credit: 0,
            chunk,
            block: 0,
        };
        swarm.handle(Input::Heard(2, Message::Ask(ask)), now);
        while swarm.give(now).is_some() {}
    }
    // What is left of its credit is less than a block of the last chunk's tail.
    assert!(swarm.is_spent(), "{:?}", swarm.ledger());
    let (_, outputs) = look(&mut swarm);
    assert!(closed(&outputs).is_empty() && swarm.links() == 2, "{outputs:?}");
    let (_, outputs) = look(&mut swarm);
    let mut links = closed(&outputs);
    links.sort_unstable();
    assert_eq!(links, [2, 3]);
    assert_eq!(outputs.last(), Some(&Output::Leave));
    let (_, outputs) = look(&mut swarm);
    assert!(outputs.is_empty(), "once: {outputs:?}");
    // What the broker said before it knew.
    swarm.handle(Input::Met(9), Moment::default());
    assert_eq!((said(&mut swarm), swarm.meetings()), (vec![Output::Close(9)], 0));
}

#[test]
fn of_those_who_have_the_page_twice_as_many_are_sought() {
    let at = |millis| Moment::default().after(Duration::from_millis(millis));
    let sought = |held| {
        // The first is asked at once, and knows nobody; four more are young when the next is asked.
        let mut swarm = among(2..=2);
        for link in 3..=6 {
            swarm.handle(Input::Opened(link), at(1_000));
            swarm.handle(Input::Heard(link, hello(link)), at(1_000));
            swarm.handle(Input::Heard(link, have(0..held)), at(1_000));
        }
        said(&mut swarm);
        swarm.handle(Input::Tick, at(2_100));
        said(&mut swarm).into_iter().find_map(|output| match output {
            Output::Send(_, Message::Seek(seek)) => Some(seek.count),
            _ => None,
        })
    };
    assert_eq!((sought(5), sought(6)), (Some(2), Some(3)));
}
