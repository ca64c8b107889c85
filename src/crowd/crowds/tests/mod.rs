//! The detector as a whole: what is a crowd, what is none, and what no stranger can do to it.

mod bounds;
mod ordinary;
mod promises;
mod surge;

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::crowd::Rule;

fn detector() -> Crowds {
    Crowds::new(Settings::default(), Time::ZERO, 1).expect("defaults are sound")
}

fn sighting(path: &str, client: u32) -> Sighting<'_> {
    let client = Ipv4Addr::from_bits(0x7F00_0100 + client).into();
    Sighting {
        host: "a.example",
        path,
        query: None,
        client,
        referrer: Some("https://news.example/x"),
    }
}

fn at(seconds: f64) -> Time {
    Time::from_secs_f64(seconds)
}

/// Requests at a steady pace from so many clients in turn, with the ticks of a shell. Tells when the page turned hot.
fn pace(crowds: &Crowds, path: &str, from: f64, to: f64, rate: f64, clients: u32) -> Option<f64> {
    let mut hot = None;
    let mut ticked = from.floor();
    for number in 0..((to - from) * rate) as u32 {
        let now = from + f64::from(number) / rate;
        if crowds.observe(at(now), &sighting(path, number % clients)) == State::Hot {
            hot.get_or_insert(now);
        }
        while ticked + 1.0 <= now {
            ticked += 1.0;
            crowds.tick(at(ticked));
        }
    }
    hot
}

/// Ticks alone.
fn silence(crowds: &Crowds, from: u64, to: u64) {
    (from..to).for_each(|second| crowds.tick(Time::from_secs(second)));
}
