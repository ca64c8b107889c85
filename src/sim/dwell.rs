//! How long a visitor stays once it has the page: always the same, or as readers do, most of whom leave soon and some never.

use std::{fmt, str::FromStr, time::Duration};

use rand::{RngExt, rngs::SmallRng};

/// The time between having the page and leaving it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Dwell {
    /// Everybody stays as long.
    Fixed(Duration),
    /// As Liu, White and Dumais found it ("Understanding web browsing behaviors through Weibull analysis of dwell time", SIGIR
    /// 2010): on most pages the shape is below 1, and the longer somebody has stayed, the longer they will.
    Weibull {
        /// Below 1 most leave soon.
        shape: f64,
        /// 63 % are gone by then.
        scale: Duration,
    },
}

impl Dwell {
    /// How long visitors stay on average.
    #[must_use]
    pub fn mean(self) -> Duration {
        // The mean of the quantiles: it needs no gamma function.
        let quantile = |step: u32| self.quantile((f64::from(step) + 0.5) / f64::from(STEPS));
        match self {
            Self::Fixed(span) => span,
            Self::Weibull { .. } => {
                Duration::from_secs_f64((0..STEPS).map(quantile).sum::<f64>() / f64::from(STEPS))
            }
        }
    }

    pub(super) fn draw(self, random: &mut SmallRng) -> Duration {
        match self {
            Self::Fixed(span) => span,
            Self::Weibull { .. } => Duration::from_secs_f64(self.quantile(random.random())),
        }
    }

    /// Seconds after which that share has left.
    fn quantile(self, share: f64) -> f64 {
        match self {
            Self::Fixed(span) => span.as_secs_f64(),
            Self::Weibull { shape, scale } => {
                let span = scale.as_secs_f64() * (-(1.0 - share).ln()).powf(shape.recip());
                span.min(LONGEST)
            }
        }
    }
}

impl From<Duration> for Dwell {
    fn from(span: Duration) -> Self {
        Self::Fixed(span)
    }
}

/// The text is no dwell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not how long anybody stays: write for example 10s, or weibull:0.7:30s with a shape from 0.1 to 10"
)]
pub struct DwellError(String);

impl FromStr for Dwell {
    type Err = DwellError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || DwellError(text.to_owned());
        let span = |text: &str| text.parse::<humantime::Duration>().ok().map(Duration::from);
        let Some(weibull) = text.strip_prefix("weibull:") else {
            return span(text).map(Self::Fixed).ok_or_else(fault);
        };
        let (shape, scale) = weibull.split_once(':').ok_or_else(fault)?;
        let shape = shape.parse().ok().filter(|shape| (0.1..=10.0).contains(shape));
        match (shape, span(scale)) {
            (Some(shape), Some(scale)) => Ok(Self::Weibull { shape, scale }),
            _ => Err(fault()),
        }
    }
}

impl fmt::Display for Dwell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(span) => write!(f, "{}", humantime::format_duration(*span)),
            Self::Weibull { shape, scale } => {
                write!(f, "weibull:{shape}:{}", humantime::format_duration(*scale))
            }
        }
    }
}

const STEPS: u32 = 10_000;
/// Seconds. A shape far below 1 has a tail of years, in which nothing happens.
const LONGEST: f64 = 3_600.0;

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["10s", "weibull:0.7:30s", "0s"] {
            let dwell: Dwell = text.parse().expect("a dwell");
            assert_eq!(dwell.to_string(), text);
        }
        for text in [
            "",
            "10",
            "weibull",
            "weibull:0.7",
            "weibull:0:1s",
            "weibull:NaN:1s",
            "weibull:1:x",
            "-1s",
        ] {
            assert_eq!(text.parse::<Dwell>(), Err(DwellError(text.to_owned())));
        }
    }

    #[test]
    fn the_mean_is_that_of_the_distribution_and_of_what_is_drawn() {
        // Γ(1.5) = 0.886, Γ(2) = 1; with 1/2 it is Γ(3) = 2.
        for (shape, mean) in [(2.0, 8.86), (1.0, 10.0), (0.5, 20.0)] {
            let scale = Duration::from_secs(10);
            let dwell = Dwell::Weibull { shape, scale };
            assert!(
                (dwell.mean().as_secs_f64() - mean).abs() < mean / 50.0,
                "{:?}",
                dwell.mean()
            );
            let mut random = SmallRng::seed_from_u64(5);
            let drawn: f64 = (0..20_000).map(|_| dwell.draw(&mut random).as_secs_f64()).sum();
            assert!((drawn / 20_000.0 - mean).abs() < mean / 20.0, "{drawn}");
        }
    }
}
