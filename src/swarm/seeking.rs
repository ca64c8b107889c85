//! How a visitor comes by neighbours: it asks those it has, one after the other, and the broker only when none of them knew
//! any. What becomes of an introduction, until there is a link or none, is here as well; to introduce others is not.

use std::{collections::VecDeque, time::Duration};

use rand::{RngExt, seq::IteratorRandom};
use smallvec::SmallVec;

use crate::swarm::{
    Body, Message, Moment, Output, Pair, Payload, Rules, Said, Swarm,
    message::{Meet, Relayed, Seek, Signal},
    neighbour::Mutual,
};

/// Who was asked for neighbours, who is being met, and who is not to be met again.
#[derive(Debug)]
pub(super) struct Seeking {
    /// Who was asked last.
    of: Asked,
    /// Introductions that it has not made yet.
    hoped: u8,
    /// From then on the next is asked, whatever is hoped.
    until: Moment,
    /// Neighbours that were asked in this round; at most one for each link.
    asked: SmallVec<[u32; 12]>,
    /// How long the round rests behind the broker: longer each time that nobody came.
    rest: Duration,
    /// At most as many as there may be links.
    meetings: SmallVec<[Meeting; 4]>,
    /// Visitors that were linked, or met in vain. At most [`KNOWN_MAX`], the latest last.
    known: VecDeque<u32>,
    /// When those came whom this visitor had not asked for. At most [`Rules::unsought`].
    unsought: VecDeque<Moment>,
}

/// A visitor that was introduced, and is no neighbour yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meeting {
    visitor: u32,
    /// The neighbour that introduced it; none if the broker did.
    pub(super) by: Option<u32>,
    since: Moment,
    /// What each may owe the other when they are linked.
    pub(super) first: Mutual,
    said: Said,
    heard: Said,
    silent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Broker,
    Neighbour(u32),
}

impl Seeking {
    /// The broker introduces the first without being asked.
    pub(super) fn new(rules: &Rules, now: Moment) -> Self {
        Self {
            of: Asked::Broker,
            hoped: rules.introductions,
            until: now.after(rules.seek),
            asked: SmallVec::new(),
            rest: rules.seek,
            meetings: SmallVec::new(),
            known: VecDeque::new(),
            unsought: VecDeque::new(),
        }
    }

    /// Ends a meeting, if there is one.
    pub(super) fn over(&mut self, visitor: u32) -> Option<Meeting> {
        let place = self
            .meetings
            .iter()
            .position(|meeting| meeting.visitor == visitor)?;
        Some(self.meetings.swap_remove(place))
    }

    /// Remembers one who is not to be met again.
    pub(super) fn know(&mut self, visitor: u32) {
        if self.known.len() >= KNOWN_MAX {
            self.known.pop_front();
        }
        self.known.push_back(visitor);
    }

    /// Takes one more whom nobody asked for, unless there were many lately.
    fn admit(&mut self, most: u8, within: Duration, now: Moment) -> bool {
        while self
            .unsought
            .front()
            .is_some_and(|came| now >= came.after(within))
        {
            self.unsought.pop_front();
        }
        let admitted = self.unsought.len() < most.into();
        if admitted {
            self.unsought.push_back(now);
        }
        admitted
    }

    fn meeting(&mut self, visitor: u32) -> Option<&mut Meeting> {
        self.meetings
            .iter_mut()
            .find(|meeting| meeting.visitor == visitor)
    }
}

impl<P: Payload> Swarm<P> {
    /// Visitors that are being met: links that may come about.
    #[must_use]
    pub fn meetings(&self) -> usize {
        self.seeking.meetings.len()
    }

    /// Looks after meetings that come to nothing, and asks for more neighbours until there are enough.
    pub(super) fn seek(&mut self, now: Moment) {
        self.give_up(now);
        let links = usize::from(self.rules.links);
        let short = links
            .saturating_sub(self.helpers(now) + self.likely(now))
            .min(self.room());
        let waits = self.seeking.hoped > 0 && now < self.seeking.until;
        let of_broker = self.seeking.of == Asked::Broker;
        if short == 0 || self.is_complete() || (waits && !of_broker) {
            return;
        }
        if of_broker && now >= self.seeking.until {
            self.seeking.asked.clear();
        }
        let asked = &self.seeking.asked;
        let next = self
            .neighbours
            .iter()
            .filter(|them| them.greeted && !asked.contains(&them.link))
            .map(|them| them.link)
            .choose(&mut self.random);
        match next {
            Some(link) => self.ask_neighbour(link, short, now),
            None if of_broker && now < self.seeking.until => {}
            None => self.ask_broker(short, now),
        }
    }

    /// The broker introduced somebody.
    pub(super) fn met(&mut self, visitor: u32, now: Moment) -> bool {
        if self.is_known(visitor) {
            return false;
        }
        self.seeking.hoped = self.seeking.hoped.saturating_sub(1);
        if self.taken() + self.meetings() < self.most(true) {
            let trust = self.rules.trust;
            let first = Mutual {
                theirs: trust,
                ours: trust,
            };
            self.meet(visitor, None, first, now);
        } else {
            self.seeking.know(visitor);
            self.outputs.push_back(Output::Close(visitor));
        }
        false
    }

    pub(super) fn missed(&mut self, visitor: u32) -> bool {
        // Of whom nothing was heard may have had links enough, and may lack some later.
        let over = self.seeking.over(visitor);
        if over.is_some_and(|meeting| !meeting.silent || meeting.by.is_none()) {
            self.seeking.know(visitor);
        }
        false
    }

    /// A neighbour introduced somebody; who is known, or too many, is ignored.
    pub(super) fn introduced_to(&mut self, by: u32, meet: Meet, now: Moment) -> bool {
        let Meet { visitor, gives } = meet;
        if !self.has_room() || self.is_known(visitor) {
            return false;
        }
        let (most, good, look) = (self.rules.unsought, self.rules.meet, self.rules.look);
        let seeking = &mut self.seeking;
        if seeking.of == Asked::Neighbour(by) && seeking.hoped > 0 {
            seeking.hoped -= 1;
            // It says all that it knows at once: what is still hoped for then, another may know.
            seeking.until = seeking.until.min(now.after(look));
        } else if !seeking.admit(most, good, now) {
            return false;
        }
        let first = self.vouched(by, gives);
        self.meet(visitor, Some(by), first, now);
        self.outputs.push_back(Output::Meet(visitor));
        false
    }

    /// Says something to one who is being met, through the neighbour that introduced it.
    pub(super) fn signal(&mut self, visitor: u32, body: Body) -> bool {
        let Some(body) = body.reachable(self.rules.lan) else {
            return false;
        };
        if let Some(meeting) = self.seeking.meeting(visitor)
            && let Some(by) = meeting.by
            && meeting.said.may_add(&body)
            && self.place(by).is_some()
        {
            self.say(by, Message::Signal(Signal { to: visitor, body }));
        }
        false
    }

    /// Takes what one who is being met says; only from the neighbour that introduced it.
    pub(super) fn relayed(&mut self, by: u32, relayed: Relayed) -> bool {
        let Relayed { from, body } = relayed;
        let Some(body) = body.reachable(self.rules.lan) else {
            return false;
        };
        if let Some(meeting) = self.seeking.meeting(from)
            && meeting.by == Some(by)
            && meeting.heard.may_add(&body)
        {
            meeting.silent = false;
            self.outputs.push_back(Output::Signal(from, body));
        }
        false
    }

    /// What one may owe who was introduced by a neighbour, and we: much if the neighbour got something of it. A stranger gets
    /// as little as the broker's, and of a visitor that does not need it nothing at all: free riders live on links.
    fn vouched(&self, by: u32, gives: bool) -> Mutual {
        let rules = &self.rules;
        let newcomer = self.held.count() < rules.settled;
        let stranger = if newcomer { rules.trust } else { 0 };
        let pair = self
            .place(by)
            .map_or_else(Pair::default, |place| self.neighbours[place].pair);
        // Whoever is not new has been given something by those whose word counts: free riders would vouch for each other.
        let vouched = gives && (newcomer || pair.received > 0);
        Mutual {
            theirs: if vouched { rules.trust_giver } else { stranger },
            ours: if pair.given > 0 {
                rules.trust_giver
            } else {
                rules.trust
            },
        }
    }

    fn meet(&mut self, visitor: u32, by: Option<u32>, first: Mutual, now: Moment) {
        self.seeking.rest = self.rules.seek;
        self.seeking.meetings.push(Meeting {
            visitor,
            by,
            since: now,
            first,
            said: Said::default(),
            heard: Said::default(),
            silent: true,
        });
    }

    /// Meetings that are likely to become links: of those introduced by neighbours, whoever has links enough says nothing.
    fn likely(&self, now: Moment) -> usize {
        let doubt = self.rules.retry;
        let speaks =
            |meeting: &&Meeting| !meeting.silent || meeting.by.is_none() || now < meeting.since.after(doubt);
        self.seeking.meetings.iter().filter(speaks).count()
    }

    fn is_known(&self, visitor: u32) -> bool {
        let meetings = &self.seeking.meetings;
        visitor == self.hello.id
            || self.place(visitor).is_some()
            || meetings.iter().any(|meeting| meeting.visitor == visitor)
            || self.seeking.known.contains(&visitor)
    }

    /// Ends meetings that last too long, and those of whom nothing was heard; what the broker relays is not heard here.
    fn give_up(&mut self, now: Moment) {
        let (meet, silence) = (self.rules.meet, self.rules.silence);
        while let Some(over) = self.seeking.meetings.iter().find(|meeting| {
            let silent = meeting.silent && meeting.by.is_some();
            now >= meeting.since.after(if silent { silence } else { meet })
        }) {
            let visitor = over.visitor;
            self.missed(visitor);
            self.outputs.push_back(Output::Close(visitor));
        }
    }

    fn ask_neighbour(&mut self, link: u32, short: usize, now: Moment) {
        let count = short.min(OF_ONE) as u8;
        let seeking = &mut self.seeking;
        seeking.of = Asked::Neighbour(link);
        seeking.hoped = count;
        seeking.until = now.after(self.rules.seek);
        seeking.asked.push(link);
        let links = self.neighbours.iter().map(|them| them.link);
        let meetings = self.seeking.meetings.iter().map(|meeting| meeting.visitor);
        let before = self.seeking.known.iter().rev().copied();
        let known = links
            .chain(meetings)
            .filter(|known| *known != link)
            .chain(before)
            .take(Seek::KNOWN_MAX)
            .collect();
        self.say(link, Message::Seek(Seek { count, known }));
    }

    /// Last, and not while somebody may become a neighbour who can be asked: its work for each visitor is to stay the same
    /// however large the crowd.
    fn ask_broker(&mut self, short: usize, now: Moment) {
        let patience = self.rules.seek;
        let young = |meeting: &Meeting| now < meeting.since.after(patience);
        if self.seeking.meetings.iter().any(young) {
            return;
        }
        let rest = self.seeking.rest;
        self.seeking.of = Asked::Broker;
        self.seeking.hoped = short as u8;
        // A little chance, lest a room whose visitors all came at once asks at once again.
        self.seeking.until = now.after(rest.mul_f64(self.random.random_range(1.0..1.25)));
        self.seeking.rest = (rest * 2).min(REST_MAX);
        self.outputs.push_back(Output::Need(short as u8));
    }
}

/// As many as the broker remembers: who needs more has met everyone there is.
const KNOWN_MAX: usize = 64;
/// Neighbours that are sought of one at once: of more, old and young would mix less (load 32: 12.5 s with two, 12.7 with four,
/// by older rules; three are 0.3 % faster by these).
const OF_ONE: usize = 3;
/// In a room where nobody is left to be met, one message in half a minute is enough to notice a newcomer.
const REST_MAX: Duration = Duration::from_secs(32);
