//! What the detector costs: observations per second on one thread and on two, and memory and delay in a flood of URLs.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tower_flashback::crowd::{Crowds, Settings, Sighting, State};

/// Prints all three.
pub(crate) fn run() -> anyhow::Result<()> {
    let paths: Vec<String> = (0..KEYS)
        .map(|number| format!("/section/article-{number}.html"))
        .collect();
    for (name, zipf) in [("uniform", false), ("zipf", true)] {
        let visits = visits(zipf);
        for threads in [1, 2] {
            let rate = rate(&paths, &visits, threads)?;
            println!(
                "{name:<8} {KEYS} live keys, {threads} thread(s): {:.1} million observations/s",
                rate / 1e6
            );
        }
    }
    let calm = delay(0)?;
    let before = resident()?;
    let flooded = delay(FLOOD)?;
    let after = resident()?;
    println!("crowd of 20/s alone: hot after {calm:.1} s");
    println!("crowd of 20/s amidst {FLOOD} URLs in a minute: hot after {flooded:.1} s");
    println!(
        "memory grown by {:.1} MiB at its highest",
        (after.saturating_sub(before)) as f64 / 1024.0
    );
    Ok(())
}

/// Which page and which client, drawn ahead so that drawing is not measured.
fn visits(zipf: bool) -> Vec<(u32, IpAddr)> {
    let mut random = SmallRng::seed_from_u64(1);
    let page = |random: &mut SmallRng| {
        // A Zipf law of exponent 1, by inversion.
        if zipf {
            (KEYS as f64).powf(random.random::<f64>()) as u32 - 1
        } else {
            random.random_range(0..KEYS as u32)
        }
    };
    (0..DRAWN)
        .map(|_| (page(&mut random), Ipv4Addr::from_bits(random.random()).into()))
        .collect()
}

fn rate(paths: &[String], visits: &[(u32, IpAddr)], threads: u64) -> anyhow::Result<f64> {
    let mut settings = Settings::default();
    settings.max_keys = 2 * KEYS;
    let crowds = Crowds::new(settings, Duration::ZERO, 1)?;
    let work = |thread: u64, rounds: u64| {
        for number in (0..rounds * DRAWN as u64).filter(|number| number % threads == thread) {
            let (page, client) = visits[number as usize % DRAWN];
            // A million requests are a second.
            let now = Duration::from_micros(number);
            if number % 1_000_000 < threads {
                crowds.tick(now);
            }
            let sighting = Sighting {
                host: "www.example.org",
                path: &paths[page as usize],
                query: None,
                client,
                referrer: None,
            };
            std::hint::black_box(crowds.observe(now, &sighting));
        }
    };
    work(0, 1);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let work = &work;
            scope.spawn(move || work(thread, ROUNDS));
        }
    });
    Ok((ROUNDS * DRAWN as u64) as f64 / begun.elapsed().as_secs_f64())
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
/// Visits drawn ahead: more than caches hold.
const DRAWN: usize = 4_000_000;
const ROUNDS: u64 = 5;
const FLOOD: u64 = 10_000_000;
