//! What a simulation says in a terminal: a line for each load, and below what a doubling costs.

use tower_flashback::sim::Report;

use super::Point;

/// Seconds, but for kilobytes of the origin for each visitor, and the percentage saved.
pub(super) fn head(beside: bool) -> String {
    let beside = if beside { "   fluid   alone    fair" } else { "" };
    format!(
        "  load  visitors completed  median     p90     p99   bound  ratio origin KB saved % law 3 wrong wall s{beside}"
    )
}

pub(super) fn row(point: &Point) -> String {
    let report = &point.report;
    let mut row = format!(
        "{:>6} {:>9} {:>9} {:>7} {:>7} {:>7} {:>7.2} {:>6} {:>9.1} {:>7.1} {:>5} {:>5} {:>6.1}",
        (report.load * 100.0).round() / 100.0,
        report.visitors,
        report.completed,
        seconds(report.seconds.p50),
        seconds(report.seconds.p90),
        seconds(report.seconds.p99),
        report.bound_s,
        seconds(report.ratio),
        report.bytes.origin as f64 / 1e3 / report.visitors.max(1) as f64,
        report.saved * 100.0,
        report.law3_violations,
        report.wrong_bytes,
        report.wall_s,
    );
    if let Some(fluid) = &point.fluid {
        row += &format!(" {:>7}", seconds(fluid.p50));
    }
    if let Some(alone) = &point.alone {
        row += &format!(" {:>7}", seconds(alone.seconds.p50));
        let fair = point
            .fair
            .as_ref()
            .map_or_else(|| "-".to_owned(), |fair| seconds(fair.seconds.p50));
        row += &format!(" {fair:>7}");
    }
    row
}

/// Below the table: what is worth a sentence.
pub(super) fn remarks(points: &[Point]) -> Vec<String> {
    let mut remarks: Vec<String> = points.iter().flat_map(of_one).collect();
    remarks.extend(growth(points));
    remarks
}

fn of_one(point: &Point) -> Vec<String> {
    let report = &point.report;
    let mut remarks = Vec::new();
    if report.measured == 0 {
        remarks.push(format!(
            "load {}: nobody arrived at full load, so nobody was measured: leave --visitors out, or let them arrive otherwise",
            report.load
        ));
    }
    if let Some(selfish) = report.understating {
        let gain = ratio(selfish.p50, report.seconds.p50).map_or_else(String::new, |ratio| {
            format!(": it gains {:.1} %", (1.0 - ratio) * 100.0)
        });
        remarks.push(format!(
            "load {}: who understates its credit takes {} s, honest visitors {} s{gain}",
            report.load,
            seconds(selfish.p50),
            seconds(report.seconds.p50)
        ));
    }
    let cheats = &report.cheats;
    if cheats.accusations + cheats.renamed > 0 {
        remarks.push(format!(
            "load {}: {} accusations; the broker avoided {} who cheat and {} who do not; Sybils took {} new numbers",
            report.load, cheats.accusations, cheats.caught, cheats.slandered, cheats.renamed
        ));
    }
    if let Some(fair) = &point.fair
        && let Some(ratio) = ratio(report.seconds.p50, fair.seconds.p50)
    {
        remarks.push(format!(
            "load {}: cheats and churn cost honest visitors {:+.1} %",
            report.load,
            (ratio - 1.0) * 100.0
        ));
    }
    remarks
}

/// Seconds that the median grows by for each doubling of the load, from one to the next and in all.
fn growth(points: &[Point]) -> Vec<String> {
    let medians: Vec<(f64, f64)> = points
        .iter()
        .filter_map(|Point { report, .. }| Some((report.load, report.seconds.p50?)))
        .collect();
    let steps: Vec<String> = medians
        .windows(2)
        .filter_map(|pair| Some(format!("{:.2}", slope(pair[0], pair[1])?)))
        .collect();
    let (Some(first), Some(last)) = (medians.first(), medians.last()) else {
        return Vec::new();
    };
    let Some(all) = slope(*first, *last) else {
        return Vec::new();
    };
    let steps = if steps.len() > 1 {
        format!(" ({} s)", steps.join(", "))
    } else {
        String::new()
    };
    vec![format!(
        "a doubling of the load, from {} to {}, costs {all:.2} s{steps}",
        first.0, last.0
    )]
}

fn slope((load, median): (f64, f64), (next, later): (f64, f64)) -> Option<f64> {
    let doublings = (next / load).log2();
    (doublings.abs() > f64::EPSILON).then(|| (later - median) / doublings)
}

fn ratio(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    Some(one? / other?)
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| "never".to_owned(), |value| format!("{value:.2}"))
}

/// For JSON: what is beside a crowd.
pub(super) fn json(point: &Point) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(&point.report)?;
    for (name, report) in [("alone", &point.alone), ("fair", &point.fair)] {
        if let Some(report) = report {
            value[name] = serde_json::to_value(Beside::from(report))?;
        }
    }
    if let Some(fluid) = &point.fluid {
        value["fluid"] = serde_json::to_value(fluid)?;
    }
    serde_json::to_string(&value)
}

#[derive(serde::Serialize)]
struct Beside {
    completed: u64,
    seconds: tower_flashback::sim::Seconds,
    saved: f64,
}

impl From<&Report> for Beside {
    fn from(report: &Report) -> Self {
        Self {
            completed: report.completed,
            seconds: report.seconds,
            saved: report.saved,
        }
    }
}
