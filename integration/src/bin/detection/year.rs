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
    let mut traffic = Traffic::new(urls, seed);
    let (mut requests, mut alarms) = (0u64, 0u32);
    for second in 0..days * DAY {
        let seen = traffic.second(second);
        let seen: Vec<_> = seen.iter().map(|request| request.sighting()).collect();
        crowds.observe_all(&seen, |_, _| {});
        requests += seen.len() as u64;
        if second % 10 == 9 {
            crowds.tick(Duration::from_secs(u64::from(second) + 1));
        }
        let hot = |change: &tower_flashback::crowd::Change| change.to == State::Hot;
        for change in crowds.changes().into_iter().filter(hot) {
            alarms += 1;
            if alarms <= SHOWN {
                println!("{change:?}");
            }
        }
    }
    println!("{days} days, {urls} URLs, seed {seed}, {requests} requests, {alarms} false alarms");
    Ok(())
}

/// Poisson arrivals, all pages together, each with its share of them. The day's rhythm goes from 1 to 9.
struct Traffic {
    random: SmallRng,
    paths: Vec<String>,
    /// Requests per second of all, on average.
    total: f64,
    /// The share of each page and of those before it.
    shares: Vec<f64>,
    /// For each of equal parts of 1, the first page whose share reaches into it.
    first: Vec<u32>,
    requests: Vec<(f64, u32, u32)>,
}

struct Request<'a> {
    time: Duration,
    path: &'a str,
    client: Ipv4Addr,
}

impl Traffic {
    /// Mean rates spread evenly over nearly four powers of ten.
    fn new(urls: u32, seed: u64) -> Self {
        let rates: Vec<f64> = (0..urls)
            .map(|number| 0.33 * (-f64::from(number) / f64::from(urls) * 8.8).exp())
            .collect();
        let total: f64 = rates.iter().sum();
        let mut sum = 0.0;
        let shares: Vec<f64> = rates
            .iter()
            .map(|rate| {
                sum += rate / total;
                sum
            })
            .collect();
        let first = (0..PARTS)
            .map(|part| shares.partition_point(|share| *share < part as f64 / PARTS as f64) as u32)
            .collect();
        Self {
            random: SmallRng::seed_from_u64(seed),
            paths: (0..urls).map(|number| format!("/{number}")).collect(),
            total,
            shares,
            first,
            requests: Vec::new(),
        }
    }

    /// The requests of a second, in their order.
    fn second(&mut self, second: u32) -> Vec<Request<'_>> {
        let phase = f64::from(second) * std::f64::consts::TAU / f64::from(DAY);
        let rate = self.total * (1.0 + 0.8 * phase.sin());
        self.requests.clear();
        let mut within = 0.0;
        loop {
            within += -(1.0 - self.random.random::<f64>()).ln() / rate;
            if within >= 1.0 {
                break;
            }
            let drawn: f64 = self.random.random();
            let begin = self.first[(drawn * PARTS as f64) as usize] as usize;
            let page = self.shares[begin..]
                .iter()
                .position(|share| *share >= drawn)
                .map_or(self.shares.len() - 1, |place| begin + place);
            self.requests.push((within, page as u32, self.random.random()));
        }
        let request = |(within, page, client): &(f64, u32, u32)| Request {
            time: Duration::from_secs(second.into()) + Duration::from_nanos((within * 1e9) as u64),
            path: &self.paths[*page as usize],
            client: Ipv4Addr::from_bits(*client),
        };
        self.requests.iter().map(request).collect()
    }
}

impl Request<'_> {
    fn sighting(&self) -> (Duration, Sighting<'_>) {
        let sighting = Sighting {
            host: "a.example",
            path: self.path,
            query: None,
            client: self.client.into(),
            referrer: None,
        };
        (self.time, sighting)
    }
}

/// Seconds of a day.
const DAY: u32 = 86_400;
/// Parts that the pages' shares are found by.
const PARTS: usize = 4096;
/// Alarms shown one by one.
const SHOWN: u32 = 20;
