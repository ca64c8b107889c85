//! The giving side of the exchange: what neighbours are told, and who gets the next block. Law 3 is kept here: a block is
//! charged before it goes.

use std::time::Duration;

use smallvec::SmallVec;

use crate::{
    content,
    swarm::{
        Message, Moment, Payload, PeerFault, Ranges, Swarm,
        message::{Ask, Block, Have, Lack, Proof},
        neighbour::{Wish, stated},
        roulette::{self, Class, Taker},
    },
};

impl<P: Payload> Swarm<P> {
    /// The next block that goes out, or the proof ahead of it; none if nobody may be given one now. It is charged: it must
    /// be sent. What [`more`](Self::more) has for the same neighbour then goes ahead of it, for it takes the rest of its packet.
    pub fn give(&mut self, now: Moment) -> Option<(u32, Message)> {
        loop {
            let place = self.taker(now)?;
            let them = &mut self.neighbours[place];
            let link = them.link;
            self.giving = Some(link);
            let wish = them.wish.as_mut()?;
            let Wish { chunk, block, .. } = *wish;
            if !wish.proven {
                wish.proven = true;
                let digests = self.page.proof(chunk);
                return Some((link, Message::Proof(Proof { chunk, digests })));
            }
            wish.block += 1;
            if usize::from(wish.block) * content::BLOCK >= self.page.length(chunk) {
                them.end_wish(chunk, now);
                // What it wants then waits like everybody's.
                self.giving = None;
            }
            let Some(bytes) = self.page.block(chunk, block) else {
                them.end_wish(chunk, now);
                self.news = true;
                return Some((link, Message::Lack(Lack { chunk })));
            };
            // Law 3. The taker was chosen among those that credit allows, but the ledger decides.
            if self.ledger.give(&mut them.pair, bytes.len() as u64).is_err() {
                continue;
            }
            let credit = self.stated();
            // With it the news: it may ask for that next.
            self.inform(place);
            return Some((
                link,
                Message::Block(Block {
                    credit,
                    chunk,
                    block,
                    bytes,
                }),
            ));
        }
    }

    /// Takes a request.
    pub(super) fn wished(&mut self, place: usize, ask: Ask, now: Moment) -> bool {
        let Ask { credit, chunk, block } = ask;
        let them = &mut self.neighbours[place];
        them.credit = credit;
        let link = them.link;
        if !self.held.has(chunk) {
            them.end_wish(chunk, now);
            self.news = true;
            self.say(link, Message::Lack(Lack { chunk }));
        } else if usize::from(block) * content::BLOCK >= self.page.length(chunk) {
            return self.wrong(link, PeerFault::Block);
        } else {
            them.add_wish(chunk, block, now);
        }
        false
    }

    /// What is told of our credit: none while there is little that it could be spent on, for a new chunk wakes an idle uplink as
    /// credit does.
    pub(super) fn stated(&self) -> u8 {
        if self.held.count() < self.rules.poor {
            0
        } else {
            stated(self.ledger.credit())
        }
    }

    /// How seldom it tells what is new. A newcomer has little to offer, and its uplink is idle until somebody asks for it.
    pub(super) fn pace(&self) -> Duration {
        if self.held.count() < NEWCOMER {
            self.rules.announce / HASTE
        } else {
            self.rules.announce
        }
    }

    /// Tells those what is new to them who wait for nothing; who waits for an answer hears with it, for it asks no sooner.
    pub(super) fn announce(&mut self, now: Moment) {
        self.told = now;
        self.news = false;
        for place in 0..self.neighbours.len() {
            if self.neighbours[place].waits_for_news() {
                self.inform(place);
            }
        }
    }

    /// Tells a neighbour what is new to it, if anything is.
    pub(super) fn inform(&mut self, place: usize) {
        let them = &mut self.neighbours[place];
        if !them.untold.is_empty() {
            let (link, news) = (them.link, them.untold.ranges());
            them.untold.reset();
            self.tell(link, news);
        }
    }

    pub(super) fn tell(&mut self, link: u32, ranges: Ranges) {
        let credit = self.stated();
        for ranges in ranges.parts() {
            self.say(link, Message::Have(Have { credit, ranges }));
        }
    }

    /// Who is given to now: the same until its chunk is sent, or its trust or our credit ends.
    fn taker(&mut self, now: Moment) -> Option<usize> {
        let current = self.giving.and_then(|link| self.place(link));
        if let Some(place) =
            current.filter(|place| self.class(*place).is_some_and(|class| class < Class::Gift))
        {
            return Some(place);
        }
        let takers = self.takers(now);
        roulette::whom(&takers, &mut self.random)
    }

    fn takers(&self, now: Moment) -> SmallVec<[Taker; 12]> {
        let takers = self.neighbours.iter().enumerate().filter_map(|(place, them)| {
            let wish = them.wish?;
            Some(Taker {
                place,
                class: self.class(place)?,
                credit: them.credit,
                waited: now.since(wish.since).as_millis() as u64,
                held: u64::from(them.held.count()) * 1000 / u64::from(self.page.chunks().max(1)),
            })
        });
        takers.collect()
    }

    /// As what the next block of its wish may be given; not at all if there is none, or no credit for it.
    fn class(&self, place: usize) -> Option<Class> {
        let them = &self.neighbours[place];
        let wish = them.wish.filter(|_| !them.full)?;
        let rest = self.page.length(wish.chunk) - usize::from(wish.block) * content::BLOCK;
        let bytes = rest.min(content::BLOCK);
        let (credit, balance) = (self.ledger.credit(), them.pair.balance());
        if bytes as u64 > credit {
            None
        } else if balance < them.promised(&self.rules) {
            Some(Class::Debt)
        } else if balance + bytes as i64 <= them.trust(&self.rules) || self.is_complete() {
            Some(Class::Trust)
        } else {
            (credit >= self.rules.gift.into()).then_some(Class::Gift)
        }
    }
}

/// Chunks from which on a visitor tells what is new to it as seldom as all, and how much sooner it does before: its first
/// news are few. They make a page 1 % faster at load 32.
const NEWCOMER: u32 = 8;
const HASTE: u32 = 8;
