//! The tower `Layer`: what a request goes through.
//!
//! ```text
//! request ──► count it, judge its URL
//!                │
//!                ├─ calm ───────────────► inner service, untouched (its own future, its own body)
//!                ├─ /.flashback/… ──────► reserved: client, worker, signalling, verified bytes
//!                ├─ an object of a hot page ─► fetch: memory, or one fetch for all who ask
//!                └─ a hot page ─► gate ─► fetch ─► inject: script, manifest, hold ─► compressed again
//! ```
//!
//! | file | what |
//! |---|---|
//! | `layer`, `service`, `future` | the tower trio; bodies are axum's, and an axum body passes as it is |
//! | `carrier` | what all services share; which way a request takes |
//! | `page`, `object`, `reserved` | the three hot ways |
//! | `fetch` | one fetch from the inner service for all who ask at once |
//! | [`gate`], [`csp`] | which requests and responses may become a carried page |
//! | [`inject`] | the script, the manifest and the hold, put into the HTML as it streams |
//! | `notice` | what visitors are told, where the site wants it |
//! | `pages`, `count`, `tally` | the hot pages, and what they cost |
//!
//! # Use
//! Requests need the client's address: [`PeerAddr`], or axum's `ConnectInfo<SocketAddr>`.
//!
//! ```no_run
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use axum::{Router, routing::get};
//! use tower_flashback::Flashback;
//!
//! let flashback = Flashback::builder().build()?;
//! let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(flashback.layer());
//! # Ok(())
//! # }
//! ```
//!
//! A compression layer may stand inside or outside: a hot page is asked for without compression, and compressed again here.
//! Authentication belongs outside, or its refusals are what is counted.
//!
//! # Hazards
//! The inner service is called with the visitor's own request, but for a page or an object that is hot: then `Range` and
//! conditions are taken off, so that one whole response serves everybody, and put to the response here.

pub mod csp;
pub mod gate;
pub mod inject;

mod address;
mod asset;
pub(crate) mod carrier;
mod coding;
mod count;
mod fetch;
mod future;
pub(crate) mod introducer;
#[allow(clippy::module_inception)] // tower's own name for the role
mod layer;
pub(crate) mod notice;
mod object;
mod page;
pub(crate) mod pages;
mod reserved;
mod service;
mod settings;
pub(crate) mod tally;

pub use address::PeerAddr;
pub(crate) use asset::prepare;
pub use future::ResponseFuture;
pub use layer::FlashbackLayer;
pub use notice::{NoticeError, NoticeSettings, NoticeTexts};
pub use reserved::PREFIX;
pub use service::FlashbackService;
pub use settings::{Depth, PathDepth, Settings, SettingsError};
