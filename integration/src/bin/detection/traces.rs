//! Labelled click traces: the clicks of each file, and the events that someone found in them.

use std::{collections::HashMap, fs, io::Read, path::Path, time::Duration};

use anyhow::Context;
use flate2::read::GzDecoder;
use tower_flashback::crowd::log::{Line, text};

/// One file of clicks and its events.
pub(crate) struct Trace {
    /// In order of time.
    pub(crate) clicks: Vec<Click>,
    pub(crate) events: Vec<Event>,
}

pub(crate) struct Click {
    pub(crate) time: Duration,
    /// Path and query, as the labels have it.
    pub(crate) page: String,
    pub(crate) client: std::net::IpAddr,
    pub(crate) referrer: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) page: String,
    pub(crate) label: String,
    /// Clicks in each minute of the file.
    pub(crate) counts: Vec<u32>,
    pub(crate) onset: Option<usize>,
}

impl Trace {
    /// The first click of an event's onset: of the labelled minute or after it.
    pub(crate) fn onset(&self, event: &Event) -> Option<Duration> {
        let start = self.clicks.first()?.time;
        let from = start + Duration::from_secs(60) * u32::try_from(event.onset?).ok()?;
        self.clicks
            .iter()
            .find(|click| click.time >= from && click.page == event.page)
            .map(|click| click.time)
    }
}

/// Reads a folder of traces.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Vec<Trace>> {
    let mut events = labels(&folder.join("events.tsv"))?;
    let clicks = folder.join("clicks");
    let mut names: Vec<String> = fs::read_dir(&clicks)
        .with_context(|| format!("{} cannot be read", clicks.display()))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<anyhow::Result<_>>()?;
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let clicks = file(&clicks.join(&name))?;
            let events = events.remove(&name).unwrap_or_default();
            Ok(Trace { clicks, events })
        })
        .collect()
}

/// Decompresses a file whole: traces are megabytes.
pub(crate) fn unzip(path: &Path) -> anyhow::Result<Vec<u8>> {
    let file = fs::File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    let mut bytes = Vec::new();
    GzDecoder::new(file)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{} is no gzip", path.display()))?;
    Ok(bytes)
}

fn file(path: &Path) -> anyhow::Result<Vec<Click>> {
    let bytes = unzip(path)?;
    let mut clicks: Vec<Click> = bytes.split(|byte| *byte == b'\n').filter_map(click).collect();
    clicks.sort_by_key(|click| click.time);
    Ok(clicks)
}

fn click(line: &[u8]) -> Option<Click> {
    let line = text(line);
    let line = Line::parse(&line).ok()?;
    let query = line.query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(Click {
        time: line.time,
        page: format!("{}{query}", line.path),
        client: line.client,
        referrer: line.referrer.map(str::to_owned),
    })
}

fn labels(path: &Path) -> anyhow::Result<HashMap<String, Vec<Event>>> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut files = HashMap::<String, Vec<Event>>::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [file, page, label, _, _, onset, _, _, _, counts] = fields[..] else {
            anyhow::bail!("{}: not ten fields: {line}", path.display());
        };
        files.entry(file.to_owned()).or_default().push(Event {
            page: page.to_owned(),
            label: label.to_owned(),
            counts: counts.split(',').filter_map(|count| count.parse().ok()).collect(),
            onset: onset.parse().ok(),
        });
    }
    Ok(files)
}
