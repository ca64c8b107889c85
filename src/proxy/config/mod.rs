//! One tree of settings for the binary. The doc comment of a field is what `--print-config` prints above it; what is
//! printed can be read back. A value is checked here, once, and named when it is wrong.

mod endpoint;
mod host_pattern;
mod network;
mod origin;
mod print;
mod server;
mod upstream_url;

use std::{fmt, fs, path::Path};

use serde::{Deserialize, Serialize};

pub use endpoint::Endpoint;
pub use host_pattern::HostPattern;
pub use network::Network;
pub use origin::{HostPolicy, OriginSettings};
pub use server::{ChainHeader, ServerSettings};
pub use upstream_url::UpstreamUrl;

use super::webhook::WebhookSettings;

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Sockets, bounds and deadlines towards visitors and operators.
    pub server: ServerSettings,
    /// The site behind.
    pub origin: OriginSettings,
    /// When a page is hot.
    pub crowd: crate::crowd::Settings,
    /// What visitors may carry, and how much of it is kept in memory.
    pub content: crate::content::Settings,
    /// How a hot page is carried.
    pub carry: crate::layer::Settings,
    /// What visitors of a carried page are told.
    pub notice: crate::layer::NoticeSettings,
    /// Who meets whom.
    pub broker: crate::broker::Settings,
    /// What is remembered over a restart.
    pub state: crate::StateSettings,
    /// Who is told of crowds.
    pub webhook: WebhookSettings,
}

impl Config {
    /// Reads a file.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let name = file.display().to_string();
        let text = fs::read_to_string(file).map_err(|source| ConfigError::Read {
            file: name.clone(),
            source,
        })?;
        Self::parse(&text).map_err(|error| error.in_file(name))
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|source| ConfigError::Syntax {
            file: None,
            source: Box::new(source),
        })?;
        config.check()?;
        Ok(config)
    }

    /// Refuses values that have the right form but no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.server.check()?;
        self.origin.check()?;
        self.crowd
            .check()
            .map_err(|error| ConfigError::section("crowd", error))?;
        self.content
            .check()
            .map_err(|error| ConfigError::section("content", error))?;
        self.carry
            .check()
            .map_err(|error| ConfigError::section("carry", error))?;
        self.notice
            .check()
            .map_err(|error| ConfigError::section("notice", error))?;
        self.broker
            .check()
            .map_err(|error| ConfigError::section("broker", error))?;
        self.state
            .check()
            .map_err(|error| ConfigError::section("state", error))?;
        self.webhook.check()
    }

    /// The library's part.
    #[must_use]
    pub fn settings(&self) -> crate::Settings {
        crate::Settings {
            crowd: self.crowd.clone(),
            content: self.content.clone(),
            carry: self.carry.clone(),
            notice: self.notice.clone(),
            broker: self.broker.clone(),
            state: self.state.clone(),
        }
    }
}

/// As commented TOML, which [`Config::parse`] reads.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        print::section(f, "server", &self.server)?;
        print::section(f, "origin", &self.origin)?;
        print::section_without(f, "crowd", &self.crowd, "site")?;
        print::section(f, "crowd.site", &self.crowd.site)?;
        print::section(f, "content", &self.content)?;
        print::section(f, "carry", &self.carry)?;
        print::section(f, "notice", &self.notice)?;
        print::section(f, "broker", &self.broker)?;
        print::section(f, "state", &self.state)?;
        print::section(f, "webhook", &self.webhook)
    }
}

/// The operator's settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the config file '{file}': {source}")]
    Read {
        /// Its name.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not a config; the source shows the line.
    #[error("{}{source}", in_file(.file))]
    Syntax {
        /// The file it stood in.
        file: Option<String>,
        /// Line, key and value.
        source: Box<toml::de::Error>,
    },
    /// A value of a library's section makes no sense; it names its key itself.
    #[error("{}[{section}] {error}", in_file(.file))]
    Section {
        /// The file it stood in.
        file: Option<String>,
        /// The section.
        section: &'static str,
        /// Key, value, and what is wrong.
        error: String,
    },
    /// A value makes no sense.
    #[error("{}{key}: {error}", in_file(.file))]
    Value {
        /// The file it stood in.
        file: Option<String>,
        /// Section and key.
        key: String,
        /// What is wrong, with the value.
        error: String,
    },
}

impl ConfigError {
    pub(super) fn value(key: &str, error: impl Into<String>) -> Self {
        Self::Value {
            file: None,
            key: key.to_owned(),
            error: error.into(),
        }
    }

    fn section(section: &'static str, error: impl fmt::Display) -> Self {
        Self::Section {
            file: None,
            section,
            error: error.to_string(),
        }
    }

    fn in_file(mut self, name: String) -> Self {
        match &mut self {
            Self::Read { .. } => {}
            Self::Section { file, .. } | Self::Syntax { file, .. } | Self::Value { file, .. } => {
                *file = Some(name)
            }
        }
        self
    }
}

fn in_file(file: &Option<String>) -> String {
    file.as_ref().map(|file| format!("{file}: ")).unwrap_or_default()
}

const HEAD: &str = "# Settings of `flashback proxy`. Every value below is the default or was set; remove what you do not \
                    change.\n# Durations are written 300ms, 10s, 5m; sizes 16KiB, 64MiB; rates 384kbit, 100mbit.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let default = Config::default();
        assert_eq!(
            Config::parse(&default.to_string()).expect("the defaults are good"),
            default
        );

        let mut other = Config::default();
        other.server.listen = "[::1]:0".parse().expect("an address");
        other.server.admin = Endpoint::Off;
        other.server.hosts = vec!["*.example.org".parse().expect("a pattern")];
        other.server.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        other.server.chain = ChainHeader::Forwarded;
        other.origin.upstream = Some("https://origin.example".parse().expect("an upstream"));
        other.origin.host = HostPolicy::Upstream;
        other.state.file = Some("/var/lib/flashback/state.json".into());
        other.webhook.url = Some("https://scaler.example/crowds?site=1".parse().expect("a URL"));
        other.webhook.secret_file = Some("/etc/flashback/webhook.secret".into());
        other.crowd.site.ratio = 7.0;
        other.origin.uplink = Some("1500kbit".parse().expect("a rate"));
        other.notice.texts.insert(
            "nl".to_owned(),
            crate::layer::NoticeTexts {
                carried: "Gedragen.".to_owned(),
                figures: "{got}, {given}".to_owned(),
                switch_off: "Uit".to_owned(),
                off: "\"Uit\".".to_owned(),
                close: "Sluiten".to_owned(),
            },
        );
        assert_eq!(Config::parse(&other.to_string()).expect("the same"), other);
    }

    #[test]
    fn every_field_is_commented() {
        let text = Config::default().to_string();
        let mut lines = text.lines().filter(|line| !line.is_empty()).peekable();
        while let Some(line) = lines.next() {
            let next = lines.peek().copied().unwrap_or("#");
            if line.contains(" = ") && !line.starts_with('#') {
                assert!(
                    next.starts_with('#') || next.starts_with('['),
                    "'{next}' has no comment"
                );
            }
        }
        assert!(
            text.contains("\n[server]\n") && text.contains("\nlisten = \"127.0.0.1:8080\"\n"),
            "{text}"
        );
    }

    #[test]
    fn a_wrong_value_is_named() {
        for (text, named) in [
            ("[server]\nlisen = \"127.0.0.1:1\"", "lisen"),
            ("[sever]\n", "sever"),
            ("[server]\nlisten = \"localhost\"", "localhost"),
            ("[server]\nadmin = \"on\"", "'on'"),
            ("[server]\ntrusted_proxies = [\"10.0.0.0/33\"]", "10.0.0.0/33"),
            ("[server]\nhosts = [\"exa mple\"]", "exa mple"),
            ("[server]\nconnections = 0", "server.connections"),
            (
                "[server]\nconnections_per_address = 0",
                "server.connections_per_address",
            ),
            ("[server]\nstreams = 0", "server.streams"),
            ("[server]\nheader_size = \"1KiB\"", "server.header_size"),
            ("[server]\nheader_timeout = \"0s\"", "server.header_timeout"),
            ("[server]\nheader_timeout = \"ten\"", "ten"),
            ("[origin]\nupstream = \"ftp://a\"", "ftp://a"),
            ("[origin]\nupstream = \"http://a/b\"", "http://a/b"),
            ("[origin]\nupstream = \"http://user@a\"", "http://user@a"),
            ("[origin]\nhost = \"mine\"", "mine"),
            ("[origin]\nuplink = \"fast\"", "fast"),
            ("[origin]\nhead_timeout = \"0s\"", "origin.head_timeout"),
            ("[notice.texts.de]\ncarried = \"Getragen.\"", "figures"),
            ("[crowd.site]\nratio = 0.5", "crowd.site.ratio = 0.5"),
            ("[carry]\nengage_at = -1.0", "engage_at = -1"),
            ("[state]\nevery = \"10ms\"", "10ms"),
            ("[webhook]\nurl = \"http://a/\"", "webhook.secret_file"),
            ("[webhook]\nurl = \"ftp://a/\"", "ftp://a/"),
            ("[webhook]\nattempts = 0", "webhook.attempts"),
            ("[webhook]\nwaiting = 0", "webhook.waiting"),
            ("[webhook]\ntimeout = \"0s\"", "webhook.timeout"),
        ] {
            let error = Config::parse(text).expect_err(text).to_string();
            assert!(error.contains(named), "{text}: '{error}' does not name {named}");
        }
    }
}
