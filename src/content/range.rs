//! One range of bytes (RFC 9110 §14): what a request wants, and what that is of an object of known length.

use http::{HeaderMap, HeaderValue, header::RANGE};

/// What a `Range` field asks for, before the length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// From a byte on, to a last byte or to the end.
    From(u64, Option<u64>),
    /// So many bytes at the end.
    Last(u64),
}

/// Bytes `[start, end)`, not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Wanted {
    /// None if the whole is wanted: no field, another unit, several ranges, or nonsense. A server may always answer with
    /// the whole (§14.2), and several parts in one message are not worth their traps.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(RANGE).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return None;
        };
        let (unit, range) = field.to_str().ok()?.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
            return None;
        }
        match range.trim().split_once('-')? {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// The bytes of an object of that length; none if there are no such bytes (416).
    pub(super) fn within(self, length: u64) -> Option<Span> {
        let span = match self {
            Self::From(first, last) => Span {
                start: first,
                end: last.map_or(length, |last| length.min(last.saturating_add(1))),
            },
            Self::Last(count) => Span {
                start: length.saturating_sub(count),
                end: length,
            },
        };
        (span.start < span.end).then_some(span)
    }
}

impl Span {
    pub(super) fn len(self) -> u64 {
        self.end - self.start
    }

    /// The value of `Content-Range`.
    pub(super) fn field(self, length: u64) -> HeaderValue {
        ascii(format!("bytes {}-{}/{length}", self.start, self.end - 1))
    }
}

/// The value of `Content-Range` where no byte could be given.
pub(super) fn unsatisfied(length: u64) -> HeaderValue {
    ascii(format!("bytes */{length}"))
}

fn ascii(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits and ASCII punctuation are a field value")
}

/// Digits only; a number too large to hold lies beyond every object all the same.
fn number(digits: &str) -> Option<u64> {
    let all = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    all.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(field: &str) -> Option<Wanted> {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, field.parse().expect("is a field value"));
        Wanted::of(&headers)
    }

    #[test]
    fn ranges_of_ten_bytes() {
        let table = [
            ("bytes=0-", Some((0, 10))),
            ("bytes=0-0", Some((0, 1))),
            ("bytes=3-5", Some((3, 6))),
            ("Bytes = 3-5", Some((3, 6))),
            ("bytes=9-", Some((9, 10))),
            ("bytes=9-99", Some((9, 10))),
            ("bytes=5-99999999999999999999999999", Some((5, 10))),
            ("bytes=10-", None),
            ("bytes=10-20", None),
            ("bytes=99999999999999999999999999-", None),
            ("bytes=-1", Some((9, 10))),
            ("bytes=-10", Some((0, 10))),
            ("bytes=-99", Some((0, 10))),
            ("bytes=-0", None),
        ];
        for (field, expected) in table {
            let span = wanted(field).expect("is one range").within(10);
            assert_eq!(span.map(|span| (span.start, span.end)), expected, "{field}");
            assert_eq!(
                wanted(field).and_then(|wanted| wanted.within(0)),
                None,
                "{field} of nothing"
            );
        }
    }

    #[test]
    fn what_is_not_one_range_wants_the_whole() {
        for field in [
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-3",
            "bytes=0-1,5-6",
            "bytes=a-b",
            "bytes=+1-2",
            "pages=1-2",
            "bytes=1 - 2",
        ] {
            assert_eq!(wanted(field), None, "{field}");
        }
        let mut headers = HeaderMap::new();
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(RANGE, HeaderValue::from_static("bytes=5-6"));
        assert_eq!(Wanted::of(&headers), None);
    }
}
