//! Runs the detector over a log and gathers, for each crowd, what an operator wants to know afterwards.

use std::{collections::HashMap, time::Duration};

use tower_flashback::crowd::{Change, Crowds, Key, Rule, Settings, State, Time, log::Line};

use super::{faults::Faults, sharing::Sharing};

/// A detector at work on a log.
#[derive(Debug)]
pub(super) struct Survey {
    settings: Settings,
    crowds: Option<Crowds>,
    now: Time,
    open: HashMap<Key, Record>,
    done: Vec<Record>,
    site: Rates,
    whole: Key,
}

/// One crowd, from its first surge until the page was calm again.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) change: Change,
    /// When it became calm; none if the log ends before.
    pub(super) ended: Option<Time>,
    /// States that it came to, with their times.
    pub(super) states: Vec<(Time, State)>,
    /// Requests since detection.
    pub(super) after: u64,
    pub(super) peak: f64,
    /// Requests since detection over time.
    pub(super) rates: Rates,
    /// The page and what it refers to.
    pub(super) sharing: Sharing,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Findings {
    pub(super) crowds: Vec<Record>,
    pub(super) site: Rates,
    pub(super) faults: Faults,
    pub(super) keys: usize,
    pub(super) wall: Duration,
}

/// Counts over time, in at most a few thousand equal bins that double in length as time goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Rates {
    start: u64,
    /// Seconds, a power of two; none before the first count.
    width: u64,
    counts: Vec<u32>,
}

impl Survey {
    pub(super) fn new(settings: Settings) -> Self {
        let (open, done) = (HashMap::new(), Vec::new());
        Self {
            settings,
            crowds: None,
            now: Time::ZERO,
            open,
            done,
            site: Rates::default(),
            whole: Key::site(),
        }
    }

    /// Shows lines to the detector, in order: those of one time together.
    pub(super) fn add(&mut self, lines: &[Line<'_>]) {
        for lines in lines.chunk_by(|a, b| a.time == b.time) {
            self.advance(lines[0].time);
            // Lent while the detector tells of each request in turn.
            let Some(crowds) = self.crowds.take() else { return };
            let asked = lines.iter().filter(|line| matches!(line.method, "GET" | "HEAD"));
            let asked: Vec<&Line<'_>> = asked.collect();
            let sightings: Vec<_> = asked.iter().map(|line| (self.now, line.sighting())).collect();
            crowds.observe_all(&sightings, |place, state| {
                let line = asked[place];
                self.site.add(self.now);
                if !self.open.is_empty() {
                    let page = (state != State::Calm).then(|| crowds.key(line.host, line.path, line.query));
                    self.attend(line, page.as_ref());
                }
                self.take_changes(&crowds);
            });
            self.crowds = Some(crowds);
        }
    }

    /// Adds a request to the crowds that it is part of: its page's, that of the page which it came from, the site's.
    fn attend(&mut self, line: &Line<'_>, page: Option<&Key>) {
        if let Some(record) = page.and_then(|page| self.open.get_mut(page)) {
            record.add(self.now, line);
        }
        if let Some(record) = self.open.get_mut(&self.whole) {
            record.add(self.now, line);
        }
        let Some(from) = line.referrer.and_then(path_of) else {
            return;
        };
        for (key, record) in &mut self.open {
            // An image, a script, the next page.
            if key.path() == from && line.path != from {
                record.sharing.add(line);
            }
        }
    }

    pub(super) fn finish(mut self, faults: Faults, wall: Duration) -> Findings {
        self.done.extend(std::mem::take(&mut self.open).into_values());
        self.done.sort_by(|a, b| {
            a.change
                .onset
                .cmp(&b.change.onset)
                .then_with(|| a.change.key.cmp(&b.change.key))
        });
        let keys = self.crowds.as_ref().map_or(0, Crowds::tracked);
        Findings {
            crowds: self.done,
            site: self.site,
            faults,
            keys,
            wall,
        }
    }

    /// Ticks every second of the log while anything is hot or cooling; else only where there are lines: silence changes
    /// nothing that is calm.
    fn advance(&mut self, time: Time) {
        if self.crowds.is_none() {
            // Settings were checked with the flags.
            self.crowds = Crowds::new(self.settings.clone(), time, SEED).ok();
            self.now = time;
        }
        let Some(crowds) = self.crowds.take() else { return };
        while self.now < time {
            self.now = if self.open.is_empty() {
                time
            } else {
                (self.now + Duration::from_secs(1)).min(time)
            };
            crowds.tick(self.now);
            self.take_changes(&crowds);
        }
        self.crowds = Some(crowds);
    }

    fn take_changes(&mut self, crowds: &Crowds) {
        for change in crowds.changes() {
            let (at, to) = (change.at, change.to);
            let record = match (self.open.remove(&change.key), to) {
                (None, State::Hot) => Some(Record::new(change)),
                (record, _) => record,
            };
            let Some(mut record) = record else { continue };
            record.states.push((at, to));
            if to == State::Calm {
                record.ended = Some(at);
                self.done.push(record);
            } else {
                self.open.insert(record.change.key.clone(), record);
            }
        }
    }
}

impl Record {
    fn new(change: Change) -> Self {
        let peak = change.rate;
        let (rates, sharing) = (Rates::default(), Sharing::default());
        Self {
            change,
            ended: None,
            states: Vec::new(),
            after: 0,
            peak,
            rates,
            sharing,
        }
    }

    fn add(&mut self, now: Time, line: &Line<'_>) {
        self.after += 1;
        self.rates.add(now);
        self.peak = self.peak.max(self.rates.last());
        self.sharing.add(line);
    }

    /// Requests of the whole crowd.
    pub(super) fn requests(&self) -> u64 {
        self.change.requests + self.after
    }

    /// From its onset until half of its peak was reached: who is not ready by then is under-provisioned.
    pub(super) fn rise(&self) -> Duration {
        let half = self.peak / 2.0;
        let reached = if self.change.rate >= half {
            Some(self.change.at)
        } else {
            self.rates.first_at(half)
        };
        reached
            .unwrap_or(self.change.at)
            .saturating_sub(self.change.onset)
    }

    /// Whether it was found by the rules.
    pub(super) fn delay(&self) -> Duration {
        debug_assert_ne!(self.change.rule, Rule::Manual);
        self.change.at.saturating_sub(self.change.onset)
    }
}

/// The path of a Referer.
fn path_of(referrer: &str) -> Option<&str> {
    let (_, rest) = referrer.split_once("://")?;
    let path = rest.find('/').map_or("/", |slash| &rest[slash..]);
    path.split(['?', '#']).next()
}

impl Rates {
    fn add(&mut self, now: Time) {
        let second = now.as_secs();
        if self.width == 0 {
            (self.start, self.width) = (second, FINEST);
        }
        let mut bin = second.saturating_sub(self.start) / self.width;
        while bin >= MAX_BINS {
            self.counts = self.counts.chunks(2).map(|pair| pair.iter().sum()).collect();
            self.width *= 2;
            bin /= 2;
        }
        let bin = bin as usize;
        if self.counts.len() <= bin {
            self.counts.resize(bin + 1, 0);
        }
        self.counts[bin] += 1;
    }

    /// Seconds since 1970 and requests per second, bin by bin.
    pub(super) fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let width = self.width as f64;
        (0..).zip(&self.counts).map(move |(bin, count)| {
            (
                (self.start + bin * self.width) as f64 + width / 2.0,
                f64::from(*count) / width,
            )
        })
    }

    fn last(&self) -> f64 {
        self.counts
            .last()
            .map_or(0.0, |count| f64::from(*count) / self.width as f64)
    }

    fn first_at(&self, rate: f64) -> Option<Time> {
        self.points()
            .find(|(_, found)| *found >= rate)
            .map(|(time, _)| Time::from_secs_f64(time))
    }
}

/// Logs are replayed the same each time; nobody chooses URLs against a seed of the past.
const SEED: u64 = 1;
/// Shortest bins, in seconds: the rate of a single second is noise.
const FINEST: u64 = 8;
/// Bins at most: more than a picture has columns.
const MAX_BINS: u64 = 2048;
