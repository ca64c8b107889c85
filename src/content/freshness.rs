//! How long a stored response may be used: RFC 9111 §4.2 by `http-cache-semantics`, stale use by RFC 5861. Whether it may be stored at
//! all is `eligible.rs`.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, Method, Request, Response, StatusCode,
    header::{AGE, CACHE_CONTROL, DATE, EXPIRES, LAST_MODIFIED, PRAGMA},
};
use http_cache_semantics::{CacheOptions, CachePolicy};

use super::{cache_control::CacheControl, reason::Reason};

/// The times of one stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// When the response was received.
    received: SystemTime,
    /// How old it was then, as caches between us and the origin said.
    age: Duration,
    lifetime: Duration,
    while_revalidate: Duration,
    if_error: Duration,
    explicit: bool,
}

/// What may be done with a stored response at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Answer with it.
    Fresh,
    /// Answer with it, and have one request refresh it (`stale-while-revalidate`).
    Revalidate,
    /// Answer with it only if the origin fails (`stale-if-error`).
    IfError,
    /// Do not answer with it; the origin may confirm it by 304.
    No,
}

impl Freshness {
    /// Judges a response of status 200 to a plain GET.
    ///
    /// # Errors
    /// That a shared cache may not store it, or may store and never use it.
    pub(super) fn of(headers: &HeaderMap, now: SystemTime) -> Result<Self, Reason> {
        let directives = CacheControl::of(headers).ok_or(Reason::Malformed)?;
        if directives.has("private") {
            return Err(Reason::Private);
        }
        if directives.has("no-store") {
            return Err(Reason::NoStore);
        }
        let policy = policy(headers, &directives, now);
        if !policy.is_storable() {
            return Err(Reason::NoStore);
        }
        let explicit = EXPLICIT.iter().any(|name| directives.has(name)) || headers.contains_key(EXPIRES);
        let age = policy.age(now);
        let whole = policy.time_to_live(now).saturating_add(age);
        let lifetime = if explicit || directives.has("no-cache") || headers.contains_key(PRAGMA) {
            whole
        } else {
            whole.clamp(age + HEURISTIC_MIN, age + HEURISTIC_MAX)
        };
        let strict = STRICT.iter().any(|name| directives.has(name));
        let stale = |name| if strict { None } else { directives.seconds(name) }.unwrap_or_default();
        let freshness = Self {
            received: now,
            age,
            lifetime,
            while_revalidate: stale("stale-while-revalidate"),
            if_error: stale("stale-if-error"),
            explicit,
        };
        match freshness.usable(now) {
            Use::Fresh | Use::Revalidate => Ok(freshness),
            Use::IfError | Use::No => Err(Reason::Stale),
        }
    }

    /// Whether the origin said how long, rather than leaving it to guesses.
    #[must_use]
    pub fn explicit(&self) -> bool {
        self.explicit
    }

    /// How old the response is: the value of `Age`.
    #[must_use]
    pub fn age(&self, now: SystemTime) -> Duration {
        // A clock that was set back makes nothing younger than it was.
        self.age
            .saturating_add(now.duration_since(self.received).unwrap_or_default())
    }

    /// What may be done with it now.
    #[must_use]
    pub fn usable(&self, now: SystemTime) -> Use {
        let age = self.age(now);
        if age < self.lifetime {
            Use::Fresh
        } else if age < self.lifetime.saturating_add(self.while_revalidate) {
            Use::Revalidate
        } else if age < self.lifetime.saturating_add(self.if_error) {
            Use::IfError
        } else {
            Use::No
        }
    }
}

/// The policy sees only what bears on storing and freshness, in a form that it reads rightly.
fn policy(headers: &HeaderMap, directives: &CacheControl, now: SystemTime) -> CachePolicy {
    let mut relevant = HeaderMap::new();
    for name in [DATE, EXPIRES, LAST_MODIFIED, PRAGMA] {
        if let Some(value) = headers.get(&name) {
            relevant.insert(name, value.clone());
        }
    }
    if let Some(field) = directives.field() {
        relevant.insert(CACHE_CONTROL, field);
    }
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::OK;
    // An absurd Age would overflow sums of times, and so panic: a century stands for all that is older.
    relevant.insert(AGE, age_field(headers).min(CENTURY).into());
    *response.headers_mut() = relevant;
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    let options = CacheOptions {
        shared: true,
        ..CacheOptions::default()
    };
    CachePolicy::new_options(&request, &response, now, options)
}

/// RFC 9111 §5.1: digits too many to hold mean very old, other text means nothing.
fn age_field(headers: &HeaderMap) -> u64 {
    let Some(text) = headers.get(AGE).and_then(|value| value.to_str().ok()) else {
        return 0;
    };
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().unwrap_or(if digits { u64::MAX } else { 0 })
}

/// Directives by which an origin says how long.
const EXPLICIT: [&str; 3] = ["max-age", "s-maxage", "immutable"];
/// Directives that forbid stale use whatever else is said (RFC 9111 §4.2.4). `s-maxage` alone does not: with
/// `stale-while-revalidate` beside it, as is common practice, stale use is what the origin asked for.
const STRICT: [&str; 3] = ["must-revalidate", "proxy-revalidate", "no-cache"];
/// Where the origin gives no hint at all, one second: then it is coalescing, not caching.
const HEURISTIC_MIN: Duration = Duration::from_secs(1);
/// A tenth of the time since Last-Modified (RFC 9111 §4.2.2), but a minute at most: a crowd lasts for minutes, and one
/// revalidation a minute costs the origin nothing.
const HEURISTIC_MAX: Duration = Duration::from_secs(60);
const CENTURY: u64 = 100 * 365 * 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::tests::{Fields, at, headers};

    fn freshness(fields: Fields<'_>) -> Result<Freshness, Reason> {
        Freshness::of(&headers(fields), at(0))
    }

    fn uses(fields: Fields<'_>, seconds: &[u64]) -> Vec<Use> {
        let freshness = freshness(fields).expect("may be stored");
        seconds.iter().map(|after| freshness.usable(at(*after))).collect()
    }

    #[test]
    fn times_are_kept_to_the_second() {
        use Use::{Fresh, IfError, No, Revalidate};
        let table: &[(Fields<'_>, &[u64], &[Use])] = &[
            (
                &[("cache-control", "max-age=60")],
                &[0, 59, 60],
                &[Fresh, Fresh, No],
            ),
            (&[("cache-control", "Max-Age=60")], &[59, 60], &[Fresh, No]),
            (
                &[("cache-control", "max-age=9, s-maxage=60")],
                &[59, 60],
                &[Fresh, No],
            ),
            (
                &[("cache-control", "max-age=60"), ("age", "50")],
                &[9, 10],
                &[Fresh, No],
            ),
            (
                &[(
                    "cache-control",
                    "max-age=60, stale-while-revalidate=10, stale-if-error=100",
                )],
                &[59, 60, 69, 70, 159, 160],
                &[Fresh, Revalidate, Revalidate, IfError, IfError, No],
            ),
            (
                &[("cache-control", "max-age=0, stale-while-revalidate=10")],
                &[0, 10],
                &[Revalidate, No],
            ),
            (
                &[("cache-control", "max-age=6, must-revalidate, stale-if-error=9")],
                &[5, 6],
                &[Fresh, No],
            ),
            (&[("cache-control", "immutable")], &[86_399, 86_400], &[Fresh, No]),
            (&[], &[0, 1], &[Fresh, No]),
            (&[("age", "99999999999999999999999")], &[0, 1], &[Fresh, No]),
            (
                &[("last-modified", "Fri, 15 Jan 2027 07:58:20 GMT")],
                &[9, 10],
                &[Fresh, No],
            ),
            (
                &[("last-modified", "Fri, 15 Jan 2010 07:58:20 GMT")],
                &[59, 60],
                &[Fresh, No],
            ),
            (
                &[
                    ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
                    ("expires", "Fri, 15 Jan 2027 08:01:00 GMT"),
                ],
                &[59, 60],
                &[Fresh, No],
            ),
        ];
        for (fields, seconds, expected) in table {
            assert_eq!(uses(fields, seconds), *expected, "{fields:?}");
        }
    }

    #[test]
    fn what_may_never_be_used_is_not_stored() {
        let table: &[(Fields<'_>, Reason)] = &[
            (&[("cache-control", "private")], Reason::Private),
            (&[("cache-control", "max-age=60, Private")], Reason::Private),
            (
                &[("cache-control", "private=\"set-cookie\", max-age=60")],
                Reason::Private,
            ),
            (&[("cache-control", "No-Store")], Reason::NoStore),
            (&[("cache-control", "no-cache")], Reason::Stale),
            (&[("cache-control", "max-age=60, no-cache")], Reason::Stale),
            (&[("pragma", "no-cache")], Reason::Stale),
            (&[("cache-control", "max-age=0")], Reason::Stale),
            (&[("cache-control", "max-age=soon")], Reason::Stale),
            (
                &[("cache-control", "max-age=60, proxy-revalidate, s-maxage=0")],
                Reason::Stale,
            ),
            (&[("expires", "0")], Reason::Stale),
            (&[("cache-control", "max-age=60"), ("age", "60")], Reason::Stale),
            (
                &[
                    ("cache-control", "max-age=60"),
                    ("age", "99999999999999999999999"),
                ],
                Reason::Stale,
            ),
            (
                &[("cache-control", "max-age=0, stale-if-error=60")],
                Reason::Stale,
            ),
        ];
        for (fields, reason) in table {
            assert_eq!(freshness(fields), Err(*reason), "{fields:?}");
        }
    }

    #[test]
    fn a_clock_set_back_does_not_make_it_younger() {
        let freshness = freshness(&[("cache-control", "max-age=60"), ("age", "5")]).expect("may be stored");
        assert_eq!(
            freshness.age(at(0) - Duration::from_secs(100)),
            Duration::from_secs(5)
        );
    }
}
