//! The crowd: a native visitor in each namespace, all sampled while they load.

use std::{
    net::Ipv4Addr,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use tokio::sync::watch;
use tower_flashback::visitor::{Gauge, Settings, Visit, Visitor};
use url::Url;

use crate::place::Place;

/// How they come, and go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    /// They arrive within this time, any moment as likely as any other.
    pub(crate) over: Duration,
    pub(crate) dwell: Duration,
    /// Whoever has not got the page by then never gets it.
    pub(crate) patience: Duration,
    pub(crate) seed: u64,
}

/// A crowd at the page.
#[derive(Debug)]
pub(crate) struct Crowd {
    gauges: Vec<Arc<Gauge>>,
    ended: mpsc::Receiver<Result<Visit, String>>,
    /// Visitors that leave say goodbye by their links, which a thread that ended could not.
    over: watch::Sender<()>,
    pub(crate) visits: Vec<Visit>,
    pub(crate) failures: Vec<String>,
    /// Looks at somebody who had given more than it had got.
    pub(crate) law3_samples: u64,
}

/// All visits as they stand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    pub(crate) arrived: u64,
    pub(crate) complete: u64,
    pub(crate) site: u64,
    pub(crate) peer: u64,
    /// Introductions by neighbours that became links, seen from both ends.
    pub(crate) by_neighbour: u64,
}

impl Crowd {
    /// Sends a visitor from each place.
    pub(crate) fn send(places: &[(Ipv4Addr, Place)], url: &Url, habits: Habits) -> Self {
        let (end, ended) = mpsc::channel();
        let over = watch::Sender::new(());
        let mut random = SmallRng::seed_from_u64(habits.seed);
        let start = Instant::now();
        let mut gauges = Vec::new();
        for (address, place) in places {
            let mut settings = Settings::default();
            settings.address = Some((*address).into());
            settings.dwell = habits.dwell;
            let visitor = Visitor::new(url.clone(), settings);
            gauges.push(visitor.gauge());
            let arrives = start + habits.over.mul_f64(random.random());
            let (end, gone) = (end.clone(), over.subscribe());
            drop(place.run(move || visit(visitor, arrives, habits.patience, &end, gone)));
        }
        Self {
            gauges,
            ended,
            over,
            visits: Vec::new(),
            failures: Vec::new(),
            law3_samples: 0,
        }
    }

    /// Looks at all of them, after one more has ended or a moment; false if none is left.
    pub(crate) fn look(&mut self) -> bool {
        match self.ended.recv_timeout(LOOK) {
            Ok(Ok(visit)) => self.visits.push(visit),
            Ok(Err(failure)) => self.failures.push(failure),
            // A thread that panicked has said so.
            Err(mpsc::RecvTimeoutError::Disconnected) => return false,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        let samples = self.gauges.iter().map(|gauge| gauge.sample());
        self.law3_samples += samples.filter(|sample| sample.given > sample.got).count() as u64;
        self.visits.len() + self.failures.len() < self.gauges.len()
    }

    /// Lets those go who wait for the others: their threads are free again.
    pub(crate) fn dismiss(&self) {
        self.over.send_replace(());
    }

    pub(crate) fn standing(&self) -> Standing {
        self.gauges.iter().fold(Standing::default(), |sum, gauge| {
            let sample = gauge.sample();
            Standing {
                arrived: sum.arrived + u64::from(sample.site > 0),
                complete: sum.complete + u64::from(sample.complete),
                site: sum.site + sample.site,
                peer: sum.peer + sample.peer,
                by_neighbour: sum.by_neighbour + sample.by_neighbour,
            }
        })
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.dismiss();
    }
}

fn visit(
    visitor: Visitor,
    arrives: Instant,
    patience: Duration,
    end: &mpsc::Sender<Result<Visit, String>>,
    mut over: watch::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(end.send(Err(error.to_string()))),
    };
    runtime.block_on(async {
        tokio::time::sleep_until(arrives.into()).await;
        let gauge = visitor.gauge();
        let outcome = match tokio::time::timeout(patience, visitor.visit()).await {
            Ok(outcome) => outcome.map_err(|error| error.to_string()),
            Err(_) => {
                let (seconds, sample) = (patience.as_secs(), gauge.sample());
                Err(format!("not all of the page in {seconds} s: {sample:?}"))
            }
        };
        let _ = end.send(outcome);
        let _ = over.changed().await;
    });
    runtime.shutdown_background();
}

/// How often law 3 is looked at.
const LOOK: Duration = Duration::from_millis(10);
