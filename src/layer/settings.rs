//! How far and for whom a hot page is carried.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{crowd::Pressure, swarm::valve::CROWD};

/// How much of a hot page its visitors carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Depth {
    /// The page is never carried.
    Off,
    /// The script is added; only later requests (scrolling, video ranges, next pages) use peers.
    Assist,
    /// Images, video, audio and downloads wait briefly for the service worker, so that a first visit is carried, too.
    Media,
}

impl Depth {
    /// The word that settings, page and metrics use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Assist => "assist",
            Self::Media => "media",
        }
    }
}

/// Another depth for the pages below a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathDepth {
    /// Start of the path, with its leading slash: `/account/`.
    pub prefix: String,
    /// The depth there.
    pub depth: Depth,
}

/// Settings of the carrying (`[carry]`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "proxy", derive(documented::DocumentedFields))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// How much of a hot page its visitors carry: off, assist or media. Media, because without holding images a first
    /// visit would load everything from the origin, and nearly every visit of a flash crowd is a first one.
    pub depth: Depth,
    /// Longest time that images wait for the service worker; then they load from the origin. 300ms: a worker takes 50 to
    /// 200 ms to control a page, and a delay above 300 ms is felt.
    #[serde(with = "humantime_serde")]
    pub hold: Duration,
    /// How long a request waits for the first bytes of another one for the same object before it goes to the origin
    /// itself. 5s: a slow origin answers within it; a hanging one must not stall the crowd.
    #[serde(with = "humantime_serde")]
    pub coalesce_wait: Duration,
    /// The load from which a hot page is carried, where the origin's uplink is known: arrivals per second × bytes of what the
    /// page's visitors can carry ÷ uplink. 0.5, half of what saturates the origin: below, the origin alone is faster for
    /// everyone than visitors behind their uplinks are. 0 carries whatever is hot.
    pub engage_at: f64,
    /// Visitors at a page below which it lists the digests of its objects' chunks, 16 bytes for each 16 KiB, itself; from then on
    /// neighbours tell them to whoever comes. 32: with fewer a newcomer may find nobody who knows them for a while, and they
    /// are no burden for the origin.
    pub list_digests_below: u64,
    /// The depth below certain paths; the longest prefix wins. None by default: every public page may be carried.
    pub paths: Vec<PathDepth>,
}

/// A setting of the carrying that cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// No load.
    #[error("engage_at = {0}: must be a load from 0, always, to 100")]
    Engage(f64),
    /// The hold would be felt as a broken page.
    #[error("hold = {}: must be at most 5s, or visitors would look at a page without images", humantime::format_duration(*.0))]
    Hold(Duration),
    /// A prefix that no path has.
    #[error("paths: prefix '{0}' must start with a slash")]
    Prefix(String),
}

impl Settings {
    /// Refuses values that would hurt visitors.
    ///
    /// # Errors
    /// Names the first bad value.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.hold > Duration::from_secs(5) {
            return Err(SettingsError::Hold(self.hold));
        }
        if !(0.0..=100.0).contains(&self.engage_at) {
            return Err(SettingsError::Engage(self.engage_at));
        }
        match self.paths.iter().find(|path| !path.prefix.starts_with('/')) {
            Some(path) => Err(SettingsError::Prefix(path.prefix.clone())),
            None => Ok(()),
        }
    }

    /// The depth at which the page at `path` is carried.
    #[must_use]
    pub fn depth_at(&self, path: &str) -> Depth {
        self.paths
            .iter()
            .filter(|rule| path.starts_with(&rule.prefix))
            .max_by_key(|rule| rule.prefix.len())
            .map_or(self.depth, |rule| rule.depth)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            depth: Depth::Media,
            hold: Duration::from_millis(300),
            coalesce_wait: Duration::from_secs(5),
            engage_at: Pressure::default().engage_at,
            list_digests_below: CROWD as u64,
            paths: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let rule = |prefix: &str, depth| PathDepth {
            prefix: prefix.to_owned(),
            depth,
        };
        let settings = Settings {
            paths: vec![rule("/a/b/", Depth::Assist), rule("/a/", Depth::Off)],
            ..Settings::default()
        };
        assert_eq!(settings.depth_at("/a/b/c"), Depth::Assist);
        assert_eq!(settings.depth_at("/a/c"), Depth::Off);
        assert_eq!(settings.depth_at("/"), Depth::Media);
    }

    #[test]
    fn bad_values_are_named() {
        let fault = |settings: Settings| settings.check().expect_err("is refused").to_string();
        assert!(
            fault(Settings {
                hold: Duration::from_mins(1),
                ..Settings::default()
            })
            .contains("1m")
        );
        let paths = vec![PathDepth {
            prefix: "a".to_owned(),
            depth: Depth::Off,
        }];
        assert!(
            fault(Settings {
                paths,
                ..Settings::default()
            })
            .contains("'a'")
        );
        for engage_at in [-0.5, f64::NAN, 101.0] {
            let settings = Settings {
                engage_at,
                ..Settings::default()
            };
            assert!(fault(settings).starts_with("engage_at = "));
        }
        assert_eq!(Settings::default().check(), Ok(()));
    }
}
