//! How far a long simulation is, on a terminal's standard error and nowhere else.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tower_flashback::sim::{Glance, Report, Scenario, simulate_watched};

/// Simulates, and shows how far it is.
pub(super) fn watched(what: &str, scenario: &Scenario) -> Report {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::with_draw_target(scenario.visitors.map(u64::from), ProgressDrawTarget::stderr())
    } else {
        ProgressBar::hidden()
    };
    bar.set_style(style(scenario.visitors.is_some()));
    bar.set_prefix(format!("load {:.3} {what}", scenario.load()));
    let report = simulate_watched(scenario, |glance: Glance| {
        bar.set_position(glance.completed);
        bar.set_message(format!(
            "{} arrived, {} there, after {:.1} s of theirs",
            glance.arrived,
            glance.present,
            glance.now.as_secs_f64()
        ));
    });
    bar.finish_and_clear();
    report
}

fn style(bounded: bool) -> ProgressStyle {
    let template = if bounded {
        "{prefix} {bar:30} {pos}/{len} have the page; {msg} [{elapsed}]"
    } else {
        "{prefix} {spinner} {pos} have the page; {msg} [{elapsed}]"
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
