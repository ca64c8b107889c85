//! Crowds in which some do not play fair: what they gain, what they cost, and that the laws hold.

use super::*;

#[test]
fn everybody_gets_the_page_and_law_3_holds_even_among_cheats() {
    let scenario = Scenario {
        free_riders: 0.2,
        liars: 0.1,
        churn: 0.3,
        ..crowd(8.0)
    };
    for scenario in [crowd(2.0), crowd(8.0), scenario] {
        let report = played(&scenario);
        assert_eq!(report.visitors, 120);
        assert!(report.seconds.p99.is_some(), "{report:?}");
        // No visitor is faster than the bound, or the bytes were not counted.
        assert!(report.seconds.p50 > Some(report.bound_s), "{report:?}");
    }
}

#[test]
fn liars_are_found_out() {
    let report = played(&Scenario {
        liars: 0.1,
        ..crowd(8.0)
    });
    assert!(report.faults.contains_key("digest"), "{:?}", report.faults);
    assert!(report.cheats.caught > 0, "{:?}", report.cheats);
}

#[test]
fn slander_is_counted_and_starves_nobody() {
    let liars = Scenario {
        liars: 0.15,
        ..crowd(8.0)
    };
    let slander = Scenario {
        slander: true,
        ..liars.clone()
    };
    let (liars, slander) = (played(&liars), played(&slander));
    assert!(
        slander.cheats.accusations > liars.cheats.accusations,
        "{slander:?} {liars:?}"
    );
    assert!(slander.seconds.p99.is_some(), "{slander:?}");
}

#[test]
fn sybils_come_again_until_they_have_the_page_and_the_honest_have_theirs() {
    let with = |sybils, free_riders| {
        played(&Scenario {
            sybils,
            free_riders,
            load: 16.0,
            ..crowd(16.0)
        })
    };
    let (sybils, riders) = (with(0.3, 0.0), with(0.0, 0.3));
    assert!(
        sybils.cheats.renamed > 0 && riders.cheats.renamed == 0,
        "{sybils:?}"
    );
    assert_eq!(sybils.visitors, 120, "a new number is no new visitor");
    assert!(sybils.seconds.p99.is_some(), "{sybils:?}");
    // What they brought along is not counted as carried a second time.
    assert!(sybils.saved < 1.0 && sybils.bytes.origin > 0);
}

#[test]
fn who_understates_its_credit_is_measured_apart() {
    let report = played(&Scenario {
        understating: 0.3,
        ..crowd(8.0)
    });
    let selfish = report
        .understating
        .expect("three in ten")
        .p50
        .expect("they have the page");
    assert!(report.measured < 120 && report.completed == 120, "{report:?}");
    // It gives all the same, and so is served about as well.
    assert!(
        (0.7..1.3).contains(&(selfish / median(&report))),
        "{selfish} {report:?}"
    );
    assert!(played(&crowd(8.0)).understating.is_none());
}
