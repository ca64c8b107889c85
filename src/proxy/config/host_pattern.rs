//! The host names that a site answers to.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use serde::{Deserialize, Serialize};

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
            .is_some_and(|inside| inside.parse::<Ipv6Addr>().is_ok());
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
