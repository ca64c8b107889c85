//! Crowd insurance for web sites.
//!
//! While a page is calm, the site is untouched. When a flash crowd comes, the crowd itself carries the page: a small
//! script is injected, and the visitors' browsers pass the page's pieces to each other over WebRTC, introduced by a broker
//! that runs beside the app. They upload at most what they download. When the crowd is gone, nothing is left.
//!
//! ```no_run
//! use std::net::SocketAddr;
//! use axum::{Router, routing::get};
//! use tower_flashback::Flashback;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let flashback = Flashback::builder().build()?;
//! let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(flashback.layer());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # The seven laws
//!
//! > 1. **Calm is free.** Until a URL is hot, a response is bit-identical to the origin's.
//! > 2. **The origin's bytes or nothing.** A byte is shown, passed on or counted only after its block matched the origin's digests.
//! > 3. **Give at most what you got.** At every instant, a visitor has sent at most as much payload as it has received.
//! > 4. **Never worse off.** Whatever fails, the visitor gets the ordinary page from the origin.
//! > 5. **Only what you look at.** A visitor holds and gives only public objects of the page that it has open.
//! > 6. **Fail open, and count it.** Any doubt passes the origin's response through untouched.
//! > 7. **No third party.** Everything comes from the site's own server, under [`/.flashback/`](layer::PREFIX).
//!
//! # Glossary
//!
//! | word | meaning |
//! |---|---|
//! | origin | the site's own server: the inner service of the layer |
//! | visitor | a browser, or a native program, that has a page open |
//! | crowd | a sudden and large number of visitors at one URL; the URL is then *hot*, later *cooling*, else *calm* |
//! | page, object | what a URL of the address bar names; an image, video or other file that the page needs |
//! | chunk, block | 16 KiB of an object, the unit of holding and asking; 1 KiB of a chunk, the unit of verification and credit |
//! | manifest | the list of a page's objects with their digests; it comes with the page, from the origin |
//! | neighbour | a visitor to whom a link is open |
//! | ask, give, held | a visitor *asks* a neighbour for a chunk that it *holds*; the neighbour *gives* it, block by block |
//! | credit, ledger | what a visitor has received less what it has sent; the book in which this stands |
//! | seed | a chunk that the origin sends so that visitors can give it to others |
//! | swarm | the visitors of one page and their links |
//! | broker, room | who introduces visitors to each other; the visitors of one hot page |
//! | load | arrival rate × bytes of the page ÷ the origin's uplink |
//!
//! # Map
//!
//! Pure parts decide and are told the time: [`crowd`], [`swarm`], [`content`], and the rooms, tokens and limits of [`broker`].
//! Hands obey them: [`layer`], the sessions of [`broker`], [`telemetry`]. [`Flashback`] is where they meet; `proxy` and the
//! binary `flashback` are assembled from it.
//!
//! # Features
//!
//! `default` is the library, layer and broker. `proxy` adds a reverse proxy for any existing site, `cli` the binary. Without
//! default features only the pure parts remain. A feature adds API and never changes behaviour.

pub mod broker;
pub mod content;
pub mod crowd;
#[cfg(feature = "layer")]
mod flashback;
#[cfg(feature = "layer")]
pub mod layer;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(feature = "sim")]
pub mod sim;
pub mod swarm;
#[cfg(feature = "layer")]
pub mod telemetry;
pub mod unit;
#[cfg(feature = "visitor")]
pub mod visitor;

#[cfg(feature = "layer")]
pub use flashback::{Builder, ConfigError, Flashback, Settings, StateSettings, StateSettingsError};
