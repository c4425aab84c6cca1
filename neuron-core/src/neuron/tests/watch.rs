//! Watches, and questions of those who have written something.

use super::driver::{Driver, id, sample, tag};
use crate::{
    command::{Answer, Command, ConfigChange, Refusal, Sample, WatchPosition},
    neuron::{Config, WATCH_LEASE},
    tag::Tag,
};

/// Renews watch 7 of `n`, and returns the number of the last change, and that change.
fn renew(driver: &mut Driver) -> (WatchPosition, Sample) {
    match driver.ask("n", Command::Watch { watch: 7 }) {
        Ok(Answer::Watched { watch: 7, position, sample }) => (position, sample),
        other => panic!("the watch holds, not {other:?}"),
    }
}

#[test]
fn a_watch_reports_changes_of_level_until_it_is_ended() {
    let mut driver = Driver::alone("n", Config::new());
    assert_eq!(renew(&mut driver).1, sample(0.0, Tag::FIRST));
    driver.stimulate_at(1, "n");
    driver.stimulate_at(100, "n");
    driver.run_to(6000);
    let expected = [sample(1.0, tag(1)), sample(0.0, tag(5100))];
    assert_eq!(driver.changes(), expected);
    assert_eq!(driver.ask("n", Command::Unwatch { watch: 7 }), Ok(Answer::Done));
    driver.stimulate_at(7000, "n");
    assert_eq!(driver.changes(), []);
}

#[test]
fn a_renewal_says_how_many_changes_there_were_and_since_when_the_level_holds() {
    let mut driver = Driver::alone("n", Config::new());
    let (first, _) = renew(&mut driver);
    assert_eq!(first.number, 0);
    driver.stimulate_at(10, "n");
    driver.run_to(100);
    let (position, now) = renew(&mut driver);
    assert_eq!((position.number, now), (1, sample(1.0, tag(10))));
    assert_eq!(position.incarnation, first.incarnation);
    assert_eq!(driver.changes().len(), 1, "a renewed watch reports each change once");
    driver.restart("n");
    driver.run_to(200);
    let (position, now) = renew(&mut driver);
    assert!(position > first && position.incarnation > first.incarnation, "{position:?}");
    assert_eq!(now.level, 0.0);
}

#[test]
fn a_watch_that_is_not_renewed_is_forgotten_and_its_changes_are_still_counted() {
    let mut driver = Driver::alone("n", Config::new());
    renew(&mut driver);
    let lease = WATCH_LEASE.as_millis() as u64;
    driver.run_to(lease + 1);
    driver.stimulate_at(lease + 2, "n");
    assert_eq!(driver.changes(), []);
    let (position, now) = renew(&mut driver);
    assert_eq!((position.number, now), (1, sample(1.0, tag(lease + 2))));
    driver.run_to(2 * lease);
    assert_eq!(driver.changes().len(), 1);
}

#[test]
fn watches_that_are_not_renewed_make_room_for_others() {
    let mut driver = Driver::alone("n", Config::new());
    for watch in 0..256 {
        assert!(driver.ask("n", Command::Watch { watch }).is_ok());
    }
    assert_eq!(driver.ask("n", Command::Watch { watch: 256 }), Err(Refusal::TooMany("watches".to_owned())));
    assert!(driver.ask("n", Command::Watch { watch: 0 }).is_ok(), "it is renewed");
    driver.run_to(WATCH_LEASE.as_millis() as u64 + 1);
    assert!(driver.ask("n", Command::Watch { watch: 256 }).is_ok());
}

#[test]
fn what_was_answered_shows_in_what_is_asked_afterwards() {
    // The source does not answer its probe yet.
    let mut driver = Driver::alone("n", Config::new().input(id("x"), 1.0));
    driver.receive_level("n", "x", 1, Tag::FIRST, 0.0);
    driver.run_to(10);
    let set = driver.stamped("n", Command::Configure(ConfigChange::SetThreshold { threshold: 7.0 }));
    let config = driver.request("n", Command::Config { after: set.tag });
    let output = driver.request("n", Command::Output { after: set.tag });
    let log = driver.request("n", Command::Log { after: set.tag });
    for request in [config, output, log] {
        assert_eq!(driver.replies(request), []);
    }
    // Without a tag, the answer is what was evaluated last.
    match driver.ask("n", Command::Config { after: Tag::ORIGIN }) {
        Ok(Answer::Config(config)) => assert_ne!(config.threshold, Some(7.0)),
        other => panic!("a configuration, not {other:?}"),
    }
    driver.receive_null("n", "x", 1, set.tag);
    match &driver.replies(config)[..] {
        [Ok(Answer::Config(config))] => assert_eq!(config.threshold, Some(7.0)),
        other => panic!("a configuration, not {other:?}"),
    }
    assert!(matches!(driver.replies(output)[..], [Ok(Answer::Output(Sample { tag, .. }))] if tag >= set.tag));
    assert!(matches!(driver.replies(log)[..], [Ok(Answer::Log(_))]));
}

#[test]
fn a_neuron_without_a_level_answers_once_it_has_one() {
    let mut driver = Driver::alone("n", Config::new().input(id("x"), 1.0));
    let output = driver.request("n", Command::Output { after: Tag::ORIGIN });
    let watch = driver.request("n", Command::Watch { watch: 7 });
    assert_eq!((driver.replies(output), driver.replies(watch)), (vec![], vec![]));
    driver.run_to(6000);
    assert!(matches!(&driver.replies(output)[..], [Ok(Answer::Output(sample))] if sample.tag >= Tag::FIRST));
    assert!(matches!(&driver.replies(watch)[..], [Ok(Answer::Watched { watch: 7, .. })]));
}

#[test]
fn the_last_change_can_be_asked_for_without_a_watch_and_is_counted_from_then_on() {
    let mut driver = Driver::alone("n", Config::new());
    let last_change = Command::LastChange { watch: 7 };
    driver.stimulate_at(10, "n");
    driver.run_to(100);
    let Ok(Answer::Watched { watch: 7, position, sample: at_first }) = driver.ask("n", last_change.clone()) else {
        panic!("it has a level")
    };
    assert_eq!((position.number, at_first), (0, sample(1.0, tag(10))), "it was not counted before");
    driver.run_to(6000);
    assert_eq!(driver.changes(), [], "nothing is reported");
    let Ok(Answer::Watched { position, sample: then, .. }) = driver.ask("n", last_change) else {
        panic!("it has a level")
    };
    assert_eq!((position.number, then), (1, sample(0.0, tag(5010))));
}
