//! `flashback replay`: would this site have had a crowd? Shows access logs to the detector and tells what it found.
//!
//! | file | what |
//! |---|---|
//! | `settings` | the detector's settings as flags |
//! | `read` | the lines of one log, decompressed |
//! | `merge` | several logs as one, progress |
//! | `order` | lines that are up to a minute late, put in order |
//! | `faults` | lines that are no requests |
//! | `survey` | the detector's run, and what is learnt about each crowd |
//! | `sharing` | what visitors who share would have saved |
//! | `report`, `plot` | the table, the JSON, the picture |

mod faults;
mod merge;
mod order;
mod plot;
mod read;
mod report;
mod settings;
mod sharing;
mod survey;

use std::{path::PathBuf, time::Instant};

use clap::Args;

pub(super) use self::read::Log;
use self::{faults::Faults, merge::Merge, order::Order, survey::Survey};
use super::picture::Picture;

/// Find the crowds in access logs: would this site have had one?
///
/// Common and Combined logs, plain, .gz or .zst, in any number and order; lines up to a minute out of order within each.
#[derive(Args, Debug)]
pub(super) struct Replay {
    /// Access logs; - is standard input.
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// Print one JSON object instead of the table.
    #[arg(long)]
    json: bool,
    /// Draw rates and states over time.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    settings: settings::Flags,
}

pub(super) fn run(arguments: Replay) -> anyhow::Result<()> {
    let settings = arguments.settings.settings()?;
    let picture = arguments.plot.as_deref().map(Picture::at).transpose()?;
    let begun = Instant::now();
    let mut survey = Survey::new(settings);
    let mut order = Order::default();
    let mut merge = Merge::of(&arguments.logs)?;
    while let Some(log) = merge.next()? {
        order.add(log.place, log.time, &log.line, |lines| survey.add(lines));
    }
    let (lines, broken) = merge.finish();
    let faults = Faults {
        lines,
        broken,
        ..order.finish(|lines| survey.add(lines))
    };
    let findings = survey.finish(faults, begun.elapsed());
    if let Some(picture) = picture {
        picture.write(&plot::draw(&findings)?)?;
    }
    if arguments.json {
        report::json(&findings, &arguments.logs);
    } else {
        report::table(&findings, &arguments.logs)?;
    }
    // What was read is told all the same.
    match findings.faults.broken.first() {
        Some(broken) => Err(anyhow::anyhow!("{broken}")),
        None => Ok(()),
    }
}
