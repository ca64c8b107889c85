//! One byte range (RFC 9110, 14.1.2). Several at once are answered in full, as a server may.

use std::ops::Range;

/// What a `Range` header asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// No range, or one to be ignored: malformed, of another unit, or several.
    Whole,
    /// These bytes.
    Part(Range<usize>),
    /// Nothing that exists.
    Unsatisfiable,
}

/// Reads a `Range` header for a body of `length` bytes.
pub(crate) fn parse(header: &str, length: usize) -> Asked {
    let bounds = header
        .split_once('=')
        .filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"))
        .and_then(|(_, bounds)| bounds.trim().split_once('-'));
    let range = match bounds {
        Some(("", suffix)) => number(suffix).map(|suffix| length.saturating_sub(suffix)..length),
        Some((first, "")) => number(first).map(|first| first..length),
        Some((first, last)) => number(first)
            .zip(number(last))
            .filter(|(first, last)| first <= last)
            .map(|(first, last)| first..last.saturating_add(1).min(length)),
        None => None,
    };
    match range {
        None => Asked::Whole,
        Some(range) if range.start >= range.end => Asked::Unsatisfiable,
        Some(range) => Asked::Part(range),
    }
}

/// Digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<usize> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_clamped_ignored_or_refused() {
        for (header, expected) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-5", Asked::Part(2..6)),
            ("Bytes=2-", Asked::Part(2..10)),
            ("bytes=2-99", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-99", Asked::Part(0..10)),
            ("bytes=10-", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=5-2", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("bytes", Asked::Whole),
        ] {
            assert_eq!(parse(header, 10), expected, "{header}");
        }
    }
}
