//! `flashback simulate`: what would a crowd cost this origin, and how long would its visitors wait?
//!
//! | file | what |
//! |---|---|
//! | `flags` | the crowd as flags |
//! | `log` | when the visitors of a log came |
//! | `progress` | how far it is |
//! | `table`, `plot` | the table and the JSON, the picture |

mod flags;
mod log;
mod plot;
mod progress;
mod table;

use std::time::Instant;

use tower_flashback::sim::{self, Report, Scenario, Seconds};

pub(super) use self::flags::Simulate;
use super::picture::Picture;

/// A crowd, and what is beside it.
struct Point {
    report: Report,
    /// The origin alone.
    alone: Option<Report>,
    /// The same crowd without cheats and churn, if there were any.
    fair: Option<Report>,
    /// The same crowd as a fluid.
    fluid: Option<Seconds>,
}

pub(super) fn run(arguments: &Simulate) -> anyhow::Result<()> {
    let scenarios = arguments.scenarios()?;
    let picture = arguments.plot.as_deref().map(Picture::at).transpose()?;
    if !arguments.json {
        println!("{}", table::head(arguments.beside));
    }
    let mut points = Vec::new();
    for scenario in &scenarios {
        let point = point(scenario, arguments);
        if arguments.json {
            println!("{}", table::json(&point)?);
        } else {
            println!("{}", table::row(&point));
        }
        points.push(point);
    }
    if !arguments.json {
        table::remarks(&points)
            .iter()
            .for_each(|remark| println!("{remark}"));
    }
    if let Some(picture) = picture {
        picture.write(&plot::draw(&points)?)?;
    }
    Ok(())
}

fn point(scenario: &Scenario, arguments: &Simulate) -> Point {
    let report = timed("", scenario);
    let drawn = arguments.plot.is_some();
    let alone = (arguments.beside || drawn).then(|| {
        let mut alone = scenario.clone();
        alone.origin_only = true;
        timed("alone", &alone)
    });
    let fair = (arguments.beside && !scenario.is_fair()).then(|| timed("fair", &scenario.fair()));
    let fluid = (arguments.beside || drawn).then(|| sim::fluid(scenario));
    Point {
        report,
        alone,
        fair,
        fluid,
    }
}

fn timed(what: &str, scenario: &Scenario) -> Report {
    let start = Instant::now();
    let mut report = progress::watched(what, scenario);
    report.wall_s = start.elapsed().as_secs_f64();
    report
}
