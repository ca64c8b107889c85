//! What is no crowd: one client, one household, busy pages, deploys, odd clocks, ordinary days.

use super::*;

#[test]
fn one_address_is_never_a_crowd() {
    let crowds = detector();
    assert_eq!(pace(&crowds, "/", 2.0, 200.0, 200.0, 1), None);
    assert_eq!(pace(&crowds, "/few", 200.0, 300.0, 200.0, 4), None);
    assert!(crowds.changes().is_empty(), "nor is it one of the whole site");
}

#[test]
fn a_hundred_addresses_of_one_household_are_one_client() {
    let crowds = detector();
    for number in 0..2_000u32 {
        let client = Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(number)).into();
        let now = at(2.0 + f64::from(number) / 100.0);
        assert_eq!(
            crowds.observe(
                now,
                &Sighting {
                    client,
                    ..sighting("/", 0)
                }
            ),
            State::Calm
        );
    }
}

#[test]
fn a_page_that_is_busy_from_the_start_is_none_however_slowly_the_start_goes() {
    for (rate, late) in [(3.0, 0.0), (20.0, 0.4), (200.0, 0.97), (1_000.0, 0.0)] {
        let crowds = detector();
        assert_eq!(
            pace(&crowds, "/", late, 120.0, rate, 100_000),
            None,
            "{rate}/s from {late} s on"
        );
        assert!(crowds.changes().is_empty());
    }
}

#[test]
fn a_busy_page_may_triple() {
    let crowds = detector();
    assert_eq!(pace(&crowds, "/", 0.0, 900.0, 10.0, 100_000), None);
    assert_eq!(pace(&crowds, "/", 900.0, 1_200.0, 30.0, 100_000), None);
    assert!(
        pace(&crowds, "/", 1_200.0, 1_230.0, 600.0, 100_000).is_some(),
        "sixty times is a crowd"
    );
}

#[test]
fn a_deploy_is_no_crowd_where_the_past_is_remembered() {
    let before = detector();
    assert_eq!(pace(&before, "/", 0.0, 4_000.0, 20.0, 100_000), None);
    let memory = Memory::parse(&before.memory(at(4_000.0)).to_text()).expect("is a memory");
    // The load balancer comes back two seconds after the process.
    assert!(
        pace(&detector(), "/", 2.0, 60.0, 20.0, 100_000).is_some(),
        "a cold start takes it for a crowd"
    );
    let after = Crowds::with_memory(Settings::default(), Time::ZERO, 9, &memory).expect("sound");
    assert_eq!(pace(&after, "/", 2.0, 300.0, 20.0, 100_000), None);
    assert_eq!(after.changes(), [], "nor is the site");
    let again = after.memory(at(300.0));
    assert!((again.pages[0].1 - 20.0).abs() < 1.0, "{again:?}");
    assert!(
        pace(&after, "/", 300.0, 330.0, 900.0, 100_000).is_some(),
        "a real crowd is one still"
    );
}

#[test]
fn a_clock_that_jumps_back_loses_nothing_and_makes_no_crowd() {
    let crowds = detector();
    assert_eq!(pace(&crowds, "/steady", 0.0, 600.0, 6.0, 100_000), None);
    assert_eq!(
        pace(&crowds, "/steady", 0.0, 600.0, 6.0, 100_000),
        None,
        "an hour squeezed into a second is no surge"
    );
    let hot = pace(&crowds, "/", 300.0, 310.0, 20.0, 200).expect("turns hot all the same");
    assert!(hot <= 305.0, "{hot}");
}

/// Poisson requests of a page with a daily rhythm, second by second, as a list of counts.
fn poisson(random: &mut impl FnMut() -> f64, mean: f64) -> u32 {
    let (mut count, mut left) = (0, (-mean).exp());
    let mut drawn = random();
    while drawn > left {
        count += 1;
        drawn *= random();
    }
    left = f64::from(count);
    left as u32
}

#[test]
fn a_day_of_ordinary_traffic_is_no_crowd() {
    let settings = Settings {
        min_rate: 0.3,
        ..Settings::default()
    };
    let crowds = Crowds::new(settings, Time::ZERO, 1).expect("sound");
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let paths: Vec<String> = (0..14).map(|page| format!("/{page}")).collect();
    for second in 0..86_400u32 {
        let day = 1.0 + 0.8 * (f64::from(second) * std::f64::consts::TAU / 86_400.0).sin();
        for (page, path) in paths.iter().enumerate() {
            // From a request in six hours to one in three seconds: where small numbers are noisiest.
            let mean = 0.3 / f64::from(1u32 << page) * day;
            if random() < mean {
                for _ in 0..=poisson(&mut random, mean / 2.0) {
                    let client = (random() * 1e9) as u32;
                    crowds.observe(Time::from_secs(second.into()), &sighting(path, client));
                }
            }
        }
        if second % 10 == 0 {
            crowds.tick(Time::from_secs(second.into()));
        }
    }
    assert_eq!(crowds.changes(), []);
}
