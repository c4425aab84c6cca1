//! Whether what a neuron says can be true, by nothing but what it has said before.

use std::collections::{BTreeMap, BTreeSet};

use neuron_core::{
    ControllerId, NeuronId, Tag, Time,
    command::{Answer, Report, Request, Sample},
    neuron::{Neuron, Output, Saved},
    record::{Claim, Record},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    wire::{decode_report, decode_signal, encode_report, encode_signal},
};

/// Everything that must stay true.
#[derive(Debug)]
pub struct Judge {
    loses: bool,
    life: Incarnation,
    /// How far it had spoken, by its own account, when it was looked at last.
    frontier: Tag,
    /// The latest tag that it has spoken about, to anybody, in any life.
    spoken: Tag,
    claimed: Option<Claimed>,
    listeners: BTreeMap<NeuronId, Listener>,
    /// How many answers to a request may still come.
    unanswered: BTreeMap<(ControllerId, u64), u32>,
}

/// The last claim.
#[derive(Clone, Copy, Debug)]
struct Claimed {
    at: Tag,
    life: Incarnation,
}

/// What a subscriber has heard.
#[derive(Debug, Default)]
struct Listener {
    /// The streams that it has asked for; not looked at any more once there are too many.
    asked: BTreeSet<StreamId>,
    asked_too_often: bool,
    hearing: Option<Hearing>,
    /// A stream that it has heard and wanted no more of. Should it ask for it again, it hears it from the beginning.
    over: Option<StreamId>,
}

/// The stream that was heard last.
#[derive(Debug)]
struct Hearing {
    stream: StreamId,
    statements: u64,
    /// Everything up to here is known.
    said: Tag,
}

/// How many streams of one subscriber are remembered.
const MAX_ASKED: usize = 1024;

impl Judge {
    pub fn new(loses: bool, neuron: &Neuron) -> Self {
        Self {
            loses,
            life: neuron.incarnation(),
            frontier: neuron.complete_through(),
            spoken: Tag::ORIGIN,
            claimed: None,
            listeners: BTreeMap::new(),
            unanswered: BTreeMap::new(),
        }
    }

    /// Another neuron says something to it.
    pub fn told(&mut self, from: &NeuronId, body: &SignalBody) {
        let listener = self.listeners.entry(from.clone()).or_default();
        match body {
            SignalBody::Subscribe { stream } => {
                listener.asked.insert(*stream);
                if listener.asked.len() > MAX_ASKED {
                    listener.asked.clear();
                    listener.asked_too_often = true;
                }
            }
            SignalBody::Unsubscribe { .. } => {
                listener.over = listener.hearing.as_ref().map(|hearing| hearing.stream).or(listener.over);
            }
            _ => {}
        }
    }

    /// A controller asks it for something.
    pub fn asked(&mut self, from: &ControllerId, request: &Request) {
        *self.unanswered.entry((from.clone(), request.id)).or_default() += 1;
    }

    /// It crashes: what it was asked for and has not answered it never will.
    pub fn crashes(&mut self) {
        self.unanswered.clear();
    }

    /// It begins a life in which it must not speak of what it has said in others.
    pub fn begins_anew(&mut self, neuron: &Neuron) {
        self.life = neuron.incarnation();
        self.listeners.values_mut().for_each(|listener| listener.hearing = None);
        self.frontier = neuron.complete_through();
    }

    /// Something it wants done is being done. `stored` is what its store holds.
    pub fn heed(&mut self, output: &Output, stored: Option<&Saved>) {
        match output {
            Output::Signal { to, signal } => {
                fits_the_wire(signal);
                self.heed_signal(to, &signal.body, stored);
            }
            Output::Report { to, report } => {
                assert_eq!(encode_report(report).and_then(|frame| decode_report(&frame)).as_ref().ok(), Some(report));
                self.heed_report(to, report);
            }
            Output::Record(Record::Evaluated(claim)) => self.heed_claim(claim),
            Output::Record(Record::Stamped { tag, event }) => {
                assert!(*tag > self.spoken, "{event:?} at {tag} comes after all was said up to {}", self.spoken);
            }
            Output::Save => {}
        }
    }

    fn heed_claim(&mut self, claim: &Claim) {
        let Claim { known, at, value } = claim;
        assert!(known < at, "it begins to hold before it is known: {claim:?}");
        assert!(is_level(value.level), "not a level: {claim:?}");
        assert!(*at > self.spoken, "all was said up to {}, and then {claim:?}", self.spoken);
        if let Some(before) = self.claimed {
            assert!(*at > before.at, "claimed before: {claim:?} after {before:?}");
            if before.life == self.life {
                assert!(*known >= before.at, "the claim before holds at its own tag: {claim:?} after {before:?}");
            }
        }
        self.claimed = Some(Claimed { at: *at, life: self.life });
        self.speaks_of(*at);
    }

    fn heed_signal(&mut self, to: &NeuronId, body: &SignalBody, stored: Option<&Saved>) {
        let (stream, tag) = match body {
            SignalBody::Changed { stream, at, .. } => (*stream, *at),
            SignalBody::Nothing { stream, upto, .. } => (*stream, *upto),
            _ => return,
        };
        let ceiling = stored.map(|stored| stored.ceiling);
        assert!(Some(tag) <= ceiling, "it speaks of more than its store allows, {ceiling:?}: {body:?}");
        self.speaks_of(tag);
        let listener = self.listeners.entry(to.clone()).or_default();
        assert!(listener.asked_too_often || listener.asked.contains(&stream), "{to} has not asked for this: {body:?}");
        if listener.over == Some(stream) {
            return;
        }
        let fresh = Hearing { stream, statements: 0, said: Tag::ORIGIN };
        let hearing = match listener.hearing.take() {
            Some(hearing) if hearing.stream == stream => hearing,
            _ => fresh,
        };
        listener.hearing = Some(hearing.continued(body, self.loses));
    }

    fn heed_report(&mut self, to: &ControllerId, report: &Report) {
        match report {
            Report::Reply { request, result } => {
                let asked = (to.clone(), *request);
                let unanswered = self.unanswered.get_mut(&asked);
                let unanswered = unanswered.unwrap_or_else(|| panic!("answered more often than asked: {report:?}"));
                *unanswered -= 1;
                if *unanswered == 0 {
                    self.unanswered.remove(&asked);
                }
                if let Ok(Answer::Output(sample)) = result {
                    self.heed_sample(sample);
                }
            }
            Report::Changed { sample, .. } => self.heed_sample(sample),
        }
    }

    fn heed_sample(&mut self, sample: &Sample) {
        assert!(is_level(sample.level), "not a level: {sample:?}");
        self.speaks_of(sample.tag);
    }

    fn speaks_of(&mut self, tag: Tag) {
        self.spoken = self.spoken.max(tag);
    }

    /// It has done what it was given, and waits.
    pub fn look_at(&mut self, neuron: &Neuron, now: Time) {
        assert_eq!(neuron.incarnation(), self.life, "a new life without a restart");
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

impl Hearing {
    /// What is known after one more message of the stream.
    fn continued(self, body: &SignalBody, loses: bool) -> Self {
        let Self { stream, statements, said } = self;
        match body {
            SignalBody::Changed { seq, .. } if *seq <= statements => {
                assert!(loses, "said twice, and nothing can be lost: {body:?} after {statements} statements");
                self
            }
            SignalBody::Changed { seq, known, at, .. } => {
                assert!(*seq == statements + 1, "a statement was left out: {body:?} after {statements}");
                assert!(*at > said, "all was said up to {said}, and then {body:?}");
                assert!(*seq == 1 || *known >= said, "what was said up to {said} does not hold: {body:?}");
                assert!(known < at, "it begins to hold before it is known: {body:?}");
                Self { stream, statements: *seq, said: *at }
            }
            SignalBody::Nothing { after, upto, .. } => {
                assert_eq!(*after, statements, "it counts its statements wrong: {body:?}");
                Self { stream, statements, said: said.max(*upto) }
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
