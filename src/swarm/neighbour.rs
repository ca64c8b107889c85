//! What is known of one neighbour: what it holds, what was exchanged, what each asked of the other. A record; `asking.rs`
//! and `giving.rs` decide by it.

use smallvec::SmallVec;

use crate::{
    content,
    swarm::{Moment, Pair, Ranges, Rules, marks::Marks, message::CREDIT_MAX},
};

// Laid out as written, for the sake of the simulator's cache: what every block needs comes first.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Neighbour {
    pub(super) link: u32,
    /// What it last said it may give, in units of 2 KiB.
    pub(super) credit: u8,
    pub(super) greeted: bool,
    /// More is queued towards it than is good.
    pub(super) full: bool,
    /// The broker named us its sponsor.
    pub(super) sponsored: bool,
    /// It was told the digests that we know.
    pub(super) taught: bool,
    /// It holds all of the page, as `held` says.
    pub(super) complete: bool,
    pub(super) pair: Pair,
    /// What it asked for.
    pub(super) wish: Option<Wish>,
    /// The chunk of the proof that it sent last: its blocks are of that one.
    pub(super) sending: Option<u32>,
    /// What it was asked for.
    pub(super) ask: Option<Ask>,
    pub(super) held: Marks,
    /// What we hold, and it neither holds nor was told of.
    pub(super) untold: Marks,
    /// What it was asked for, and need not send any more; it does not know yet.
    pub(super) void: Option<u32>,
    /// Messages since the last look, blocks not counted: those are bounded by what was asked.
    pub(super) words: u16,
    /// A neighbour introduced it, not the broker.
    pub(super) by_neighbour: bool,
    /// What it may owe before it has given any, and we it.
    pub(super) first: Mutual,
    /// When it sought neighbours last.
    pub(super) sought: Option<Moment>,
    /// Chunks that it was asked for and has not begun to send, oldest first: what was cancelled may still come.
    pub(super) expected: SmallVec<[u32; 8]>,
    /// Since when it owes as much as it may, and gives nothing.
    pub(super) limit_since: Option<Moment>,
    pub(super) opened: Moment,
    /// The chunk that it is to be given behind what it asked for, and from which block on.
    then: Option<(u32, u8)>,
    /// The chunk that it is to send behind what it was asked for.
    pub(super) ahead: Option<u32>,
}

/// Bytes that either may owe the other before it has given any; what it allows us is a guess.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mutual {
    pub(super) theirs: u32,
    pub(super) ours: u32,
}

/// Our request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) chunk: u32,
    /// When it was made, or the neighbour brought the last useful byte.
    pub(super) heard: Moment,
}

/// Its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) chunk: u32,
    pub(super) block: u8,
    pub(super) proven: bool,
    pub(super) since: Moment,
}

impl Wish {
    const fn new(chunk: u32, block: u8, since: Moment) -> Self {
        Self {
            chunk,
            block,
            proven: false,
            since,
        }
    }
}

impl Neighbour {
    pub(super) fn new(link: u32, chunks: u32, now: Moment) -> Self {
        Self {
            link,
            credit: 0,
            greeted: false,
            full: false,
            by_neighbour: false,
            first: Mutual::default(),
            sought: None,
            sponsored: false,
            taught: false,
            complete: false,
            words: 0,
            pair: Pair::default(),
            held: Marks::new(chunks),
            untold: Marks::new(chunks),
            ask: None,
            ahead: None,
            void: None,
            wish: None,
            then: None,
            sending: None,
            expected: SmallVec::new(),
            limit_since: None,
            opened: now,
        }
    }

    /// Takes note of what it holds.
    pub(super) fn holds(&mut self, ranges: &Ranges) {
        self.held.learn(ranges);
        self.complete = self.held.is_full();
    }

    /// Takes note of what it does not hold (any more).
    pub(super) fn lacks(&mut self, chunk: u32) {
        self.held.clear(chunk);
        self.complete = false;
    }

    /// Bytes that it may owe: little at first, more as it gives.
    pub(super) fn trust(&self, rules: &Rules) -> i64 {
        let earned = u64::from(self.first.theirs) + self.pair.received;
        earned.min(rules.trust_max.into()) as i64 + self.promised(rules)
    }

    /// What it is given before others: the seed that the broker asked us to give it.
    pub(super) fn promised(&self, rules: &Rules) -> i64 {
        if self.sponsored { rules.sponsor.into() } else { 0 }
    }

    /// Whether it gives, if it goes by our rules: we do not owe it as much as we may, or it has all and trusts everybody.
    pub(super) fn trusts_us(&self, rules: &Rules) -> bool {
        let earned = (u64::from(self.first.ours) + self.pair.given).min(rules.trust_max.into());
        self.complete || content::BLOCK as i64 - self.pair.balance() <= earned as i64
    }

    /// Whether it helps, or may yet: it gave something or is young, and is not at its limit.
    pub(super) fn is_useful(&self, rules: &Rules, now: Moment) -> bool {
        let young = now < self.opened.after(rules.prove);
        self.limit_since.is_none() && (young || self.pair.received > 0)
    }

    /// Whether it waits for nothing, and does not know of all that it could ask for.
    pub(super) fn waits_for_news(&self) -> bool {
        self.wish.is_none() && !self.untold.is_empty()
    }

    /// Takes a request: at most two stand, and one that stands already is nothing new.
    pub(super) fn add_wish(&mut self, chunk: u32, block: u8, now: Moment) {
        match self.wish {
            None => self.wish = Some(Wish::new(chunk, block, now)),
            Some(wish) if wish.chunk == chunk => {}
            Some(_) if self.then.is_some_and(|(then, _)| then == chunk) => {}
            Some(_) => self.then = Some((chunk, block)),
        }
    }

    /// A request is over, for it was fulfilled or taken back: the next takes its place. True if there was one for that chunk.
    pub(super) fn end_wish(&mut self, chunk: u32, now: Moment) -> bool {
        if self.wish.take_if(|wish| wish.chunk == chunk).is_some() {
            let then = self.then.take();
            self.wish = then.map(|(chunk, block)| Wish::new(chunk, block, now));
            true
        } else {
            self.then.take_if(|(then, _)| *then == chunk).is_some()
        }
    }

    /// What it was asked for is over: what it is to send then takes its place.
    pub(super) fn end_ask(&mut self) {
        let ahead = self.ahead.take();
        let before = self.ask.take();
        self.ask = before.and_then(|ask| Some(Ask { chunk: ahead?, ..ask }));
    }

    /// Chunks that it was asked for.
    pub(super) fn asks(&self) -> impl Iterator<Item = u32> + use<> {
        self.ask.map(|ask| ask.chunk).into_iter().chain(self.ahead)
    }

    /// Whether it may be asked: it lets no more pile up than it answers.
    pub(super) fn may_be_asked(&self) -> bool {
        self.greeted && self.ask.is_none() && self.expected.len() < EXPECTED_MOST
    }

    /// Whether it may be asked for what it is to send next: it has the page, and has begun with what it was asked for. Of one who
    /// lacks something a second chunk would be kept from somebody else, and free riders get more of it.
    pub(super) fn may_be_asked_ahead(&self) -> bool {
        let begun = self.ask.is_some_and(|ask| self.sending == Some(ask.chunk));
        begun && self.complete && self.ahead.is_none() && self.expected.len() < EXPECTED_MOST
    }
}

/// What is told of a credit of so many bytes.
pub(super) fn stated(credit: u64) -> u8 {
    (credit / CREDIT_UNIT).min(CREDIT_MAX.into()) as u8
}

/// Asks that may be open, or cancelled and unanswered, on one link. One that lets more pile up is not asked again.
pub(super) const EXPECTED_MOST: usize = 32;
/// The unit in which credit is told: twice a block, for what is told is old when it arrives.
const CREDIT_UNIT: u64 = 2 * 1024;
