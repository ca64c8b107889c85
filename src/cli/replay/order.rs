//! Lines in order of time: servers write a line when the answer is done, so logs are out of order by as long as answers
//! take. Lines wait in buckets of a second until a line a minute later is seen.

use std::collections::BTreeMap;

use tower_flashback::crowd::{
    Time,
    log::{Line, LineError, text},
};

use super::{faults::Faults, read::Place};

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
    ends: Vec<(usize, Place, Time)>,
}

impl Order {
    /// Takes a line whose time was read, and gives those that are a minute older than the newest, a second's
    /// lines at a time.
    pub(super) fn add(
        &mut self,
        place: Place,
        time: Option<Time>,
        line: &[u8],
        give: impl FnMut(&[Line<'_>]),
    ) {
        let Some(time) = time else {
            let fault = Line::parse(&text(line)).err().unwrap_or(LineError::Time);
            return self.faults.add(place, fault);
        };
        self.put(time, place, line);
        self.release(give);
    }

    /// Gives the rest, and tells what was wrong.
    pub(super) fn finish(mut self, mut give: impl FnMut(&[Line<'_>])) -> Faults {
        for mut bucket in std::mem::take(&mut self.buckets).into_values() {
            bucket.empty(&mut self.faults, &mut give);
        }
        self.faults
    }

    fn put(&mut self, time: Time, place: Place, line: &[u8]) {
        let second = time.as_secs();
        // Later than a minute: it counts where the log stands.
        let oldest = self.newest.saturating_sub(WAIT);
        self.faults.late += u64::from(second < oldest);
        self.newest = self.newest.max(second);
        let spare = &mut self.spare;
        let bucket = self
            .buckets
            .entry(second.max(oldest))
            .or_insert_with(|| spare.pop().unwrap_or_default());
        bucket.text.push_str(&text(line));
        bucket.ends.push((bucket.text.len(), place, time));
        self.bytes += line.len();
    }

    fn release(&mut self, mut give: impl FnMut(&[Line<'_>])) {
        while let Some(first) = self.buckets.first_entry() {
            if *first.key() + WAIT > self.newest && self.bytes <= MAX_BYTES {
                break;
            }
            let mut bucket = first.remove();
            self.bytes = self.bytes.saturating_sub(bucket.text.len());
            bucket.empty(&mut self.faults, &mut give);
            self.spare.push(bucket);
        }
    }
}

impl Bucket {
    fn empty(&mut self, faults: &mut Faults, mut give: impl FnMut(&[Line<'_>])) {
        let mut from = 0;
        let mut lines = Vec::with_capacity(self.ends.len());
        for (end, place, time) in &self.ends {
            match Line::parse_at(&self.text[from..*end], *time) {
                Ok(line) => lines.push(line),
                Err(error) => faults.add(*place, error),
            }
            from = *end;
        }
        give(&lines);
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
    use tower_flashback::crowd::log::time_of;

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
                let line = line(second);
                let place = Place { log: 0, line: 1 };
                order.add(place, time_of(line.as_bytes()), line.as_bytes(), |lines| times.extend(lines.iter().map(|line| line.time)));
            }
            let faults = order.finish(|lines| times.extend(lines.iter().map(|line| line.time)));
            prop_assert_eq!(times.len(), jitter.len());
            prop_assert!(times.is_sorted());
            prop_assert_eq!((faults.late, faults.bad), (0, 0));
        }
    }

    #[test]
    fn a_broken_line_is_told_with_its_place() {
        let mut order = Order::default();
        let place = |line| Place { log: 2, line };
        order.add(place(7), None, b"nonsense", |_| {});
        let probe = br#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "\x16\x03\x01" 400 1"#;
        order.add(place(8), time_of(probe), probe, |_| {});
        let faults = order.finish(|lines| assert!(lines.is_empty(), "nothing is a request"));
        assert_eq!(
            faults.first,
            [(place(7), LineError::Form), (place(8), LineError::Request)]
        );
        assert_eq!(faults.bad, 2);
    }
}
