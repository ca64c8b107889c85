//! Quantities that settings are written in, so that no bare integer carries its unit in prose.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use bytesize::ByteSize;

/// A rate of bits per second, written as operators of links write it: `100mbit`, `384kbit`, `1gbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(u64);

impl BitRate {
    /// A rate in bits per second.
    #[must_use]
    pub const fn from_bits_per_second(bits: u64) -> Self {
        Self(bits)
    }

    /// Bits per second.
    #[must_use]
    pub const fn bits_per_second(self) -> u64 {
        self.0
    }

    /// Bytes per second.
    #[must_use]
    pub const fn bytes_per_second(self) -> u64 {
        self.0 / 8
    }
}

/// The text is not a bit rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a bit rate: write for example 384kbit, 100mbit or 1gbit")]
pub struct BitRateError(String);

impl FromStr for BitRate {
    type Err = BitRateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || BitRateError(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        let (digits, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| lower.strip_suffix(unit).map(|digits| (digits, *factor)))
            .ok_or_else(fault)?;
        let value: f64 = digits.trim().parse().map_err(|_| fault())?;
        let bits = value * factor as f64;
        if !(1.0..=1e15).contains(&bits) {
            return Err(fault());
        }
        Ok(Self(bits.round() as u64))
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = UNITS
            .iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
            .unwrap_or(&("bit", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl Serialize for BitRate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BitRate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Longest suffix first, so that `bit` does not swallow `kbit`.
const UNITS: [(&str, u64); 4] = [
    ("gbit", 1_000_000_000),
    ("mbit", 1_000_000),
    ("kbit", 1_000),
    ("bit", 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_survives_being_written_and_read() {
        for text in ["100mbit", "384kbit", "1gbit", "7bit", "1500kbit"] {
            assert_eq!(
                text.parse::<BitRate>().map(|rate| rate.to_string()),
                Ok(text.to_owned())
            );
        }
        assert_eq!("1.5mbit".parse(), Ok(BitRate(1_500_000)));
    }

    #[test]
    fn nonsense_is_named() {
        for text in ["", "mbit", "-1mbit", "100", "100 MB", "NaNbit", "1e30gbit"] {
            let error = text.parse::<BitRate>().expect_err("is no bit rate");
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
