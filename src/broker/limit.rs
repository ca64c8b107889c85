//! Bounds on what one stranger may take: token buckets and counted seats. It is told the time, and knows no socket.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    net::IpAddr,
    time::Duration,
};

use foldhash::fast::RandomState;

/// What a bucket lets through.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// At once, after a pause.
    pub burst: f32,
    /// Per second, for ever.
    pub per_second: f32,
}

/// A token bucket. Times are counted from any one start; a time before the last one counts as the last one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// What was taken and has not yet come back: an untouched bucket is all zeros.
    taken: f32,
    at: Duration,
}

impl Bucket {
    /// Takes `cost`, or nothing if that is more than the bucket holds.
    pub fn take(&mut self, rate: Rate, cost: f32, now: Duration) -> bool {
        let back = now.saturating_sub(self.at).as_secs_f32() * rate.per_second;
        self.at = self.at.max(now);
        self.taken = (self.taken - back).max(0.0);
        let enough = self.taken + cost <= rate.burst;
        if enough {
            self.taken += cost;
        }
        enough
    }

    /// Gives back what was taken, or as much of it as is still missing.
    pub const fn give_back(&mut self, cost: f32) {
        self.taken = (self.taken - cost).max(0.0);
    }
}

/// Buckets for more senders than anyone can count, in fixed memory: senders whose hash is the same share one. The hash
/// is keyed, so nobody can aim at another's bucket; a flood from all over empties all of them and so bounds itself.
#[derive(Debug)]
pub struct Buckets {
    slots: Box<[Bucket]>,
    hash: RandomState,
}

impl Buckets {
    /// `slots` buckets of 24 bytes.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        Self {
            slots: vec![Bucket::default(); slots.max(1)].into(),
            hash: RandomState::default(),
        }
    }

    /// Takes `cost` from the sender's bucket.
    pub fn take(&mut self, sender: impl Hash, rate: Rate, cost: f32, now: Duration) -> bool {
        let slot = self.hash.hash_one(sender) as usize % self.slots.len();
        self.slots[slot].take(rate, cost, now)
    }
}

/// Who a stranger is, as far as limits go: an IPv4 address, or the /64 that one IPv6 subscriber has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subscriber([u8; 8]);

impl From<IpAddr> for Subscriber {
    fn from(address: IpAddr) -> Self {
        let mut key = [0; 8];
        match address.to_canonical() {
            // No subscriber is given 0::/32, so a v4 key and a v6 key never meet.
            IpAddr::V4(address) => key[4..].copy_from_slice(&address.octets()),
            IpAddr::V6(address) => key.copy_from_slice(&address.octets()[..8]),
        }
        Self(key)
    }
}

/// Sockets that are open, per subscriber and in all.
#[derive(Debug, Default)]
pub struct Seats {
    taken: usize,
    /// At most one entry per open socket, so bounded by their number in all.
    by_subscriber: HashMap<Subscriber, usize, RandomState>,
}

/// No seat is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSeat {
    /// All are taken.
    #[error("all {0} sockets are open")]
    Full(usize),
    /// This subscriber has its share.
    #[error("one subscriber has {0} sockets open")]
    Share(usize),
}

impl Seats {
    /// Takes a seat, of which there are `most` in all and `share` for one subscriber.
    ///
    /// # Errors
    /// [`NoSeat`], and nothing is taken.
    pub fn take(&mut self, who: Subscriber, most: usize, share: usize) -> Result<(), NoSeat> {
        if self.taken >= most {
            return Err(NoSeat::Full(most));
        }
        let theirs = self.by_subscriber.get(&who).copied().unwrap_or_default();
        if theirs >= share {
            return Err(NoSeat::Share(share));
        }
        self.by_subscriber.insert(who, theirs + 1);
        self.taken += 1;
        Ok(())
    }

    /// Gives a seat back.
    pub fn give_back(&mut self, who: Subscriber) {
        self.taken = self.taken.saturating_sub(1);
        match self.by_subscriber.get_mut(&who) {
            Some(theirs) if *theirs > 1 => *theirs -= 1,
            _ => drop(self.by_subscriber.remove(&who)),
        }
    }

    /// Seats taken.
    #[must_use]
    pub const fn taken(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate {
        burst: 10.0,
        per_second: 2.0,
    };

    fn seconds(seconds: f32) -> Duration {
        Duration::from_secs_f32(seconds)
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::default();
        assert!((0..10).all(|_| bucket.take(RATE, 1.0, seconds(1.0))));
        assert!(!bucket.take(RATE, 1.0, seconds(1.4)));
        assert!(bucket.take(RATE, 1.0, seconds(1.6)));
        assert!(!bucket.take(RATE, 1.0, seconds(1.6)));
        assert!(
            !bucket.take(RATE, 11.0, seconds(1_000.0)),
            "more than the burst never goes"
        );
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut bucket = Bucket::default();
        assert!(bucket.take(RATE, 10.0, seconds(50.0)));
        assert!(!bucket.take(RATE, 1.0, seconds(1.0)));
        assert!(!bucket.take(RATE, 1.0, seconds(50.0)));
    }

    proptest! {
        #[test]
        fn no_more_goes_than_the_burst_and_the_rate(steps in prop::collection::vec((0..2_000_u64, 0..40_u8), 1..200)) {
            let (mut bucket, mut now, mut gone) = (Bucket::default(), 0, 0.0);
            for (pause, cost) in steps {
                now += pause;
                let cost = f32::from(cost) / 4.0;
                if bucket.take(RATE, cost, Duration::from_millis(now)) {
                    gone += cost;
                }
                let most = RATE.burst + RATE.per_second * now as f32 / 1_000.0;
                prop_assert!(gone <= most * 1.001, "{} of {}", gone, most);
            }
        }
    }

    #[test]
    fn senders_have_buckets_of_their_own() {
        let mut buckets = Buckets::new(1 << 12);
        let address = |n: u32| Subscriber::from(IpAddr::from(n.to_be_bytes()));
        while buckets.take(address(1), RATE, 1.0, Duration::ZERO) {}
        let free = (2..102)
            .filter(|n| buckets.take(address(*n), RATE, 1.0, Duration::ZERO))
            .count();
        assert!(free >= 98, "{free} of 100 others were free");
    }

    #[test]
    fn a_subscriber_has_a_share_of_the_seats() {
        let mut seats = Seats::default();
        let [one, two] = ["192.0.2.1", "::ffff:192.0.2.2"]
            .map(|text| Subscriber::from(text.parse::<IpAddr>().expect("an address")));
        assert_eq!(seats.take(one, 3, 2), Ok(()));
        assert_eq!(seats.take(one, 3, 2), Ok(()));
        assert_eq!(seats.take(one, 3, 2), Err(NoSeat::Share(2)));
        assert_eq!(seats.take(two, 3, 2), Ok(()));
        assert_eq!(seats.take(two, 3, 2), Err(NoSeat::Full(3)));
        seats.give_back(one);
        assert_eq!(seats.take(two, 3, 2), Ok(()));
        for who in [one, two, two] {
            seats.give_back(who);
        }
        assert_eq!((seats.taken(), seats.by_subscriber.len()), (0, 0));
    }

    #[test]
    fn one_ipv6_subscriber_is_one() {
        let of = |text: &str| Subscriber::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
