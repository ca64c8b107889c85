//! What was found, as a table for people and as JSON for programs.

use std::{collections::BTreeMap, io::Write, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use tower_flashback::crowd::Time;

use super::survey::{Findings, Record};

/// Prints the table, and what the second paper asks of a log.
pub(super) fn table(findings: &Findings, logs: &[PathBuf]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if findings.crowds.is_empty() {
        writeln!(out, "no crowd found")?;
    } else {
        let head = [
            "began",
            "delay s",
            "rule",
            "scale s",
            "peak/s",
            "average/s",
            "audience",
            "requests",
            "after",
        ];
        writeln!(
            out,
            "{:<20} {:>7} {:<6} {:>7} {:>8} {:>9} {:>8} {:>8} {:>8}  page",
            head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7], head[8]
        )?;
    }
    for record in &findings.crowds {
        let change = &record.change;
        writeln!(
            out,
            "{:<20} {:>7.1} {:<6} {:>7} {:>8.2} {:>9.3} {:>8.2} {:>8} {:>8}  {}{}",
            date(change.onset),
            record.delay().as_secs_f64(),
            change.rule.as_str(),
            change.scale.as_secs_f64(),
            record.peak,
            change.average,
            change.audience,
            record.requests(),
            record.after,
            change.key,
            from(record),
        )?;
    }
    questions(&mut out, &findings.crowds)?;
    let faults = &findings.faults;
    writeln!(
        out,
        "{} lines, {} bad, {} more than a minute late, {} pages tracked, {:.1} s",
        faults.lines,
        faults.bad,
        faults.late,
        findings.keys,
        findings.wall.as_secs_f64()
    )?;
    for (place, error) in &faults.first {
        let log = logs[place.log as usize].display();
        writeln!(out, "{log}, line {}: {error}", place.line)?;
    }
    Ok(())
}

/// Prints one object.
pub(super) fn json(findings: &Findings, logs: &[PathBuf]) {
    let faults = &findings.faults;
    let bad: Vec<Value> = faults
        .first
        .iter()
        .map(|(place, error)| {
            let log = logs[place.log as usize].display().to_string();
            json!({ "log": log, "line": place.line, "fault": error.to_string() })
        })
        .collect();
    let object = json!({
        "crowds": findings.crowds.iter().map(crowd).collect::<Vec<_>>(),
        "totals": {
            "lines": faults.lines,
            "bad_lines": faults.bad,
            "late_lines": faults.late,
            "keys": findings.keys,
            "wall_s": findings.wall.as_secs_f64(),
            "under_provisioned": SPIN_UPS.map(|spin_up| json!({
                "spin_up_s": spin_up.as_secs(),
                "share": under_provisioned(&findings.crowds, spin_up),
            })),
            "drivers": drivers(&findings.crowds).into_iter().map(|(host, share)| json!({ "host": host, "share": share })).collect::<Vec<_>>(),
        },
        "bad_lines": bad,
    });
    println!("{object}");
}

fn crowd(record: &Record) -> Value {
    let change = &record.change;
    let (greedy, shared) = record.sharing.savings();
    let referrers = change
        .referrers
        .iter()
        .map(|(host, share)| json!({ "host": host, "share": share }));
    json!({
        "key": change.key,
        "started": date(change.onset),
        "detected": date(change.at),
        "ended": record.ended.map(date),
        "delay_s": record.delay().as_secs_f64(),
        "rule": change.rule.as_str(),
        "scale_s": change.scale.as_secs_f64(),
        "peak_rate": record.peak,
        "average": change.average,
        "audience": change.audience,
        "referrers": referrers.collect::<Vec<_>>(),
        "requests": record.requests(),
        "requests_after": record.after,
        "objects": record.sharing.objects(),
        "saved": { "greedy": greedy, "cooperative": shared },
    })
}

/// The questions of Going Viral: spin-up, drivers, objects, cooperation.
fn questions(out: &mut impl Write, crowds: &[Record]) -> std::io::Result<()> {
    if crowds.is_empty() {
        return Ok(());
    }
    write!(out, "under-provisioned, if new servers take")?;
    for spin_up in SPIN_UPS {
        let share = 100.0 * under_provisioned(crowds, spin_up);
        write!(out, " {}: {share:.0} %;", humantime::format_duration(spin_up))?;
    }
    writeln!(out, " of the crowds")?;
    let drivers = drivers(crowds);
    let named: Vec<String> = drivers
        .iter()
        .take(5)
        .map(|(host, share)| format!("{host} {:.0} %", 100.0 * share))
        .collect();
    writeln!(
        out,
        "drivers: {}",
        if named.is_empty() {
            "none named".to_owned()
        } else {
            named.join(", ")
        }
    )?;
    let mut objects: Vec<usize> = crowds.iter().map(|record| record.sharing.objects()).collect();
    objects.sort_unstable();
    writeln!(
        out,
        "objects per crowd: median {}, most {}",
        objects[objects.len() / 2],
        objects[objects.len() - 1]
    )?;
    let requests: f64 = crowds
        .iter()
        .map(|record| record.sharing.requests() as f64)
        .sum::<f64>()
        .max(1.0);
    let weigh = |pick: fn((f64, f64)) -> f64| {
        crowds
            .iter()
            .map(|r| pick(r.sharing.savings()) * r.sharing.requests() as f64)
            .sum::<f64>()
            / requests
            * 100.0
    };
    let (greedy, shared) = (weigh(|savings| savings.0), weigh(|savings| savings.1));
    writeln!(
        out,
        "requests saved, once found: {greedy:.0} % by each visitor's own cache, {shared:.0} % by a shared one"
    )
}

/// The share of crowds that reach half of their peak before servers ordered at the onset are there.
fn under_provisioned(crowds: &[Record], spin_up: Duration) -> f64 {
    let late = crowds.iter().filter(|record| record.rise() < spin_up).count();
    late as f64 / crowds.len().max(1) as f64
}

/// Hosts that sent the crowds' visitors, with their shares of all crowds' requests.
fn drivers(crowds: &[Record]) -> Vec<(&str, f64)> {
    let mut hosts = BTreeMap::<&str, f64>::new();
    let total: f64 = crowds
        .iter()
        .map(|record| record.requests() as f64)
        .sum::<f64>()
        .max(1.0);
    for record in crowds {
        for (host, share) in &record.change.referrers {
            *hosts.entry(host).or_default() += share * record.requests() as f64 / total;
        }
    }
    let mut hosts: Vec<_> = hosts.into_iter().collect();
    hosts.sort_by(|a, b| b.1.total_cmp(&a.1));
    hosts
}

fn from(record: &Record) -> String {
    let first = record.change.referrers.first();
    first
        .map(|(host, share)| format!("  ({host} {:.0} %)", 100.0 * share))
        .unwrap_or_default()
}

fn date(time: Time) -> String {
    let time = std::time::UNIX_EPOCH + time;
    humantime::format_rfc3339_seconds(time).to_string()
}

/// What the paper asks: a process, a virtual machine, a human.
const SPIN_UPS: [Duration; 3] = [
    Duration::from_secs(10),
    Duration::from_secs(60),
    Duration::from_secs(600),
];
