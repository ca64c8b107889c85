//! The crowd of `flashback demo`: real visitors at the example site, told as they come and go. In a terminal one line moves;
//! elsewhere there is a line for each second.

use std::{
    io::{self, IsTerminal},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};
use tower_flashback::{
    unit::BitRate,
    visitor::{Arrivals, Rehearsal, Running, Settings, Standing, Visitor},
};
use url::Url;

use super::{
    rehearse::{Table, megabytes, own_addresses},
    serve::Site,
};

/// What is to be played.
pub(super) struct Spectacle {
    url: Url,
    visitors: u32,
    addresses: Vec<IpAddr>,
}

impl Spectacle {
    /// A crowd for this site.
    pub(super) fn at(site: &Site, visitors: u32) -> anyhow::Result<Self> {
        let mut address = site.address()?;
        if address.ip().is_unspecified() {
            address.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        let own = address.ip().is_loopback() && address.is_ipv4();
        Ok(Self {
            url: page(address)?,
            visitors,
            addresses: if own { own_addresses(visitors) } else { Vec::new() },
        })
    }

    /// Calm, surge, hot, carried; the state of the page after that is told by whoever watches it.
    pub(super) async fn play(self) {
        ON.store(true, Relaxed);
        self.acts().await;
        ON.store(false, Relaxed);
    }

    async fn acts(self) {
        tell("calm: a visitor gets the origin's own page");
        let first = Visitor::new(self.url.clone(), Settings::default());
        if let Err(error) = first.visit().await {
            return tell(&format!("no visitor can have the page: {error}"));
        }
        sleep(PAUSE).await;
        tell(&format!(
            "surge: {FIRST} visitors at once, who find the page calm still, and make it hot"
        ));
        let mut surge = self.rehearsal(FIRST, Duration::ZERO);
        surge.settings.dwell = Duration::ZERO;
        let mut surge = surge.begin(&mut rand::rng());
        show(&mut surge).await;
        tell(&format!(
            "crowd: {} visitors within {} s, each with {DOWN} down and {UP} up, who stay for {} s",
            self.visitors,
            OVER.as_secs(),
            DWELL.as_secs()
        ));
        let mut running = self.rehearsal(self.visitors, OVER).begin(&mut rand::rng());
        show(&mut running).await;
        let report = running.end().await;
        tell(&format!("\n{}\n", Table(&report)));
        tell("the crowd has left: the page cools down and is calm again. Now it is yours");
    }

    fn rehearsal(&self, visitors: u32, over: Duration) -> Rehearsal {
        let mut rehearsal = Rehearsal::new(self.url.clone(), visitors);
        rehearsal.arrivals = Arrivals::Flash;
        rehearsal.over = over;
        rehearsal.settings.dwell = DWELL;
        rehearsal.settings.up = Some(UP);
        rehearsal.settings.down = Some(DOWN);
        rehearsal.addresses.clone_from(&self.addresses);
        rehearsal
    }
}

/// Whether a crowd is being shown.
pub(super) fn is_on() -> bool {
    ON.load(Relaxed)
}

/// One line, above the one that moves if there is one.
pub(super) fn tell(line: &str) {
    match MOVING.get() {
        Some(bar) => bar.suspend(|| println!("{line}")),
        None => println!("{line}"),
    }
}

/// Shows the crowd until it has gone.
async fn show(running: &mut Running) {
    let moving = io::stdout().is_terminal();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut before = Standing::default();
    let end = Instant::now() + SHOW_MAX;
    loop {
        tokio::select! {
            more = running.next() => if !more { break },
            () = sleep_until(end) => break,
            _ = look.tick() => {
                let now = running.standing();
                let line = line(&before, &now);
                before = now;
                if moving {
                    MOVING.get_or_init(bar).set_message(line);
                } else {
                    println!("{line}");
                }
            }
        }
    }
    if let Some(bar) = MOVING.get() {
        // Not finished: there may be another crowd.
        bar.set_message("");
    }
}

fn line(before: &Standing, now: &Standing) -> String {
    let second = LOOK.as_secs_f64();
    let rate = |before, now: u64| megabytes(now.saturating_sub(before)) / second;
    format!(
        "{:>3} came, {:>3} of them to a hot page, {:>3} have it; {:>6.2} MB/s from the origin, {:>6.2} MB/s from each other",
        now.arrived,
        now.hot,
        now.complete,
        rate(before.site, now.site),
        rate(before.peer, now.peer)
    )
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn page(address: SocketAddr) -> Result<Url, url::ParseError> {
    format!("http://{address}/").parse()
}

static ON: AtomicBool = AtomicBool::new(false);
/// The line that moves, once there is one: what else is told must not tear it.
static MOVING: OnceLock<ProgressBar> = OnceLock::new();

/// Long enough to see that nothing happens.
const PAUSE: Duration = Duration::from_secs(2);
/// A jump over several powers of two, and over twenty times the mean. Their requests make the objects known.
const FIRST: u32 = 12;
/// Long enough to be watched, short enough to be waited for.
const OVER: Duration = Duration::from_secs(6);
const DWELL: Duration = Duration::from_secs(8);
/// On a machine that is too slow for the crowd the rest of it leaves then, and the report says so.
const SHOW_MAX: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_secs(1);
/// A good household's link: the page takes seconds, and two cores carry two dozen of them.
const DOWN: BitRate = BitRate::from_bits_per_second(20_000_000);
const UP: BitRate = BitRate::from_bits_per_second(10_000_000);
