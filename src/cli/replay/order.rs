//! Lines in order of time: servers write a line when the answer is done, so logs are out of order by as long as answers
//! take, and merged logs by more. Lines wait in buckets of a second until a line a minute later is seen.

use std::collections::BTreeMap;

use tower_flashback::crowd::log::{Line, text};

use super::read::{Faults, Place};

/// The lines of the last minute.
#[derive(Debug, Default)]
pub(super) struct Order {
    buckets: BTreeMap<u64, Bucket>,
    spare: Vec<Bucket>,
    newest: u64,
    bytes: usize,
    faults: Faults,
}

/// Lines of one second, one after the other.
#[derive(Debug, Default)]
struct Bucket {
    text: String,
    ends: Vec<usize>,
}

impl Order {
    /// Takes a line, and gives those that are a minute older than the newest.
    pub(super) fn add(&mut self, place: Place, line: &[u8], mut give: impl FnMut(&Line<'_>)) {
        let line = text(line);
        match Line::parse(&line) {
            Ok(parsed) => self.put(parsed.time.as_secs(), &line),
            Err(error) => return self.faults.add(place, error),
        }
        while let Some(first) = self.buckets.first_entry() {
            if *first.key() + WAIT > self.newest && self.bytes <= MAX_BYTES {
                break;
            }
            let mut bucket = first.remove();
            self.bytes -= bucket.text.len();
            bucket.empty(&mut give);
            self.spare.push(bucket);
        }
    }

    /// Gives the rest.
    pub(super) fn finish(&mut self, mut give: impl FnMut(&Line<'_>)) {
        for mut bucket in std::mem::take(&mut self.buckets).into_values() {
            bucket.empty(&mut give);
        }
    }

    pub(super) fn into_faults(self) -> Faults {
        self.faults
    }

    fn put(&mut self, second: u64, line: &str) {
        // Later than a minute: it counts where the log stands.
        let oldest = self.newest.saturating_sub(WAIT);
        self.faults.late += u64::from(second < oldest);
        self.newest = self.newest.max(second);
        let spare = &mut self.spare;
        let bucket = self
            .buckets
            .entry(second.max(oldest))
            .or_insert_with(|| spare.pop().unwrap_or_default());
        bucket.text.push_str(line);
        bucket.ends.push(bucket.text.len());
        self.bytes += line.len();
    }
}

impl Bucket {
    fn empty(&mut self, mut give: impl FnMut(&Line<'_>)) {
        let mut from = 0;
        for end in &self.ends {
            // Parsed before, so it parses again; that is cheaper than to keep its parts.
            if let Ok(line) = Line::parse(&self.text[from..*end]) {
                give(&line);
            }
            from = *end;
        }
        self.text.clear();
        self.ends.clear();
    }
}

/// Seconds that a line may be late.
const WAIT: u64 = 60;
/// Bytes that wait at most; beyond, the oldest second goes on early.
const MAX_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tower_flashback::crowd::log::LineError;

    use super::*;

    fn line(second: u64) -> String {
        format!(
            "192.0.2.1 - - [10/Oct/2000:13:{:02}:{:02} +0000] \"GET / HTTP/1.1\" 200 1",
            second / 60,
            second % 60
        )
    }

    proptest! {
        #[test]
        fn lines_come_in_order_and_none_is_lost(jitter in prop::collection::vec(0u64..60, 1..500)) {
            let (mut order, mut times) = (Order::default(), Vec::new());
            for (number, late) in jitter.iter().enumerate() {
                let second = 60 + number as u64 / 3 - late.min(&(60 + number as u64 / 3));
                order.add(Place { file: 0, line: 1 }, line(second).as_bytes(), |line| times.push(line.time));
            }
            order.finish(|line| times.push(line.time));
            prop_assert_eq!(times.len(), jitter.len());
            prop_assert!(times.is_sorted());
            prop_assert_eq!(order.into_faults().late, 0);
        }
    }

    #[test]
    fn a_broken_line_is_told_with_its_place() {
        let mut order = Order::default();
        order.add(Place { file: 2, line: 7 }, b"nonsense", |_| {});
        let faults = order.into_faults();
        assert_eq!(
            (faults.bad, &*faults.first),
            (1, &[(Place { file: 2, line: 7 }, LineError::Form)][..])
        );
    }
}
