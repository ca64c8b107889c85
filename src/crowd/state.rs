//! The vocabulary of decisions: the states of a page, why one changed, and what an operator is shown of it.

use serde::{Deserialize, Serialize};

use super::{Key, Time};

/// The state of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As ever: the site is untouched.
    #[default]
    Calm,
    /// A crowd is here.
    Hot,
    /// The crowd has gone, and a second wave would be no surprise.
    Cooling,
}

impl State {
    /// A metric label and the text of `/status.json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Hot => "hot",
            Self::Cooling => "cooling",
        }
    }
}

/// Why a state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Doublings up to a peak far above the page's mean, by enough different clients.
    Surge,
    /// A cooling page is busy again.
    Wave,
    /// The rate fell below the floor.
    Quiet,
    /// It stayed quiet while cooling.
    Elapsed,
    /// An operator said so.
    Manual,
    /// As many pages are hot as may be, and one twice as strong has come.
    Displaced,
}

impl Rule {
    /// A metric label and the rule of `/status.json`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Surge => "surge",
            Self::Wave => "wave",
            Self::Quiet => "quiet",
            Self::Elapsed => "elapsed",
            Self::Manual => "manual",
            Self::Displaced => "displaced",
        }
    }
}

/// What an operator wants of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Hot, whatever the rules say.
    Hot,
    /// Calm, whatever the rules say.
    Calm,
    /// As the rules say.
    #[default]
    Auto,
}

/// A change of state, with all that was known when it was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The page, or the site as a whole.
    pub key: Key,
    /// Its state before.
    pub from: State,
    /// Its state since.
    pub to: State,
    /// Why.
    pub rule: Rule,
    /// Length of the epochs in which the surge was seen; zero for a page made hot by hand.
    pub scale: Time,
    /// Requests per second: the highest epoch of a surge, else the rate over the longest scale.
    pub rate: f64,
    /// Requests per second before the surge, long-run.
    pub average: f64,
    /// Distinct clients over requests.
    pub audience: f64,
    /// Hosts that sent the visitors, with their shares of all requests, largest first; at most eight.
    pub referrers: Vec<(Box<str>, f64)>,
    /// When it was decided.
    pub at: Time,
    /// Requests of the surge so far; zero for other rules.
    pub requests: u64,
    /// When the surge began: the start of the epoch after the last low one. For other rules, as `at`.
    pub onset: Time,
}

/// A page that is hot or cooling, as `/status.json` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Crowd {
    /// The page, or the site as a whole.
    pub key: Key,
    /// [`State::Hot`] or [`State::Cooling`].
    pub state: State,
    /// When it came to this state.
    pub since: Time,
    /// Why it was made hot.
    pub rule: Rule,
    /// Length of the epochs in which the surge was seen.
    pub scale: Time,
    /// Requests per second now, over the longest scale once it covers the crowd.
    pub rate: f64,
    /// Requests per second before the surge, long-run.
    pub average: f64,
    /// Distinct clients over requests, now.
    pub audience: f64,
    /// Hosts that sent the visitors, with their shares of all requests, largest first; at most eight.
    pub referrers: Vec<(Box<str>, f64)>,
}

/// Why a page cannot be forced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForceError {
    /// Not a path of a site.
    #[error("'{0}' is not a path: it must begin with '/'")]
    Path(String),
    /// Too many pages are forced already.
    #[error("{0} pages are forced already: set some to auto first")]
    Full(usize),
}
