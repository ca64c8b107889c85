//! The choices of the exchange: whom to give the next block, and which chunk to ask for. Each is a function of what is
//! seen and of chance.

use rand::{RngExt, rngs::SmallRng};

use crate::swarm::marks::Marks;

/// As what somebody may be given the next block, the first of these first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// It gave more than it took, or the broker named us its sponsor.
    Debt,
    /// It may owe as much.
    Trust,
    /// It may not, but we have more credit than we can spend.
    Gift,
}

/// One who may be given the next block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taker {
    /// Which neighbour.
    pub(super) place: usize,
    /// As what it may be given.
    pub(super) class: Class,
    /// What it says it may give, in units of 2 KiB.
    pub(super) credit: u8,
    /// Milliseconds since it asked.
    pub(super) waited: u64,
    /// Thousandths of the page that it holds.
    pub(super) held: u64,
}

/// The one of the first class; of equals the poorest, for its uplink is idle and a block wakes it; waiting
/// makes up for riches, so that nobody starves, and so does much that is held: few neighbours have what is still lacking, and
/// what comes of it all can use; then chance.
pub(super) fn whom(takers: &[Taker], random: &mut SmallRng) -> Option<usize> {
    let mut best: Option<((Class, i64), usize)> = None;
    let mut equals = 0_u32;
    for taker in takers {
        let rank = (
            taker.class,
            (u64::from(taker.credit) * WAIT) as i64
                - (taker.waited + WHOLE * taker.held.pow(3) / 1_000_000_000) as i64,
        );
        match best {
            Some((least, _)) if rank > least => continue,
            Some((least, _)) if rank == least => equals += 1,
            _ => equals = 1,
        }
        if equals == 1 || random.random_range(0..equals) == 0 {
            best = Some((rank, taker.place));
        }
    }
    best.map(|(_, place)| place)
}

/// The rarest of those drawn at random. What few neighbours hold is what the others will ask for: a newcomer that has
/// nothing else to offer waits the less.
pub(super) fn which_chunk(
    open: &Marks,
    holders: impl Fn(u32) -> usize,
    random: &mut SmallRng,
) -> Option<u32> {
    let count = open.count();
    if count == 0 {
        return None;
    }
    // One that was drawn before is not counted again.
    let mut fresh = open.clone();
    (0..DRAWS)
        .filter_map(|_| open.nth(random.random_range(0..count)))
        .filter(|chunk| fresh.take(*chunk))
        .min_by_key(|chunk| holders(*chunk))
}

/// Any chunk of these.
pub(super) fn any(open: &Marks, random: &mut SmallRng) -> Option<u32> {
    let count = open.count();
    if count == 0 {
        None
    } else {
        open.nth(random.random_range(0..count))
    }
}

/// In a page of 1 MB nearly all; in one of 64 MB they bound the work. With 3 a page takes 3 % longer at load 32.
const DRAWS: usize = 32;
/// Milliseconds of waiting that weigh as much as one unit of credit.
const WAIT: u64 = 300;
/// Milliseconds of waiting that weigh as much as the whole page that is held, and its cube for a part of it: where most
/// leave before they have it, who stays has it 6 % sooner.
const WHOLE: u64 = 2000;
