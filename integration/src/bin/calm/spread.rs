//! A figure of many rounds: its median, how sure that is, and how far the rounds lie apart.

use std::fmt;

use integration::median::median;
use rand::{RngExt, SeedableRng, rngs::StdRng};

/// What a list of ratios says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    /// In which the median of rounds drawn from these lies 95 times of 100.
    interval: (f64, f64),
    quartiles: (f64, f64),
}

impl Spread {
    pub(crate) fn of(ratios: impl Iterator<Item = f64>, seed: u64) -> Self {
        let mut sorted: Vec<f64> = ratios.collect();
        sorted.sort_by(f64::total_cmp);
        let mut random = StdRng::seed_from_u64(seed);
        let mut medians: Vec<f64> = (0..DRAWS)
            .filter_map(|_| {
                let drawn: Vec<f64> = sorted
                    .iter()
                    .map(|_| sorted[random.random_range(0..sorted.len())])
                    .collect();
                median(&drawn)
            })
            .collect();
        medians.sort_by(f64::total_cmp);
        Self {
            median: median(&sorted).unwrap_or_default(),
            interval: (at(&medians, 0.025), at(&medians, 0.975)),
            quartiles: (at(&sorted, 0.25), at(&sorted, 0.75)),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median,
            interval: (low, high),
            quartiles: (first, third),
        } = self;
        write!(f, "{median:.4} ({low:.4}–{high:.4}) [{first:.3}, {third:.3}]")
    }
}

fn at(sorted: &[f64], part: f64) -> f64 {
    let place = (sorted.len().saturating_sub(1) as f64 * part).round() as usize;
    sorted.get(place).copied().unwrap_or_default()
}

const DRAWS: usize = 1_000;
