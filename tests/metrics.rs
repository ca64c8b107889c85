//! The one list of metrics is the truth: whatever the sources record is in it, with its kind and its labels.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{collections::BTreeMap, fs, path::Path};

use tower_flashback::telemetry::metric::{self, Kind, Metric};

/// Every source file below `src`, tests cut off.
fn sources() -> Vec<(String, String)> {
    let (mut folders, mut files) = (
        vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")],
        Vec::new(),
    );
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                files.push((path.display().to_string(), code));
            }
        }
    }
    files
}

/// The arguments of every call of a macro.
fn calls<'a>(code: &'a str, name: &str) -> Vec<Vec<&'a str>> {
    let begin = format!("{name}!(");
    // `describe_counter!` records nothing.
    code.match_indices(&begin)
        .filter(|(at, _)| !code[..*at].ends_with('_'))
        .map(|(at, _)| arguments(&code[at + begin.len()..]))
        .collect()
}

/// Splits at the commas that are in no bracket, up to the closing one.
fn arguments(code: &str) -> Vec<&str> {
    let (mut depth, mut from, mut found) = (0, 0, Vec::new());
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth > 0 => depth -= 1,
            b')' => {
                found.push(code[from..at].trim());
                return found;
            }
            b',' if depth == 0 => {
                found.push(code[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    panic!("a macro call that never ends");
}

/// What `const NAME: &str = "…"` says, for names that begin like a metric's.
fn names(files: &[(String, String)]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (file, code) in files {
        for line in code.lines().filter(|line| line.contains("&str = \"flashback_")) {
            let name = line.split("const ").nth(1).unwrap().split(':').next().unwrap();
            let value = line.split('"').nth(1).unwrap();
            assert!(metric::find(value).is_some(), "{file}: {value} is in no list");
            names.insert(name.to_owned(), value.to_owned());
        }
    }
    names
}

fn has_label(metric: &Metric, name: &str, value: Option<&str>) -> bool {
    metric
        .labels
        .iter()
        .any(|label| label.name == name && value.is_none_or(|value| label.values.contains(&value)))
}

#[test]
fn whatever_is_recorded_is_listed_with_its_kind_and_labels() {
    let files = sources();
    let names = names(&files);
    let mut recorded = 0;
    for (file, code) in &files {
        for (kind, is_kind) in [
            (
                "counter",
                (|kind| matches!(kind, Kind::Counter)) as fn(Kind) -> bool,
            ),
            ("gauge", |kind| matches!(kind, Kind::Gauge)),
            ("histogram", |kind| matches!(kind, Kind::Histogram(_))),
        ] {
            // A walk over the list itself is listed.
            for call in calls(code, kind)
                .into_iter()
                .filter(|call| call[0] != "metric.name")
            {
                let name = call[0]
                    .strip_prefix("metric::")
                    .unwrap_or_else(|| panic!("{file}: {} is no name of the list", call[0]));
                let value = names
                    .get(name)
                    .unwrap_or_else(|| panic!("{file}: {name} is not defined"));
                let metric = metric::find(value).unwrap();
                assert!(is_kind(metric.kind), "{file}: {value} is no {kind}");
                for label in call[1..].iter().filter(|argument| !argument.is_empty()) {
                    let (label, set) = label.split_once("=>").unwrap();
                    let (label, set) = (label.trim().trim_matches('"'), set.trim());
                    let literal = set.strip_prefix('"').map(|rest| rest.trim_end_matches('"'));
                    assert!(
                        has_label(metric, label, literal),
                        "{file}: {value} has no {label}={set}"
                    );
                }
                recorded += 1;
            }
        }
    }
    assert!(
        recorded > 20,
        "only {recorded} calls were found: the search is broken"
    );
}

/// The words in quotes of `impl Name { … as_str … }`.
fn words(files: &[(String, String)], file: &str, name: &str) -> Vec<String> {
    let (_, code) = files
        .iter()
        .find(|(path, _)| path.ends_with(file))
        .unwrap_or_else(|| panic!("no {file}"));
    let body = code
        .split(&format!("impl {name} {{"))
        .nth(1)
        .unwrap_or_else(|| panic!("{file}: no {name}"));
    let body = body
        .split("fn as_str")
        .nth(1)
        .unwrap()
        .split("\n    }\n")
        .next()
        .unwrap();
    body.split("=> \"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_values_of_labels_are_those_that_the_parts_have() {
    let files = sources();
    for (file, name, metric, label) in [
        ("layer/gate.rs", "Passed", metric::PASSED, "reason"),
        ("content/reason.rs", "Reason", metric::PASSED, "reason"),
        ("swarm/fault.rs", "PeerFault", metric::FAULTS, "kind"),
        ("crowd/state.rs", "State", metric::REQUESTS, "state"),
        ("crowd/state.rs", "State", metric::CROWD_CHANGES, "to"),
        ("crowd/state.rs", "Rule", metric::CROWD_CHANGES, "rule"),
    ] {
        let words = words(&files, file, name);
        assert!(
            words.len() > 2,
            "{file}: only {words:?} were found: the search is broken"
        );
        for word in words {
            assert!(
                has_label(metric::find(metric).unwrap(), label, Some(&word)),
                "{name}: {metric} has no {label}={word}"
            );
        }
    }
}

#[test]
fn whoever_is_turned_away_is_counted_under_a_listed_reason() {
    let metric = metric::find(metric::SHED).unwrap();
    for (file, code) in sources() {
        for call in code.split(" shed(\"").skip(1) {
            let reason = call.split('"').next().unwrap();
            assert!(has_label(metric, "reason", Some(reason)), "{file}: {reason}");
        }
    }
}
