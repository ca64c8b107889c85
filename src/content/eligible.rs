//! What may be stored and shared, and why not (RFC 9111 §3, design §4). Requests and responses are judged apart: what only one
//! visitor's request spoils must not close the object to the others.

use std::time::SystemTime;

use http::{
    HeaderMap, StatusCode,
    header::{
        AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, COOKIE, IF_MATCH,
        IF_UNMODIFIED_SINCE, SET_COOKIE, VARY,
    },
    response,
};

use super::{
    cache_control::CacheControl, freshness::Freshness, head, key::Encoding, kind, range::Wanted,
    reason::Reason, settings::Settings,
};

/// What of a visitor's request bears on sharing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker {
    pub(super) cookie: bool,
    /// The range asked for cannot lead to a stored object.
    pub(super) out_of_range: bool,
}

impl Asker {
    /// Judges the header fields of a GET.
    pub(super) fn of(headers: &HeaderMap, settings: &Settings) -> Result<Self, Reason> {
        if headers.contains_key(AUTHORIZATION) {
            return Err(Reason::Authorization);
        }
        if headers.contains_key(IF_MATCH) || headers.contains_key(IF_UNMODIFIED_SINCE) {
            return Err(Reason::Precondition);
        }
        if CacheControl::of(headers).is_none_or(|directives| directives.has("no-store")) {
            return Err(Reason::NoStore);
        }
        let out_of_range = match Wanted::of(headers) {
            // To find the end of something large, all of it would be fetched for one visitor.
            Some(Wanted::Last(_)) => true,
            Some(Wanted::From(start, _)) => start >= settings.max_object.as_u64(),
            None => false,
        };
        Ok(Self {
            cookie: headers.contains_key(COOKIE),
            out_of_range,
        })
    }
}

/// A response that may be stored, before its body.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    pub(super) headers: HeaderMap,
    pub(super) freshness: Freshness,
    pub(super) length: Option<u64>,
    /// The same for every `Accept-Encoding`.
    pub(super) universal: bool,
}

/// Judges a response to a request that [`Asker`] let through. `exact` is the length that the body itself claims.
pub(super) fn judge(
    response: &response::Parts,
    exact: Option<u64>,
    encoding: Encoding,
    settings: &Settings,
    now: SystemTime,
) -> Result<Judgement, Reason> {
    if response.status != StatusCode::OK {
        return Err(Reason::Status);
    }
    let headers = head::end_to_end(&response.headers);
    let freshness = Freshness::of(&headers, now)?;
    if headers.contains_key(SET_COOKIE) {
        return Err(Reason::SetCookie);
    }
    let varies = vary(&headers)?;
    let identity = content_coding(&headers, encoding)?;
    if headers.contains_key(CONTENT_RANGE) {
        return Err(Reason::Malformed);
    }
    if kind::is_endless(&headers) {
        return Err(Reason::Type);
    }
    let length = length(&headers, exact)?;
    if length.is_some_and(|length| length > settings.max_object.as_u64()) {
        return Err(Reason::Size);
    }
    Ok(Judgement {
        headers,
        freshness,
        length,
        universal: identity && !varies,
    })
}

/// Whether `Vary` names `Accept-Encoding`; more is refused.
fn vary(headers: &HeaderMap) -> Result<bool, Reason> {
    let mut varies = false;
    for field in headers.get_all(VARY) {
        for name in field
            .to_str()
            .map_err(|_| Reason::Vary)?
            .split(',')
            .map(str::trim)
        {
            match name {
                "" => {}
                _ if name.eq_ignore_ascii_case("accept-encoding") => varies = true,
                _ => return Err(Reason::Vary),
            }
        }
    }
    Ok(varies)
}

/// Whether the body is as it is; refused if it is coded otherwise than asked for.
fn content_coding(headers: &HeaderMap, encoding: Encoding) -> Result<bool, Reason> {
    let mut fields = headers.get_all(CONTENT_ENCODING).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return if headers.contains_key(CONTENT_ENCODING) {
            Err(Reason::Encoding)
        } else {
            Ok(true)
        };
    };
    if encoding != Encoding::Identity
        && field
            .as_bytes()
            .eq_ignore_ascii_case(encoding.as_str().as_bytes())
    {
        Ok(false)
    } else {
        Err(Reason::Encoding)
    }
}

fn length(headers: &HeaderMap, exact: Option<u64>) -> Result<Option<u64>, Reason> {
    let mut length = exact;
    for field in headers.get_all(CONTENT_LENGTH) {
        let said = field
            .to_str()
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or(Reason::Malformed)?;
        if length.is_some_and(|length| length != said) {
            return Err(Reason::Malformed);
        }
        length = Some(said);
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::content::tests::{Fields, at, headers};

    fn judged(status: u16, fields: Fields<'_>, exact: Option<u64>) -> Result<Judgement, Reason> {
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = StatusCode::from_u16(status).expect("is a status");
        parts.headers = headers(fields);
        judge(&parts, exact, Encoding::Gzip, &Settings::default(), at(0))
    }

    const FRESH: (&str, &str) = ("cache-control", "max-age=60");

    #[test]
    fn responses_that_may_be_stored() {
        let table: &[(Fields<'_>, Option<u64>, Option<u64>, bool)] = &[
            (&[FRESH], None, None, true),
            (&[], Some(5), Some(5), true),
            (&[FRESH, ("content-length", "7")], Some(7), Some(7), true),
            (
                &[FRESH, ("content-length", "7"), ("content-length", "7")],
                None,
                Some(7),
                true,
            ),
            (
                &[FRESH, ("vary", "Accept-Encoding"), ("vary", "accept-encoding, ")],
                None,
                None,
                false,
            ),
            (&[FRESH, ("content-encoding", "GZIP")], None, None, false),
            (
                &[FRESH, ("content-type", "video/mp4"), ("etag", "\"x\"")],
                None,
                None,
                true,
            ),
        ];
        for (fields, exact, length, universal) in table {
            let judgement = judged(200, fields, *exact).expect("may be stored");
            assert_eq!(
                (judgement.length, judgement.universal),
                (*length, *universal),
                "{fields:?}"
            );
        }
    }

    #[test]
    fn responses_that_pass() {
        let table: &[(u16, Fields<'_>, Option<u64>, Reason)] = &[
            (206, &[FRESH], None, Reason::Status),
            (404, &[FRESH], None, Reason::Status),
            (503, &[], None, Reason::Status),
            (
                200,
                &[("cache-control", "private, max-age=60")],
                None,
                Reason::Private,
            ),
            (200, &[("cache-control", "no-store")], None, Reason::NoStore),
            (200, &[("cache-control", "no-cache")], None, Reason::Stale),
            (200, &[FRESH, ("set-cookie", "a=b")], None, Reason::SetCookie),
            (
                200,
                &[FRESH, ("cache-control", "public"), ("set-cookie", "a=b")],
                None,
                Reason::SetCookie,
            ),
            (200, &[FRESH, ("vary", "*")], None, Reason::Vary),
            (
                200,
                &[FRESH, ("vary", "accept-encoding, cookie")],
                None,
                Reason::Vary,
            ),
            (200, &[FRESH, ("vary", "origin")], None, Reason::Vary),
            (200, &[FRESH, ("content-encoding", "br")], None, Reason::Encoding),
            (
                200,
                &[FRESH, ("content-encoding", "gzip"), ("content-encoding", "gzip")],
                None,
                Reason::Encoding,
            ),
            (
                200,
                &[FRESH, ("content-encoding", "gzip, gzip")],
                None,
                Reason::Encoding,
            ),
            (
                200,
                &[FRESH, ("content-range", "bytes 0-1/2")],
                None,
                Reason::Malformed,
            ),
            (
                200,
                &[FRESH, ("content-type", "Text/Event-Stream; charset=utf-8")],
                None,
                Reason::Type,
            ),
            (200, &[FRESH, ("content-length", "67108865")], None, Reason::Size),
            (200, &[FRESH], Some(67_108_865), Reason::Size),
            (200, &[FRESH, ("content-length", "5")], Some(6), Reason::Malformed),
            (
                200,
                &[FRESH, ("content-length", "5"), ("content-length", "6")],
                None,
                Reason::Malformed,
            ),
            (200, &[FRESH, ("content-length", "-1")], None, Reason::Malformed),
        ];
        for (status, fields, exact, reason) in table {
            assert_eq!(
                judged(*status, fields, *exact).err(),
                Some(*reason),
                "{status} {fields:?}"
            );
        }
    }

    #[test]
    fn requests_are_judged_by_what_they_carry() {
        let judged = |fields: Fields<'_>| Asker::of(&headers(fields), &Settings::default());
        let plain = Asker {
            cookie: false,
            out_of_range: false,
        };
        let table: &[(Fields<'_>, Result<Asker, Reason>)] = &[
            (&[], Ok(plain)),
            (&[("if-none-match", "\"x\""), ("range", "bytes=5-")], Ok(plain)),
            (
                &[("cookie", "a=b")],
                Ok(Asker {
                    cookie: true,
                    ..plain
                }),
            ),
            (
                &[("range", "bytes=-5")],
                Ok(Asker {
                    out_of_range: true,
                    ..plain
                }),
            ),
            (
                &[("range", "bytes=67108864-")],
                Ok(Asker {
                    out_of_range: true,
                    ..plain
                }),
            ),
            (&[("range", "bytes=67108863-")], Ok(plain)),
            (&[("authorization", "Basic eDp5")], Err(Reason::Authorization)),
            (&[("if-match", "\"x\"")], Err(Reason::Precondition)),
            (&[("if-unmodified-since", "x")], Err(Reason::Precondition)),
            (&[("cache-control", "No-Store")], Err(Reason::NoStore)),
            (&[("cache-control", "no-cache")], Ok(plain)),
        ];
        for (fields, expected) in table {
            assert_eq!(judged(fields), *expected, "{fields:?}");
        }
    }
}
