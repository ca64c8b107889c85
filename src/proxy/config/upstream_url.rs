//! Where the origin is.

use std::{fmt, str::FromStr};

use http::uri::{Authority, Scheme, Uri};
use serde::{Deserialize, Serialize};

/// Scheme, host and port of the origin: `http://127.0.0.1:3000`. Paths come from the visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UpstreamUrl {
    scheme: Scheme,
    authority: Authority,
}

impl UpstreamUrl {
    /// `http` or `https`.
    #[must_use]
    pub const fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Host, and port where one was given.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }
}

/// The text is no upstream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no upstream: write scheme, host and port, such as http://127.0.0.1:3000, without a path or a user"
)]
pub struct UpstreamUrlError(String);

impl FromStr for UpstreamUrl {
    type Err = UpstreamUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || UpstreamUrlError(text.to_owned());
        let parts = text.parse::<Uri>().map_err(|_| fault())?.into_parts();
        let scheme = parts
            .scheme
            .filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme))
            .ok_or_else(fault)?;
        let authority = parts.authority.filter(is_plain).ok_or_else(fault)?;
        // A path would have to be added to every request and taken off every link: the site would not be itself.
        if parts.path_and_query.is_some_and(|path| path != "/") {
            return Err(fault());
        }
        Ok(Self { scheme, authority })
    }
}

fn is_plain(authority: &Authority) -> bool {
    let rest = authority.as_str().strip_prefix(authority.host()).unwrap_or("@");
    let port_is_number = rest.is_empty() || authority.port_u16().is_some();
    !authority.host().is_empty() && !authority.as_str().contains('@') && port_is_number
}

impl TryFrom<String> for UpstreamUrl {
    type Error = UpstreamUrlError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<UpstreamUrl> for String {
    fn from(url: UpstreamUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scheme_host_and_port_are_an_upstream() {
        for text in [
            "http://127.0.0.1:3000",
            "https://origin.example",
            "http://[::1]:80",
            "http://localhost",
        ] {
            assert_eq!(
                text.parse::<UpstreamUrl>().map(|url| url.to_string()),
                Ok(text.to_owned())
            );
        }
        assert!(
            "http://localhost/".parse::<UpstreamUrl>().is_ok(),
            "a browser adds the slash when it is copied"
        );
        for text in [
            "localhost:3000",
            "/",
            "http://",
            "http://a/b",
            "http://a?b",
            "http://a:b",
            "http://u:p@a",
            "ws://a",
        ] {
            let error = text.parse::<UpstreamUrl>().expect_err(text);
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
