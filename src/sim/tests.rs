//! What every simulated crowd must show, however small.

use super::*;

fn crowd(load: f64) -> Scenario {
    Scenario {
        load,
        visitors: Some(120),
        arrivals: Arrivals::Poisson,
        ..Scenario::default()
    }
}

#[test]
fn the_same_seed_is_the_same_crowd() {
    let first = simulate(&crowd(8.0));
    let json = |report: &Report| serde_json::to_string(report).expect("a report is JSON");
    assert_eq!(json(&first), json(&simulate(&crowd(8.0))));
    let other = Scenario {
        seed: 2,
        ..crowd(8.0)
    };
    assert_ne!(json(&first), json(&simulate(&other)));
}

#[test]
fn everybody_gets_the_page_and_law_3_holds_even_among_cheats() {
    let scenario = Scenario {
        free_riders: 0.2,
        liars: 0.1,
        churn: 0.3,
        ..crowd(8.0)
    };
    for scenario in [crowd(2.0), crowd(8.0), scenario] {
        let report = simulate(&scenario);
        assert_eq!((report.law3_violations, report.wrong_bytes), (0, 0));
        assert_eq!(report.visitors, 120);
        assert!(report.seconds.p99.is_some(), "{report:?}");
        // No visitor is faster than the bound, or the bytes were not counted.
        assert!(report.seconds.p50 > Some(report.bound_s), "{report:?}");
    }
}

#[test]
fn liars_are_found_out() {
    let report = simulate(&Scenario {
        liars: 0.1,
        ..crowd(8.0)
    });
    assert!(report.faults.contains_key("digest"), "{:?}", report.faults);
}

#[test]
fn the_origin_alone_melts_down_where_the_crowd_carries() {
    let alone = simulate(&Scenario {
        origin_only: true,
        ..crowd(8.0)
    });
    let carried = simulate(&crowd(8.0));
    assert!(alone.seconds.p50 > carried.seconds.p50, "{alone:?} {carried:?}");
    assert!(alone.saved < 0.0, "headers are counted: {}", alone.saved);
}
