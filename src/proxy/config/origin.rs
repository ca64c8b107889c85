//! `[origin]`: the site behind.

use std::{path::PathBuf, time::Duration};

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

use super::{ConfigError, UpstreamUrl};
use crate::unit::BitRate;

/// The site behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct OriginSettings {
    /// Scheme, host and port of the site; `--upstream` says the same. It has no default.
    /// For example: upstream = "http://127.0.0.1:3000"
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamUrl>,
    /// The name under which the site is asked: "keep" passes the visitor's Host, so that links, redirects and cookies
    /// come out right; "upstream" says the upstream's own, for origins that know no other.
    pub host: HostPolicy,
    /// What the origin can send. Known, a hot page is carried only once its load needs it, and seeds take nine tenths of what
    /// its pages leave; unknown, always, and as much as the page took when it became hot. Say less than there is, and crowds
    /// get no more: `docs/swarm.md` has what that costs them.
    /// For example: uplink = "100mbit"
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uplink: Option<BitRate>,
    /// PEM file with the certificates that an https origin is trusted by, in place of the public ones: for an origin
    /// with a certificate of its own making. For example: certificates = "/etc/flashback/origin.pem"
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<PathBuf>,
    /// Time to open a connection. One lost SYN is repeated after a second, a second one after three.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Time until the head of the response, from the last byte of the request on; then the visitor gets 504. Slow
    /// reports take long, but no visitor waits longer than this.
    #[serde(with = "humantime_serde")]
    pub head_timeout: Duration,
    /// How long an unused connection is kept. Node and Apache close theirs after five seconds: this is less, so
    /// that a request seldom meets a connection that is being closed.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// Unused connections that are kept: as many as requests commonly run at once at an origin that size.
    pub idle_connections: usize,
}

impl OriginSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let timeouts = [
            ("connect_timeout", self.connect_timeout),
            ("head_timeout", self.head_timeout),
        ];
        match timeouts.iter().find(|(_, timeout)| timeout.is_zero()) {
            Some((name, _)) => Err(ConfigError::value(
                &format!("origin.{name}"),
                "'0s' leaves the origin no time at all",
            )),
            None => Ok(()),
        }
    }
}

impl Default for OriginSettings {
    fn default() -> Self {
        Self {
            upstream: None,
            host: HostPolicy::Keep,
            uplink: None,
            certificates: None,
            connect_timeout: Duration::from_secs(4),
            head_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(4),
            idle_connections: 128,
        }
    }
}

/// The name under which the site is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostPolicy {
    /// The visitor's.
    Keep,
    /// The upstream's.
    Upstream,
}
