//! What an operator may change about detection, and why each default is what it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the detector. Every default is argued in `docs/detection.md` with the figures behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "proxy", derive(documented::DocumentedFields))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Lengths of the epochs that rates are taken over, side by side, each a multiple of the first. A burst is seen by the
    /// shortest within seconds, a slow rise by the longest within minutes. Steps of three to five, because a crowd is
    /// clearest in epochs of its own pace; of the sets tried, this one found the most. At most four.
    #[serde(with = "spans")]
    pub scales: Vec<Duration>,
    /// How many doublings make a surge (rule 1). Two, because real crowds are steps: asking for more delays them, or loses
    /// them where the step falls in the midst of an epoch; the other rules keep noise out.
    pub doublings: u32,
    /// How rule 1 is read. The envelope, because only 3 of 48 crowds in our traces double three times in a row.
    pub reading: Reading,
    /// Rule 2: the peak must be more than so many times the page's own long-run mean. 20, as in Going Viral.
    pub ratio: f64,
    /// Requests per second below which no page is hot: fewer visitors than this at once cannot help each other.
    pub min_rate: f64,
    /// Distinct clients over requests that a crowd has at least. Crowds in the traces have 0.69 and more over the hour,
    /// bursts of a single source at most 0.25; shared addresses (offices, mobile carriers) pull a crowd down, hence the
    /// middle.
    pub min_audience: f64,
    /// Distinct clients that a crowd has at least; a share of three requests says nothing.
    pub min_clients: u32,
    /// How sure it must be that surge and past are not the same everyday traffic, in nats: 10 is one chance in 22,000 for a
    /// page just met, and more is asked the longer a page is known. Less takes steady pages of the traces for crowds, more
    /// loses crowds. Against small-number noise and cold starts.
    pub evidence: f64,
    /// How long a page stays cooling before it is calm; a second wave makes it hot again without a new surge.
    #[serde(with = "humantime_serde")]
    pub cooling: Duration,
    /// A hot page cools once its rate falls below this share of `min_rate`; the gap to 1 keeps it from flapping.
    pub cool_below: f64,
    /// Half-life of the long-run mean. A day, so that the daily rhythm is within it and last month is not.
    #[serde(with = "humantime_serde")]
    pub half_life: Duration,
    /// Pages tracked at most, whatever is requested. Beyond it the coldest make room.
    pub max_keys: usize,
    /// Pages hot or cooling at once, at most: a bound on what a flood of fake crowds can switch. Beyond it, a crowd twice as
    /// strong as the weakest takes its place.
    pub max_hot: usize,
    /// Query parameters that make a page another page. None, because most are trackers, which would split its crowd.
    pub keep_query: Vec<String>,
    /// The site as a whole, key `*`. What is not said here is as for a page.
    pub site: SiteSettings,
}

/// What is asked of the site as a whole. It rises otherwise than a page: less far, and slowly, when a crowd comes to many pages at once;
/// what comes within seconds is seen page by page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "proxy", derive(documented::DocumentedFields))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SiteSettings {
    /// Lengths of the epochs. Half an hour and an hour, in which the matches of a World Cup filled its site; bursts of
    /// minutes are no crowd of a site.
    #[serde(with = "spans")]
    pub scales: Vec<Duration>,
    /// The peak must be more than so many times the site's long-run mean. Matches raised it to 5 to 10 times.
    pub ratio: f64,
    /// Distinct clients over requests: a visitor asks for a page and all that belongs to it.
    pub min_audience: f64,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            scales: [30, 60].map(|minutes| Duration::from_secs(60 * minutes)).to_vec(),
            ratio: 5.0,
            min_audience: 0.02,
        }
    }
}

impl Settings {
    /// Checks every value.
    ///
    /// # Errors
    /// The first setting that cannot work, with its value.
    pub fn check(&self) -> Result<(), SettingsError> {
        check_scales("scales", &self.scales)?;
        check_scales("site.scales", &self.site.scales)?;
        let within = |setting, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(SettingsError::Range {
                    setting,
                    value,
                    low,
                    high,
                })
            }
        };
        within("doublings", self.doublings.into(), 1.0, MAX_DOUBLINGS.into())?;
        within("ratio", self.ratio, 1.0, 1e6)?;
        within("min_rate", self.min_rate, 1e-6, 1e9)?;
        within("min_audience", self.min_audience, 0.0, 1.0)?;
        within("min_clients", self.min_clients.into(), 1.0, 1000.0)?;
        within("evidence", self.evidence, 0.0, 1e3)?;
        within("cool_below", self.cool_below, 0.0, 1.0)?;
        within("cooling", self.cooling.as_secs_f64(), 0.0, 1e8)?;
        within("site.ratio", self.site.ratio, 1.0, 1e6)?;
        within("site.min_audience", self.site.min_audience, 0.0, 1.0)?;
        let longest = self.longest().max(self.for_site().longest());
        within(
            "half_life",
            self.half_life.as_secs_f64(),
            longest.as_secs_f64(),
            1e9,
        )?;
        within("max_keys", self.max_keys as f64, 64.0, 1e8)?;
        within("max_hot", self.max_hot as f64, 1.0, 1e6)?;
        within("keep_query", self.keep_query.len() as f64, 0.0, MAX_KEPT as f64)
    }

    /// The longest scale.
    pub(super) fn longest(&self) -> Duration {
        self.scales.last().copied().unwrap_or_default()
    }

    /// What is asked of the site as a whole.
    pub(super) fn for_site(&self) -> Self {
        let SiteSettings {
            scales,
            ratio,
            min_audience,
        } = self.site.clone();
        Self {
            scales,
            ratio,
            min_audience,
            ..self.clone()
        }
    }
}

fn check_scales(setting: &'static str, scales: &[Duration]) -> Result<(), SettingsError> {
    let fault = || SettingsError::Scales {
        setting,
        value: scales.to_vec(),
    };
    let base = *scales.first().ok_or_else(fault)?;
    let sound = scales.len() <= MAX_SCALES
        && base >= Duration::from_millis(100)
        && scales
            .iter()
            .all(|scale| scale.as_nanos().is_multiple_of(base.as_nanos()))
        && scales
            .iter()
            .all(|scale| scale.as_nanos() / base.as_nanos() <= 100_000)
        && scales.is_sorted_by(|a, b| a < b);
    if sound { Ok(()) } else { Err(fault()) }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            scales: [1, 5, 15, 60].map(Duration::from_secs).to_vec(),
            doublings: 2,
            reading: Reading::Envelope,
            ratio: 20.0,
            min_rate: 5.0,
            min_audience: 0.5,
            min_clients: 8,
            evidence: 10.0,
            cooling: Duration::from_secs(15 * 60),
            cool_below: 0.5,
            half_life: Duration::from_secs(24 * 60 * 60),
            max_keys: 100_000,
            max_hot: 256,
            keep_query: Vec::new(),
            site: SiteSettings::default(),
        }
    }
}

/// How rule 1, `r_{i+1} > 2 r_i` for several `i`, is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// Some epoch `j` has `r_{j+i} > 2^i · max(r_j, 1)` for every `i = 1..k`: a jump over several powers of two is
    /// several doublings at once.
    #[default]
    Envelope,
    /// Each of `k` epochs in a row has more than twice the one before, letter by letter.
    Strict,
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// A number outside its range.
    #[error("crowd.{setting} = {value} is not within {low} to {high}")]
    Range {
        /// Name of the setting.
        setting: &'static str,
        /// What was given.
        value: f64,
        /// Least value that works.
        low: f64,
        /// Largest value that works.
        high: f64,
    },
    /// Scales that do not nest.
    #[error(
        "crowd.{setting} = {value:?}: give 1 to {MAX_SCALES}, rising, from 100ms on, each a multiple of the first"
    )]
    Scales {
        /// Name of the setting.
        setting: &'static str,
        /// What was given.
        value: Vec<Duration>,
    },
}

/// Scales as text (`["1s", "10s", "1m"]`), as durations are written everywhere else in the settings.
mod spans {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(spans: &[Duration], serializer: S) -> Result<S::Ok, S::Error> {
        let texts: Vec<_> = spans
            .iter()
            .map(|span| humantime::format_duration(*span).to_string())
            .collect();
        texts.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Duration>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let parse = |text: &String| {
            humantime::parse_duration(text).map_err(|e| D::Error::custom(format!("'{text}': {e}")))
        };
        texts.iter().map(parse).collect()
    }
}

/// Scales at most: they are kept inline in every tracked page.
pub(super) const MAX_SCALES: usize = 4;
/// Doublings at most: an epoch before them and one after must fit the window of eight.
const MAX_DOUBLINGS: u32 = 6;
/// Kept parameters at most: each is looked for in each query.
const MAX_KEPT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_sound_and_survive_being_written() {
        let settings = Settings::default();
        assert_eq!(settings.check(), Ok(()));
        let text = serde_json::to_string(&settings).expect("writes");
        assert!(text.contains(r#""scales":["1s","5s","15s","1m"]"#), "{text}");
        assert_eq!(serde_json::from_str::<Settings>(&text).expect("reads"), settings);
    }

    #[test]
    fn a_bad_value_is_named() {
        let bad = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings.check().expect_err("is refused").to_string()
        };
        assert!(bad(|s| s.doublings = 9).starts_with("crowd.doublings = 9"));
        assert!(bad(|s| s.ratio = f64::NAN).starts_with("crowd.ratio = NaN"));
        assert!(bad(|s| s.scales = vec![]).contains("crowd.scales = []"));
        assert!(bad(|s| s.site.scales = vec![]).contains("crowd.site.scales = []"));
        assert!(bad(|s| s.site.ratio = 0.0).starts_with("crowd.site.ratio = 0"));
        assert!(bad(|s| s.half_life = Duration::from_secs(600)).starts_with("crowd.half_life = 600"));
        assert!(
            bad(|s| s.scales = vec![Duration::from_secs(2), Duration::from_secs(3)]).contains("[2s, 3s]")
        );
        assert!(bad(|s| s.min_rate = 0.0).contains("min_rate = 0"));
    }
}
