//! Any crowd at all: whatever happens to it, the laws hold, and whoever is honest and stays has the page in the end.

use proptest::prelude::*;

use super::*;

/// Shares in hundredths, so that a failing case is short to write down.
fn hard() -> impl Strategy<Value = Scenario> {
    let network = (0..6_u32, 0..30_u32, 0..30_u32, prop::option::of(1..40_u64));
    let cheats = (0..20_u32, 0..15_u32, 0..15_u32, 0..15_u32, any::<bool>());
    let crowd = (1..40_u32, 1..16_u32, 0..60_u32, 0..4_u64, 100_000..600_000_u64);
    (any::<u64>(), network, cheats, crowd).prop_map(|(seed, network, cheats, crowd)| {
        let share = |hundredths: u32| f64::from(hundredths) / 100.0;
        let (loss, symmetric, unreachable, broker) = network;
        let (free_riders, sybils, liars, understating, slander) = cheats;
        let (visitors, load, churn, dwell, page) = crowd;
        Scenario {
            seed,
            loss: share(loss),
            symmetric: share(symmetric),
            unreachable: share(unreachable),
            broker_dies: broker.map(Duration::from_secs),
            free_riders: share(free_riders),
            sybils: share(sybils),
            liars: share(liars),
            understating: share(understating),
            slander,
            visitors: Some(visitors),
            load: f64::from(load),
            churn: share(churn),
            dwell: Duration::from_secs(dwell).into(),
            page,
            arrivals: if seed.is_multiple_of(2) {
                Arrivals::Poisson
            } else {
                Arrivals::All
            },
            ..Scenario::default()
        }
    })
}

proptest! {
    // Each is some ten thousand events, unoptimised. Proptest prints the scenario that fails, its seed with it.
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn law_2_and_law_3_hold_and_the_honest_complete(scenario in hard()) {
        let report = simulate(&scenario);
        prop_assert_eq!((report.law3_violations, report.wrong_bytes), (0, 0));
        prop_assert_eq!(report.visitors, u64::from(scenario.visitors.unwrap_or(0)));
        prop_assert_eq!(report.unfinished, 0, "{} of {} measured", report.unfinished, report.measured);
    }
}
