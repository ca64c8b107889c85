//! A network of namespaces: a router in the middle, the origin at one link of it and a visitor at each other. Every link
//! has a rate both ways and a short queue, as a modem's; what is too much for it is dropped.
//!
//! A router and not a bridge: the kernel's table of neighbours is one for all namespaces, and a crowd on one segment
//! overflows it.

use std::{net::Ipv4Addr, process::Command, time::Duration};

use anyhow::Context;
use tower_flashback::unit::BitRate;

use crate::place::Place;

/// Rates of all links.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) down: BitRate,
    pub(crate) up: BitRate,
    pub(crate) origin_up: BitRate,
    /// What a link's queue holds.
    pub(crate) queue: Duration,
}

#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) origin: Place,
    pub(crate) visitors: Vec<(Ipv4Addr, Place)>,
    _router: Place,
}

impl Network {
    pub(crate) fn build(rates: Rates, visitors: u32) -> anyhow::Result<Self> {
        let (router, origin) = (Place::open()?, Place::open()?);
        router
            .run(|| std::fs::write("/proc/sys/net/ipv4/ip_forward", "1"))
            .wait()?
            .context("cannot let the router forward")?;
        let unlimited = BitRate::from_bits_per_second(UNLIMITED);
        let far = Rates {
            down: unlimited,
            up: rates.origin_up,
            ..rates
        };
        connect(&router, &origin, ORIGIN, 0, far)?;
        let mut crowd = Vec::new();
        for number in 1..=visitors {
            let place = Place::open()?;
            let [_, _, high, low] = number.to_be_bytes();
            let address = Ipv4Addr::new(10, 77, 1 + high, low);
            connect(&router, &place, address, number, rates)?;
            crowd.push((address, place));
        }
        Ok(Self {
            origin,
            visitors: crowd,
            _router: router,
        })
    }

    /// Packets that the uplinks of visitors have dropped so far.
    pub(crate) fn dropped(&self) -> anyhow::Result<u64> {
        let asked: Vec<_> = self
            .visitors
            .iter()
            .map(|(_, place)| place.run(dropped))
            .collect();
        asked.into_iter().map(|one| one.wait()?).sum()
    }

    /// Bytes that the origin has sent, Ethernet's headers included.
    pub(crate) fn sent_by_origin(&self) -> anyhow::Result<u64> {
        self.origin.run(sent).wait()?
    }
}

fn connect(
    router: &Place,
    place: &Place,
    address: Ipv4Addr,
    number: u32,
    rates: Rates,
) -> anyhow::Result<()> {
    let port = format!("p{number}");
    // Without segmentation offload a packet is a packet, for queues and counters.
    let whole = "gso_max_size 1514 gso_max_segs 1";
    let commands = vec![
        format!(
            "link add {port} type veth peer name {DEVICE} netns {}",
            place.thread()
        ),
        format!("addr add {GATEWAY}/32 dev {port}"),
        format!("link set {port} up {whole}"),
        format!("route add {address}/32 dev {port}"),
    ];
    router.batch("ip", commands)?;
    router.batch("tc", vec![shape(&port, rates.down, rates.queue)])?;
    let commands = vec![
        "link set lo up".to_owned(),
        format!("addr add {address}/32 dev {DEVICE}"),
        format!("link set {DEVICE} up {whole}"),
        format!("route add {GATEWAY}/32 dev {DEVICE}"),
        format!("route add default via {GATEWAY} src {address}"),
    ];
    place.batch("ip", commands)?;
    place.batch("tc", vec![shape(DEVICE, rates.up, rates.queue)])
}

/// A token bucket. Rates are those of IP packets, as those of links are: Ethernet's 14 bytes do not count.
fn shape(device: &str, rate: BitRate, queue: Duration) -> String {
    let bytes = rate.bytes_per_second();
    let burst = (bytes / 200).max(BURST_MIN);
    let limit = burst + (bytes as f64 * queue.as_secs_f64()) as u64;
    let bits = rate.bits_per_second();
    format!("qdisc add dev {device} root stab overhead -14 tbf rate {bits}bit burst {burst} limit {limit}")
}

fn sent() -> anyhow::Result<u64> {
    // That of the thread: that of the process is another namespace's.
    let table = std::fs::read_to_string("/proc/thread-self/net/dev")?;
    let line = table
        .lines()
        .find_map(|line| line.trim().strip_prefix(&format!("{DEVICE}:")));
    let sent = line.and_then(|line| line.split_whitespace().nth(SENT)?.parse().ok());
    sent.context("/proc/net/dev does not say what was sent")
}

fn dropped() -> anyhow::Result<u64> {
    let output = Command::new("tc")
        .args(["-s", "qdisc", "show", "dev", DEVICE])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, rest) = text
        .split_once("(dropped ")
        .context("tc does not say what was dropped")?;
    let (count, _) = rest.split_once(',').context("tc does not say what was dropped")?;
    Ok(count.parse()?)
}

pub(crate) const ORIGIN: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
const DEVICE: &str = "eth0";
/// What comes to the origin is requests: few, and not what is measured.
const UNLIMITED: u64 = 1_000_000_000;
/// Two packets: less, and the bucket never fills.
const BURST_MIN: u64 = 3_028;
/// The column of bytes sent in /proc/net/dev.
const SENT: usize = 8;
