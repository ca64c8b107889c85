//! The networks that visitors sit behind, and which of them meet. A relay would help those who do not, and costs the origin
//! more than the page (law 7).

use rand::{RngExt, rngs::SmallRng};

/// What a visitor's NAT does (RFC 4787 §4.1, §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nat {
    /// None, or one that filters by address at most: everybody meets it who can be addressed.
    Open,
    /// Its port stays the same, and only the very port that was sent to may answer.
    Restricted,
    /// Another port for each that it sends to.
    Symmetric,
}

impl Nat {
    /// No chance is used up where all are open.
    pub(super) fn draw(symmetric: f64, restricted: f64, crowd: &mut SmallRng) -> Self {
        if symmetric <= 0.0 && restricted <= 0.0 {
            return Self::Open;
        }
        let draw: f64 = crowd.random();
        if draw < symmetric {
            Self::Symmetric
        } else if draw < symmetric + restricted {
            Self::Restricted
        } else {
            Self::Open
        }
    }

    /// The port of a symmetric one is not known beforehand; a restricted one waits for a port that it sent to.
    pub(super) const fn meets(self, other: Self) -> bool {
        !matches!(
            (self, other),
            (Self::Symmetric, Self::Symmetric | Self::Restricted) | (Self::Restricted, Self::Symmetric)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_symmetric_ones_never_meet_and_a_restricted_one_meets_no_symmetric_one() {
        let all = [Nat::Open, Nat::Restricted, Nat::Symmetric];
        for (one, other) in all.into_iter().flat_map(|one| all.map(|other| (one, other))) {
            let apart = [one, other].contains(&Nat::Symmetric) && ![one, other].contains(&Nat::Open);
            assert_eq!(one.meets(other), !apart, "{one:?} {other:?}");
        }
    }
}
