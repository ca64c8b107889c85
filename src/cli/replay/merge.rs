//! Several logs as one: rotated ones in the order of their times, whatever the order of their names, and those of several
//! servers side by side. Only logs that overlap are open at once.

use std::{
    collections::VecDeque,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use indicatif::{ProgressBar, ProgressStyle};
use tower_flashback::crowd::Time;

use super::read::Log;

/// All logs, at the next line of them all.
pub(super) struct Merge<'a> {
    paths: &'a [PathBuf],
    /// Logs not begun yet, the earliest first.
    waiting: VecDeque<Waiting>,
    open: Vec<Log>,
    /// Which of the open ones was read last.
    current: Option<usize>,
    bar: ProgressBar,
    /// Lines of the logs that are done.
    lines: u64,
    broken: Vec<String>,
}

struct Waiting {
    number: u32,
    /// When its first request came.
    first: Time,
    /// Already at its first line, if it cannot be opened twice: a pipe.
    log: Option<Log>,
}

impl<'a> Merge<'a> {
    pub(super) fn of(paths: &'a [PathBuf]) -> anyhow::Result<Self> {
        let bar = progress(paths);
        let mut waiting = (0..)
            .zip(paths)
            .filter_map(|(number, path)| Waiting::for_log(number, path, &bar).transpose())
            .collect::<anyhow::Result<Vec<_>>>()?;
        waiting.sort_by_key(|waiting| waiting.first);
        Ok(Self {
            paths,
            waiting: waiting.into(),
            open: Vec::new(),
            current: None,
            bar,
            lines: 0,
            broken: Vec::new(),
        })
    }

    /// The log that has the next line.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<&Log>> {
        if let Some(current) = self.current {
            self.advance(current);
        }
        while let Some(next) = self.waiting.front()
            && self.open.iter().all(|log| log.latest >= next.first)
        {
            let Waiting { number, log, .. } = self.waiting.pop_front().expect("there is one in front");
            match log {
                Some(log) => self.open.push(log),
                None => {
                    let log = Log::open(number, &self.paths[number as usize], &self.bar)?;
                    self.open.push(log);
                    self.advance(self.open.len() - 1);
                }
            }
        }
        self.current = (0..self.open.len()).min_by_key(|log| self.open[*log].latest);
        Ok(self.current.map(|current| &self.open[current]))
    }

    /// How many lines there were, and which logs break off.
    pub(super) fn finish(self) -> (u64, Vec<String>) {
        self.bar.finish_and_clear();
        (self.lines, self.broken)
    }

    /// Goes on in one log, and closes it at its end: what was read of one that breaks off counts.
    fn advance(&mut self, number: usize) {
        let log = &mut self.open[number];
        let error = match log.advance() {
            Ok(true) => return,
            Ok(false) => None,
            Err(error) => Some(error),
        };
        let place = log.place;
        if let Some(error) = error {
            let name = self.paths[place.log as usize].display();
            self.broken
                .push(format!("{name} breaks off after line {}: {error}", place.line));
        }
        self.lines += place.line;
        self.open.swap_remove(number);
    }
}

impl Waiting {
    /// None if the log is empty.
    fn for_log(number: u32, path: &Path, bar: &ProgressBar) -> anyhow::Result<Option<Self>> {
        let again = path.metadata().is_ok_and(|file| file.is_file());
        let looked = if again { ProgressBar::hidden() } else { bar.clone() };
        let mut log = Log::open(number, path, &looked)?;
        // What is wrong with it is told when it is read.
        if !again {
            let begun = log.advance().unwrap_or(false);
            let first = log.latest;
            return Ok(begun.then_some(Self {
                number,
                first,
                log: Some(log),
            }));
        }
        for _ in 0..GLANCE {
            if log.time.is_some() || !log.advance().unwrap_or(false) {
                break;
            }
        }
        Ok(Some(Self {
            number,
            first: log.latest,
            log: None,
        }))
    }
}

/// A bar where someone watches.
fn progress(paths: &[PathBuf]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let sizes = paths
        .iter()
        .map(|path| path.metadata().map_or(0, |file| file.len()));
    let style =
        ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left");
    ProgressBar::new(sizes.sum()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Lines looked at for the time that a log begins; one whose first lines are all broken is read first.
const GLANCE: usize = 1_000;
