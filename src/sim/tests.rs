//! What every simulated crowd must show, however small.

use std::time::Duration;

use super::*;
use crate::unit::BitRate;

mod cheats;
mod random;

pub(super) fn crowd(load: f64) -> Scenario {
    Scenario {
        load,
        visitors: Some(120),
        arrivals: Arrivals::Poisson,
        ..Scenario::default()
    }
}

/// Plays it, and sees to what no crowd may break.
pub(super) fn played(scenario: &Scenario) -> Report {
    let report = simulate(scenario);
    assert_eq!(
        (report.law3_violations, report.wrong_bytes),
        (0, 0),
        "{scenario:?}"
    );
    report
}

pub(super) fn median(report: &Report) -> f64 {
    report.seconds.p50.expect("half of them have the page")
}

#[test]
fn the_same_seed_is_the_same_crowd() {
    let hard = Scenario {
        loss: 0.02,
        mix: "0.5mbit:0.5,2mbit:0.5".parse().ok(),
        dwell: "weibull:0.7:2s".parse().expect("a dwell"),
        symmetric: 0.2,
        sybils: 0.1,
        ..crowd(8.0)
    };
    let json = |scenario: &Scenario| serde_json::to_string(&simulate(scenario)).expect("a report is JSON");
    for scenario in [crowd(8.0), hard] {
        let first = json(&scenario);
        assert_eq!(first, json(&scenario));
        let other = Scenario { seed: 2, ..scenario };
        assert_ne!(first, json(&other));
    }
}

#[test]
fn whoever_watches_changes_nothing_and_sees_it_grow() {
    let mut glances = Vec::new();
    let watched = simulate_watched(&crowd(8.0), |glance| glances.push(glance));
    assert_eq!(watched.messages, simulate(&crowd(8.0)).messages);
    assert!(glances.len() > 1, "{glances:?}");
    assert!(glances.is_sorted_by_key(|glance| (glance.now, glance.arrived, glance.completed)));
}

#[test]
fn the_origin_alone_melts_down_where_the_crowd_carries() {
    let alone = played(&Scenario {
        origin_only: true,
        ..crowd(8.0)
    });
    let carried = played(&crowd(8.0));
    assert!(alone.seconds.p50 > carried.seconds.p50, "{alone:?} {carried:?}");
    assert!(alone.saved < 0.0, "headers are counted: {}", alone.saved);
}

#[test]
fn an_origin_that_may_send_less_saves_more_and_takes_longer() {
    let crowd = crowd(8.0);
    let within = |budget| {
        played(&Scenario {
            budget: Some(BitRate::from_bits_per_second(budget)),
            ..crowd.clone()
        })
    };
    let (all, half) = (played(&crowd), within(5_000_000));
    assert!(median(&half) > median(&all), "{half:?} {all:?}");
    let sent = |report: &Report| (report.bytes.pages + report.bytes.seeds + report.bytes.spare) as f64;
    // The crowd is there for a tenth longer.
    let share = sent(&half) / sent(&all);
    assert!((0.5..0.6).contains(&share), "{share}");
    // All of the uplink is what is meant when nothing is said.
    let full = sent(&within(10_000_000)) / sent(&all);
    assert!((0.97..1.03).contains(&full), "{full}");
}

#[test]
fn what_is_lost_is_sent_again_counted_and_takes_longer() {
    let (dry, wet) = (
        played(&crowd(8.0)),
        played(&Scenario {
            loss: 0.03,
            ..crowd(8.0)
        }),
    );
    assert_eq!((dry.bytes.again, wet.completed), (0, 120));
    let share = wet.bytes.again as f64 / wet.bytes.peer_wire as f64;
    assert!((0.015..0.045).contains(&share), "{share}");
    assert!(median(&wet) > median(&dry), "{} {}", median(&wet), median(&dry));
    // A channel is ordered: a block that overtook the one before it would be a fault of its giver.
    assert!(
        !wet.faults.contains_key("order") && !wet.faults.contains_key("unasked"),
        "{:?}",
        wet.faults
    );
}

#[test]
fn uplinks_differ_and_their_mean_is_the_bound() {
    let same = Scenario {
        mix: "1mbit:0.5,1mbit:0.5".parse().ok(),
        ..crowd(8.0)
    };
    let mixed = Scenario {
        mix: "0.2mbit:0.5,1.8mbit:0.5".parse().ok(),
        ..crowd(8.0)
    };
    assert_eq!(mixed.mean_up(), BitRate::from_bits_per_second(1_000_000));
    assert!((mixed.bound() - crowd(8.0).bound()).abs() < 1e-9);
    let (same, mixed) = (played(&same), played(&mixed));
    assert_eq!((same.completed, mixed.completed), (120, 120));
    // Those with the slow uplinks pay with time for what they cannot give.
    let spread = |report: &Report| report.seconds.p90.expect("nearly all have it") / median(report);
    assert!(spread(&mixed) > spread(&same), "{mixed:?} {same:?}");
}

#[test]
fn who_stays_gives_on_and_a_weibull_crowd_stays() {
    let gone = played(&crowd(8.0));
    let stays = |dwell: &str| {
        played(&Scenario {
            dwell: dwell.parse().expect("a dwell"),
            ..crowd(8.0)
        })
    };
    for dwell in ["10s", "weibull:0.7:10s"] {
        let report = stays(dwell);
        assert_eq!(report.completed, 120);
        assert!(median(&report) < median(&gone), "{dwell}: {report:?} {gone:?}");
        assert!(report.bound_s < gone.bound_s);
    }
}

#[test]
fn visitors_come_when_a_log_says() {
    // One each second, and after a silence that is longer than anybody's patience three at once.
    let times: Vec<u64> = (0..20).chain([900, 900, 900]).collect();
    let scenario = Scenario {
        arrivals: Arrivals::Log(times.into_iter().map(Duration::from_secs).collect()),
        visitors: None,
        ..crowd(8.0)
    };
    let report = played(&scenario);
    assert_eq!((report.visitors, report.completed, report.measured), (23, 23, 23));
    assert!(
        (scenario.rate() - 20.0 / 60.0).abs() < 1e-9,
        "the busiest minute: {}",
        scenario.rate()
    );
    assert!(
        (report.load - scenario.rate() * 0.8).abs() < 1e-9,
        "1 MB at 10 Mbit/s take 0.8 s"
    );
    let few = Scenario {
        visitors: Some(5),
        ..scenario
    };
    assert_eq!(played(&few).visitors, 5);
    let disorder = [2, 1].map(Duration::from_secs);
    for (times, fault) in [
        (disorder.as_slice(), ScenarioError::Disorder),
        (&[], ScenarioError::Nobody),
    ] {
        let scenario = Scenario {
            arrivals: Arrivals::Log(times.into()),
            ..crowd(8.0)
        };
        assert_eq!(scenario.check(), Err(fault));
    }
}

#[test]
fn symmetric_nats_meet_nobody_of_their_kind() {
    let nats = |symmetric| Scenario {
        symmetric,
        unreachable: 0.0,
        ..crowd(8.0)
    };
    let (open, some, all) = (played(&nats(0.0)), played(&nats(0.4)), played(&nats(1.0)));
    assert_eq!((open.completed, some.completed), (120, 120));
    assert!(
        all.bytes.peer == 0 && all.bytes.origin > 2 * some.bytes.origin,
        "{all:?}"
    );
    assert!(median(&some) >= median(&open) * 0.97, "{some:?} {open:?}");
}

#[test]
fn neighbours_introduce_when_the_broker_is_dead() {
    let dead = Scenario {
        broker_dies: Some(Duration::from_secs(10)),
        dwell: Duration::from_secs(60).into(),
        ..crowd(4.0)
    };
    let (dead, alive) = (
        played(&dead),
        played(&Scenario {
            broker_dies: None,
            ..dead.clone()
        }),
    );
    assert!(dead.signals.broker < alive.signals.broker, "{dead:?} {alive:?}");
    assert!(dead.signals.peer > 0);
    assert_eq!(
        dead.completed, 120,
        "the origin sends to whom the broker cannot introduce"
    );
}

#[test]
fn at_depth_media_the_text_comes_first_and_from_the_origin() {
    let media = Scenario {
        own: Depth::Media.own(),
        ..crowd(4.0)
    };
    let (media, page) = (played(&media), played(&crowd(4.0)));
    assert!(media.bytes.pages > 2 * page.bytes.pages, "{media:?} {page:?}");
    assert!(media.first.p90 < media.seconds.p50, "{media:?}");
    let alone = played(&Scenario {
        origin_only: true,
        ..crowd(4.0)
    });
    assert!(media.first.p50 < alone.seconds.p50);
}

#[test]
fn what_cannot_be_simulated_is_named() {
    let scenario = |change: fn(&mut Scenario)| {
        let mut scenario = crowd(4.0);
        change(&mut scenario);
        scenario.check().expect_err("it cannot be").to_string()
    };
    for (text, named) in [
        (scenario(|scenario| scenario.loss = 0.6), "0.6"),
        (scenario(|scenario| scenario.loss = f64::NAN), "NaN"),
        (scenario(|scenario| scenario.sybils = -0.1), "sybils"),
        (scenario(|scenario| scenario.symmetric = 1.5), "symmetric"),
        (
            scenario(|scenario| (scenario.liars, scenario.understating) = (0.6, 0.6)),
            "1.2",
        ),
        (scenario(|scenario| scenario.visitors = Some(0)), "at least one"),
    ] {
        assert!(text.contains(named), "{text}");
    }
}
