//! Why something is not shared: one word each, for metrics and logs, and how long it holds.

use std::time::Duration;

/// Why a request or a response passes untouched: the label of `flashback_passed_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The request carries `Authorization`.
    Authorization,
    /// The request carries a cookie, and the object may differ by it.
    Cookie,
    /// The request asks by `If-Match` or `If-Unmodified-Since`, which the origin answers best.
    Precondition,
    /// The request asks for the end of an unknown object, or for more than may be stored.
    Range,
    /// The status is not 200.
    Status,
    /// `Cache-Control: private`.
    Private,
    /// `Cache-Control: no-store`, on either side.
    NoStore,
    /// The response sets a cookie.
    SetCookie,
    /// `Vary` names more than `Accept-Encoding`.
    Vary,
    /// It has no time in which it may be used.
    Stale,
    /// A Content-Encoding that was not asked for.
    Encoding,
    /// A body that never ends, or replaces itself.
    Type,
    /// Larger than `max_object`.
    Size,
    /// Header fields that contradict themselves or cannot be read.
    Malformed,
    /// Two fetches without credentials did not agree.
    Differs,
    /// The bounds of fetches under way are reached.
    Busy,
    /// Too many visitors wait for this object.
    Crowded,
    /// Somebody waited for its fetch to the deadline in vain.
    Slow,
    /// Its address is too long to be kept.
    Address,
}

impl Reason {
    /// One word, for metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::Precondition => "precondition",
            Self::Range => "range",
            Self::Status => "status",
            Self::Private => "private",
            Self::NoStore => "no_store",
            Self::SetCookie => "set_cookie",
            Self::Vary => "vary",
            Self::Stale => "stale",
            Self::Encoding => "encoding",
            Self::Type => "type",
            Self::Size => "size",
            Self::Malformed => "malformed",
            Self::Differs => "differs",
            Self::Busy => "busy",
            Self::Crowded => "crowded",
            Self::Slow => "slow",
            Self::Address => "address",
        }
    }

    /// For how long later requests pass without another try. None where the fault is not the object's: else one request
    /// with a cookie could close an object to a whole crowd.
    pub(super) const fn rest(self) -> Option<Duration> {
        match self {
            Self::Authorization
            | Self::Cookie
            | Self::Precondition
            | Self::Range
            | Self::Busy
            | Self::Crowded
            | Self::Slow
            | Self::Address => None,
            // An origin that fails under the crowd recovers soon, and then every second counts.
            Self::Status | Self::Malformed => Some(Duration::from_secs(1)),
            // As long as a crowd stays interested; short enough that a corrected header is soon seen.
            _ => Some(Duration::from_secs(30)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_visitor_sends_closes_nothing_to_the_others() {
        for reason in [
            Reason::Authorization,
            Reason::Cookie,
            Reason::Precondition,
            Reason::Range,
        ] {
            assert_eq!(reason.rest(), None, "{reason:?}");
        }
    }
}
