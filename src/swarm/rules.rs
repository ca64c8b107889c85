//! The constants of the exchange, each with the simulation that decided it (`docs/swarm.md`).

use std::time::Duration;

/// What the exchange goes by. A visitor of a site uses the default; the simulator tries others.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rules {
    /// Neighbours that are sought, two that have the page counted as one. Each costs a handshake and its share of the news: with 6 a page is 4 % faster than with 8
    /// at load 4 and 1 % slower at 32; with 5 it is much slower there.
    pub links: u8,
    /// Neighbours at most, and [`introductions`](Self::introductions) more that the broker introduces; those beyond `links` came
    /// unsought, or beside some that give nothing. With 9 free riders, who hold the slots, cost twice as much as with 12; with 16
    /// nothing is gained.
    pub links_max: u8,
    /// Bytes that a neighbour may owe before it has given any: what a free rider gets of us.
    pub trust: u32,
    /// Bytes that it may owe so if it is introduced by a neighbour that got something of it, and that gave to us or we are new:
    /// newcomers, who have a seed and nothing else, need not wait for each block to be repaid.
    pub trust_giver: u32,
    /// Chunks from which on a visitor gives nothing first to one whom a neighbour introduces and nobody vouches for: it can wait
    /// for whoever gives. With `trust` for all, 40 % of free riders cost half as much again.
    pub settled: u32,
    /// Chunks below which a visitor says that it has no credit: it has little to spend it on.
    pub poor: u32,
    /// Bytes that a neighbour may owe at most, however much it gave.
    pub trust_max: u32,
    /// Bytes more that a newcomer may owe to the one whom the broker named its sponsor: the seed that the origin could not send.
    pub sponsor: u32,
    /// A credit from which on a neighbour may be given to beyond its trust, when nobody else is to be given to: so much is not
    /// spent any more, and at high load, where it would be missed, nobody has it. It makes a page 2 % faster at loads 2 and 4.
    pub gift: u32,
    /// How long without a useful byte until a chunk is asked of another neighbour.
    pub retry: Duration,
    /// How long a neighbour may leave a chunk unbegun that another could give who has nothing else: a round trip and some blocks.
    pub take_over: Duration,
    /// How long a new neighbour is taken for a useful one without having given anything.
    pub prove: Duration,
    /// How long a neighbour may be at its limit, and owe an answer, until it is let go.
    pub evict: Duration,
    /// How seldom neighbours are told what is new that wait for nothing of us. What is said with other words costs next to nothing;
    /// between 100 and 800 ms it makes no difference.
    pub announce: Duration,
    /// How often neighbours are looked over: asks that stall, links that lack, takers.
    pub look: Duration,
    /// How long a link may be silent before its Hello.
    pub greeting: Duration,
    /// Chunks that the origin may send out of turn at any time: a window over its round trip, and few enough that the
    /// neighbours are not kept from them.
    pub spare: u8,
    /// Visitors that the broker introduces to a newcomer unasked, and at most so many when it is asked: with two, one that
    /// cannot be reached leaves another to ask at.
    pub introductions: u8,
    /// How long one who was asked for neighbours may say nothing until the next is asked: a round trip and a busy moment.
    pub seek: Duration,
    /// How long neighbours have to tell the digests of chunks until the origin is asked: the first link opens in half of it.
    pub untold: Duration,
    /// How long an introduction by a neighbour is good: ICE gathers and tries for some seconds, and what comes later is
    /// nobody's.
    pub meet: Duration,
    /// How long one who is to be met may say nothing: its own links may be enough, and then it never will.
    pub silence: Duration,
    /// Introductions that are taken unsought while one is good: a neighbour that makes up visitors costs no more connections
    /// than this. Who finds the others in a crowd that stays 10 s is found as often: with 4 a page takes 16 % longer at load 32.
    pub unsought: u8,
    /// Whether candidates of private networks are of use: only on an intranet.
    pub lan: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            links: 6,
            links_max: 12,
            trust: 1024,
            trust_giver: 16 * 1024,
            settled: 16,
            poor: 6,
            trust_max: 32 * 1024,
            sponsor: 16 * 1024,
            gift: 64 * 1024,
            retry: Duration::from_millis(750),
            take_over: Duration::from_millis(150),
            prove: Duration::from_millis(1500),
            evict: Duration::from_secs(1),
            announce: Duration::from_millis(400),
            look: Duration::from_millis(250),
            greeting: Duration::from_secs(5),
            spare: 6,
            introductions: 2,
            seek: Duration::from_secs(2),
            untold: Duration::from_secs(1),
            meet: Duration::from_secs(15),
            silence: Duration::from_secs(4),
            unsought: 12,
            lan: false,
        }
    }
}
