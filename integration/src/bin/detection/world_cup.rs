//! The World Cup 98 site as a whole, from its requests per minute: each crowd with its time, and the match that it came to.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use tower_flashback::crowd::{Change, Crowds, Settings, Sighting, SiteSettings, State};

/// Prints each crowd that the detector's defaults find, and how many it finds with settings around them.
pub(crate) fn run(folder: &Path) -> anyhow::Result<()> {
    let bytes = super::traces::unzip(&folder.join("worldcup98").join("per_minute_counts.csv.gz"))?;
    let text = String::from_utf8(bytes).context("per_minute_counts.csv is not text")?;
    let defaults = Settings::default().site;
    let crowds = replay(&text, &defaults)?;
    for crowd in &crowds {
        let game =
            kick_off(crowd.at).map_or_else(|| "no match".to_owned(), |time| format!("match of {time}"));
        println!(
            "{}  {:<16} scale {:>4.0?} rate {:>6.0}/s average {:>6.1}/s",
            date(crowd.at),
            game,
            crowd.scale,
            crowd.rate,
            crowd.average
        );
    }
    println!(
        "{} crowds in 88 days, {} at a match",
        crowds.len(),
        at_match(&crowds)
    );
    println!("\ncrowds and those at a match, with other settings of the site:");
    for scales in SCALES {
        for ratio in [3.0, 4.0, 5.0, 6.0, 8.0] {
            let mut site = defaults.clone();
            site.ratio = ratio;
            site.scales = scales
                .iter()
                .map(|minutes| Duration::from_secs(60 * minutes))
                .collect();
            let crowds = replay(&text, &site)?;
            println!(
                "ratio {ratio}, {:>20}: {:>3} {:>3}",
                format!("{scales:?} min"),
                crowds.len(),
                at_match(&crowds)
            );
        }
    }
    Ok(())
}

/// The changes of the site as a whole from calm to hot.
fn replay(text: &str, site: &SiteSettings) -> anyhow::Result<Vec<Change>> {
    let mut settings = Settings::default();
    settings.site = site.clone();
    // Counts have no clients.
    settings.site.min_audience = 0.0;
    settings.min_clients = 1;
    let (mut detector, mut found) = (None, Vec::new());
    for line in text.lines().skip(1) {
        let (now, count) = minute(line)?;
        let crowds: &Crowds = match &detector {
            Some(crowds) => crowds,
            None => detector.insert(Crowds::new(settings.clone(), now, 1)?),
        };
        crowds.tick(now);
        if count > 0 {
            let sighting = Sighting {
                host: "",
                path: "/",
                query: None,
                client: std::net::Ipv4Addr::LOCALHOST.into(),
                referrer: None,
            };
            crowds.observe_many(now, &sighting, count);
        }
        let hot =
            |change: &Change| change.key.is_site() && (change.from, change.to) == (State::Calm, State::Hot);
        found.extend(crowds.changes().into_iter().filter(hot));
    }
    Ok(found)
}

fn at_match(crowds: &[Change]) -> usize {
    crowds.iter().filter(|crowd| kick_off(crowd.at).is_some()).count()
}

fn minute(line: &str) -> anyhow::Result<(Duration, u32)> {
    let (minute, count) = line
        .split_once(',')
        .with_context(|| format!("'{line}' is not 'minute,count'"))?;
    let count = count
        .trim()
        .parse()
        .with_context(|| format!("'{line}' has no count"))?;
    Ok((
        humantime::parse_rfc3339_weak(minute)?.duration_since(UNIX_EPOCH)?,
        count,
    ))
}

/// The kick-off of the match that was about to begin, or under way.
fn kick_off(at: Duration) -> Option<String> {
    let date = date(at);
    let (day, time) = (date.get(5..10)?, minutes(date.get(11..16)?)?);
    let (_, kick_offs) = MATCHES.iter().find(|(dates, _)| dates.contains(day))?;
    let near = |kick_off: &&str| {
        minutes(kick_off).is_some_and(|begins| (begins - BEFORE..begins + DURING).contains(&time))
    };
    kick_offs.split(' ').find(near).map(str::to_owned)
}

fn minutes(time: &str) -> Option<i32> {
    let (hours, minutes) = time.split_once(':')?;
    Some(hours.parse::<i32>().ok()? * 60 + minutes.parse::<i32>().ok()?)
}

fn date(at: Duration) -> String {
    let time: SystemTime = UNIX_EPOCH + at;
    humantime::format_rfc3339_seconds(time)
        .to_string()
        .replace('T', " ")
}

/// Days of the tournament with their kick-offs, in French time, as the log has it.
const MATCHES: [(&str, &str); 5] = [
    ("06-10 06-11 06-16 06-17 06-18 06-19 06-22", "17:30 21:00"),
    ("06-12 06-13 06-14 06-15 06-20 06-21", "14:30 17:30 21:00"),
    ("06-23 06-24 06-25 06-26", "16:00 21:00"),
    ("06-27 06-28 06-29 06-30 07-03 07-04", "16:30 21:00"),
    ("07-07 07-08 07-11 07-12", "21:00"),
];
/// Sets of scales, in minutes.
const SCALES: [&[u64]; 5] = [
    &[30, 60],
    &[15, 30, 60],
    &[10, 30, 60],
    &[20, 60],
    &[1, 10, 30, 60],
];
/// Minutes before a kick-off in which its crowd gathers.
const BEFORE: i32 = 120;
/// Minutes that a match takes, with the break, extra time and what is read afterwards.
const DURING: i32 = 150;
