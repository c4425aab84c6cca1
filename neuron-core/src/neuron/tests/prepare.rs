//! Transactions: all changes take effect at one tag, or none does.

use super::driver::{Driver, id, ms, now, stimulus, tag, time};
use crate::{
    command::{Answer, Command, ConfigChange, Refusal, Stamp, Stimulus},
    id::{SensorId, Source},
    neuron::Config,
    signal::SignalBody,
};

/// `z` has the input `a`; `b` exists as well.
fn pair() -> Driver {
    let mut driver = Driver::network([
        ("a", Config::new()),
        ("b", Config::new()),
        ("z", Config::new().threshold(0.9).input(id("a"), 1.0)),
    ]);
    driver.run_to(10);
    driver
}

/// Replaces the input `a` by `b`.
fn swap() -> Vec<ConfigChange> {
    vec![
        ConfigChange::Disconnect { source: id("a") },
        ConfigChange::Connect { source: id("b"), delay: None },
        ConfigChange::SetWeight { source: id("b").into(), weight: 1.0 },
    ]
}

fn prepare(driver: &mut Driver, changes: Vec<ConfigChange>) -> (u64, crate::Tag) {
    let ticket = driver.request("z", Command::Prepare { changes, stimuli: Vec::new() });
    match driver.replies(ticket)[..] {
        [Ok(Answer::Floor { floor, .. })] => (ticket, floor),
        ref other => panic!("a floor was expected, not {other:?}"),
    }
}

fn commit(driver: &mut Driver, ticket: u64, at: crate::Tag) -> Result<Answer, Refusal> {
    driver.ask("z", Command::Commit { ticket, at, stimuli: Vec::new() })
}

#[test]
fn a_prepared_transaction_takes_effect_at_one_tag() {
    let mut driver = pair();
    driver.stimulate_at(20, "a");
    driver.run_to(30);
    let (ticket, floor) = prepare(&mut driver, swap());
    assert_eq!(driver.config("z").inputs, [(id("a"), None)].into(), "nothing has changed yet");
    let at = floor.next();
    assert_eq!(commit(&mut driver, ticket, at), Ok(Answer::Stamped(Stamp { tag: at, moved: false })));
    driver.run_to(100);
    let config = driver.config("z");
    assert_eq!((config.inputs, config.output.level), ([(id("b"), None)].into(), 0.0));
    assert_eq!(driver.config("a").connections, []);
    driver.stimulate_at(200, "b");
    assert_eq!(driver.level("z"), 1.0);
}

#[test]
fn nothing_at_or_after_the_floor_is_answered_while_a_transaction_is_held() {
    let mut driver = pair();
    let (ticket, floor) = prepare(&mut driver, swap());
    driver.stimulate_at(20, "a");
    driver.run_to(200);
    assert!(driver.neuron("z").complete_through() < floor);
    assert_eq!(driver.level("z"), 0.0);
    // The level of a comes after the floor, so b is the input of z already.
    assert!(commit(&mut driver, ticket, floor).is_ok());
    driver.run_to(300);
    assert_eq!((driver.level("z"), driver.firings("z")), (0.0, vec![]));
}

#[test]
fn one_change_that_is_refused_refuses_them_all() {
    let mut driver = pair();
    let before = driver.config("z");
    let mut changes = swap();
    changes.push(ConfigChange::SetThreshold { threshold: f64::NAN });
    let refused = driver.ask("z", Command::Prepare { changes, stimuli: Vec::new() });
    assert!(matches!(refused, Err(Refusal::NotFinite(_))));
    let twice = [swap(), swap()].concat();
    assert_eq!(
        driver.ask("z", Command::Prepare { changes: twice, stimuli: Vec::new() }),
        Err(Refusal::NotConnected(id("a")))
    );
    driver.run_to(10_000);
    assert_eq!(driver.config("z"), before);
    assert_eq!(driver.config("b").connections, []);
}

#[test]
fn a_released_transaction_has_no_effect() {
    let mut driver = pair();
    let before = driver.config("z");
    let (ticket, floor) = prepare(&mut driver, swap());
    assert_eq!(driver.config("b").connections, [id("z")]);
    assert_eq!(driver.ask("z", Command::Release { ticket }), Ok(Answer::Done));
    driver.run_to(100);
    assert_eq!(driver.config("z"), before);
    assert_eq!(driver.config("b").connections, []);
    assert_eq!(commit(&mut driver, ticket, floor), Err(Refusal::Expired));
    assert!(
        driver.stamped("z", Command::Configure(ConfigChange::Connect { source: id("b"), delay: None })).tag > floor
    );
}

#[test]
fn a_transaction_expires_after_ten_patiences() {
    let mut driver = pair();
    let before = driver.config("z");
    let (ticket, floor) = prepare(&mut driver, swap());
    driver.run_to(10 + 2500);
    assert_eq!(commit(&mut driver, ticket, floor), Err(Refusal::Expired));
    assert_eq!(driver.config("z"), before);
    assert_eq!(driver.config("b").connections, []);
    driver.stimulate_at(3000, "a");
    assert_eq!(driver.level("z"), 1.0);
}

#[test]
fn a_transaction_waits_for_the_snapshot_of_every_source_it_connects() {
    let mut driver = pair();
    let changes = vec![ConfigChange::Connect { source: id("outsider"), delay: None }];
    let ticket = driver.request("z", Command::Prepare { changes, stimuli: Vec::new() });
    driver.run_to(100);
    assert_eq!(driver.replies(ticket), []);
    let heard = crate::Tag::at(time(400));
    driver.receive_level("z", "outsider", 1, heard, 0.0);
    let [Ok(Answer::Floor { floor, .. })] = driver.replies(ticket)[..] else { panic!("a floor is due") };
    assert!(floor >= heard, "the connection counts only from what has been heard on");
}

#[test]
fn a_transaction_whose_source_sends_no_snapshot_is_refused() {
    let mut driver = pair();
    let changes = vec![ConfigChange::Connect { source: id("outsider"), delay: None }];
    let ticket = driver.request("z", Command::Prepare { changes, stimuli: Vec::new() });
    driver.run_to(10 + 2500);
    assert_eq!(driver.replies(ticket), [Err(Refusal::Expired)]);
    let stream = driver.stream("z", "outsider");
    let ended = SignalBody::Unsubscribe { stream };
    assert!(driver.sent().iter().any(|sent| sent.to == id("outsider") && sent.signal.body == ended));
}

#[test]
fn a_commit_below_the_floor_or_with_a_stimulus_makes_no_change() {
    for (late, stimuli) in [(false, vec![]), (true, vec![stimulus(1.0)])] {
        let mut driver = pair();
        let before = driver.config("z");
        let (ticket, floor) = prepare(&mut driver, swap());
        let at = if late { floor } else { floor.prev() };
        let refused = driver.ask("z", Command::Commit { ticket, at, stimuli });
        assert_eq!(refused, Err(Refusal::Expired));
        driver.run_to(1000);
        assert_eq!(driver.config("z"), before);
    }
}

#[test]
fn a_stimulus_that_is_impossible_is_refused_before_anything_is_held() {
    let dark = Stimulus { sensor: Some("dark".parse().unwrap()), ..stimulus(1.0) };
    for (stimuli, refusal) in [
        (vec![stimulus(0.5)], Refusal::NotALevel),
        (vec![stimulus(1.0), dark], Refusal::UnknownSensor("dark".parse().unwrap())),
    ] {
        let mut driver = pair();
        let before = driver.config("z");
        assert_eq!(driver.ask("z", Command::Prepare { changes: swap(), stimuli }), Err(refusal));
        driver.run_to(1000);
        assert_eq!(driver.config("z"), before);
        assert_eq!(driver.firings("z"), []);
    }
}

#[test]
fn stimuli_enter_at_the_tag_of_the_changes_they_are_prepared_with() {
    let mut driver = pair();
    let sensor: SensorId = "light".parse().unwrap();
    let attach = ConfigChange::SetWeight { source: Source::Sensor(sensor.clone()), weight: 1.0 };
    let changes = vec![attach, ConfigChange::SetThreshold { threshold: 2.5 }];
    let stimuli = vec![Stimulus { sensor: Some(sensor), level: Some(3.0), hold: Some(ms(100)) }];
    let ticket = driver.request("z", Command::Prepare { changes, stimuli });
    let [Ok(Answer::Floor { floor, .. })] = driver.replies(ticket)[..] else { panic!("a floor is due") };
    assert_eq!(commit(&mut driver, ticket, floor), Ok(Answer::Stamped(Stamp { tag: floor, moved: false })));
    driver.run_to(1000);
    assert_eq!(driver.firings("z"), [floor]);
}

#[test]
fn a_change_that_comes_after_its_deadline_is_refused_and_changes_nothing() {
    let mut driver = pair();
    let before = driver.config("z");
    let refused = |driver: &mut Driver, deadline, command: Command| {
        let now = driver.now;
        let reply = driver.ask_by("z", deadline, command);
        assert_eq!(reply, Err(Refusal::TooLate { now }));
    };
    driver.run_to(100);
    let threshold = || Command::Configure(ConfigChange::SetThreshold { threshold: 7.0 });
    for command in
        [threshold(), Command::Reserve, Command::Prepare { changes: swap(), stimuli: Vec::new() }, now(stimulus(1.0))]
    {
        refused(&mut driver, time(99), command);
    }
    driver.run_to(1000);
    assert_eq!(driver.config("z"), before);
    assert_eq!(driver.firings("z"), []);
    // In time, it is made; and a question has no deadline.
    let now = driver.now;
    assert!(driver.ask_by("z", now, threshold()).is_ok());
    assert!(driver.ask_by("z", time(1), Command::Counters).is_ok());
}

#[test]
fn a_stimulus_while_a_transaction_is_held_counts_after_it() {
    let mut driver = pair();
    let (ticket, floor) = prepare(&mut driver, vec![ConfigChange::SetThreshold { threshold: 2.0 }]);
    driver.run_to(20);
    let stamp = driver.stamped("z", now(stimulus(1.0)));
    assert!(stamp.tag >= tag(20) && stamp.tag > floor);
    assert!(commit(&mut driver, ticket, floor).is_ok());
    driver.run_until(time(20).after(ms(1)));
    assert_eq!((driver.level("z"), driver.firings("z")), (1.0, vec![stamp.tag]));
}

#[test]
fn a_level_of_a_new_source_while_a_transaction_is_held_is_answered_after_it() {
    let mut driver = pair();
    let (ticket, floor) = prepare(&mut driver, swap());
    let stamp = driver.stimulate_at(20, "b");
    assert!(stamp.tag > floor);
    assert!(commit(&mut driver, ticket, floor).is_ok());
    driver.run_to(30);
    assert_eq!((driver.level("z"), driver.firings("z")), (1.0, vec![stamp.tag]));
}

#[test]
fn a_connection_whose_source_is_silent_until_the_deadline_is_never_made() {
    let mut driver = pair();
    let before = driver.config("z");
    let connect = Command::Configure(ConfigChange::Connect { source: id("outsider"), delay: None });
    let ticket = driver.request_by("z", time(1000), connect);
    driver.run_to(1000);
    assert_eq!(driver.replies(ticket), []);
    driver.run_to(1100);
    assert!(matches!(driver.replies(ticket)[..], [Err(Refusal::TooLate { .. })]));
    driver.run_to(5000);
    assert_eq!(driver.config("z"), before);
    // One that is heard in time stays.
    let connect = Command::Configure(ConfigChange::Connect { source: id("b"), delay: None });
    let ticket = driver.request_by("z", time(6000), connect);
    driver.run_to(20_000);
    assert!(matches!(driver.replies(ticket)[..], [Ok(Answer::Stamped(_))]));
    assert!(driver.config("z").inputs.contains_key("b"));
}
