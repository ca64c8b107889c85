//! The recorder of metrics, which only a binary may install: a library cannot know who else records.

use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tower_flashback::telemetry::metric::{self, Kind};

/// Installs it, with the buckets of the one list, and keeps it tidy.
pub(super) fn install() -> anyhow::Result<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for metric in metric::ALL {
        if let Kind::Histogram(buckets) = metric.kind {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
                .with_context(|| format!("cannot set the buckets of {}", metric.name))?;
        }
    }
    let handle = builder
        .install_recorder()
        .context("cannot install the metrics recorder")?;
    metric::describe();
    tokio::spawn(upkeep(handle.clone()));
    Ok(handle)
}

/// Observations wait in a list until they are drained into their buckets; without this the list grows between scrapes.
async fn upkeep(handle: PrometheusHandle) {
    let mut tick = tokio::time::interval(UPKEEP);
    loop {
        tick.tick().await;
        handle.run_upkeep();
    }
}

/// What the recorder's own listener would use.
const UPKEEP: Duration = Duration::from_secs(5);
