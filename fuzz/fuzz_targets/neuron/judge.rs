//! Judges what a neuron sends, by nothing but what it has sent before.

use std::collections::{BTreeMap, BTreeSet};

use neuron_core::{
    ControllerId, NeuronId, Tag, Time,
    command::{Answer, Report, Request, Sample},
    neuron::{Neuron, Output, Saved},
    record::{Claim, Record},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    wire::{decode_report, decode_signal, encode_report, encode_signal},
};

/// The invariants of a neuron, and what it has sent so far.
#[derive(Debug)]
pub struct Judge {
    /// Whether the transport may lose messages.
    lossy: bool,
    incarnation: Incarnation,
    /// The neuron's own frontier at the last check.
    frontier: Tag,
    /// The latest tag in any message of any incarnation.
    spoken: Tag,
    claimed: Option<Claimed>,
    subscribers: BTreeMap<NeuronId, Subscriber>,
    /// The number of answers that may still come, for each request.
    unanswered: BTreeMap<(ControllerId, u64), u32>,
}

/// The last claim.
#[derive(Clone, Copy, Debug)]
struct Claimed {
    at: Tag,
    incarnation: Incarnation,
}

/// What a subscriber has asked for and received.
#[derive(Debug, Default)]
struct Subscriber {
    /// The streams that it has asked for.
    asked: BTreeSet<StreamId>,
    /// There were too many streams, so they are not checked any more.
    asked_too_often: bool,
    receiving: Option<Receiving>,
    /// The last stream that it has unsubscribed from. If it asks for the same one again, the stream
    /// starts over, so it is not checked any more.
    ended: Option<StreamId>,
}

/// The stream that was received last.
#[derive(Debug)]
struct Receiving {
    stream: StreamId,
    statements: u64,
    /// The tag up to which the subscriber knows the level.
    known_through: Tag,
}

/// The most streams of one subscriber that are remembered.
const MAX_ASKED: usize = 1024;

impl Judge {
    pub fn new(lossy: bool, neuron: &Neuron) -> Self {
        Self {
            lossy,
            incarnation: neuron.incarnation(),
            frontier: neuron.complete_through(),
            spoken: Tag::ORIGIN,
            claimed: None,
            subscribers: BTreeMap::new(),
            unanswered: BTreeMap::new(),
        }
    }

    /// Notes a signal to the neuron.
    pub fn on_signal(&mut self, from: &NeuronId, body: &SignalBody) {
        let subscriber = self.subscribers.entry(from.clone()).or_default();
        match body {
            SignalBody::Subscribe { stream } => {
                subscriber.asked.insert(*stream);
                if subscriber.asked.len() > MAX_ASKED {
                    subscriber.asked.clear();
                    subscriber.asked_too_often = true;
                }
            }
            SignalBody::Unsubscribe { .. } => {
                let last = subscriber.receiving.as_ref().map(|receiving| receiving.stream);
                subscriber.ended = last.or(subscriber.ended);
            }
            _ => {}
        }
    }

    /// Notes a request to the neuron.
    pub fn on_request(&mut self, from: &ControllerId, request: &Request) {
        *self.unanswered.entry((from.clone(), request.id)).or_default() += 1;
    }

    /// Notes a crash: requests without an answer will never get one.
    pub fn on_crash(&mut self) {
        self.unanswered.clear();
    }

    /// Notes a new incarnation, in which the neuron must not send a tag of an earlier one.
    pub fn on_incarnation(&mut self, neuron: &Neuron) {
        self.incarnation = neuron.incarnation();
        self.subscribers.values_mut().for_each(|subscriber| subscriber.receiving = None);
        self.frontier = neuron.complete_through();
    }

    /// Checks an output. `stored` is the content of the neuron's store.
    pub fn on_output(&mut self, output: &Output, stored: Option<&Saved>) {
        match output {
            Output::Signal { to, signal } => {
                fits_the_wire(signal);
                self.check_signal(to, &signal.body, stored);
            }
            Output::Report { to, report } => {
                assert_eq!(encode_report(report).and_then(|frame| decode_report(&frame)).as_ref().ok(), Some(report));
                self.check_report(to, report);
            }
            Output::Record(Record::Evaluated(claim)) => self.check_claim(claim),
            Output::Record(Record::Stamped { tag, event }) => {
                assert!(*tag > self.spoken, "{event:?} at {tag} comes after all was said up to {}", self.spoken);
            }
            Output::Save | Output::SaveSoon | Output::Counted { .. } => {}
        }
    }

    fn check_claim(&mut self, claim: &Claim) {
        let Claim { known, at, value } = claim;
        assert!(known < at, "it begins to hold before it is known: {claim:?}");
        assert!(is_level(value.level), "not a level: {claim:?}");
        assert!(*at > self.spoken, "all was said up to {}, and then {claim:?}", self.spoken);
        if let Some(before) = self.claimed {
            assert!(*at > before.at, "claimed before: {claim:?} after {before:?}");
            if before.incarnation == self.incarnation {
                assert!(*known >= before.at, "the claim before holds at its own tag: {claim:?} after {before:?}");
            }
        }
        self.claimed = Some(Claimed { at: *at, incarnation: self.incarnation });
        self.note_tag(*at);
    }

    fn check_signal(&mut self, to: &NeuronId, body: &SignalBody, stored: Option<&Saved>) {
        let (stream, tag) = match body {
            SignalBody::Changed { stream, at, .. } => (*stream, *at),
            SignalBody::Nothing { stream, upto, .. } => (*stream, *upto),
            _ => return,
        };
        let ceiling = stored.map(|stored| stored.ceiling);
        assert!(Some(tag) <= ceiling, "it speaks of more than its store allows, {ceiling:?}: {body:?}");
        self.note_tag(tag);
        let subscriber = self.subscribers.entry(to.clone()).or_default();
        assert!(
            subscriber.asked_too_often || subscriber.asked.contains(&stream),
            "{to} has not asked for this: {body:?}"
        );
        if subscriber.ended == Some(stream) {
            return;
        }
        let receiving = match subscriber.receiving.take() {
            Some(receiving) if receiving.stream == stream => receiving,
            _ => Receiving { stream, statements: 0, known_through: Tag::ORIGIN },
        };
        subscriber.receiving = Some(receiving.continued(body, self.lossy));
    }

    fn check_report(&mut self, to: &ControllerId, report: &Report) {
        match report {
            Report::Reply { request, result } => {
                let asked = (to.clone(), *request);
                let unanswered = self.unanswered.get_mut(&asked);
                let unanswered = unanswered.unwrap_or_else(|| panic!("answered more often than asked: {report:?}"));
                *unanswered -= 1;
                if *unanswered == 0 {
                    self.unanswered.remove(&asked);
                }
                if let Ok(Answer::Output(sample) | Answer::Watched { sample, .. }) = result {
                    self.check_sample(sample);
                }
            }
            Report::Changed { sample, .. } => self.check_sample(sample),
        }
    }

    fn check_sample(&mut self, sample: &Sample) {
        assert!(is_level(sample.level), "not a level: {sample:?}");
        self.note_tag(sample.tag);
    }

    fn note_tag(&mut self, tag: Tag) {
        self.spoken = self.spoken.max(tag);
    }

    /// Checks the state of the neuron after all outputs were carried out.
    pub fn check_state(&mut self, neuron: &Neuron, now: Time) {
        assert_eq!(neuron.incarnation(), self.incarnation, "a new incarnation without a restart");
        let frontier = neuron.complete_through();
        assert!(frontier >= self.frontier, "it had spoken up to {}, now up to {frontier}", self.frontier);
        self.frontier = frontier;
        let ready = neuron.is_ready();
        assert!(!ready || self.spoken <= frontier, "it has spoken of {}, beyond its frontier {frontier}", self.spoken);
        assert!(is_level(neuron.level()), "not a level: {}", neuron.level());
        let wake = neuron.wake_at();
        let late = wake.is_some_and(|wake| wake < now);
        assert!(!late, "it wants to be woken at {wake:?}, and it is {now:?}");
    }
}

impl Receiving {
    /// Checks one more message of the stream and returns what is known after it.
    fn continued(self, body: &SignalBody, lossy: bool) -> Self {
        let Self { stream, statements, known_through } = self;
        match body {
            SignalBody::Changed { seq, .. } if *seq <= statements => {
                assert!(lossy, "said twice, and nothing can be lost: {body:?} after {statements} statements");
                self
            }
            SignalBody::Changed { seq, known, at, .. } => {
                assert!(*seq == statements + 1, "a statement was left out: {body:?} after {statements}");
                assert!(*at > known_through, "all was said up to {known_through}, and then {body:?}");
                assert!(
                    *seq == 1 || *known >= known_through,
                    "what was said up to {known_through} does not hold: {body:?}"
                );
                assert!(known < at, "it begins to hold before it is known: {body:?}");
                Self { stream, statements: *seq, known_through: *at }
            }
            SignalBody::Nothing { after, upto, .. } => {
                assert_eq!(*after, statements, "it counts its statements wrong: {body:?}");
                Self { stream, statements, known_through: known_through.max(*upto) }
            }
            _ => self,
        }
    }
}

fn fits_the_wire(signal: &Signal) {
    let again = encode_signal(signal).and_then(|frame| decode_signal(&frame));
    assert_eq!(again.as_ref().ok(), Some(signal), "it does not fit the wire");
}

fn is_level(level: f64) -> bool {
    level == 0.0 || level == 1.0
}
