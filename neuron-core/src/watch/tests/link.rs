//! What the reader of a watch is told, with time moved by hand.

use std::time::Duration;

use crate::{
    command::{Sample, WatchPosition},
    id::NeuronId,
    signal::Incarnation,
    tag::{Tag, Time},
    value::Missing,
    watch::{Change, Polled, WatchLink},
};

const PATIENCE: Duration = Duration::from_millis(250);
/// The lease of two seconds, and the patience.
const LOST_AFTER: u64 = 2_250;

fn time(millis: u64) -> Time {
    Time::from_micros(millis * 1000)
}

fn tag(millis: u64) -> Tag {
    Tag::at(time(millis))
}

fn id() -> NeuronId {
    "lamp".parse().expect("a name")
}

fn position(incarnation: u32, number: u64) -> WatchPosition {
    WatchPosition { incarnation: Incarnation { number: incarnation, nonce: 5 }, number }
}

fn sample(level: f64, millis: u64) -> Sample {
    Sample { level, tag: tag(millis), missing: Missing::NONE }
}

fn plain(level: f64, millis: u64, missed: u64) -> Option<Change> {
    Some(Change { level, tag: tag(millis), missing: Missing::NONE, missed })
}

/// What is told if the neuron cannot be heard: with the tag that was told last.
fn silent(millis: u64) -> Option<Change> {
    Some(Change { level: 0.0, tag: tag(millis), missing: [id()].into_iter().collect(), missed: 0 })
}

/// A link whose neuron is at rest at 10 ms, and whose requests are numbered from 2 on.
struct Begun {
    link: WatchLink,
    requests: u64,
    now: u64,
}

impl Begun {
    fn new() -> Self {
        let mut link = WatchLink::new(id(), PATIENCE, 1, time(10));
        assert_eq!(link.on_answer(1, position(1, 0), sample(0.0, 5), time(10)), plain(0.0, 5, 0));
        Self { link, requests: 1, now: 10 }
    }

    /// Lets time pass, and returns what the reader was told, each with when that was. `answer` is
    /// what the neuron answers renewals with.
    fn run_to(&mut self, end: u64, answer: Option<(WatchPosition, Sample)>) -> Vec<(u64, Change)> {
        let mut told = Vec::new();
        loop {
            let wake = self.link.wake_at().as_micros().div_ceil(1000).max(self.now + 1);
            if wake > end {
                self.now = end;
                return told;
            }
            self.now = wake;
            let next = self.requests + 1;
            let Polled { renewal, change } = self.link.poll(time(self.now), || next);
            told.extend(change.map(|change| (self.now, change)));
            if let Some(request) = renewal {
                self.requests = request;
                if let Some((position, sample)) = answer.clone() {
                    let change = self.link.on_answer(request, position, sample, time(self.now));
                    told.extend(change.map(|change| (self.now, change)));
                }
            }
        }
    }
}

#[test]
fn a_neuron_that_answers_is_asked_twice_a_second_and_nothing_is_told() {
    let mut begun = Begun::new();
    assert_eq!(begun.run_to(60_000, Some((position(1, 0), sample(0.0, 5)))), []);
    assert_eq!(begun.requests, 1 + 120);
}

#[test]
fn changes_are_told_in_order_and_once() {
    let mut link = Begun::new().link;
    assert_eq!(link.on_report(position(1, 1), sample(1.0, 20)), plain(1.0, 20, 0));
    assert_eq!(link.on_report(position(1, 1), sample(1.0, 20)), None);
    assert_eq!(link.on_report(position(1, 4), sample(0.0, 50)), plain(0.0, 50, 2));
    assert_eq!(link.on_report(position(1, 3), sample(1.0, 40)), None, "it was overtaken");
}

#[test]
fn a_lost_report_is_noticed_with_the_next_renewal() {
    let mut begun = Begun::new();
    let answer = Some((position(1, 1), sample(1.0, 20)));
    assert_eq!(begun.run_to(600, answer.clone()), [(500, plain(1.0, 20, 0).unwrap())]);
    assert_eq!(begun.run_to(5000, answer), []);
    // On and off again: the level is the same, and two changes were missed.
    let answer = Some((position(1, 3), sample(1.0, 5100)));
    assert_eq!(begun.run_to(6000, answer), [(5500, plain(1.0, 5100, 2).unwrap())]);
}

#[test]
fn a_neuron_that_does_not_answer_is_missing_after_lease_and_patience_until_it_does() {
    let mut begun = Begun::new();
    assert_eq!(begun.link.on_report(position(1, 1), sample(1.0, 20)), plain(1.0, 20, 0));
    let lost = 10 + LOST_AFTER;
    let told = begun.run_to(60_000, None);
    assert_eq!(told, [(lost, silent(20).unwrap())]);
    // What was under way while it could not be heard may be old.
    assert_eq!(begun.link.on_report(position(1, 2), sample(0.0, 30)), None);
    assert_eq!(begun.link.wake_at(), Time::ZERO, "it is asked at once");
    let answer = Some((position(1, 4), sample(0.0, 40_000)));
    assert_eq!(begun.run_to(61_000, answer), [(60_001, plain(0.0, 40_000, 2).unwrap())]);
}

#[test]
fn a_level_that_did_not_change_is_told_again_after_a_silence() {
    let mut begun = Begun::new();
    assert_eq!(begun.link.on_report(position(1, 1), sample(1.0, 20)), plain(1.0, 20, 0));
    assert_eq!(begun.run_to(10_000, None).len(), 1);
    let back = begun.run_to(11_000, Some((position(1, 1), sample(1.0, 20))));
    assert_eq!(back, [(10_500, plain(1.0, 20, 0).unwrap())]);
    // The neuron's clock is behind, and does not know of the silence.
    assert_eq!(begun.link.on_report(position(1, 2), sample(0.0, 30)), plain(0.0, 30, 0));
}

#[test]
fn a_new_incarnation_is_a_stretch_of_which_nothing_is_known() {
    let mut begun = Begun::new();
    assert_eq!(begun.link.on_report(position(1, 5), sample(1.0, 20)), plain(1.0, 20, 4));
    let answer = Some((position(2, 0), sample(1.0, 300)));
    assert_eq!(begun.run_to(600, answer), [(500, plain(1.0, 300, 1).unwrap())]);
    assert_eq!(begun.link.on_report(position(1, 6), sample(0.0, 25)), None, "it is of the old one");
    assert_eq!(begun.link.on_report(position(2, 1), sample(0.0, 700)), plain(0.0, 700, 0));
}

#[test]
fn an_answer_counts_from_when_it_was_asked_for() {
    let mut begun = Begun::new();
    assert_eq!(begun.run_to(600, None), []);
    // The answer to the request of 500 ms comes late.
    let change = begun.link.on_answer(2, position(1, 0), sample(0.0, 5), time(2000));
    assert_eq!(change, None);
    let told = begun.run_to(10_000, None);
    assert_eq!(told, [(500 + LOST_AFTER, silent(5).unwrap())]);
    // An answer that is older than the lease shows nothing of now.
    assert_eq!(begun.link.on_answer(3, position(1, 0), sample(0.0, 5), time(10_000)), None);
}

#[test]
fn a_controller_that_was_stalled_asks_once_more_before_it_calls_a_neuron_missing() {
    let mut begun = Begun::new();
    begun.now = 20_000;
    assert_eq!(begun.run_to(20_400, Some((position(1, 0), sample(0.0, 5)))), []);
    begun.now = 40_000;
    let told = begun.run_to(41_000, None);
    assert_eq!(told.len(), 1, "but only once: {told:?}");
}

#[test]
fn a_neuron_that_is_slow_to_answer_at_first_is_asked_again() {
    let mut link = WatchLink::new(id(), PATIENCE, 1, time(10));
    assert_eq!(link.poll(time(500), || 2).renewal, None, "the first answer is waited for");
    // It has waited for its inputs before it had a level.
    assert_eq!(link.on_answer(1, position(1, 0), sample(0.0, 5), time(5_000)), silent(5));
    assert_eq!(link.poll(time(5_000), || 2).renewal, Some(2));
    assert_eq!(link.on_answer(2, position(1, 0), sample(0.0, 5), time(5_001)), plain(0.0, 5, 0));
}

#[test]
fn a_watch_that_began_late_is_renewed_although_its_next_answer_was_lost() {
    let mut link = WatchLink::new(id(), PATIENCE, 1, time(10));
    assert_eq!(link.on_answer(1, position(1, 0), sample(0.0, 5), time(5_000)), silent(5));
    assert_eq!(link.poll(time(5_000), || 2).renewal, Some(2));
    assert_eq!(link.poll(time(5_500), || 3).renewal, Some(3));
    assert_eq!(link.on_answer(3, position(1, 1), sample(1.0, 5_400), time(5_501)), plain(1.0, 5_400, 0));
}

#[test]
fn an_incarnation_without_a_store_has_the_same_number_and_any_nonce() {
    for nonce in [4, 6] {
        let mut begun = Begun::new();
        assert_eq!(begun.link.on_report(position(1, 1), sample(1.0, 20)), plain(1.0, 20, 0));
        let other = WatchPosition { incarnation: Incarnation { number: 1, nonce }, number: 1 };
        // A report may be from before; an answer is from now.
        assert_eq!(begun.link.on_report(other, sample(0.0, 300)), None);
        assert_eq!(begun.link.wake_at(), Time::ZERO);
        let told = begun.run_to(600, Some((WatchPosition { number: 0, ..other }, sample(0.0, 300))));
        assert_eq!(told, [(11, plain(0.0, 300, 1).unwrap())]);
    }
}

#[test]
fn an_answer_that_a_later_incarnation_has_overtaken_is_not_told() {
    let mut begun = Begun::new();
    assert_eq!(begun.link.on_report(position(1, 1), sample(1.0, 20)), plain(1.0, 20, 0));
    let first = begun.link.poll(time(500), || 2).renewal.expect("the renewal is due");
    // The neuron answers, restarts, and reports. The report comes first.
    assert_eq!(begun.link.on_report(position(2, 1), sample(0.0, 501)), plain(0.0, 501, 1));
    assert_eq!(begun.link.on_answer(first, position(1, 1), sample(1.0, 20), time(503)), None);
    let second = begun.link.poll(time(1000), || 3).renewal.expect("the renewal is due");
    assert_eq!(begun.link.on_answer(second, position(2, 1), sample(0.0, 501), time(1001)), None);
}

#[test]
fn of_two_answers_that_overtake_each_other_the_later_incarnation_is_told() {
    let mut begun = Begun::new();
    let first = begun.link.poll(time(500), || 2).renewal.expect("the renewal is due");
    let second = begun.link.poll(time(1000), || 3).renewal.expect("the renewal is due");
    // The second request came to the neuron before it restarted, the first one after that.
    assert_eq!(begun.link.on_answer(first, position(2, 0), sample(1.0, 1002), time(1005)), plain(1.0, 1002, 1));
    assert_eq!(begun.link.on_answer(second, position(1, 0), sample(0.0, 5), time(1006)), None);
}
