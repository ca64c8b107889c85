//! The ledger of one visitor: what it got of the site's swarm content and what it gave. It decides whether a block may
//! go, and not to whom.

/// Keeps law 3.
///
/// > **Give at most what you got.** At every instant a visitor has sent at most as many payload bytes as it has
/// > received of this site's swarm content, origin bytes counted.
///
/// Only what is verified is received (law 2), and what is given is charged *before* it is sent, so there is no instant
/// at which the law could be found broken. A neighbour that leaves takes its [`Pair`] with it, never the sums.
///
/// ```
/// use tower_flashback::swarm::{Ledger, Pair};
///
/// let (mut ledger, mut neighbour) = (Ledger::new(), Pair::default());
/// ledger.origin(16_384);
/// assert!(ledger.give(&mut neighbour, 1_024).is_ok());
/// assert_eq!((ledger.credit(), neighbour.balance()), (15_360, 1_024));
/// assert!(ledger.give(&mut neighbour, 15_361).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    origin: u64,
    received: u64,
    given: u64,
}

/// What was exchanged with one neighbour, in payload bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// Verified bytes that came from it.
    pub received: u64,
    /// Bytes that went to it.
    pub given: u64,
}

/// The block may not go: law 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes may not be given with a credit of {credit}")]
pub struct NoCredit {
    /// The bytes that were to be given.
    pub bytes: u64,
    /// The bytes that may be given.
    pub credit: u64,
}

impl Ledger {
    /// An empty ledger: nothing may be given.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Books verified bytes from the origin.
    pub const fn origin(&mut self, bytes: u64) {
        self.origin = self.origin.saturating_add(bytes);
    }

    /// Books verified bytes from a neighbour.
    pub const fn received(&mut self, pair: &mut Pair, bytes: u64) {
        self.received = self.received.saturating_add(bytes);
        pair.received = pair.received.saturating_add(bytes);
    }

    /// Charges `bytes` that are about to be sent. A block that then fails to be sent stays charged: whether it left is
    /// not known, and the law is kept on the safe side.
    ///
    /// # Errors
    /// [`NoCredit`] if the law would be broken; nothing is charged then, and nothing may be sent.
    pub const fn give(&mut self, pair: &mut Pair, bytes: u64) -> Result<(), NoCredit> {
        let credit = self.credit();
        if bytes > credit {
            return Err(NoCredit { bytes, credit });
        }
        self.given += bytes;
        pair.given += bytes;
        Ok(())
    }

    /// Bytes that may still be given.
    #[must_use]
    pub const fn credit(&self) -> u64 {
        self.got().saturating_sub(self.given)
    }

    /// Verified bytes from the origin and all neighbours.
    #[must_use]
    pub const fn got(&self) -> u64 {
        self.origin.saturating_add(self.received)
    }

    /// Bytes given to all neighbours.
    #[must_use]
    pub const fn given(&self) -> u64 {
        self.given
    }
}

impl Pair {
    /// What it owes: positive if it took more than it gave.
    #[must_use]
    pub const fn balance(self) -> i64 {
        self.given as i64 - self.received as i64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Origin(u64),
        Received(usize, u64),
        Give(usize, u64),
        Close(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        // Amounts at both ends of the scale: a sum that wraps would be a way around the law.
        let bytes = prop_oneof![8 => 0..4_096_u64, 1 => Just(u64::MAX), 1 => any::<u64>()];
        (0..4_u8, 0..4_usize, bytes).prop_map(|(kind, peer, bytes)| match kind {
            0 => Step::Origin(bytes),
            1 => Step::Received(peer, bytes),
            2 => Step::Give(peer, bytes),
            _ => Step::Close(peer),
        })
    }

    proptest! {
        #[test]
        fn law_3_given_is_at_most_got_at_every_instant(steps in prop::collection::vec(step(), 0..200)) {
            let (mut ledger, mut pairs) = (Ledger::new(), [Pair::default(); 4]);
            // The twin counts in 128 bits, where nothing saturates.
            let (mut got, mut given) = (0_u128, 0_u128);
            for step in steps {
                match step {
                    Step::Origin(bytes) => {
                        ledger.origin(bytes);
                        got += u128::from(bytes);
                    }
                    Step::Received(peer, bytes) => {
                        ledger.received(&mut pairs[peer], bytes);
                        got += u128::from(bytes);
                    }
                    Step::Give(peer, bytes) => {
                        let may = bytes <= ledger.credit();
                        prop_assert_eq!(ledger.give(&mut pairs[peer], bytes).is_ok(), may);
                        given += if may { u128::from(bytes) } else { 0 };
                    }
                    Step::Close(peer) => pairs[peer] = Pair::default(),
                }
                prop_assert!(given <= got, "{} given, {} got", given, got);
                prop_assert_eq!(u128::from(ledger.given()), given);
                prop_assert!(ledger.given() <= ledger.got());
            }
        }
    }

    #[test]
    fn a_refused_block_charges_nothing() {
        let (mut ledger, mut giver, mut taker) = (Ledger::new(), Pair::default(), Pair::default());
        ledger.received(&mut giver, 1_000);
        let refused = NoCredit {
            bytes: 1_001,
            credit: 1_000,
        };
        assert_eq!(ledger.give(&mut taker, 1_001), Err(refused));
        assert_eq!((ledger.given(), taker), (0, Pair::default()));
        assert_eq!(ledger.give(&mut taker, 1_000), Ok(()));
        assert_eq!(
            (ledger.credit(), taker.balance(), giver.balance()),
            (0, 1_000, -1_000)
        );
    }

    #[test]
    fn a_neighbour_that_leaves_gives_no_credit_back() {
        let mut ledger = Ledger::new();
        ledger.origin(2_048);
        ledger
            .give(&mut Pair::default(), 2_048)
            .expect("the origin's bytes are credit");
        assert!(ledger.give(&mut Pair::default(), 1).is_err());
    }
}
