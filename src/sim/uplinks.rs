//! Uplinks of different visitors: shares of a crowd, each with a rate.

use std::{fmt, str::FromStr};

use rand::{RngExt, rngs::SmallRng};

use crate::unit::BitRate;

/// Rates, each with the share of visitors that has it; the shares are 1 together.
#[derive(Clone, Debug, PartialEq)]
pub struct Uplinks(Vec<(BitRate, f64)>);

impl Uplinks {
    /// Everybody has the same.
    #[must_use]
    pub fn all(rate: BitRate) -> Self {
        Self(vec![(rate, 1.0)])
    }

    /// The mean: what the crowd can send together is as many times that as there are visitors.
    #[must_use]
    pub fn mean(&self) -> BitRate {
        let bits: f64 = self
            .0
            .iter()
            .map(|(rate, share)| rate.bits_per_second() as f64 * share)
            .sum();
        BitRate::from_bits_per_second(bits.round() as u64)
    }

    /// Where all have the same no chance is used up: their crowd is the one of that seed.
    pub(super) fn draw(&self, random: &mut SmallRng) -> BitRate {
        let last = self.0.last().map_or_else(|| self.mean(), |(rate, _)| *rate);
        if self.0.len() < 2 {
            return last;
        }
        let mut left: f64 = random.random();
        let one = self.0.iter().find(|(_, share)| {
            left -= share;
            left < 0.0
        });
        one.map_or(last, |(rate, _)| *rate)
    }
}

/// The text is no mix of uplinks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no mix of uplinks: write rates and shares that are 1 together, for example 0.5mbit:0.2,1mbit:0.6,5mbit:0.2"
)]
pub struct UplinksError(String);

impl FromStr for Uplinks {
    type Err = UplinksError;

    /// One rate is everybody's.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || UplinksError(text.to_owned());
        if let Ok(rate) = text.parse() {
            return Ok(Self::all(rate));
        }
        let part = |part: &str| {
            let (rate, share) = part.split_once(':')?;
            let share = share
                .trim()
                .parse()
                .ok()
                .filter(|share| (0.0..=1.0).contains(share))?;
            Some((rate.parse().ok()?, share))
        };
        let parts: Option<Vec<_>> = text.split(',').map(part).collect();
        let parts = parts.ok_or_else(fault)?;
        let sum: f64 = parts.iter().map(|(_, share)| share).sum();
        if (sum - 1.0).abs() > 1e-6 {
            return Err(fault());
        }
        Ok(Self(parts))
    }
}

impl fmt::Display for Uplinks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (rate, share)) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{rate}")?;
            if self.0.len() > 1 {
                write!(f, ":{share}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_mix_is_read_and_drawn_by_its_shares() {
        let mix: Uplinks = "500kbit:0.2,1mbit:0.6,5mbit:0.2".parse().expect("a mix");
        assert_eq!(mix.mean(), BitRate::from_bits_per_second(1_700_000));
        let mut random = SmallRng::seed_from_u64(3);
        let fast = BitRate::from_bits_per_second(5_000_000);
        let count = (0..10_000).filter(|_| mix.draw(&mut random) == fast).count();
        assert!((1_800..2_200).contains(&count), "{count}");
        assert_eq!(
            "1mbit".parse(),
            Ok(Uplinks::all(BitRate::from_bits_per_second(1_000_000)))
        );
        assert_eq!(mix.to_string().parse(), Ok(mix));
    }

    #[test]
    fn shares_that_are_no_whole_are_refused() {
        for text in [
            "",
            "1mbit:0.5",
            "1mbit:0.5,2mbit:0.6",
            "1mbit:2,1mbit:-1",
            "x:1",
            "1mbit:NaN,1mbit:1",
        ] {
            assert_eq!(text.parse::<Uplinks>(), Err(UplinksError(text.to_owned())));
        }
    }
}
