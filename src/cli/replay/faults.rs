//! Lines that are no requests: all counted, the first of them kept with their places.

use tower_flashback::crowd::log::LineError;

use super::read::Place;

#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Lines of all logs.
    pub(super) lines: u64,
    /// Those that are no requests.
    pub(super) bad: u64,
    /// Those more than a minute late.
    pub(super) late: u64,
    /// The first bad ones, in order.
    pub(super) first: Vec<(Place, LineError)>,
    /// Logs that could not be read to their ends.
    pub(super) broken: Vec<String>,
}

impl Faults {
    pub(super) fn add(&mut self, place: Place, error: LineError) {
        self.bad += 1;
        if self.first.len() < SHOWN {
            self.first.push((place, error));
        }
    }
}

/// Bad lines shown with their numbers.
const SHOWN: usize = 100;
