//! What one controller may hold, so that the others are answered.

use std::time::Duration;

use super::driver::{Driver, id, now, reading, stimulus, tag, time};
use crate::{
    Tag,
    command::{Answer, Command, ConfigChange, Refusal},
    neuron::Config,
};

fn is_too_many(reply: &Result<Answer, Refusal>) -> bool {
    matches!(reply, Err(Refusal::TooMany(_)))
}

fn reply(driver: &Driver, request: u64) -> Result<Answer, Refusal> {
    driver.replies(request).pop().expect("it was answered")
}

/// `n` with an input that is never heard.
fn deaf() -> Driver {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).input(id("silent"), 1.0));
    driver.run_to(10);
    driver
}

#[test]
fn questions_of_one_controller_do_not_keep_another_one_from_asking() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let greedy: Vec<u64> = (0..4096)
        .map(|index| driver.request_as("greedy", "n", Command::OutputAt { tag: tag(60_000 + index) }))
        .collect();
    let one_more = driver.request_as("greedy", "n", Command::OutputAt { tag: tag(100_000) });
    assert!(is_too_many(&reply(&driver, one_more)));
    let asked = driver.request_as("modest", "n", Command::OutputAt { tag: tag(20) });
    assert_eq!(driver.replies(asked), []);
    // The last one of the other controller gave way.
    assert!(is_too_many(&reply(&driver, greedy[4095])));
    driver.run_to(30);
    assert!(matches!(reply(&driver, asked), Ok(Answer::Output(_))));
    assert_eq!(driver.replies(greedy[0]), []);
}

#[test]
fn a_question_ends_at_its_deadline() {
    let mut driver = deaf();
    let asked = driver.request_by("n", time(500), Command::OutputAt { tag: tag(1000) });
    driver.run_to(500);
    assert_eq!(driver.replies(asked), []);
    driver.run_to(501);
    assert!(matches!(reply(&driver, asked), Err(Refusal::TooLate { .. })));
}

#[test]
fn a_question_without_a_deadline_ends_ten_minutes_after_its_tag() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let reserve = |driver: &mut Driver| driver.request_as("holder", "n", Command::Reserve);
    reserve(&mut driver);
    let asked = driver.request_as("asker", "n", Command::OutputAt { tag: tag(20) });
    driver.run_to(11);
    assert_eq!(driver.replies(asked), []);
    driver.run_to(20 + 600_000);
    assert_eq!(driver.replies(asked).len(), 1);
}

#[test]
fn repeated_reservations_hold_up_an_answer_for_half_a_patience_at_the_most() {
    let mut driver = Driver::alone("n", Config::new());
    let mut asked = None;
    for millis in (10..2000).step_by(10) {
        driver.run_to(millis);
        driver.request_as("holder", "n", Command::Reserve);
        if millis == 1000 {
            asked = Some(driver.request_as("asker", "n", Command::OutputAt { tag: tag(1000) }));
        }
        if millis == 1130 {
            assert!(matches!(reply(&driver, asked.unwrap()), Ok(Answer::Output(_))));
        }
    }
}

#[test]
fn watches_of_one_controller_do_not_keep_another_one_from_watching() {
    let mut driver = Driver::alone("n", Config::new());
    for watch in 0..256 {
        let begun = driver.request_as("greedy", "n", Command::Watch { watch });
        assert!(reply(&driver, begun).is_ok());
    }
    let more = driver.request_as("greedy", "n", Command::Watch { watch: 256 });
    assert!(is_too_many(&reply(&driver, more)));
    let modest = driver.request_as("modest", "n", Command::Watch { watch: 1 });
    assert!(reply(&driver, modest).is_ok());
    driver.run_to(10);
    driver.stimulate_at(20, "n");
    assert_eq!(driver.changes().len(), 256, "the newest one of the other controller has ended");
}

#[test]
fn one_controller_prepares_a_quarter_of_the_transactions_at_the_most() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    for _ in 0..64 {
        let reserved = driver.request_as("greedy", "n", Command::Reserve);
        assert!(matches!(reply(&driver, reserved), Ok(Answer::Floor { .. })));
    }
    let more = driver.request_as("greedy", "n", Command::Reserve);
    assert!(is_too_many(&reply(&driver, more)));
    let modest = driver.request_as("modest", "n", Command::Reserve);
    assert!(matches!(reply(&driver, modest), Ok(Answer::Floor { .. })));
}

fn prepare() -> Command {
    Command::Prepare { changes: vec![ConfigChange::SetThreshold { threshold: 0.7 }], stimuli: Vec::new() }
}

#[test]
fn a_controller_whose_changes_held_up_the_answers_waits_for_as_long() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let held = driver.request_as("slow", "n", prepare());
    assert!(matches!(reply(&driver, held), Ok(Answer::Floor { .. })));
    driver.run_to(10 + 6 * 250 + 1);
    let again = driver.request_as("slow", "n", prepare());
    assert!(is_too_many(&reply(&driver, again)), "it holds up the answers for longer than six patiences");
    let other = driver.request_as("other", "n", prepare());
    assert!(matches!(reply(&driver, other), Ok(Answer::Floor { .. })));
    // Ten patiences after its begin, what is held ends.
    driver.run_to(10 + 2 * 2_500 - 1);
    let again = driver.request_as("slow", "n", prepare());
    assert!(is_too_many(&reply(&driver, again)));
    driver.run_to(10 + 2 * 2_500);
    let again = driver.request_as("slow", "n", prepare());
    assert!(matches!(reply(&driver, again), Ok(Answer::Floor { .. })));
}

#[test]
fn a_controller_that_gives_up_after_five_patiences_may_prepare_again_at_once() {
    let mut driver = Driver::alone("n", Config::new());
    for round in 1..10 {
        driver.run_to(round * 1_500);
        let ticket = driver.request("n", prepare());
        assert!(matches!(reply(&driver, ticket), Ok(Answer::Floor { .. })));
        // A controller waits for five patiences for the other members.
        driver.run_to(round * 1_500 + 5 * 250 + 50);
        assert_eq!(driver.ask("n", Command::Release { ticket }), Ok(Answer::Done));
    }
}

#[test]
fn readings_for_a_tag_far_ahead_leave_room_for_the_present() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9).sensor("s".parse().unwrap(), 1.0));
    driver.run_to(10);
    let far = |index: u64| Command::Stimulate {
        stimulus: reading("s", 1.0),
        at: Some(tag(3_600_000 + index)),
        within: Duration::from_secs(7_000),
    };
    for index in 0..2048 {
        assert!(driver.ask("n", far(index)).is_ok());
    }
    assert!(is_too_many(&driver.ask("n", far(2048))));
    driver.stamped("n", now(stimulus(1.0)));
    assert_eq!(driver.level("n"), 1.0);
    driver.stamped("n", now(reading("s", 1.0)));
}

#[test]
fn connections_to_sources_that_do_not_exist_are_bounded_and_end() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let connect =
        |index: usize| Command::Configure(ConfigChange::Connect { source: id(&format!("nobody{index}")), delay: None });
    let waiting: Vec<u64> = (0..1024).map(|index| driver.request_as("greedy", "n", connect(index))).collect();
    assert_eq!(driver.replies(waiting[1023]), []);
    let more = driver.request_as("greedy", "n", connect(1024));
    assert!(is_too_many(&reply(&driver, more)));
    let other = driver.request_as("modest", "n", connect(1024));
    assert_eq!(driver.replies(other), []);
    driver.run_to(10 + 600_000);
    assert_eq!(driver.replies(waiting[0]), []);
    driver.run_to(11 + 600_000);
    assert!(matches!(reply(&driver, waiting[0]), Err(Refusal::TooLate { .. })));
    assert!(driver.config("n").inputs.is_empty());
}

#[test]
fn a_commit_that_fails_does_not_spare_the_wait() {
    let mut driver = Driver::alone("n", Config::new());
    driver.run_to(10);
    let ticket = driver.request_as("slow", "n", prepare());
    driver.run_to(10 + 2_490);
    let commit = driver.request_as("slow", "n", Command::Commit { ticket, at: Tag::ORIGIN, stimuli: Vec::new() });
    assert_eq!(reply(&driver, commit), Err(Refusal::Expired));
    let again = driver.request_as("slow", "n", prepare());
    assert!(is_too_many(&reply(&driver, again)));
}

#[test]
fn connections_that_wait_do_not_make_the_neuron_forget_what_others_may_repeat() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9));
    driver.run_to(10);
    for index in 0..300 {
        let connect = ConfigChange::Connect { source: id(&format!("nobody{index}")), delay: None };
        driver.request_as("greedy", "n", Command::Configure(connect));
    }
    let on = driver.request("n", now(stimulus(1.0)));
    driver.run_to(20);
    driver.request("n", now(stimulus(0.0)));
    driver.run_to(30);
    driver.request_again("n", on, now(stimulus(1.0)));
    driver.run_to(40);
    assert_eq!(driver.level("n"), 0.0, "the repeated stimulus is not carried out again");
}

#[test]
fn what_has_been_prepared_is_not_refused_because_others_have_filled_the_neuron() {
    let mut driver = Driver::alone("n", Config::new().threshold(0.9));
    driver.run_to(10);
    let changes = driver.request_as("honest", "n", prepare());
    let wave = driver.request_as("honest", "n", Command::Reserve);
    let Ok(Answer::Floor { floor, .. }) = reply(&driver, changes) else { panic!("it is prepared") };
    for _ in 0..4096 {
        driver.request_as("greedy", "n", now(stimulus(1.0)));
    }
    let more = driver.request_as("late", "n", Command::Reserve);
    assert!(is_too_many(&reply(&driver, more)), "a wave is refused before any of its members has committed");
    let commit = Command::Commit { ticket: changes, at: floor.next(), stimuli: Vec::new() };
    let committed = driver.request_as("honest", "n", commit);
    assert!(matches!(reply(&driver, committed), Ok(Answer::Stamped(_))));
    let commit = Command::Commit { ticket: wave, at: floor.next(), stimuli: vec![stimulus(1.0)] };
    let committed = driver.request_as("honest", "n", commit);
    assert!(matches!(reply(&driver, committed), Ok(Answer::Stamped(_))));
}
