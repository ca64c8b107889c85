//! Ordinary traffic, for a year: whatever turns hot in it is a false alarm.

use std::{net::Ipv4Addr, time::Duration};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tower_flashback::crowd::{Crowds, Settings, Sighting, State};

/// Prints the number of requests and of alarms.
pub(crate) fn run(
    days: u32,
    urls: u32,
    min_rate: f64,
    evidence: Option<f64>,
    seed: u64,
) -> anyhow::Result<()> {
    let mut settings = Settings::default();
    settings.min_rate = min_rate;
    settings.evidence = evidence.unwrap_or(settings.evidence);
    let crowds = Crowds::new(settings, Duration::ZERO, seed)?;
    let mut random = SmallRng::seed_from_u64(seed);
    // Mean rates spread evenly over five powers of ten and a half.
    let pages: Vec<(String, f64)> = (0..urls)
        .map(|number| {
            (
                format!("/{number}"),
                0.33 * (-f64::from(number) / f64::from(urls) * 8.8).exp(),
            )
        })
        .collect();
    let total: f64 = pages.iter().map(|page| page.1).sum();
    let mut cumulated: Vec<f64> = Vec::with_capacity(pages.len());
    for (_, mean) in &pages {
        cumulated.push(cumulated.last().copied().unwrap_or(0.0) + mean);
    }
    let (mut requests, mut alarms, mut ticked) = (0u64, 0u32, 0u32);
    let (end, mut now) = (f64::from(days) * DAY, 0.0);
    // Arrivals of all pages at the highest rate, thinned to the hour's: the day's rhythm is 1 to 9.
    while now < end {
        now += -(1.0 - random.random::<f64>()).ln() / (total * 1.8);
        if random.random::<f64>() * 1.8 > 1.0 + 0.8 * (now * std::f64::consts::TAU / DAY).sin() {
            continue;
        }
        while f64::from(ticked) + 1.0 < now {
            ticked += 1;
            if ticked % 10 == 0 {
                crowds.tick(Duration::from_secs(ticked.into()));
            }
        }
        let drawn = random.random::<f64>() * total;
        let (page, _) = &pages[cumulated.partition_point(|sum| *sum < drawn).min(pages.len() - 1)];
        let client = Ipv4Addr::from_bits(random.random()).into();
        let sighting = Sighting {
            host: "a.example",
            path: page,
            query: None,
            client,
            referrer: None,
        };
        crowds.observe(Duration::from_secs_f64(now), &sighting);
        requests += 1;
        for change in crowds
            .changes()
            .into_iter()
            .filter(|change| change.to == State::Hot)
        {
            alarms += 1;
            if alarms <= SHOWN {
                println!("{change:?}");
            }
        }
    }
    println!("{days} days, {urls} URLs, {requests} requests, {alarms} false alarms");
    Ok(())
}

const DAY: f64 = 86_400.0;
/// Alarms shown one by one.
const SHOWN: u32 = 20;
