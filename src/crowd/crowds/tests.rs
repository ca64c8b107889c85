//! The detector as a whole: what is a crowd, what is none, and what no stranger can do to it.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::crowd::Rule;

fn detector() -> Crowds {
    Crowds::new(Settings::default(), Time::ZERO, 1).expect("defaults are sound")
}

fn sighting(path: &str, client: u32) -> Sighting<'_> {
    let client = Ipv4Addr::from_bits(0x7F00_0100 + client).into();
    Sighting {
        host: "a.example",
        path,
        query: None,
        client,
        referrer: Some("https://news.example/x"),
    }
}

fn at(seconds: f64) -> Time {
    Time::from_secs_f64(seconds)
}

/// Requests at a steady pace from so many clients in turn, with the ticks of a shell. Tells when the page turned hot.
fn pace(crowds: &Crowds, path: &str, from: f64, to: f64, rate: f64, clients: u32) -> Option<f64> {
    let mut hot = None;
    let mut ticked = from.floor();
    for number in 0..((to - from) * rate) as u32 {
        let now = from + f64::from(number) / rate;
        if crowds.observe(at(now), &sighting(path, number % clients)) == State::Hot {
            hot.get_or_insert(now);
        }
        while ticked + 1.0 <= now {
            ticked += 1.0;
            crowds.tick(at(ticked));
        }
    }
    hot
}

/// Ticks alone.
fn silence(crowds: &Crowds, from: u64, to: u64) {
    (from..to).for_each(|second| crowds.tick(Time::from_secs(second)));
}

#[test]
fn a_step_of_20_per_second_is_hot_within_5_seconds_wherever_it_falls_in_an_epoch() {
    for tenth in 0..10 {
        let onset = 2.0 + f64::from(tenth) / 10.0;
        let crowds = detector();
        let hot = pace(&crowds, "/", onset, onset + 10.0, 20.0, 200).expect("turns hot");
        assert!(hot - onset <= 5.0, "{onset}: {}", hot - onset);
        assert!(crowds.any_hot());
    }
}

#[test]
fn a_change_says_why() {
    let crowds = detector();
    let hot = pace(&crowds, "/", 30.2, 40.0, 20.0, 200).expect("turns hot");
    let changes = crowds.changes();
    let change = changes
        .iter()
        .find(|change| !change.key.is_site())
        .expect("is told");
    assert_eq!(
        (change.from, change.to, change.rule),
        (State::Calm, State::Hot, Rule::Surge)
    );
    assert_eq!(change.key.as_str(), "a.example/");
    assert_eq!(change.scale, Time::from_secs(1));
    assert!(
        (5.0..=25.0).contains(&change.rate) && change.average < 0.1,
        "{change:?}"
    );
    assert!(change.audience > 0.9, "{change:?}");
    assert_eq!(&*change.referrers[0].0, "news.example");
    assert!(
        change.onset <= at(30.2) && change.onset >= at(29.0) && change.at == at(hot),
        "{change:?}"
    );
    assert!(
        crowds.changes().iter().all(|change| change.key.is_site()),
        "told once"
    );
    let crowd = crowds
        .crowds(at(41.0))
        .into_iter()
        .find(|crowd| !crowd.key.is_site())
        .expect("is shown");
    assert_eq!((crowd.state, crowd.rule), (State::Hot, Rule::Surge));
}

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
fn a_slow_rise_is_seen_by_a_longer_scale() {
    let crowds = detector();
    let mut rate = 0.2;
    let mut hot = None;
    for minute in 0..12 {
        let from = f64::from(minute) * 60.0;
        hot = hot.or(pace(&crowds, "/", from, from + 60.0, rate, 1_000_000));
        rate *= if minute >= 2 { 2.4 } else { 1.0 };
    }
    assert!(hot.is_some());
}

#[test]
fn a_crowd_cools_and_a_second_wave_needs_no_surge() {
    let crowds = detector();
    pace(&crowds, "/", 2.0, 300.0, 20.0, 100_000).expect("turns hot");
    assert_eq!(
        pace(&crowds, "/", 300.0, 302.0, 20.0, 100_000),
        Some(300.0),
        "stays hot"
    );
    silence(&crowds, 302, 500);
    assert_eq!(crowds.state("a.example", "/", None), State::Cooling);
    assert!(!crowds.any_hot());
    let wave = pace(&crowds, "/", 500.0, 600.0, 6.0, 100_000).expect("a second wave");
    assert!(wave < 575.0, "{wave}");
    silence(&crowds, 600, 600 + 240 + 15 * 60);
    assert_eq!(crowds.state("a.example", "/", None), State::Calm);
    let rules: Vec<_> = crowds
        .changes()
        .iter()
        .filter(|c| !c.key.is_site())
        .map(|c| c.rule)
        .collect();
    assert_eq!(
        rules,
        [Rule::Surge, Rule::Quiet, Rule::Wave, Rule::Quiet, Rule::Elapsed]
    );
}

#[test]
fn the_site_is_a_crowd_of_many_objects() {
    let crowds = detector();
    for number in 0..4_000u32 {
        let path = format!("/object/{}", number % 500);
        assert_eq!(
            crowds.observe(at(30.0 + f64::from(number) / 100.0), &sighting(&path, number)),
            State::Calm
        );
        if number % 100 == 99 {
            crowds.tick(at(30.0 + f64::from(number + 1) / 100.0));
        }
    }
    let changes = crowds.changes();
    assert!(
        changes.len() == 1 && changes[0].key.is_site() && changes[0].to == State::Hot,
        "{changes:?}"
    );
    assert!(!crowds.any_hot(), "no page of it is");
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

#[test]
fn by_hand_is_stronger_than_the_rules() {
    let crowds = detector();
    crowds
        .force(at(1.0), None, "/forced?x=1", Mode::Hot)
        .expect("is a path");
    assert!(crowds.any_hot());
    assert_eq!(crowds.state("never.seen", "/forced", Some("y")), State::Hot);
    assert_eq!(crowds.observe(at(2.0), &sighting("/forced", 1)), State::Hot);
    silence(&crowds, 2, 4_000);
    assert_eq!(
        crowds.state("a.example", "/forced", None),
        State::Hot,
        "rules do not cool it"
    );
    crowds
        .force(at(4_000.0), None, "/forced", Mode::Calm)
        .expect("is a path");
    assert!(!crowds.any_hot());
    assert_eq!(pace(&crowds, "/forced", 4_001.0, 4_100.0, 50.0, 100_000), None);
    crowds
        .force(at(4_100.0), None, "/forced", Mode::Auto)
        .expect("is a path");
    assert_eq!(
        crowds
            .crowds(at(4_100.0))
            .iter()
            .filter(|crowd| !crowd.key.is_site())
            .count(),
        0
    );
    crowds
        .force(at(4_100.0), Some("A.example"), "/other", Mode::Hot)
        .expect("is a path");
    assert_eq!(
        crowds.crowds(at(4_101.0)).last().map(|crowd| crowd.rule),
        Some(Rule::Manual)
    );
    assert!(crowds.force(at(4_101.0), None, "other", Mode::Hot).is_err());
}

#[test]
fn fake_crowds_cannot_switch_more_than_the_bound() {
    let crowds = Crowds::new(
        Settings {
            max_hot: 3,
            ..Settings::default()
        },
        Time::ZERO,
        1,
    )
    .expect("sound");
    for second in 0..600u32 {
        for page in 0..20 {
            crowds.observe(
                at(2.0 + f64::from(second) / 20.0),
                &sighting(&format!("/{page}"), second),
            );
        }
    }
    assert_eq!(
        crowds
            .crowds(at(33.0))
            .iter()
            .filter(|crowd| !crowd.key.is_site())
            .count(),
        3
    );
}

#[test]
fn a_stronger_crowd_takes_the_place_of_the_weakest_and_a_weaker_one_does_not() {
    let settings = Settings {
        max_hot: 2,
        ..Settings::default()
    };
    let crowds = Crowds::new(settings, Time::ZERO, 1).expect("sound");
    let hot = |crowds: &Crowds, now: f64| -> Vec<String> {
        let found = crowds
            .crowds(at(now))
            .into_iter()
            .filter(|crowd| !crowd.key.is_site());
        let mut keys: Vec<_> = found.map(|crowd| crowd.key.path().to_owned()).collect();
        keys.sort();
        keys
    };
    // Tenths of a second, each page with so many visitors in it.
    let run = |from: u32, to: u32, pages: &[(&str, u32)]| {
        for tenth in from..to {
            let now = f64::from(tenth) / 10.0;
            for (page, visitors) in pages {
                for visitor in 0..*visitors {
                    crowds.observe(at(now), &sighting(page, tenth * 100 + visitor));
                }
            }
            if tenth % 10 == 0 {
                crowds.tick(at(now));
            }
        }
    };
    run(20, 80, &[("/weak", 1), ("/strong", 4)]);
    assert_eq!(hot(&crowds, 8.0), ["/strong", "/weak"]);
    run(80, 140, &[("/weak", 1), ("/strong", 4), ("/equal", 1)]);
    assert_eq!(hot(&crowds, 14.0), ["/strong", "/weak"], "one as strong waits");
    run(140, 200, &[("/weak", 1), ("/strong", 4), ("/stronger", 6)]);
    assert_eq!(hot(&crowds, 20.0), ["/strong", "/stronger"]);
    let displaced: Vec<_> = crowds
        .changes()
        .into_iter()
        .filter(|change| change.rule == Rule::Displaced)
        .map(|change| (change.key.path().to_owned(), change.to))
        .collect();
    assert_eq!(
        displaced,
        [("/weak".to_owned(), State::Calm)],
        "once, and the two do not take turns"
    );
    // By hand is beyond the bound, and never displaced.
    crowds
        .force(at(20.0), None, "/strong", Mode::Hot)
        .expect("is a path");
    crowds
        .force(at(20.0), None, "/stronger", Mode::Hot)
        .expect("is a path");
    run(200, 260, &[("/strongest", 30)]);
    assert_eq!(hot(&crowds, 26.0), ["/strong", "/stronger"]);
}

#[test]
fn a_flood_of_urls_is_bounded_and_hides_no_crowd() {
    let crowds = Crowds::new(
        Settings {
            max_keys: 2_000,
            ..Settings::default()
        },
        Time::ZERO,
        1,
    )
    .expect("sound");
    let mut hot = None;
    for number in 0..200_000u32 {
        let now = 2.0 + f64::from(number) / 10_000.0;
        crowds.observe(at(now), &sighting(&format!("/flood/{number}"), number));
        if number >= 50_000
            && number % 500 == 0
            && crowds.observe(at(now), &sighting("/", number)) == State::Hot
        {
            hot.get_or_insert(now);
        }
    }
    let hot = hot.expect("the crowd in its midst is found");
    assert!(hot <= 7.0 + 5.0, "{hot}");
    let tracked = crowds.tracked();
    assert!(tracked <= 2_000 + SHARDS, "{tracked}");
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

/// The second in which a page with these counts per second, spread evenly, turns hot.
fn verdict(settings: &Settings, start: u64, counts: &[u32], spread: u64) -> Option<u64> {
    let crowds = Crowds::new(settings.clone(), Time::from_secs(start), spread).expect("sound");
    let mut client = 0;
    for (second, count) in (start..).zip(counts) {
        for number in 0..*count {
            client += 1;
            let now = Time::from_secs(second) + Time::from_secs(1) * number / *count;
            if crowds.observe(now, &sighting("/", client)) == State::Hot {
                return Some(second - start);
            }
        }
        crowds.tick(Time::from_secs(second + 1));
    }
    None
}

/// The requests of each second that a balancer gives to one of its instances, in turn.
fn share(counts: &[u32], instance: u32, instances: u32) -> Vec<u32> {
    let mut given = 0;
    counts
        .iter()
        .map(|count| {
            let before = given;
            given += count;
            // Numbers from `before` to `given` that leave this remainder.
            (given + instances - 1 - instance) / instances - (before + instances - 1 - instance) / instances
        })
        .collect()
}

/// A page's life in whole seconds: a steady past, a step, and after it.
fn life() -> impl Strategy<Value = Vec<u32>> {
    (10u32..40, 1u32..60, 20usize..80, 3usize..20)
        .prop_map(|(low, factor, past, crowd)| [vec![low; past], vec![low * factor; crowd]].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn shifting_time_and_reseeding_change_no_decision(counts in life(), shift in 0u64..1_000_000) {
        let settings = Settings::default();
        prop_assert_eq!(verdict(&settings, 0, &counts, 1), verdict(&settings, shift, &counts, shift));
    }

    /// In batches of any size, with ticks and questions in between, requests count as they do alone.
    #[test]
    fn a_batch_is_its_requests_one_by_one(
        seen in prop::collection::vec((0u32..6, 0u32..400, 0u64..40), 1..3_000), size in 1usize..700, max_hot in 1usize..3,
    ) {
        let settings = Settings { max_hot, max_keys: 64, min_rate: 1.0, ..Settings::default() };
        let [alone, together] = [0, 1].map(|_| Crowds::new(settings.clone(), Time::ZERO, 1).expect("sound"));
        let mut now = 2_000;
        let paths: Vec<String> = (0..6).map(|page| format!("/{page}")).collect();
        let requests: Vec<(Time, Sighting<'_>)> = seen
            .iter()
            .map(|(page, client, later)| {
                // The first pages get the most; the clock runs on, and at times back.
                now = now + later - later / 13 * 10;
                (Time::from_millis(now), sighting(&paths[(page * page / 6) as usize], *client))
            })
            .collect();
        let expected: Vec<_> = requests
            .iter()
            .map(|(now, sighting)| {
                let state = alone.observe(*now, sighting);
                alone.tick(*now);
                (state, alone.changes())
            })
            .collect();
        let mut found = Vec::new();
        for part in requests.chunks(size) {
            together.observe_all(part, |place, state| {
                together.tick(part[place].0);
                found.push((state, together.changes()));
            });
        }
        prop_assert_eq!(found, expected);
        let end = Time::from_millis(now);
        prop_assert_eq!(together.memory(end), alone.memory(end));
    }

    /// A site that is ten times as large, judged with a floor ten times as high, has the same crowds.
    #[test]
    fn scaling_all_rates_changes_no_decision(counts in life()) {
        let scaled: Vec<u32> = counts.iter().map(|count| count * 10).collect();
        let floor = Settings { min_rate: 50.0, ..Settings::default() };
                let (small, large) = (verdict(&Settings::default(), 0, &counts, 1), verdict(&floor, 0, &scaled, 1));
        prop_assert_eq!(small.is_some(), large.is_some());
        // Pages are looked at after 1, 2, 4… requests of a half second: the large one's looks fall elsewhere.
        prop_assert!(small.zip(large).is_none_or(|(small, large)| small.abs_diff(large) <= 1));
    }

    /// Each of several instances behind a balancer sees its share of the requests. With the floor at its share, too, it
    /// decides as one instance would that sees all.
    #[test]
    fn splitting_requests_over_instances_changes_no_decision(counts in life(), instances in 2u32..5) {
        let whole: Vec<u32> = counts.iter().map(|count| count * instances).collect();
        let settings = Settings { min_rate: 5.0 * f64::from(instances), ..Settings::default() };
        let all = verdict(&settings, 0, &whole, 1);
        for (instance, share) in (0..instances).map(|instance| (instance, share(&whole, instance, instances))) {
            let part = verdict(&Settings::default(), 0, &share, u64::from(instance));
            prop_assert_eq!(part.is_some(), all.is_some());
            prop_assert!(part.zip(all).is_none_or(|(part, all)| part.abs_diff(all) <= 1));
        }
    }

    /// The stranger's side: nothing that is asked panics or is tracked without bound.
    #[test]
    fn nothing_asked_does_harm(
        host in ".{0,300}", path in ".{0,600}", query in prop::option::of(".{0,300}"),
        referrer in prop::option::of(".{0,300}"), client in any::<u128>(), times in prop::collection::vec(any::<u64>(), 1..50),
    ) {
        let settings = Settings { keep_query: vec!["id".to_owned(), String::new()], ..Settings::default() };
        let crowds = Crowds::new(settings, Time::from_secs(5), 3).expect("sound");
        let client = Ipv6Addr::from_bits(client).into();
        let sighting = Sighting { host: &host, path: &path, query: query.as_deref(), client, referrer: referrer.as_deref() };
        for time in times {
            let now = Time::from_nanos(time);
            crowds.observe(now, &sighting);
            crowds.tick(now);
        }
        crowds.state(&host, &path, query.as_deref());
        _ = crowds.force(Time::ZERO, Some(&host), &path, Mode::Hot);
        for crowd in crowds.crowds(Time::ZERO) {
            prop_assert!(crowd.key.as_str().len() < 300);
        }
    }
}
