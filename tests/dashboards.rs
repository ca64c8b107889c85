//! What operators are given agrees with the one list of metrics: every query of every panel, rule and alert names what is
//! recorded, with labels and values that exist; every panel says its unit and what it means; every alert has its test and
//! its page of the runbook. Queries are read as text: enough for selectors and the labels of aggregations.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tower_flashback::telemetry::metric::{self, Kind, Metric};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap()
}

/// The rules of a file: what they record or alert on, and the query.
fn rules(path: &str, kind: &str) -> Vec<(String, String, Value)> {
    let yaml: Value = serde_norway::from_str(&text(path)).unwrap();
    let groups = yaml["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let word = |rule: &Value, key: &str| {
        rule[key]
            .as_str()
            .unwrap_or_else(|| panic!("{rule}: no {key}"))
            .to_owned()
    };
    rules
        .map(|rule| (word(rule, kind), word(rule, "expr"), rule.clone()))
        .collect()
}

/// File stem and contents of every dashboard.
fn dashboards() -> Vec<(String, Value)> {
    let mut found: Vec<_> = fs::read_dir(file("grafana/dashboards"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (
                stem,
                serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap(),
            )
        })
        .collect();
    found.sort_by(|one: &(String, Value), other| one.0.cmp(&other.0));
    found
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

fn queries(panel: &Value) -> Vec<&str> {
    let targets = panel["targets"].as_array().unwrap();
    targets
        .iter()
        .map(|target| target["expr"].as_str().unwrap())
        .collect()
}

/// Where a query stands, and the query.
fn all_queries() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (stem, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            let of_panel = queries(panel).into_iter().map(str::to_owned);
            all.extend(of_panel.map(|query| (format!("{stem}, {}", panel["title"]), query)));
        }
        for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
            all.extend(
                annotation["expr"]
                    .as_str()
                    .map(|query| (format!("{stem}, annotation"), query.to_owned())),
            );
        }
    }
    for (path, kind) in [("grafana/rules.yml", "record"), ("grafana/alerts.yml", "alert")] {
        all.extend(
            rules(path, kind)
                .into_iter()
                .map(|(name, query, _)| (name, query)),
        );
    }
    all
}

/// A name of a series in a query, and the matchers in braces behind it.
type Selector<'a> = (&'a str, Vec<(&'a str, &'a str, &'a str)>);

fn selectors(query: &str) -> Vec<Selector<'_>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(at) = rest.find("flashback") {
        let end = rest[at..]
            .find(|c| !is_name(c))
            .map_or(rest.len(), |length| at + length);
        let name = &rest[at..end];
        // `up{job="flashback"}` names a job and no series.
        let quoted = rest[..at].ends_with('"');
        rest = &rest[end..];
        if quoted {
            continue;
        }
        let braces = rest
            .strip_prefix('{')
            .map_or("", |inner| &inner[..inner.find('}').unwrap()]);
        found.push((name, matchers(braces)));
    }
    found
}

fn matchers(braces: &str) -> Vec<(&str, &str, &str)> {
    let matcher = |text| {
        let text: &str = text;
        let operator = ["=~", "!~", "!=", "="]
            .into_iter()
            .find(|operator| text.contains(operator))
            .unwrap();
        let (label, value) = text.split_once(operator).unwrap();
        (label, operator, value.trim_matches('"'))
    };
    braces
        .split(',')
        .filter(|text| !text.is_empty())
        .map(matcher)
        .collect()
}

/// The labels that a query sums by or matches on.
fn grouped(query: &str) -> Vec<&str> {
    let mut labels = Vec::new();
    for word in ["by (", "on ("] {
        for list in query.split(word).skip(1) {
            let list = list.split(')').next().unwrap();
            labels.extend(list.split(',').map(str::trim));
        }
    }
    labels
}

/// The metric of a series; a histogram is seen through its buckets, sum and count alone.
fn metric_of(series: &str) -> Option<(&'static Metric, bool)> {
    if let Some(metric) = metric::find(series) {
        return (!matches!(metric.kind, Kind::Histogram(_))).then_some((metric, false));
    }
    let (name, part) = series.rsplit_once('_')?;
    let metric = metric::find(name).filter(|metric| matches!(metric.kind, Kind::Histogram(_)))?;
    ["bucket", "sum", "count"]
        .contains(&part)
        .then_some((metric, part == "bucket"))
}

/// The labels of a series with their closed sets of values; those of Prometheus itself are open.
fn labels_of(
    series: &str,
    recorded: &BTreeMap<String, String>,
) -> Option<BTreeMap<String, Option<Vec<String>>>> {
    let mut labels = BTreeMap::from([("instance".to_owned(), None), ("job".to_owned(), None)]);
    if let Some(query) = recorded.get(series) {
        let inner: Vec<_> = selectors(query)
            .into_iter()
            .filter_map(|(name, _)| labels_of(name, recorded))
            .collect();
        for label in grouped(query) {
            let values = inner
                .iter()
                .find_map(|labels| labels.get(label))
                .cloned()
                .flatten();
            labels.insert(label.to_owned(), values);
        }
        return Some(labels);
    }
    let (metric, bucket) = metric_of(series)?;
    if bucket {
        labels.insert("le".to_owned(), None);
    }
    for label in metric.labels {
        let values = label.values.iter().map(|value| (*value).to_owned()).collect();
        labels.insert(label.name.to_owned(), Some(values));
    }
    Some(labels)
}

/// What is wrong with a query.
fn faults(query: &str, recorded: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut known = BTreeSet::from(["instance".to_owned(), "job".to_owned()]);
    for (series, matchers) in selectors(query) {
        let Some(labels) = labels_of(series, recorded) else {
            faults.push(format!("no series {series}"));
            continue;
        };
        for (label, operator, value) in matchers {
            match labels.get(label) {
                None => faults.push(format!("{series} has no label {label}")),
                Some(Some(values)) => {
                    let words = value.split('|').filter(|word| !has(values, operator, word));
                    faults.extend(words.map(|word| format!("{series}: {label} is never {word}")));
                }
                Some(None) => {}
            }
        }
        known.extend(labels.into_keys());
    }
    let strange = grouped(query).into_iter().filter(|label| !known.contains(*label));
    faults.extend(strange.map(|label| format!("nothing has the label {label}")));
    faults
}

fn has(values: &[String], operator: &str, word: &str) -> bool {
    match word.strip_suffix(".*") {
        Some(begin) if operator.ends_with('~') => values.iter().any(|value| value.starts_with(begin)),
        _ => values.iter().any(|value| value == word),
    }
}

fn recorded() -> BTreeMap<String, String> {
    rules("grafana/rules.yml", "record")
        .into_iter()
        .map(|(name, query, _)| (name, query))
        .collect()
}

#[test]
fn every_query_names_what_is_recorded() {
    let (recorded, queries) = (recorded(), all_queries());
    assert!(queries.len() > 50, "only {} queries were found", queries.len());
    for (at, query) in queries {
        assert!(
            !selectors(&query).is_empty() || query.starts_with("up{"),
            "{at}: {query} asks for nothing"
        );
        assert_eq!(faults(&query, &recorded), [""; 0], "{at}: {query}");
    }
}

#[test]
fn a_wrong_query_is_found() {
    let recorded = BTreeMap::from([(
        "flashback:bytes:rate1m".to_owned(),
        "sum by (source) (rate(flashback_bytes_total[1m]))".to_owned(),
    )]);
    for query in [
        "flashback_visitor",
        "flashback_punch_seconds",
        "flashback_visitors_count",
        "flashback:bytes:rate9m",
        "flashback_crowds{state=\"hot\"}",
        "flashback_requests_total{state=\"warm\"}",
        "flashback_shed_total{reason=~\"stun|stum\"}",
        "flashback_shed_total{reason=~\"cookie_.*\"}",
        "sum by (room) (flashback_visitors)",
        "flashback:bytes:rate1m{by=\"visitors\"}",
        "flashback:bytes:rate1m{source=\"peers\"}",
    ] {
        assert_eq!(faults(query, &recorded).len(), 1, "{query}");
    }
    let right = "sum by (le, instance) (flashback_page_seconds_bucket{depth=\"media\"}) / flashback:bytes:rate1m{source!=\"peer\"}";
    assert_eq!(faults(right, &recorded), [""; 0]);
}

#[test]
fn every_metric_is_shown() {
    let queries = all_queries();
    let named = |name: &str| queries.iter().any(|(_, query)| query.contains(name));
    let unseen: Vec<_> = metric::ALL
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !named(name))
        .collect();
    assert!(
        unseen.is_empty(),
        "recorded, but on no dashboard and in no rule: {unseen:?}"
    );
}

#[test]
fn every_dashboard_asks_a_question_and_can_be_read() {
    let dashboards = dashboards();
    assert_eq!(dashboards.len(), 3);
    for (stem, dashboard) in &dashboards {
        assert_eq!(dashboard["uid"], stem.as_str());
        assert!(dashboard["title"].as_str().unwrap().ends_with('?'), "{stem}");
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let names: Vec<_> = variables
            .iter()
            .map(|variable| variable["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["datasource", "instance"], "{stem}");
        let annotations = dashboard["annotations"]["list"].as_array().unwrap();
        let crowds = annotations
            .iter()
            .filter_map(|annotation| annotation["expr"].as_str());
        assert!(
            crowds
                .into_iter()
                .any(|query| query.contains(metric::CROWD_CHANGES)),
            "{stem}"
        );
        panels(dashboard)
            .iter()
            .for_each(|panel| panel_can_be_read(stem, panel));
        lie_apart(stem, panels(dashboard));
    }
}

fn panel_can_be_read(stem: &str, panel: &Value) {
    let at = format!("{stem}, {}", panel["title"]);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert!(!word(&panel["title"]).is_empty(), "{at}");
    assert!(
        word(&panel["description"]).ends_with('.'),
        "{at}: no sentence says what it means"
    );
    assert!(
        !word(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(),
        "{at}: no unit"
    );
    assert_eq!(panel["datasource"]["uid"], "${datasource}", "{at}");
    for target in panel["targets"].as_array().unwrap() {
        assert_eq!(target["datasource"]["uid"], "${datasource}", "{at}");
        assert!(
            word(&target["expr"]).contains("instance=~\"$instance\""),
            "{at}: not by instance"
        );
        assert!(!word(&target["legendFormat"]).is_empty(), "{at}: no legend");
    }
}

/// No panel covers another, none leaves Grafana's 24 columns, and no id is given twice.
fn lie_apart(stem: &str, panels: &[Value]) {
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        assert!(
            ids.insert(panel["id"].as_u64().unwrap()),
            "{stem}, {}",
            panel["title"]
        );
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + w <= 24, "{stem}, {}", panel["title"]);
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{stem}, {} covers another", panel["title"]);
        }
    }
}

#[test]
fn rules_are_named_by_thing_and_operation() {
    for name in recorded().keys() {
        assert!(
            name.starts_with("flashback:") && name.split(':').count() == 3,
            "{name}"
        );
    }
}

#[test]
fn every_alert_has_a_test_and_a_page_of_the_runbook() {
    let (runbook, tests) = (text("grafana/runbook.md"), text("grafana/tests/alerts.yml"));
    let tests: Value = serde_norway::from_str(&tests).unwrap();
    let cases = |alert: &str| -> Vec<usize> {
        let groups = tests["tests"].as_array().unwrap().iter();
        let cases = groups.flat_map(|group| group["alert_rule_test"].as_array().unwrap());
        let cases = cases.filter(|case| case["alertname"] == alert);
        cases
            .map(|case| case["exp_alerts"].as_array().unwrap().len())
            .collect()
    };
    let alerts = rules("grafana/alerts.yml", "alert");
    for (name, _, rule) in &alerts {
        assert!(
            runbook.contains(&format!("\n## {name}\n")),
            "{name}: no page of the runbook"
        );
        assert_eq!(
            rule["annotations"]["runbook_url"],
            format!(
                "{{{{ with $externalLabels.runbook }}}}{{{{ . }}}}{{{{ else }}}}runbook.md{{{{ end }}}}#{}",
                name.to_lowercase()
            )
        );
        assert!(
            ["info", "warning", "critical"]
                .map(Value::from)
                .contains(&rule["labels"]["severity"]),
            "{name}"
        );
        assert_eq!(cases(name), [0, 1], "{name}: silent first, firing then");
    }
    let pages: Vec<_> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    let names: Vec<_> = alerts.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(pages, names, "pages of the runbook, in the order of the alerts");
}

#[test]
fn the_containers_get_the_files_that_there_are() {
    let yaml = |path: &str| -> Value { serde_norway::from_str(&text(path)).unwrap() };
    let services = yaml("grafana/compose.yml")["services"].clone();
    // Where each container finds what of this folder.
    let mounts = |service: &str| -> BTreeMap<String, String> {
        let volumes = services[service]["volumes"].as_array().unwrap().iter();
        let parts = volumes.map(|volume| volume.as_str().unwrap().split(':').collect::<Vec<_>>());
        parts
            .map(|parts| {
                let [here, there, "ro"] = parts[..] else {
                    panic!("{parts:?} is not mounted read-only")
                };
                let here = here.replacen("./", "grafana/", 1);
                assert!(file(&here).exists(), "{here}");
                (there.to_owned(), here)
            })
            .collect()
    };
    let prometheus = mounts("prometheus");
    let config = services["prometheus"]["command"][0].as_str().unwrap();
    let config = config.strip_prefix("--config.file=").unwrap();
    let config = yaml(&prometheus[config]);
    for rules in config["rule_files"].as_array().unwrap() {
        let rules = format!("/etc/prometheus/{}", rules.as_str().unwrap());
        assert!(prometheus.contains_key(&rules), "{rules}");
    }
    // The job that alerts and dashboards speak of.
    assert_eq!(config["scrape_configs"][0]["job_name"], "flashback");

    let grafana = mounts("grafana");
    let provider = yaml("grafana/provisioning/dashboards/flashback.yml")["providers"][0].clone();
    let folder = provider["options"]["path"].as_str().unwrap();
    assert_eq!(grafana[folder], "grafana/dashboards");
    assert_eq!(grafana["/etc/grafana/provisioning"], "grafana/provisioning");
    let source = yaml("grafana/provisioning/datasources/prometheus.yml")["datasources"][0].clone();
    assert_eq!(
        source["url"], "http://prometheus:9090",
        "the service and its port"
    );
    for (service, value) in services.as_object().unwrap() {
        for port in value["ports"].as_array().unwrap() {
            let port = port.as_str().unwrap();
            assert!(
                port.starts_with("127.0.0.1:"),
                "{service}: {port} is open to the world"
            );
        }
        let image = value["image"].as_str().unwrap();
        let tag = image.split_once(':').map_or("", |(_, tag)| tag);
        assert!(!tag.is_empty() && tag != "latest", "{image} names no version");
    }
}

#[test]
fn the_manual_lists_every_metric_as_it_is() {
    let rows: Vec<_> = metric::ALL.iter().map(row).collect();
    let manual = text("docs/metrics.md");
    let listed: Vec<_> = manual
        .lines()
        .filter(|line| line.starts_with("| `flashback_"))
        .collect();
    assert!(listed == rows, "docs/metrics.md should say:\n{}", rows.join("\n"));
}

fn row(metric: &Metric) -> String {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
        _ => unreachable!("there are three kinds"),
    };
    let labels = metric.labels.iter().map(|label| match label.values.len() {
        0..=5 => format!("`{}`: {}", label.name, label.values.join(", ")),
        _ => format!("`{}` (below)", label.name),
    });
    let labels: Vec<_> = labels.collect();
    format!(
        "| `{}` | {kind} | {} | {} |",
        metric.name,
        labels.join("; "),
        metric.help
    )
}
