//! `[server]`: sockets, bounds and deadlines.

use std::{net::SocketAddr, time::Duration};

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use super::{ConfigError, Endpoint, HostPattern, Network};
use crate::unit::ByteSize;

/// Sockets, bounds and deadlines towards visitors and operators.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ServerSettings {
    /// Where visitors come in: HTTP/1.1 and h2c. Loopback, so that nothing is public before somebody says so.
    pub listen: SocketAddr,
    /// Where operators look, or "off". Loopback: whoever reaches it reads referrers and switches pages.
    pub admin: Endpoint,
    /// UDP address of the STUN responder, or "off". Loopback like `listen`; a public site says "0.0.0.0:3478".
    /// Without it only visitors on one network find each other.
    pub stun: Endpoint,
    /// Host names that are served, "*.example.org" for all below one; others get 421. Empty serves every name,
    /// which is right only where the origin itself refuses names it does not know.
    pub hosts: Vec<HostPattern>,
    /// Networks of the proxies in front, such as ["10.0.0.0/8"]. Only what they say about a visitor's address is
    /// believed. Empty: whoever connects is the visitor.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they say it: "x-forwarded-for" or "forwarded". One only, because a proxy that writes one
    /// passes the other on as the visitor sent it. They must overwrite X-Forwarded-Proto and -Host, too.
    pub chain: ChainHeader,
    /// Connections at once; the next ones wait in the system's queue. With one to the origin for each that is 16,384
    /// open files: the process raises its own limit, and common systems allow far more.
    pub connections: usize,
    /// Connections at once from one address (IPv6: one /64); more are closed. An eighth of all, so that no few keep
    /// the others out; a browser opens six, an office behind one address some hundreds. A proxy in front has one
    /// address: give it all.
    pub connections_per_address: usize,
    /// Time for the head of a request, and for an idle connection. Browsers come back within seconds, a slow
    /// loris does not.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// Longest head of a request. Twice what browsers send with the most cookies that they keep for a site.
    pub header_size: ByteSize,
    /// Requests at once in one HTTP/2 connection, open WebSockets among them: what RFC 9113 recommends as the least.
    pub streams: u32,
    /// Time for open requests when the process is told to end: within the ten seconds after which Docker kills.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

impl ServerSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let counts = [
            ("server.connections", self.connections),
            ("server.connections_per_address", self.connections_per_address),
            ("server.streams", self.streams as usize),
        ];
        if let Some((key, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(ConfigError::value(key, "0 serves nobody"));
        }
        if !HEADER_SIZES.contains(&self.header_size.as_u64()) {
            let size = self.header_size;
            return Err(ConfigError::value(
                "server.header_size",
                format!("'{size}' is not within 8 KiB and 1 MiB"),
            ));
        }
        if self.header_timeout.is_zero() {
            return Err(ConfigError::value(
                "server.header_timeout",
                "'0s' leaves no time for any request",
            ));
        }
        Ok(())
    }
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8080).into(),
            admin: Endpoint::At(([127, 0, 0, 1], 8081).into()),
            stun: Endpoint::At(([127, 0, 0, 1], 3478).into()),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            chain: ChainHeader::XForwardedFor,
            connections: 8_192,
            connections_per_address: 1_024,
            header_timeout: Duration::from_secs(15),
            header_size: ByteSize::kib(32),
            streams: 100,
            drain: Duration::from_secs(8),
        }
    }
}

/// The header that holds the chain of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainHeader {
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Forwarded-For`, which most proxies write.
    XForwardedFor,
}

/// Below the first no real browser gets through (and hyper keeps no smaller buffer); above the second one head
/// of every connection would fill the memory of a small server.
const HEADER_SIZES: std::ops::RangeInclusive<u64> = 8_192..=1_048_576;
