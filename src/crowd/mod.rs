//! Tells a crowd from the everyday: counts each page's requests at several scales and judges, page by page, whether a
//! flash crowd has come. It decides only; it is told the time, opens no socket and keeps no clock.
//!
//! A page turns hot when, on any scale, all of this holds:
//!
//! 1. **Surge.** Within eight epochs its count doubles `doublings` times over: an epoch `j` exists with
//!    `r_{j+i} > 2^i · max(r_j, 1)` for every `i = 1..k` ([`Reading::Envelope`]).
//! 2. **High rate.** The peak is more than `ratio` (20) times the page's own long-run mean, which the surge cannot raise.
//! 3. **Floor.** It is at least `min_rate` per second.
//! 4. **Evidence.** Past and surge cannot be the same steady traffic: a page that is busy from the process's start on is not
//!    a crowd, and neither are five requests that fall into one second.
//! 5. **Audience.** Enough different clients ask: a script that hammers one URL is not a crowd.
//!
//! Rules 1 and 2 are those of Wendell and Freedman, *Going Viral* (IMC 2011). A hot page cools when its rate falls, and is
//! calm when it has cooled long enough; until then, a second wave needs no new surge.
//!
//! The number of pages tracked is bounded, whatever strangers ask for: a sketch at the door lets in only what is
//! asked repeatedly, and the coldest page makes room.
//!
//! ```
//! use std::{net::Ipv4Addr, time::Duration};
//! use tower_flashback::crowd::{Crowds, Settings, Sighting, State};
//!
//! let crowds = Crowds::new(Settings::default(), Duration::ZERO, 42)?;
//! let visit = |millisecond: u64, visitor: u32| {
//!     crowds.observe(Duration::from_millis(millisecond), &Sighting {
//!         host: "example.org",
//!         path: "/article",
//!         query: None,
//!         client: Ipv4Addr::from_bits(visitor).into(),
//!         referrer: Some("https://news.example/"),
//!     })
//! };
//! // Nothing for two seconds, then twenty different visitors a second.
//! let states: Vec<State> = (0..100).map(|number| visit(2_000 + 50 * u64::from(number), number)).collect();
//! assert_eq!(states[0], State::Calm);
//! assert_eq!(states[99], State::Hot);
//! assert_eq!(crowds.changes()[0].key.to_string(), "example.org/article");
//! # Ok::<(), tower_flashback::crowd::SettingsError>(())
//! ```
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod audience;
mod baseline;
mod clock;
mod crowds;
mod epoch;
mod front;
mod grid;
mod key;
pub mod log;
mod memory;
mod page;
mod pins;
mod plan;
mod pressure;
mod referrer;
mod rule;
mod settings;
mod shard;
mod site;
mod sketch;
mod state;
mod track;

pub use crowds::{Crowds, Sighting};
pub use key::Key;
pub use memory::{Memory, MemoryError};
pub use pressure::Pressure;
pub use settings::{Reading, Settings, SettingsError, SiteSettings};
pub use state::{Change, Crowd, ForceError, Mode, Rule, State};

/// Time since an epoch of the caller's choice, from a clock that does not run backwards.
pub type Time = std::time::Duration;
