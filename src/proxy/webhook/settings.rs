//! `[webhook]`: who is told of crowds.

use std::{fmt, fs, path::PathBuf, str::FromStr, time::Duration};

use documented::DocumentedFields;
use http::Uri;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{super::ConfigError, Secret};

/// Who is told of crowds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct WebhookSettings {
    /// Where every change of state is posted. None by default: nobody is told.
    /// For example: url = "http://127.0.0.1:9000/crowds"
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<WebhookUrl>,
    /// File with the secret that signs each request, so that nobody else can start servers at your cost. It has one line,
    /// made by: echo whsec_$(head -c 32 /dev/urandom | base64). Needed with `url`; a file, because configs are shown
    /// around. For example: secret_file = "/etc/flashback/webhook.secret"
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// How long one attempt may take. 5s: a receiver should take the notice and work afterwards.
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
    /// Attempts for each notice, 1s, 2s, 4s and up to 1m apart. 8, some two minutes: what is older than that, a newer
    /// notice has overtaken.
    pub attempts: u32,
    /// Notices that wait while the receiver is down; of more the oldest are lost, and counted. 64, four changes of each of
    /// a dozen crowds.
    pub waiting: usize,
}

impl WebhookSettings {
    /// Refuses values that cannot work.
    pub(in crate::proxy) fn check(&self) -> Result<(), ConfigError> {
        if self.url.is_some() && self.secret_file.is_none() {
            let error = "is needed with webhook.url: an unsigned hook can be forged by anybody";
            return Err(ConfigError::value("webhook.secret_file", error));
        }
        if self.timeout.is_zero() {
            return Err(ConfigError::value(
                "webhook.timeout",
                "'0s' leaves the receiver no time at all",
            ));
        }
        if !(1..=100).contains(&self.attempts) {
            let error = format!("'{}' is not 1 to 100", self.attempts);
            return Err(ConfigError::value("webhook.attempts", error));
        }
        if !(1..=10_000).contains(&self.waiting) {
            let error = format!("'{}' is not 1 to 10000", self.waiting);
            return Err(ConfigError::value("webhook.waiting", error));
        }
        Ok(())
    }

    /// The secret in the file.
    pub(super) fn secret(&self) -> Result<Secret, ConfigError> {
        let file = self.secret_file.clone().unwrap_or_default();
        let fault = |error: &dyn fmt::Display| {
            ConfigError::value("webhook.secret_file", format!("'{}' {error}", file.display()))
        };
        fs::read_to_string(&file)
            .map_err(|error| fault(&format!("cannot be read: {error}")))?
            .parse()
            .map_err(|error: super::SecretError| fault(&error))
    }
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            url: None,
            secret_file: None,
            timeout: Duration::from_secs(5),
            attempts: 8,
            waiting: 64,
        }
    }
}

/// Where a hook posts to: http or https, with a host, and no name or password in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl(Uri);

impl WebhookUrl {
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl FromStr for WebhookUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = |what: &str| format!("'{text}' {what}");
        let uri: Uri = text.parse().map_err(|_| fault("is no URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(fault("is neither http:// nor https://"));
        }
        match uri.authority() {
            Some(authority) if !authority.as_str().contains('@') => Ok(Self(uri)),
            // The URL stands in logs.
            _ => Err("a URL with a name or password in it: the signature says who calls".to_owned()),
        }
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for WebhookUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
