//! How one visitor behaves: where from, on what link, how long, and how honestly.

use std::{net::IpAddr, time::Duration};

use crate::unit::BitRate;

/// What a visitor is told. The default is a browser on a fast link that leaves as soon as it has the page.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// The address that it comes from, to the site and to neighbours. None lets the system choose.
    pub address: Option<IpAddr>,
    /// Its uplink. None is as fast as the machine.
    pub up: Option<BitRate>,
    /// Its downlink. None is as fast as the machine.
    pub down: Option<BitRate>,
    /// How long it stays once it has the page, and gives.
    pub dwell: Duration,
    /// What it does with what neighbours ask for.
    pub conduct: Conduct,
    /// What it calls itself. The default names a browser, for sites spare those they take for robots the swarm.
    pub agent: String,
}

/// How honestly a visitor takes part. The false ones are for drills: nobody else may lose by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conduct {
    /// By the rules.
    #[default]
    Honest,
    /// Takes, and never gives.
    FreeRider,
    /// Gives bytes that are not the origin's.
    Liar,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            address: None,
            up: None,
            down: None,
            dwell: Duration::ZERO,
            conduct: Conduct::Honest,
            agent: concat!(
                "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 flashback/",
                env!("CARGO_PKG_VERSION")
            )
            .to_owned(),
        }
    }
}
