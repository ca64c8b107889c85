//! The exchange of one visitor: a state machine of values. What happened goes in, what is to be done comes out; asking is
//! in `asking.rs`, giving in `giving.rs`, and whom and which chunk in `roulette.rs`; how it comes by neighbours, and helps
//! others to them, in `seeking.rs` and `introducing.rs`; for how many there is room, and when it leaves, in `places.rs`.

use std::{collections::VecDeque, sync::Arc};

use rand::rngs::SmallRng;
use smallvec::SmallVec;

use crate::swarm::{
    Input, Ledger, Message, Moment, Output, Payload, PeerFault, Rules,
    introducing::Introduced,
    marks::Marks,
    message::Hello,
    neighbour::{Mutual, Neighbour},
    seeking::Seeking,
};

/// One visitor's side of the exchange.
///
/// > **Law 2. The origin's bytes or nothing.** A byte is kept, passed on or counted only after its block matched the
/// > SHA-256 digests that the origin sent over its own connection.
/// >
/// > **Law 3. Give at most what you got.** At every instant a visitor has sent at most as many payload bytes as it has
/// > received of this site's swarm content, origin bytes counted.
///
/// # The calling contract
/// 1. [`handle`](Self::handle) tells it what happened, with a time that never goes back; then [`poll`](Self::poll) until
///    it has nothing more to say. What it says is done in that order: the messages of one link are reliable and ordered.
/// 2. Whenever the uplink has room for one block more, and after every `handle` while it has, [`give`](Self::give) yields
///    it. It is charged when it is yielded, so it must be sent; whoever cannot, calls later.
/// 3. At [`deadline`](Self::deadline) at the latest it wants an [`Input::Tick`].
///
/// A link is named by the number that the broker gave the visitor at its other end. Whatever a neighbour sends becomes a
/// change of state or an [`Output::Drop`]; it never panics and is never an error of the host. Its memory is bounded by the
/// page and by [`Rules::links_max`] and a few. The same inputs and seed give the same outputs.
// Laid out as written, for the sake of the simulator's cache: what every block needs comes first.
#[derive(Debug)]
#[repr(C)]
pub struct Swarm<P> {
    /// Their numbers, in the same order: whom a message is from is found in one line of the cache.
    numbers: SmallVec<[u32; 12]>,
    /// Shared: a simulated crowd goes by one copy, and the cache holds it.
    pub(super) rules: Arc<Rules>,
    pub(super) ledger: Ledger,
    /// The neighbour whose chunk is being sent.
    pub(super) giving: Option<u32>,
    pub(super) told: Moment,
    /// Whether somebody may wait for news.
    pub(super) news: bool,
    pub(super) looked: Moment,
    /// Drained by the caller after each input, and so bounded by what one input says.
    pub(super) outputs: VecDeque<Output>,
    pub(super) held: Marks,
    pub(super) proven: Marks,
    pub(super) page: P,
    /// At most [`Rules::links_max`] and a few, and by default that many in place: one page of memory holds a simulated visitor.
    pub(super) neighbours: SmallVec<[Neighbour; 9]>,
    /// The block that each chunk lacks first.
    pub(super) next: SmallVec<[u8; 64]>,
    /// Asked of a neighbour, or left to the origin; or not to be asked for yet.
    pub(super) under_way: Marks,
    pub(super) hello: Hello,
    /// What the origin may send out of turn.
    pub(super) spare: SmallVec<[u32; 6]>,
    pub(super) random: SmallRng,
    /// Looks at which it was [spent](Self::is_spent), until it leaves.
    pub(super) spent: u8,
    pub(super) seeking: Seeking,
    pub(super) introduced: Introduced,
    /// Chunks whose digests are not known yet: as good as under way.
    pub(super) sealed: Marks,
    /// What the origin sent of them. Bounded, see `learning.rs`.
    pub(super) waiting: Vec<Message>,
}

impl<P: Payload> Swarm<P> {
    /// A visitor that has nothing but the page's manifest. `hello` is its room and its own number.
    #[must_use]
    pub fn new(page: P, hello: Hello, rules: impl Into<Arc<Rules>>, random: SmallRng, now: Moment) -> Self {
        let rules = rules.into();
        let none = Marks::new(page.chunks());
        let mut sealed = none.clone();
        page.sealed()
            .into_iter()
            .flatten()
            .for_each(|chunk| sealed.set(chunk));
        Self {
            hello,
            ledger: Ledger::new(),
            held: none.clone(),
            under_way: sealed.clone(),
            sealed,
            waiting: Vec::new(),
            proven: none,
            next: SmallVec::from_elem(0, page.chunks() as usize),
            spare: SmallVec::new(),
            neighbours: SmallVec::new(),
            numbers: SmallVec::new(),
            seeking: Seeking::new(&rules, now),
            introduced: Introduced::default(),
            giving: None,
            told: now,
            spent: 0,
            news: false,
            looked: now,
            outputs: VecDeque::new(),
            random,
            rules,
            page,
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input, now: Moment) {
        let changed = match input {
            Input::Opened(link) => self.open(link, now),
            Input::Closed(link) => self.place(link).is_some_and(|place| self.leave(place)),
            Input::Met(visitor) => self.met(visitor, now),
            Input::Missed(visitor) => self.missed(visitor),
            Input::Signal(visitor, body) => self.signal(visitor, body),
            Input::Heard(link, message) => self.heard(link, message, now),
            Input::Garbled(link, fault) => self.wrong(link, fault),
            Input::Full(link, full) => self.full(link, full),
            Input::Origin(message) => self.origin(message),
            Input::Digests(list) => self.learn(None, list),
            Input::Sponsor(link) => self.sponsor(link),
            Input::Tick => self.tick(now),
        };
        // Most messages are blocks in the midst of a chunk: they change nothing about who is asked for what.
        if changed {
            self.reserve();
            self.ask_all(now);
        }
    }

    /// The next thing to do, blocks excepted.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The next message to this neighbour, ahead of what else is to be done: what is said to one at one moment goes in one
    /// packet ([`Bundle`](crate::swarm::message::Bundle)).
    pub fn more(&mut self, link: u32) -> Option<Message> {
        let to_it = |output: &Output| matches!(output, Output::Send(to, _) if *to == link);
        let place = self.outputs.iter().position(to_it)?;
        match self.outputs.remove(place)? {
            Output::Send(_, message) => Some(message),
            _ => None,
        }
    }

    /// When a [`Input::Tick`] is wanted at the latest.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        let look = self.looked.after(self.rules.look);
        if self.news {
            look.min(self.told.after(self.pace()))
        } else {
            look
        }
    }

    /// Whether the whole page is here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.held.is_full()
    }

    /// What was got and given.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The page's bytes.
    #[must_use]
    pub const fn page(&self) -> &P {
        &self.page
    }

    /// Open links.
    #[must_use]
    pub fn links(&self) -> usize {
        self.neighbours.len()
    }

    /// The neighbours, by number.
    pub fn neighbours(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.numbers.iter().copied()
    }

    pub(super) fn place(&self, link: u32) -> Option<usize> {
        self.numbers.iter().position(|number| *number == link)
    }

    pub(super) fn say(&mut self, link: u32, message: Message) {
        self.outputs.push_back(Output::Send(link, message));
    }

    /// Ends the link to one who did wrong.
    pub(super) fn wrong(&mut self, link: u32, fault: PeerFault) -> bool {
        self.drop_link(link, fault, true)
    }

    pub(super) fn drop_link(&mut self, link: u32, fault: PeerFault, accuse: bool) -> bool {
        let Some(place) = self.place(link) else {
            return false;
        };
        // Of a pair that it did not introduce the broker knows nothing.
        let accuse = accuse && !self.neighbours[place].by_neighbour;
        self.leave(place);
        self.outputs.push_back(Output::Drop { link, fault, accuse });
        true
    }

    fn open(&mut self, link: u32, now: Moment) -> bool {
        // A second link to the same visitor, or to itself, is a fault of whoever introduced it, and is none.
        if self.place(link).is_some() {
            return false;
        }
        let meeting = self.seeking.over(link);
        let by = meeting.and_then(|meeting| meeting.by);
        let most = self.most(by.is_none());
        if self.taken() >= most || link == self.hello.id {
            self.outputs.push_back(Output::Close(link));
            return false;
        }
        self.make_room(most);
        let mut them = Neighbour::new(link, self.page.chunks(), now);
        them.by_neighbour = by.is_some();
        let stranger = Mutual {
            theirs: self.rules.trust,
            ours: self.rules.trust,
        };
        them.first = meeting.map_or(stranger, |meeting| meeting.first);
        self.neighbours.push(them);
        self.numbers.push(link);
        self.say(link, Message::Hello(self.hello));
        if self.lacks_digests() {
            self.say(link, Message::Learn);
        }
        if self.held.count() > 0 {
            self.tell(link, self.held.ranges());
        }
        true
    }

    pub(super) fn leave(&mut self, place: usize) -> bool {
        let them = self.neighbours.swap_remove(place);
        self.numbers.swap_remove(place);
        for chunk in them.asks() {
            self.under_way.clear(chunk);
        }
        if self.giving == Some(them.link) {
            self.giving = None;
        }
        self.seeking.know(them.link);
        self.introduced.forget(them.link);
        true
    }

    fn full(&mut self, link: u32, full: bool) -> bool {
        if let Some(place) = self.place(link) {
            self.neighbours[place].full = full;
        }
        false
    }

    fn sponsor(&mut self, link: u32) -> bool {
        if let Some(place) = self.place(link) {
            self.neighbours[place].sponsored = true;
        }
        false
    }

    fn heard(&mut self, link: u32, message: Message, now: Moment) -> bool {
        // It was let go: what it had sent before it knew is nobody's.
        let Some(place) = self.place(link) else {
            return false;
        };
        let them = &mut self.neighbours[place];
        if matches!(message, Message::Hello(_)) == them.greeted {
            return self.wrong(link, PeerFault::Order);
        }
        if !matches!(message, Message::Block(_)) {
            them.words += 1;
            if them.words > WORDS_MAX {
                return self.wrong(link, PeerFault::Flood);
            }
        }
        match message {
            Message::Hello(hello) => self.greeted(place, hello, now),
            Message::Have(have) => {
                them.credit = have.credit;
                them.holds(&have.ranges);
                them.untold = them.untold.without([&them.held, &them.held]);
                true
            }
            Message::Ask(ask) => self.wished(place, ask, now),
            Message::Cancel(cancel) => {
                self.news |= them.end_wish(cancel.chunk, now);
                false
            }
            Message::Proof(proof) => self.proof(place, proof),
            Message::Block(block) => self.block(place, block, now),
            Message::Lack(lack) => self.lacked(place, lack.chunk),
            Message::Seek(seek) => self.sought(place, &seek, now),
            Message::Meet(meet) => self.introduced_to(link, meet, now),
            Message::Signal(signal) => self.relay(link, signal, now),
            Message::Relayed(relayed) => self.relayed(link, relayed),
            Message::Learn => self.teach(place),
            Message::Digests(list) => self.learn(Some(link), list),
        }
    }

    fn greeted(&mut self, place: usize, hello: Hello, now: Moment) -> bool {
        let them = &mut self.neighbours[place];
        if hello.room != self.hello.room {
            let link = them.link;
            return self.wrong(link, PeerFault::Room);
        }
        // Two visitors with one number: whichever is the false one, it is not the one that was introduced.
        if hello.id != them.link {
            let link = them.link;
            return self.wrong(link, PeerFault::Value);
        }
        them.greeted = true;
        self.seek(now);
        true
    }

    fn tick(&mut self, now: Moment) -> bool {
        if self.news && now >= self.told.after(self.pace()) {
            self.announce(now);
        }
        if now < self.looked.after(self.rules.look) {
            return false;
        }
        self.looked = now;
        // In this order: an ask that is taken elsewhere is not unanswered any more.
        self.let_go(now);
        self.expire(now);
        self.seek(now);
        self.retire();
        true
    }

    /// Ends the links to those who take to their limit and do not give, who never say who they are, and lets all others
    /// speak again.
    fn let_go(&mut self, now: Moment) {
        for place in (0..self.neighbours.len()).rev() {
            let greeting = self.rules.greeting;
            let takes = self.takes(place, now);
            let them = &mut self.neighbours[place];
            them.words = 0;
            let (link, innocent) = (them.link, them.pair.received > 0);
            if takes {
                self.drop_link(link, PeerFault::Taker, !innocent);
            } else if !them.greeted && now >= them.opened.after(greeting) {
                self.drop_link(link, PeerFault::Order, false);
            }
        }
    }

    /// Whether it is at its limit for too long, while it owes an answer.
    fn takes(&mut self, place: usize, now: Moment) -> bool {
        let (rules, complete) = (&self.rules, self.held.is_full());
        let them = &mut self.neighbours[place];
        let limit = them.wish.is_some() && !complete && them.pair.balance() + BLOCK > them.trust(rules);
        if !limit || them.ask.is_none() {
            them.limit_since = None;
            return false;
        }
        let patience = if them.pair.received > 0 {
            rules.evict * KNOWN
        } else {
            rules.evict
        };
        now >= them.limit_since.get_or_insert(now).after(patience)
    }
}

const BLOCK: i64 = crate::content::BLOCK as i64;
/// So many times longer is one borne with that gave something before: it may have others to give to, and a slow uplink.
const KNOWN: u32 = 8;
/// Messages of one neighbour between two looks (250 ms), blocks not counted. An honest one says what it has ten times a
/// second and asks once per chunk: on a link of 100 Mbit/s that is 190 asks and cancels.
const WORDS_MAX: u16 = 500;
