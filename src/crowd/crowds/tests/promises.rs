//! What holds of any traffic.

use super::*;

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
