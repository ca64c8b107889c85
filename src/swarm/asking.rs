//! The asking side of the exchange: one chunk at a time of each neighbour, verified block by block, resumed elsewhere when
//! it stalls; and what is left to the origin.

use bytes::Bytes;
use rand::RngExt;

use crate::swarm::{
    Message, Moment, Output, Payload, PeerFault, Swarm,
    message::{Ask, Block, Cancel, Proof},
    neighbour::{self, Neighbour},
    payload::blocks_of,
    roulette,
};

/// What became of a block.
enum Taken {
    /// It is known already, or its chunk is: neither used nor counted.
    Stale,
    /// It is the next one, and the origin's.
    Next,
    /// It is not the origin's.
    Wrong,
    /// It leaves others out.
    Early,
}

impl<P: Payload> Swarm<P> {
    /// Asks every idle neighbour for one chunk: first those that can be expected to give, beginning anywhere, so that what
    /// stalled at one is asked of another. What is left then is asked of those ahead who are sending, lest their uplinks rest for a
    /// round trip between two chunks.
    pub(super) fn ask_all(&mut self, now: Moment) {
        let count = self.neighbours.len();
        let may_be = |them: &Neighbour| them.may_be_asked() || them.may_be_asked_ahead();
        if !self.neighbours.iter().any(may_be) {
            return;
        }
        let start = self.random.random_range(0..count);
        for hopeful in [true, false] {
            for step in 0..count {
                let place = (start + step) % count;
                let them = &self.neighbours[place];
                if them.may_be_asked()
                    && them.trusts_us(&self.rules) == hopeful
                    && let Some(chunk) = self.choose(place).or_else(|| self.take_over(place, now))
                {
                    self.ask(place, chunk, now);
                }
            }
        }
        for step in 0..count {
            let place = (start + step) % count;
            if self.neighbours[place].may_be_asked_ahead()
                && let Some(chunk) = self.choose(place)
            {
                self.ask(place, chunk, now);
            }
        }
        for place in 0..count {
            let them = &mut self.neighbours[place];
            if let Some(chunk) = them.void.take() {
                self.cancel(place, chunk);
            }
        }
    }

    fn cancel(&mut self, place: usize, chunk: u32) {
        let link = self.neighbours[place].link;
        self.say(link, Message::Cancel(Cancel { chunk }));
    }

    /// Leaves some chunks to the origin, should it have time: it serves them in its own order, when nothing else waits.
    pub(super) fn reserve(&mut self) {
        let free = usize::from(self.rules.spare).saturating_sub(self.spare.len());
        if free == 0 {
            return;
        }
        let mut open = self.held.rest().without([&self.under_way, &self.held]);
        let before = self.spare.len();
        for _ in 0..free {
            let Some(chunk) = roulette::any(&open, &mut self.random) else {
                break;
            };
            open.clear(chunk);
            self.under_way.set(chunk);
            self.spare.push(chunk);
        }
        if self.spare.len() > before {
            self.outputs.push_back(Output::Spare(self.spare.clone()));
        }
    }

    /// Takes asks elsewhere that brought nothing for too long.
    pub(super) fn expire(&mut self, now: Moment) {
        for place in 0..self.neighbours.len() {
            let stalled = |ask: &mut neighbour::Ask| now >= ask.heard.after(self.rules.retry);
            let them = &mut self.neighbours[place];
            if let Some(ask) = them.ask.take_if(stalled) {
                them.void = Some(ask.chunk);
                self.under_way.clear(ask.chunk);
                if let Some(ahead) = them.ahead.take() {
                    self.under_way.clear(ahead);
                    self.cancel(place, ahead);
                }
            }
        }
    }

    /// It does not hold the chunk (any more).
    pub(super) fn lacked(&mut self, place: usize, chunk: u32) -> bool {
        let them = &mut self.neighbours[place];
        them.expected.retain(|expected| *expected != chunk);
        them.lacks(chunk);
        if them.ask.is_some_and(|ask| ask.chunk == chunk) {
            them.end_ask();
            self.under_way.clear(chunk);
        } else if them.ahead.take_if(|ahead| *ahead == chunk).is_some() {
            self.under_way.clear(chunk);
        }
        true
    }

    pub(super) fn proof(&mut self, place: usize, proof: Proof) -> bool {
        let them = &mut self.neighbours[place];
        let link = them.link;
        let Some(at) = them.expected.iter().position(|chunk| *chunk == proof.chunk) else {
            return self.wrong(link, PeerFault::Unasked);
        };
        // The channel is ordered: what was asked before this one, it will not send any more.
        them.expected.drain(..=at);
        them.sending = Some(proof.chunk);
        if self.proves(proof) {
            self.neighbours[place].may_be_asked_ahead()
        } else {
            self.wrong(link, PeerFault::Digest)
        }
    }

    pub(super) fn block(&mut self, place: usize, block: Block, now: Moment) -> bool {
        let Block {
            credit,
            chunk,
            block,
            bytes,
        } = block;
        let them = &mut self.neighbours[place];
        them.credit = credit;
        let link = them.link;
        if them.sending != Some(chunk) {
            return self.wrong(link, PeerFault::Unasked);
        }
        let length = bytes.len() as u64;
        match self.take(chunk, block, bytes) {
            Taken::Stale => return false,
            Taken::Wrong => return self.wrong(link, PeerFault::Digest),
            Taken::Early => return self.wrong(link, PeerFault::Order),
            Taken::Next => {}
        }
        let them = &mut self.neighbours[place];
        self.ledger.received(&mut them.pair, length);
        if let Some(ask) = them.ask.as_mut().filter(|ask| ask.chunk == chunk) {
            ask.heard = now;
        }
        self.finish(chunk, Some(link))
    }

    /// Takes what the origin sent over its own connection. What is not of our page is the site's own mistake, and costs
    /// the chunk alone: neighbours bring it.
    pub(super) fn origin(&mut self, message: Message) -> bool {
        match message {
            Message::Proof(Proof { chunk, .. }) | Message::Block(Block { chunk, .. })
                if self.sealed.has(chunk) =>
            {
                self.postpone(message)
            }
            Message::Proof(proof) => {
                self.proves(proof);
                false
            }
            Message::Block(Block {
                chunk, block, bytes, ..
            }) => {
                let length = bytes.len() as u64;
                if !matches!(self.take(chunk, block, bytes), Taken::Next) {
                    return false;
                }
                self.ledger.origin(length);
                self.finish(chunk, None)
            }
            _ => false,
        }
    }

    fn ask(&mut self, place: usize, chunk: u32, now: Moment) {
        self.under_way.set(chunk);
        let them = &mut self.neighbours[place];
        if them.ask.is_none() {
            them.ask = Some(neighbour::Ask { chunk, heard: now });
        } else {
            them.ahead = Some(chunk);
        }
        // What it was asked for already, it need not be told again.
        match them.void.take() {
            Some(void) if void == chunk => return,
            Some(void) => self.cancel(place, void),
            None => {}
        }
        let message = Message::Ask(Ask {
            credit: self.stated(),
            chunk,
            block: self.next[chunk as usize],
        });
        let them = &mut self.neighbours[place];
        them.expected.push(chunk);
        let link = them.link;
        self.say(link, message);
        self.inform(place);
    }

    /// A chunk to ask this neighbour for; of those left to the origin only if nothing else is left.
    fn choose(&mut self, place: usize) -> Option<u32> {
        let offered = &self.neighbours[place].held;
        let open = offered.without([&self.held, &self.under_way]);
        // Only a whole chunk can be given to others: what was begun comes first, and what lacks least of it.
        let blocks = |chunk: &u32| self.next[*chunk as usize];
        let begun = open.iter().filter(|chunk| blocks(chunk) > 0).max_by_key(blocks);
        if begun.is_some() {
            return begun;
        }
        let neighbours = &self.neighbours;
        let holders = |chunk| neighbours.iter().filter(|them| them.held.has(chunk)).count();
        if let Some(chunk) = roulette::which_chunk(&open, holders, &mut self.random) {
            return Some(chunk);
        }
        let at = self.spare.iter().position(|chunk| offered.has(*chunk))?;
        let chunk = self.spare.remove(at);
        self.outputs.push_back(Output::Spare(self.spare.clone()));
        Some(chunk)
    }

    /// A chunk that somebody else was asked for and has not begun to send, the oldest first: this neighbour has nothing else to
    /// give, and its uplink is idle.
    fn take_over(&mut self, place: usize, now: Moment) -> Option<u32> {
        let offered = &self.neighbours[place].held;
        // What was asked for ahead was not begun for certain.
        let waits = |them: &Neighbour| {
            let ask = them.ask?;
            let begun = them.sending == Some(ask.chunk) || now < ask.heard.after(self.rules.take_over);
            let chunk = them.ahead.or((!begun).then_some(ask.chunk))?;
            offered.has(chunk).then_some((ask.heard, chunk))
        };
        let (at, chunk) = (0..self.neighbours.len())
            .filter(|at| *at != place)
            .filter_map(|at| Some((at, waits(&self.neighbours[at])?)))
            .min_by_key(|(_, (heard, _))| *heard)
            .map(|(at, (_, chunk))| (at, chunk))?;
        let them = &mut self.neighbours[at];
        if them.ahead.take().is_some() {
            self.cancel(at, chunk);
        } else {
            them.ask = None;
            them.void = Some(chunk);
        }
        Some(chunk)
    }

    /// Whether the digests are the origin's, or not needed.
    fn proves(&mut self, proof: Proof) -> bool {
        let chunk = proof.chunk;
        if self.held.has(chunk) || self.proven.has(chunk) {
            return true;
        }
        let right = self.page.prove(chunk, proof.digests);
        if right {
            self.proven.set(chunk);
        }
        right
    }

    fn take(&mut self, chunk: u32, block: u8, bytes: Bytes) -> Taken {
        let Some(next) = self.next.get_mut(chunk as usize) else {
            return Taken::Wrong;
        };
        if block < *next {
            return Taken::Stale;
        }
        if block > *next {
            return Taken::Early;
        }
        // The digests alone would not say where the page ends.
        let length = self.page.length(chunk) - usize::from(block) * crate::content::BLOCK;
        let right = bytes.len() == length.min(crate::content::BLOCK)
            && self.proven.has(chunk)
            && self.page.put(chunk, block, bytes);
        if !right {
            return Taken::Wrong;
        }
        *next += 1;
        Taken::Next
    }

    /// If the chunk is complete, keeps it and ends what is under way for it.
    fn finish(&mut self, chunk: u32, from: Option<u32>) -> bool {
        if self.next[chunk as usize] < blocks_of(self.page.length(chunk)) {
            return false;
        }
        self.held.set(chunk);
        self.news = true;
        self.under_way.clear(chunk);
        self.spare.retain(|spare| *spare != chunk);
        for place in 0..self.neighbours.len() {
            let them = &mut self.neighbours[place];
            if !them.held.has(chunk) {
                them.untold.set(chunk);
            }
            if them.ahead.take_if(|ahead| *ahead == chunk).is_some() {
                self.cancel(place, chunk);
                continue;
            }
            if them.ask.is_none_or(|ask| ask.chunk != chunk) {
                continue;
            }
            them.end_ask();
            // Who sent the last block has nothing left to send, unless it was asked for the chunk again since.
            if from != Some(them.link) || them.expected.contains(&chunk) {
                them.void = Some(chunk);
            }
        }
        self.outputs.push_back(Output::Got(chunk));
        if self.is_complete() {
            self.outputs.push_back(Output::Complete);
        }
        true
    }
}
