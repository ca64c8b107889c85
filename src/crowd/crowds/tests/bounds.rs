//! What the operator says, and what no stranger can do to the detector: places, pages and memory are bounded.

use super::*;

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
