//! Whether carrying a hot page pays: below a certain load the origin alone is faster for everyone. Arithmetic only; who knows
//! the page's bytes and the origin's uplink asks.

use crate::unit::BitRate;

/// What an operator said of the origin's link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pressure {
    /// What the origin can send; unknown if the operator did not say.
    pub uplink: Option<BitRate>,
    /// The load from which a hot page is carried.
    pub engage_at: f64,
}

impl Pressure {
    /// The load that a page puts on the origin: arrivals per second × bytes of the page ÷ uplink. At 1 the origin alone is
    /// saturated. Unknown where the uplink is.
    #[must_use]
    pub fn load(&self, rate: f64, page_bytes: u64) -> Option<f64> {
        let uplink = self.uplink?.bits_per_second() as f64 / 8.0;
        Some(rate * page_bytes as f64 / uplink)
    }

    /// Whether a hot page is to be carried. Where the uplink is unknown, hot means carried; a page that is carried already
    /// stays so down to half of the load, so that it does not flap.
    #[must_use]
    pub fn engages(&self, rate: f64, page_bytes: u64, carried: bool) -> bool {
        let bar = if carried {
            self.engage_at / 2.0
        } else {
            self.engage_at
        };
        self.load(rate, page_bytes).is_none_or(|load| load >= bar)
    }
}

impl Default for Pressure {
    /// Half of what saturates the origin: earlier, peers are slower than the origin is.
    fn default() -> Self {
        Self {
            uplink: None,
            engage_at: 0.5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_carried_once_the_link_is_half_full() {
        let uplink = Some(BitRate::from_bits_per_second(100_000_000));
        let pressure = Pressure {
            uplink,
            ..Pressure::default()
        };
        // A page of 1 MB on 100 Mbit/s: 12.5 a second saturate it.
        assert_eq!(pressure.load(12.5, 1_000_000), Some(1.0));
        assert!(!pressure.engages(6.0, 1_000_000, false));
        assert!(pressure.engages(6.25, 1_000_000, false));
        assert!(pressure.engages(3.2, 1_000_000, true), "stays");
        assert!(!pressure.engages(3.0, 1_000_000, true));
    }

    #[test]
    fn an_unknown_link_means_hot_is_carried() {
        assert!(Pressure::default().engages(0.1, 10, false));
    }
}
