//! The detector's settings as flags.

use std::time::Duration;

use clap::{Args, ValueEnum};
use tower_flashback::crowd::{Reading, Settings};

use crate::cli::failure::Usage;

/// What is not given is as in `flashback proxy --print-config`.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Lengths of epochs, such as 1s,5s,15s,1m.
    #[arg(long, value_delimiter = ',', value_parser = humantime::parse_duration, value_name = "SPANS")]
    scales: Option<Vec<Duration>>,
    /// Doublings that make a surge.
    #[arg(long)]
    doublings: Option<u32>,
    /// How the doublings are read.
    #[arg(long)]
    reading: Option<Text>,
    /// Times its own mean that a peak must reach.
    #[arg(long)]
    ratio: Option<f64>,
    /// Requests per second below which nothing is hot.
    #[arg(long)]
    min_rate: Option<f64>,
    /// Distinct clients over requests.
    #[arg(long)]
    min_audience: Option<f64>,
    /// Distinct clients.
    #[arg(long)]
    min_clients: Option<u32>,
    /// How sure it must be, in nats.
    #[arg(long)]
    evidence: Option<f64>,
    /// How long a page stays cooling.
    #[arg(long, value_parser = humantime::parse_duration)]
    cooling: Option<Duration>,
    /// Share of the floor below which a hot page cools.
    #[arg(long)]
    cool_below: Option<f64>,
    /// Half-life of the long-run mean.
    #[arg(long, value_parser = humantime::parse_duration)]
    half_life: Option<Duration>,
    /// Pages tracked at most.
    #[arg(long)]
    max_keys: Option<usize>,
    /// Pages hot at once, at most.
    #[arg(long)]
    max_hot: Option<usize>,
    /// Query parameters that make a page another page.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    keep_query: Option<Vec<String>>,
    /// Lengths of epochs that the site as a whole is judged by.
    #[arg(long, value_delimiter = ',', value_parser = humantime::parse_duration, value_name = "SPANS")]
    site_scales: Option<Vec<Duration>>,
    /// Times its own mean that the site as a whole must reach.
    #[arg(long)]
    site_ratio: Option<f64>,
    /// Distinct clients over requests of the site as a whole.
    #[arg(long)]
    site_min_audience: Option<f64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Text {
    Envelope,
    Strict,
}

impl Flags {
    pub(super) fn settings(&self) -> Result<Settings, Usage> {
        let mut settings = Settings::default();
        let reading = self.reading.map(|text| match text {
            Text::Envelope => Reading::Envelope,
            Text::Strict => Reading::Strict,
        });
        set(&mut settings.scales, self.scales.clone());
        set(&mut settings.doublings, self.doublings);
        set(&mut settings.reading, reading);
        set(&mut settings.ratio, self.ratio);
        set(&mut settings.min_rate, self.min_rate);
        set(&mut settings.min_audience, self.min_audience);
        set(&mut settings.min_clients, self.min_clients);
        set(&mut settings.evidence, self.evidence);
        set(&mut settings.cooling, self.cooling);
        set(&mut settings.cool_below, self.cool_below);
        set(&mut settings.half_life, self.half_life);
        set(&mut settings.max_keys, self.max_keys);
        set(&mut settings.max_hot, self.max_hot);
        set(&mut settings.keep_query, self.keep_query.clone());
        set(&mut settings.site.scales, self.site_scales.clone());
        set(&mut settings.site.ratio, self.site_ratio);
        set(&mut settings.site.min_audience, self.site_min_audience);
        settings.check().map_err(|error| Usage(error.to_string()))?;
        Ok(settings)
    }
}

fn set<T>(setting: &mut T, flag: Option<T>) {
    if let Some(value) = flag {
        *setting = value;
    }
}
