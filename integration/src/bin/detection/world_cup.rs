//! The World Cup 98 site as a whole, from its requests per minute.

use std::{path::Path, time::Duration};

use anyhow::Context;
use tower_flashback::crowd::{Crowds, Settings, Sighting};

/// Prints each change of the site's state with its time.
pub(crate) fn run(folder: &Path) -> anyhow::Result<()> {
    let bytes = super::traces::unzip(&folder.join("worldcup98").join("per_minute_counts.csv.gz"))?;
    let text = String::from_utf8(bytes).context("per_minute_counts.csv is not text")?;
    for ratio in [3.0, 5.0, 10.0, 20.0] {
        println!("ratio {ratio}");
        replay(&text, ratio)?;
    }
    Ok(())
}

fn replay(text: &str, ratio: f64) -> anyhow::Result<()> {
    let mut settings = Settings::default();
    settings.scales = [1, 5, 15]
        .map(|minutes| Duration::from_secs(60 * minutes))
        .to_vec();
    settings.ratio = ratio;
    // Counts have no clients.
    (settings.min_audience, settings.min_clients) = (0.0, 1);
    let mut crowds = None;
    for line in text.lines().skip(1) {
        let (minute, count) = line
            .split_once(',')
            .with_context(|| format!("'{line}' is not 'minute,count'"))?;
        let now = humantime::parse_rfc3339_weak(minute)?.duration_since(std::time::UNIX_EPOCH)?;
        let count: u32 = count
            .trim()
            .parse()
            .with_context(|| format!("'{line}' has no count"))?;
        let crowds: &Crowds = match &crowds {
            Some(crowds) => crowds,
            None => crowds.insert(Crowds::new(settings.clone(), now, 1)?),
        };
        crowds.tick(now);
        if count > 0 {
            let client = std::net::Ipv4Addr::LOCALHOST.into();
            crowds.observe_many(
                now,
                &Sighting {
                    host: "",
                    path: "/",
                    query: None,
                    client,
                    referrer: None,
                },
                count,
            );
        }
        for change in crowds.changes().iter().filter(|change| !change.key.is_site()) {
            println!(
                "  {minute} {:<8} {:<8} scale {:>4.0?} rate {:>6.0}/s average {:>6.1}/s",
                change.to.as_str(),
                change.rule.as_str(),
                change.scale,
                change.rate,
                change.average
            );
        }
    }
    Ok(())
}
