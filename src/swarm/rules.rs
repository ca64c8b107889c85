//! The constants of the exchange, each with the simulation that decided it (`docs/swarm.md`).

use std::time::Duration;

/// What the exchange goes by. A visitor of a site uses the default; the simulator tries others.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rules {
    /// Neighbours that are sought. Each costs a handshake and its share of the news: with 6 a page is 4 % faster than with 8
    /// at load 4 and 1 % slower at 32; with 5 it is much slower there.
    pub links: u8,
    /// Neighbours at most; those beyond `links` came unsought.
    pub links_max: u8,
    /// Bytes that a neighbour may owe before it has given any: what a free rider gets of us.
    pub trust: u32,
    /// Bytes that a neighbour may owe at most, however much it gave.
    pub trust_max: u32,
    /// Bytes more that a newcomer may owe to the one whom the broker named its sponsor: the seed that the origin could not send.
    pub sponsor: u32,
    /// How long without a useful byte until a chunk is asked of another neighbour.
    pub retry: Duration,
    /// How long a neighbour may be at its limit, and owe an answer, until it is let go.
    pub evict: Duration,
    /// How seldom neighbours are told what is new: 60 chunks told one by one would cost 5 % of an uplink, every 250 ms 2 %.
    pub announce: Duration,
    /// How often neighbours are looked over: asks that stall, links that lack, takers.
    pub look: Duration,
    /// How long a link may be silent before its Hello.
    pub greeting: Duration,
    /// Chunks that the origin may send out of turn at any time: a window over its round trip, and few enough that the
    /// neighbours are not kept from them.
    pub spare: u8,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            links: 6,
            links_max: 9,
            trust: 2 * 1024,
            trust_max: 32 * 1024,
            sponsor: 16 * 1024,
            retry: Duration::from_millis(500),
            evict: Duration::from_secs(1),
            announce: Duration::from_millis(250),
            look: Duration::from_millis(250),
            greeting: Duration::from_secs(5),
            spare: 4,
        }
    }
}
