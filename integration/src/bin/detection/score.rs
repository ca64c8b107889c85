//! Runs settings over labelled traces and compares what turned hot with the labels.

use std::{collections::HashMap, path::Path, time::Duration};

use tower_flashback::crowd::{Change, Crowds, Reading, Settings, Sighting, State};

use super::traces::{self, Trace};

/// What a setting makes of all traces.
#[derive(Default)]
struct Score {
    crowds: usize,
    found: usize,
    delays: Vec<f64>,
    /// Labels of what turned hot without being a crowd.
    alarms: HashMap<String, usize>,
    remarks: Vec<String>,
}

/// Prints a table with a row per setting.
pub(crate) fn clicks(folder: &Path, verbose: bool) -> anyhow::Result<()> {
    let traces = traces::read(folder)?;
    println!(
        "{:<22} {:>7} {:>8} {:>8} {:>7} {:>7} {:>7} {:>7} {:>7}",
        "setting", "found", "median s", "p90 s", "source", "steady", "start", "mixed", "others"
    );
    for (name, settings) in variants() {
        let mut score = Score::default();
        for trace in &traces {
            score.add(trace, &run(trace, &settings)?);
        }
        score.print(&name);
        if verbose && name == "default" {
            score.remarks.iter().for_each(|remark| println!("  {remark}"));
        }
    }
    Ok(())
}

/// The changes of one trace, watched from a cold start at its first click.
fn run(trace: &Trace, settings: &Settings) -> anyhow::Result<Vec<Change>> {
    let Some(start) = trace.clicks.first().map(|click| click.time) else {
        return Ok(Vec::new());
    };
    let crowds = Crowds::new(settings.clone(), start, 1)?;
    let mut changes = Vec::new();
    let mut now = start;
    for click in &trace.clicks {
        while now < click.time {
            now += Duration::from_secs(1);
            crowds.tick(now);
        }
        let sighting = Sighting {
            host: "",
            path: &click.page,
            query: None,
            client: click.client,
            referrer: click.referrer.as_deref(),
        };
        crowds.observe(click.time, &sighting);
        changes.append(&mut crowds.changes());
    }
    Ok(changes)
}

impl Score {
    fn add(&mut self, trace: &Trace, changes: &[Change]) {
        let mut first = HashMap::<&str, &Change>::new();
        for change in changes
            .iter()
            .filter(|change| change.to == State::Hot && !change.key.is_site())
        {
            first.entry(change.key.as_str()).or_insert(change);
        }
        for event in &trace.events {
            let hot = first.remove(event.page.as_str());
            match (event.label.as_str(), hot) {
                ("flash-crowd", Some(change)) => {
                    self.crowds += 1;
                    self.found += 1;
                    let onset = trace.onset(event).unwrap_or(change.at);
                    self.delays.push(change.at.as_secs_f64() - onset.as_secs_f64());
                }
                ("flash-crowd", None) => {
                    self.crowds += 1;
                    self.remarks
                        .push(format!("missed {} {:?}", event.page, event.counts));
                }
                (label, Some(change)) => self.alarm(label, change, &event.counts),
                (_, None) => {}
            }
        }
        for change in first.values() {
            self.alarm("others", change, &minutes(trace, change));
        }
    }

    fn alarm(&mut self, label: &str, change: &Change, counts: &[u32]) {
        *self.alarms.entry(label.to_owned()).or_default() += 1;
        self.remarks.push(format!(
            "{label} {} scale {:?} rate {:.2} average {:.3} audience {:.2} {counts:?}",
            change.key, change.scale, change.rate, change.average, change.audience
        ));
    }

    fn print(&mut self, name: &str) {
        self.delays.sort_by(f64::total_cmp);
        let at = |share: f64| {
            self.delays
                .get(((self.delays.len() as f64) * share) as usize)
                .copied()
                .unwrap_or(f64::NAN)
        };
        let alarms = |label: &str| self.alarms.get(label).copied().unwrap_or(0);
        println!(
            "{name:<22} {:>7} {:>8.0} {:>8.0} {:>7} {:>7} {:>7} {:>7} {:>7}",
            format!("{}/{}", self.found, self.crowds),
            at(0.5),
            at(0.9),
            alarms("single-source"),
            alarms("steady-hot"),
            alarms("hot-from-start"),
            alarms("mixed"),
            alarms("others"),
        );
    }
}

/// A page's clicks per minute of the trace.
fn minutes(trace: &Trace, change: &Change) -> Vec<u32> {
    let start = trace.clicks[0].time;
    let mut counts = vec![0; 62];
    for click in trace
        .clicks
        .iter()
        .filter(|click| click.page == change.key.as_str())
    {
        let minute = (click.time - start).as_secs() as usize / 60;
        if let Some(count) = counts.get_mut(minute) {
            *count += 1;
        }
    }
    counts
}

/// The defaults, with a floor for these small rates, and one step aside in each direction.
fn variants() -> Vec<(String, Settings)> {
    let mut base = Settings::default();
    base.min_rate = 0.3;
    let mut variants = vec![("default".to_owned(), base.clone())];
    let mut vary = |name: String, change: &dyn Fn(&mut Settings)| {
        let mut settings = base.clone();
        change(&mut settings);
        variants.push((name, settings));
    };
    for doublings in [1, 2, 3, 4] {
        vary(format!("doublings {doublings}"), &|s| s.doublings = doublings);
    }
    for doublings in [1, 2, 3] {
        vary(format!("strict {doublings}"), &|s| {
            (s.reading, s.doublings) = (Reading::Strict, doublings)
        });
    }
    for ratio in [2.0, 5.0, 10.0, 20.0, 40.0] {
        vary(format!("ratio {ratio}"), &|s| s.ratio = ratio);
    }
    for evidence in [0.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0] {
        vary(format!("evidence {evidence}"), &|s| s.evidence = evidence);
    }
    for audience in [0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7] {
        vary(format!("min_audience {audience}"), &|s| s.min_audience = audience);
    }
    for clients in [1, 4, 6, 8, 12, 16] {
        vary(format!("min_clients {clients}"), &|s| s.min_clients = clients);
    }
    for rate in [0.1, 0.2, 0.3, 0.5, 1.0] {
        vary(format!("min_rate {rate}"), &|s| s.min_rate = rate);
    }
    for doublings in [1, 2] {
        for scales in SCALES {
            let name = format!(
                "{doublings} x {}",
                scales.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
            );
            vary(name, &|s| {
                s.doublings = doublings;
                s.scales = scales.iter().map(|scale| Duration::from_secs(*scale)).collect();
            });
        }
    }
    variants
}

const SCALES: [&[u64]; 14] = [
    &[1],
    &[5],
    &[10],
    &[20],
    &[30],
    &[60],
    &[1, 10, 60],
    &[1, 5, 30],
    &[5, 15, 60],
    &[1, 5, 15, 60],
    &[1, 5, 20, 60],
    &[1, 10, 30, 60],
    &[1, 10, 20, 60],
    &[1, 4, 12, 60],
];
