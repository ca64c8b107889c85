//! What the detector costs: observations per second on one thread and on two, and memory and delay in a flood of URLs.
//!
//! Rates are per second of processor time, as the kernel accounts it to the thread: a machine that others use, too, shows
//! the same figures. The wall clock's are printed beside them.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use anyhow::Context;
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
        "{:<26} {:>8} {:>14} {:>12}",
        "million observations", "threads", "per CPU second", "per second"
    );
    for (name, keys, zipf) in [
        ("one page", 1, false),
        ("100,000 pages, Zipf", KEYS, true),
        ("100,000 pages, uniform", KEYS, false),
    ] {
        let visits = Visits::draw(keys, zipf);
        for threads in [1, 2] {
            let (cpu, wall) = rate(&visits, threads)?;
            println!("{name:<26} {threads:>8} {:>14.1} {:>12.1}", cpu / 1e6, wall / 1e6);
        }
    }
    Ok(())
}

/// Visits drawn ahead, so that drawing is not measured. Their paths stand one after the other, as a server that has just
/// read a request has its path at hand.
struct Visits {
    paths: Vec<[u8; PATH]>,
    clients: Vec<IpAddr>,
    /// Of each page, in requests per second, with 100,000 of the whole site.
    rates: Vec<f64>,
}

impl Visits {
    fn draw(keys: usize, zipf: bool) -> Self {
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
            rates[*page] += SITE / DRAWN as f64;
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

/// Observations per second of processor time and of time, of a site in its everyday: twenty minutes are known.
fn rate(visits: &Visits, threads: u64) -> anyhow::Result<(f64, f64)> {
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
    // Half minutes told at once look like bursts, whose clients are looked at for two minutes.
    let (before, begins) = (crowds.tracked(), Duration::from_secs(30 * HALF_MINUTES) + LULL);
    let crowds = &crowds;
    let work = |thread: u64, rounds: std::ops::Range<u64>| {
        let from = processor_time()?;
        let numbers = rounds.start * DRAWN as u64 + thread..rounds.end * DRAWN as u64;
        for number in numbers.step_by(threads as usize) {
            let now = begins + Duration::from_nanos(number * (1e9 / SITE) as u64);
            if number % (SITE as u64) < threads {
                crowds.tick(now);
            }
            let visit = number as usize % DRAWN;
            let sighting = sighting(&visits.paths[visit], visits.clients[visit]);
            std::hint::black_box(crowds.observe(now, &sighting));
        }
        anyhow::Ok(processor_time()? - from)
    };
    let work = &work;
    let pass = |rounds: std::ops::Range<u64>| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|thread| {
                    let rounds = rounds.clone();
                    scope.spawn(move || work(thread, rounds))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("the detector does not panic"))
                .sum::<anyhow::Result<f64>>()
        })
    };
    // Caches and tables as they are in the midst of a day.
    pass(0..1)?;
    let begun = Instant::now();
    let spent = pass(1..ROUNDS)?;
    anyhow::ensure!(crowds.tracked() == before, "a page was not known");
    let observations = ((ROUNDS - 1) * DRAWN as u64) as f64;
    Ok((observations / spent, observations / begun.elapsed().as_secs_f64()))
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
/// Requests per second of the site that is watched, in its own time.
const SITE: f64 = 100_000.0;
/// Half minutes that are known before anything is measured.
const HALF_MINUTES: u64 = 40;
/// Silence after them.
const LULL: Duration = Duration::from_secs(150);
/// Visits drawn ahead: more than caches hold.
const DRAWN: usize = 1_000_000;
/// Times that they are made, the first of which is not measured.
const ROUNDS: u64 = 6;
const FLOOD: u64 = 10_000_000;
