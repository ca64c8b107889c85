//! `[server]`: sockets, bounds and deadlines.

use std::{fmt, net::SocketAddr, str::FromStr, time::Duration};

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use super::{ConfigError, Endpoint, Network};
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
    /// Connections at once. A connection to the origin may belong to each, so it is half of the usual 16,384 open
    /// files; the next ones wait in the system's queue.
    pub connections: usize,
    /// Time for the head of a request, and for an idle connection. Browsers come back within seconds, a slow
    /// loris does not.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// Longest head of a request. Twice what browsers send with the most cookies that they keep for a site.
    pub header_size: ByteSize,
    /// Requests at once in one HTTP/2 connection: what RFC 9113 recommends as the least.
    pub streams: u32,
    /// Time for open requests when the process is told to end: within the ten seconds after which Docker kills.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

impl ServerSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.connections == 0 {
            return Err(ConfigError::value("server.connections", "0 serves nobody"));
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
        if self.streams == 0 {
            return Err(ConfigError::value("server.streams", "0 serves nobody"));
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

/// A host name, or all names below one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(String);

impl HostPattern {
    /// Whether a host, with or without its port, is meant.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = without_port(host);
        match self.0.strip_prefix('*') {
            // The length keeps `*.example.org` from meaning `.example.org`.
            Some(below) => {
                host.len() > below.len()
                    && host
                        .get(host.len() - below.len()..)
                        .is_some_and(|end| end.eq_ignore_ascii_case(below))
            }
            None => host.eq_ignore_ascii_case(&self.0),
        }
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    }
}

/// The text is no host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no host name: write example.org, or *.example.org for all below it, without a port")]
pub struct HostPatternError(String);

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_address = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|inside| inside.parse::<std::net::Ipv6Addr>().is_ok());
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if is_address || is_name {
            Ok(Self(text.to_owned()))
        } else {
            Err(HostPatternError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = HostPatternError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Below the first no real browser gets through (and hyper keeps no smaller buffer); above the second one head
/// of every connection would fill the memory of a small server.
const HEADER_SIZES: std::ops::RangeInclusive<u64> = 8_192..=1_048_576;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_its_names_only() {
        let matches = |pattern: &str, host| pattern.parse::<HostPattern>().expect("a pattern").matches(host);
        assert!(matches("example.org", "Example.ORG:8080"));
        assert!(matches("*.example.org", "a.b.example.org"));
        assert!(matches("[::1]", "[::1]:8080") && matches("[::1]", "[::1]"));
        for host in [
            "example.org",
            ".example.org",
            "badexample.org",
            "example.org.evil.example",
            "é.example.org.x",
            "",
        ] {
            assert!(!matches("*.example.org", host), "{host}");
        }
        assert!(!matches("example.org", "www.example.org"));
    }
}
