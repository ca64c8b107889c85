//! What the detector costs: observations per second on one thread and on two, and memory and delay in a flood of URLs.
//!
//! Rates are per second of processor time, as the kernel accounts it to the thread: what others take of the machine is not in
//! it, but what they take of its caches is. The wall clock's are printed beside them. Figures are medians of several passes.
//! `alone` is `Crowds::observe`, which a server calls with each request; `batch` is `Crowds::observe_all`, as `flashback replay`
//! calls it with the lines of a log.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::Context;
use integration::median::median;
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tower_flashback::crowd::{Crowds, Settings, Sighting, State};

/// Prints all.
pub(crate) fn run() -> anyhow::Result<()> {
    // First, while the process has had no memory for anything else.
    let calm = delay(0)?;
    let before = resident()?;
    let flooded = delay(FLOOD)?;
    let after = resident()?;
    println!("crowd of 20/s alone: hot after {calm:.2} s");
    println!("crowd of 20/s amidst {FLOOD} URLs in a minute: hot after {flooded:.2} s");
    println!(
        "memory grown by {:.1} MiB at its highest",
        (after.saturating_sub(before)) as f64 / 1024.0
    );
    println!(
        "{:<24} {:>10} {:>6} {:>8} {:>14} {:>12}",
        "million observations", "site/s", "entry", "threads", "per CPU second", "per second"
    );
    for (name, keys, zipf) in [
        ("one page", 1, false),
        ("100,000 pages, Zipf", KEYS, true),
        ("100,000 pages, uniform", KEYS, false),
    ] {
        for site in SITES {
            let site = Site::known(Visits::draw(keys, zipf, site), site)?;
            for (entry, batch) in [("alone", 1), ("batch", BATCH)] {
                for threads in [1, 2] {
                    let (cpu, wall) = site.median(threads, batch)?;
                    let rate = site.rate;
                    println!("{name:<24} {rate:>10} {entry:>6} {threads:>8} {cpu:>14.1} {wall:>12.1}");
                }
            }
        }
    }
    Ok(())
}

/// Visits drawn ahead, so that drawing is not measured. Their paths stand one after the other, as a server that has just
/// read a request has its path at hand.
struct Visits {
    paths: Vec<[u8; PATH]>,
    clients: Vec<IpAddr>,
    /// Of each page, in requests per second.
    rates: Vec<f64>,
}

impl Visits {
    fn draw(keys: usize, zipf: bool, site: u32) -> Self {
        let mut random = SmallRng::seed_from_u64(1);
        // A Zipf law of exponent 1, by inversion.
        let exponent = |share: f64| (keys as f64 + 1.0).powf(share) as usize - 1;
        let mut page = || match zipf {
            true => exponent(random.random()).min(keys - 1),
            false => random.random_range(0..keys),
        };
        let pages: Vec<usize> = (0..DRAWN).map(|_| page()).collect();
        let mut rates = vec![0.0; keys];
        for page in &pages {
            rates[*page] += f64::from(site) / DRAWN as f64;
        }
        Self {
            paths: pages.iter().map(|page| path(*page)).collect(),
            clients: (0..DRAWN)
                .map(|_| Ipv4Addr::from_bits(random.random()).into())
                .collect(),
            rates,
        }
    }
}

fn path(page: usize) -> [u8; PATH] {
    let mut path = *b"/section/article-000000.html";
    path[17..23].copy_from_slice(format!("{page:06}").as_bytes());
    path
}

fn sighting(path: &[u8], client: IpAddr) -> Sighting<'_> {
    Sighting {
        host: "www.example.org",
        path: std::str::from_utf8(path).unwrap_or_default(),
        query: None,
        client,
        referrer: None,
    }
}

/// A site in its everyday: twenty minutes of it are known.
struct Site {
    crowds: Crowds,
    visits: Visits,
    /// Requests per second, in its own time.
    rate: u32,
    /// Visits made so far.
    made: AtomicU64,
}

impl Site {
    fn known(visits: Visits, rate: u32) -> anyhow::Result<Self> {
        let mut settings = Settings::default();
        settings.max_keys = 2 * KEYS;
        let crowds = Crowds::new(settings, Duration::ZERO, 1)?;
        for half_minute in 0..HALF_MINUTES {
            let now = Duration::from_secs(30 * half_minute);
            for (page, rate) in visits.rates.iter().enumerate() {
                let path = path(page);
                let client = IpAddr::from(Ipv4Addr::from_bits(page as u32));
                crowds.observe_many(now, &sighting(&path, client), (rate * 30.0).max(1.0) as u32);
            }
            crowds.tick(now);
        }
        crowds.changes();
        let made = AtomicU64::new(0);
        let site = Self {
            crowds,
            visits,
            rate,
            made,
        };
        // Caches and tables as they are in the midst of a day.
        site.pass(1, 1)?;
        Ok(site)
    }

    /// Millions of observations per second of processor time and of time: medians.
    fn median(&self, threads: u64, batch: usize) -> anyhow::Result<(f64, f64)> {
        let known = self.crowds.tracked();
        let passes = (0..PASSES).map(|_| self.pass(threads, batch));
        let (cpu, wall): (Vec<f64>, Vec<f64>) =
            passes.collect::<anyhow::Result<Vec<_>>>()?.into_iter().unzip();
        anyhow::ensure!(self.crowds.tracked() == known, "a page was not known");
        let middle = |rates: &[f64]| median(rates).unwrap_or_default() / 1e6;
        Ok((middle(&cpu), middle(&wall)))
    }

    /// Makes all visits once.
    fn pass(&self, threads: u64, batch: usize) -> anyhow::Result<(f64, f64)> {
        let begun = Instant::now();
        let from = self.made.fetch_add(DRAWN as u64, Relaxed);
        let spent = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|thread| {
                    scope.spawn(move || {
                        self.work(
                            (from + thread..from + DRAWN as u64).step_by(threads as usize),
                            batch,
                        )
                    })
                })
                .collect();
            let spent = threads
                .into_iter()
                .map(|thread| thread.join().expect("the detector does not panic"));
            spent.sum::<anyhow::Result<f64>>()
        })?;
        Ok((DRAWN as f64 / spent, DRAWN as f64 / begun.elapsed().as_secs_f64()))
    }

    /// Seconds of processor time that these visits take.
    fn work(&self, mut numbers: impl Iterator<Item = u64>, batch: usize) -> anyhow::Result<f64> {
        // Half minutes told at once look like bursts, whose clients are looked at for two minutes.
        let begins = Duration::from_secs(30 * HALF_MINUTES) + LULL;
        let mut requests = Vec::with_capacity(batch);
        let mut ticked = 0;
        let from = processor_time()?;
        loop {
            requests.clear();
            requests.extend(numbers.by_ref().take(batch).map(|number| {
                let visit = number as usize % DRAWN;
                let sighting = sighting(&self.visits.paths[visit], self.visits.clients[visit]);
                (
                    begins + Duration::from_nanos(number * (1_000_000_000 / u64::from(self.rate))),
                    sighting,
                )
            }));
            let Some((now, first)) = requests.first() else {
                return Ok(processor_time()? - from);
            };
            if now.as_secs() > ticked {
                ticked = now.as_secs();
                self.crowds.tick(*now);
            }
            if batch == 1 {
                std::hint::black_box(self.crowds.observe(*now, first));
            } else {
                self.crowds
                    .observe_all(&requests, |_, state| _ = std::hint::black_box(state));
            }
        }
    }
}

/// Seconds until a crowd of 20 per second is hot, that begins half a minute into a minute with so many other URLs.
fn delay(flood: u64) -> anyhow::Result<f64> {
    let crowds = Crowds::new(Settings::default(), Duration::ZERO, 1)?;
    let client = |number: u64| IpAddr::from(Ipv4Addr::from_bits(number as u32));
    let mut flooded = 0;
    let mut hot = None;
    for number in 0..1_200 {
        let now = Duration::from_millis(50 * number);
        while flooded < flood * (number + 1) / 1_200 {
            let path = format!("/flood/{flooded}");
            let sighting = Sighting {
                host: "a.example",
                path: &path,
                query: None,
                client: client(flooded),
                referrer: None,
            };
            crowds.observe(now, &sighting);
            flooded += 1;
        }
        let sighting = Sighting {
            host: "a.example",
            path: "/",
            query: None,
            client: client(number),
            referrer: None,
        };
        if number >= 600 && crowds.observe(now, &sighting) == State::Hot {
            hot.get_or_insert(now.as_secs_f64() - 30.0);
        }
        crowds.tick(now);
    }
    hot.ok_or_else(|| anyhow::anyhow!("the crowd was not found"))
}

/// Seconds that this thread has had a processor.
fn processor_time() -> anyhow::Result<f64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("no account of processor time")?;
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|number| number.parse::<f64>().ok());
    Ok(nanoseconds.context("/proc/thread-self/schedstat has no number")? / 1e9)
}

/// The most memory that this process ever had, in KiB.
fn resident() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| anyhow::anyhow!("no VmHWM in /proc/self/status"))
}

const KEYS: usize = 100_000;
/// Characters of a path.
const PATH: usize = 28;
/// Requests per second of the site that is watched, in its own time: one for each page, where nearly each request begins
/// an epoch of its page; and as many as the budget says a core should count.
const SITES: [u32; 2] = [100_000, 10_000_000];
/// Half minutes that are known before anything is measured.
const HALF_MINUTES: u64 = 40;
/// Silence after them.
const LULL: Duration = Duration::from_secs(150);
/// Visits drawn ahead: more than caches hold.
const DRAWN: usize = 1_000_000;
/// Times that they are made for each figure.
const PASSES: usize = 5;
/// Requests told at once.
const BATCH: usize = 512;
const FLOOD: u64 = 10_000_000;
