//! Lines of access logs, Common and Combined, as requests that the detector can be shown. It parses one line; files,
//! order and progress are the shell's.

use std::{
    borrow::Cow,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    net::{IpAddr, Ipv6Addr},
};

use memchr::{memchr, memchr2, memrchr};

use super::{Sighting, Time};

/// One request of an access log.
#[derive(Clone, Debug, PartialEq)]
pub struct Line<'a> {
    /// The virtual host in front of the client (`vhost_combined`), or empty.
    pub host: &'a str,
    /// The client. A name instead of an address is told apart by its hash.
    pub client: IpAddr,
    /// Time since 1970 in UTC, to the second.
    pub time: Time,
    /// Method, as it was sent.
    pub method: &'a str,
    /// Path, without query.
    pub path: &'a str,
    /// Query, without the question mark.
    pub query: Option<&'a str>,
    /// Status of the response.
    pub status: u16,
    /// Bytes of the body sent.
    pub bytes: u64,
    /// The Referer, in Combined logs.
    pub referrer: Option<&'a str>,
}

/// Why a line is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Not `host ident user [time] "request" status bytes`.
    #[error("not of the Common or Combined form")]
    Form,
    /// Not `[day/month/year:hour:minute:second zone]`, or no such day.
    #[error("no such time")]
    Time,
    /// Not `"METHOD /path HTTP/x"`: a probe, or garbage that was sent to the port.
    #[error("no HTTP request")]
    Request,
    /// Longer than 64 KiB.
    #[error("longer than {MAX_LINE} bytes")]
    Long,
}

impl<'a> Line<'a> {
    /// Parses a line without its line feed.
    ///
    /// # Errors
    /// The first part of the line that is not of its form.
    pub fn parse(line: &'a str) -> Result<Self, LineError> {
        Self::parse_with(line, |stamp| time(stamp).ok_or(LineError::Time))
    }

    /// The same for a line whose time was read before, with [`time_of`] or [`Stamps::time_of`].
    ///
    /// # Errors
    /// The first part of the line, but for its time, that is not of its form.
    pub fn parse_at(line: &'a str, time: Time) -> Result<Self, LineError> {
        Self::parse_with(line, |_| Ok(time))
    }

    fn parse_with(
        line: &'a str,
        time: impl FnOnce(&[u8]) -> Result<Time, LineError>,
    ) -> Result<Self, LineError> {
        if line.len() > MAX_LINE {
            return Err(LineError::Long);
        }
        let (front, rest) = cut(line, b'[').ok_or(LineError::Form)?;
        let (stamp, rest) = cut(rest, b']').ok_or(LineError::Form)?;
        let (host, client) = client(front)?;
        let (request, rest) = quoted(rest).ok_or(LineError::Form)?;
        let mut fields = rest.splitn(3, ' ').map(str::trim);
        let status = fields
            .next()
            .and_then(|text| text.parse().ok())
            .ok_or(LineError::Form)?;
        let bytes = fields.next().ok_or(LineError::Form)?;
        let bytes = if bytes == "-" {
            0
        } else {
            bytes.parse().map_err(|_| LineError::Form)?
        };
        let referrer = fields
            .next()
            .and_then(quoted)
            .map(|(text, _)| text)
            .filter(|text| !matches!(*text, "-" | ""));
        let (method, path, query) = parts(request).ok_or(LineError::Request)?;
        let time = time(stamp.as_bytes())?;
        Ok(Self {
            host,
            client,
            time,
            method,
            path,
            query,
            status,
            bytes,
            referrer,
        })
    }

    /// The request as the detector counts it.
    #[must_use]
    pub fn sighting(&self) -> Sighting<'_> {
        Sighting {
            host: self.host,
            path: self.path,
            query: self.query,
            client: self.client,
            referrer: self.referrer,
        }
    }
}

/// When a line's request came, read without the rest of the line; the rest may be none that [`Line::parse`] takes.
#[must_use]
pub fn time_of(line: &[u8]) -> Option<Time> {
    stamp_of(line).and_then(|stamp| time(stamp))
}

/// Reads the times of lines that come one after the other: most have the stamp of the one before.
#[derive(Clone, Debug, Default)]
pub struct Stamps {
    last: [u8; STAMP],
    time: Option<Time>,
}

impl Stamps {
    /// As [`time_of`].
    pub fn time_of(&mut self, line: &[u8]) -> Option<Time> {
        let stamp = stamp_of(line)?;
        if *stamp != self.last {
            (self.last, self.time) = (*stamp, time(stamp));
        }
        self.time
    }
}

/// A line of bytes as text: logs hold what strangers sent.
#[must_use]
pub fn text(line: &[u8]) -> Cow<'_, str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Nearly every line is ASCII, which this check is made for.
    std::str::from_utf8(line).map_or_else(|_| String::from_utf8_lossy(line), Cow::Borrowed)
}

/// `[vhost] client ident user`, where the user may hold spaces.
fn client(front: &str) -> Result<(&str, IpAddr), LineError> {
    let mut words = front.split(' ').filter(|word| !word.is_empty());
    let first = words.next().ok_or(LineError::Form)?;
    let second = words.next().ok_or(LineError::Form)?;
    words.next().ok_or(LineError::Form)?;
    if let Ok(address) = first.parse() {
        return Ok(("", address));
    }
    if let (Ok(address), Some(_)) = (second.parse(), words.next()) {
        let host = first.rsplit_once(':').map_or(first, |(host, _)| host);
        return Ok((host, address));
    }
    Ok(("", named(first)))
}

/// A client known by name: an address of its own /64, outside of what is routed.
fn named(name: &str) -> IpAddr {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
    Ipv6Addr::from_bits(u128::from(0xFC << 56 | hash >> 8) << 64).into()
}

/// What is before an ASCII character, and what is behind it. Lines are long, and a search by bytes is the fastest.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = memchr(at, text.as_bytes())?;
    Some((&text[..place], &text[place + 1..]))
}

/// The text between the first quotes, and what follows them. A backslash hides the character after it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start().strip_prefix('"')?;
    let mut from = 0;
    loop {
        // Both are ASCII, so bytes are searched.
        let found = from + memchr2(b'"', b'\\', &text.as_bytes()[from..])?;
        if text.as_bytes()[found] == b'"' {
            return Some((&text[..found], text[found + 1..].trim_start()));
        }
        from = found + 1 + text[found + 1..].chars().next()?.len_utf8();
    }
}

/// Method, path and query of `METHOD target HTTP/x`; an absolute target is cut to its path.
fn parts(request: &str) -> Option<(&str, &str, Option<&str>)> {
    let (method, rest) = cut(request, b' ')?;
    let target = match memrchr(b' ', rest.as_bytes()) {
        Some(end) if rest[end + 1..].starts_with("HTTP/") => &rest[..end],
        _ => rest,
    };
    let target = target.trim();
    let target = if target.starts_with('/') {
        target
    } else {
        let (_, rest) = target.split_once("://")?;
        &rest[rest.find('/')?..]
    };
    let sound = method.bytes().all(|byte| byte.is_ascii_uppercase()) && target.starts_with('/');
    let (path, query) = cut(target, b'?').map_or((target, None), |(path, query)| (path, Some(query)));
    (sound && !method.is_empty()).then_some((method, path, query))
}

fn stamp_of(line: &[u8]) -> Option<&[u8; STAMP]> {
    let from = memchr(b'[', line)? + 1;
    let (stamp, rest) = line[from..].split_first_chunk()?;
    (rest.first() == Some(&b']')).then_some(stamp)
}

/// `10/Oct/2000:13:55:36 -0700` as time since 1970.
fn time(bytes: &[u8]) -> Option<Time> {
    let number = |from: usize, to: usize| -> Option<i64> {
        bytes.get(from..to)?.iter().try_fold(0, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
        })
    };
    let separators = [
        (2, b'/'),
        (6, b'/'),
        (11, b':'),
        (14, b':'),
        (17, b':'),
        (20, b' '),
    ];
    if bytes.len() != STAMP || separators.iter().any(|(place, byte)| bytes[*place] != *byte) {
        return None;
    }
    let month = MONTHS.iter().position(|month| month.as_bytes() == &bytes[3..6])? as i64 + 1;
    let (day, year) = (number(0, 2)?, number(7, 11)?);
    let (hour, minute, second) = (number(12, 14)?, number(15, 17)?, number(18, 20)?);
    let zone = (number(22, 24)? * 60 + number(24, 26)?) * 60;
    let zone = match bytes[21] {
        b'+' => zone,
        b'-' => -zone,
        _ => return None,
    };
    // Second 60 is a leap second.
    if !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - zone;
    u64::try_from(seconds).ok().map(Time::from_secs)
}

/// Days since 1970 of a day in the Gregorian calendar, after Hinnant's `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// Characters of `10/Oct/2000:13:55:36 -0700`.
const STAMP: usize = 26;
/// Servers refuse longer requests long before.
const MAX_LINE: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::*;

    const COMBINED: &str = r#"192.0.2.7 - frank jr [10/Oct/2000:13:55:36 -0700] "GET /a/b.gif?x=1 HTTP/1.0" 200 2326 "http://t.co/x\"y" "Mozilla/4.08 [en] (Win98; \"I\" ;Nav)""#;

    #[test]
    fn a_combined_line() {
        let line = Line::parse(COMBINED).expect("parses");
        assert_eq!(line.client, IpAddr::from([192, 0, 2, 7]));
        assert_eq!(line.time, Time::from_secs(971_211_336));
        assert_eq!(
            (line.method, line.path, line.query),
            ("GET", "/a/b.gif", Some("x=1"))
        );
        assert_eq!(
            (line.status, line.bytes, line.referrer),
            (200, 2326, Some(r#"http://t.co/x\"y"#))
        );
    }

    #[test]
    fn a_common_line_and_its_variants() {
        let parse = |line: &'static str| Line::parse(line).expect("parses");
        let line = parse(r#"::1 - - [29/Feb/2024:23:59:60 +0000] "HEAD / HTTP/1.1" 304 -"#);
        assert_eq!((line.path, line.bytes, line.referrer), ("/", 0, None));
        assert_eq!(line.time, Time::from_secs(1_709_251_200));
        let line = parse(
            r#"a.example:443 192.0.2.7 - - [01/Jan/1970:00:00:00 +0000] "GET http://b.example/x HTTP/1.1" 200 1"#,
        );
        assert_eq!((line.host, line.path, line.time), ("a.example", "/x", Time::ZERO));
        let named = |line| parse(line).client;
        assert_eq!(
            named(r#"host.example - - [01/Jan/1970:00:00:00 +0000] "GET / HTTP/1.1" 200 1"#),
            named(r#"host.example - - [01/Jan/1970:00:00:01 +0000] "GET /x HTTP/1.1" 200 1"#),
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        let fault = |line: &str| Line::parse(line).expect_err("is refused");
        assert_eq!(fault(""), LineError::Form);
        assert_eq!(fault("192.0.2.7 - - no time"), LineError::Form);
        assert_eq!(
            fault(r#"192.0.2.7 - - [10/Okt/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 1"#),
            LineError::Time
        );
        assert_eq!(
            fault(r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01" 400 1"#),
            LineError::Request
        );
        assert_eq!(
            fault(r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 2000000 1"#),
            LineError::Form
        );
        assert_eq!(fault(&"x".repeat(70_000)), LineError::Long);
    }

    proptest! {
        /// Against a clock that others wrote.
        #[test]
        fn times_agree_with_httpdate(seconds in 0u64..7_000_000_000) {
            let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
            let stamp = format!("{}/{}/{}:{} +0000", &date[5..7], &date[8..11], &date[12..16], &date[17..25]);
            let read = Some(Time::from_secs(seconds));
            prop_assert_eq!(time(stamp.as_bytes()), read);
            let line = format!("host - - [{stamp}] more");
            prop_assert_eq!(time_of(line.as_bytes()), read);
            let mut stamps = Stamps::default();
            prop_assert_eq!([(); 2].map(|()| stamps.time_of(line.as_bytes())), [read; 2]);
        }

        #[test]
        fn no_line_panics(line in r#"([\[\]" \\:/+\-]|[0-9]{1,4}|GET|Oct|\PC){0,60}"#) {
            _ = Line::parse(&line);
            _ = time_of(line.as_bytes());
        }

        #[test]
        fn no_damage_to_a_good_line_panics(place in 0usize..150, byte in any::<u8>()) {
            let mut bytes = COMBINED.as_bytes().to_vec();
            let place = place.min(bytes.len() - 1);
            bytes[place] = byte;
            _ = Line::parse(&text(&bytes));
            _ = Line::parse(&text(&bytes[..place]));
        }
    }
}
