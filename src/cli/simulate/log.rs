//! When the visitors of a log came: each request for one path is one. A file of seconds is read as well, for crowds that
//! stand in no access log.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use indicatif::ProgressBar;
use tower_flashback::crowd::{Time, log::Line};

use super::super::{failure::Usage, replay::Log};

/// The times of the visitors, from the first on.
pub(super) fn times(file: &Path, path: Option<&str>) -> anyhow::Result<Arc<[Duration]>> {
    let (mut seconds, mut requests, mut lines) = (Vec::new(), HashMap::<String, Vec<Time>>::new(), 0_u64);
    let mut log = Log::open(0, file, &ProgressBar::hidden())?;
    while log
        .advance()
        .with_context(|| format!("{} cannot be read", file.display()))?
    {
        lines += 1;
        let text = String::from_utf8_lossy(&log.line);
        if let Ok(second) = text.trim().parse::<f64>() {
            let span = Duration::try_from_secs_f64(second);
            seconds.push(span.map_err(|_| Usage(format!("line {lines}: {second} is no time in seconds")))?);
        } else if let Ok(line) = Line::parse(&text)
            && line.method == "GET"
            && path.is_none_or(|path| line.path == path)
        {
            match requests.get_mut(line.path) {
                Some(times) => times.push(line.time),
                None => drop(requests.insert(line.path.to_owned(), vec![line.time])),
            }
        }
    }
    let most = requests.into_iter().max_by(|one, other| {
        let rank = |(path, times): &(String, Vec<Time>)| (times.len(), std::cmp::Reverse(path.clone()));
        rank(one).cmp(&rank(other))
    });
    let mut times = match most {
        Some((path, times)) if seconds.is_empty() => {
            eprintln!("flashback: {} requests for {path}", times.len());
            spread(times)
        }
        _ => seconds,
    };
    if times.is_empty() {
        let what = path.map_or_else(String::new, |path| format!(" for {path}"));
        return Err(Usage(format!("{} has no request{what}", file.display())).into());
    }
    times.sort_unstable();
    let first = times[0];
    Ok(times.into_iter().map(|time| time - first).collect())
}

/// Logs tell the second: those of one are spread over it.
fn spread(mut times: Vec<Time>) -> Vec<Duration> {
    times.sort_unstable();
    let seconds = times.chunk_by(|one, other| one == other);
    let within = |second: &[Time]| {
        let (start, count) = (second[0], second.len() as u32);
        (0..count)
            .map(move |index| start + Duration::from_secs(1) * index / count)
            .collect::<Vec<_>>()
    };
    seconds.flat_map(within).collect()
}
