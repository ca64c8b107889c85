//! Any existing site behind the layer: a reverse proxy that changes nothing but what HTTP says a proxy must.
//!
//! ```text
//! visitor ── server ── door ── FlashbackLayer ── upstream ── origin
//!            sockets   host,   (crate::layer)    headers,
//!            bounds    address                   one client
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`config`] | the TOML of the binary, its defaults and their reasons |
//! | [`server`], `slots` | listener, HTTP/1.1 and h2c, deadlines and bounds, drain |
//! | `door` | what must hold before a request goes further |
//! | [`forwarded`] | who the visitor is when other proxies stand in front, and what the origin is told |
//! | [`upstream`], `client` | the origin as a service: streaming, deadlines, one retry |
//! | `hop`, `tunnel` | what ends at a proxy, and the one thing that passes it: WebSockets |
//! | `failure`, `connection`, `progress` | what the visitor is told, which failure may be repeated, and what is a hang |
//! | [`shutdown`] | the signals that end the process |
//! | [`webhook`] | another program told of every crowd, signed |
//!
//! It does no TLS towards the visitor, no load balancing and no caching of what is calm.
//!
//! # Hazards
//! Every request is parsed and framed anew, so a body that two parsers would read differently reaches the origin in one
//! reading only. Upgrades other than WebSocket are not passed: `Upgrade: h2c` would open a tunnel around all of this.
//! A WebSocket that is tunnelled outlives the drain only until the process ends; a stream of HTTP/2 ends as the drain
//! begins, for its connection would not end before it.

pub mod config;
pub mod forwarded;
pub mod server;
pub mod shutdown;
pub mod upstream;
pub mod webhook;

mod client;
mod connection;
mod door;
mod failure;
mod hop;
mod progress;
mod slots;
mod tunnel;

pub use config::{Config, ConfigError};
pub use server::Server;
pub use upstream::Upstream;
