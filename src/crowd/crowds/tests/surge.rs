//! What is a crowd: steps, slow rises, second waves, many objects at once; and what a change says of it.

use super::*;

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
    // Two hours of two requests a second, then twelve times as many; each visitor asks for ten.
    let mut number = 0;
    let mut hot = None;
    for second in 0..4 * 3_600u32 {
        for _ in 0..if second < 7_200 { 2 } else { 24 } {
            number += 1;
            let path = format!("/object/{}", number % 500);
            assert_eq!(
                crowds.observe(at(second.into()), &sighting(&path, number / 10)),
                State::Calm
            );
        }
        crowds.tick(at(f64::from(second) + 1.0));
        for change in crowds.changes() {
            assert!(change.key.is_site() && change.to == State::Hot, "{change:?}");
            let (host, share) = &change.referrers[0];
            assert!(&**host == "news.example" && *share > 0.99, "{change:?}");
            assert_eq!(hot.replace(second), None);
        }
    }
    let hot = hot.expect("is hot");
    assert!((7_200..10_800).contains(&hot), "{hot}");
    assert!(!crowds.any_hot(), "no page of it is");
}
