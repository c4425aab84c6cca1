//! A few neurons whose time is moved by hand. Every signal arrives at once, in the order it was sent.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::{
    ControllerId, NeuronId, SensorId, Tag, Time,
    command::{Answer, Command, ConfigView, Firing, Refusal, Report, Request, Sample, Stamp, Stimulus},
    neuron::{Config, Counters, Input, Neuron, Output, Saved},
    record::{Event, Record},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    transport::{Delivery, Guarantees},
    value::{Missing, Value},
};

/// How long an input may be silent before it is asked.
pub(super) const GRACE: Duration = Guarantees::IN_PROCESS.pace.grace;
/// Longer than any test: for a neuron whose inputs may be silent, because the test is about something else.
pub(super) const AGES: Duration = Duration::from_secs(1_000_000_000);
/// A carrier that may lose what it carries.
pub(super) const LOSSY: Guarantees = Guarantees { delivery: Delivery::AtMostOnce, ..Guarantees::IN_PROCESS };

pub(super) fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

pub(super) fn time(millis: u64) -> Time {
    Time::ZERO.after(ms(millis))
}

/// The tag that something gets that happens at this time by itself.
pub(super) fn tag(millis: u64) -> Tag {
    Tag::at(time(millis))
}

pub(super) fn id(name: &str) -> NeuronId {
    name.parse().unwrap()
}

pub(super) fn sensor(name: &str) -> SensorId {
    name.parse().unwrap()
}

/// A life, by its number. All those that the driver starts, and outsiders, have the nonce 0.
pub(super) fn life(number: u32) -> Incarnation {
    Incarnation { number, nonce: 0 }
}

/// These neurons are missing.
pub(super) fn missing<const N: usize>(names: [&str; N]) -> Missing {
    names.map(id).into_iter().collect()
}

/// A level at a tag, with nothing missing.
pub(super) fn sample(level: f64, tag: Tag) -> Sample {
    Sample { level, tag, missing: Missing::NONE }
}

pub(super) fn stimulus(level: f64) -> Stimulus {
    Stimulus { sensor: None, level, hold: None }
}

pub(super) fn reading(from: &str, level: f64) -> Stimulus {
    Stimulus { sensor: Some(sensor(from)), level, hold: None }
}

/// The command that puts a stimulus in at a tag of its own.
pub(super) fn now(stimulus: Stimulus) -> Command {
    Command::Stimulate { stimulus, at: None, within: Duration::ZERO }
}

/// The command that puts a stimulus in at a given tag.
pub(super) fn stamped_at(at: Tag, stimulus: Stimulus) -> Command {
    Command::Stimulate { stimulus, at: Some(at), within: Duration::ZERO }
}

/// The network that everything is shown on: `z` is the XOR of `x` and `y`.
pub(super) fn xor(z: Config) -> Driver {
    let gate = |threshold: f64| Config::new().threshold(threshold);
    Driver::network([
        ("x", gate(0.9)),
        ("y", gate(0.9)),
        ("h1", gate(0.9).input(id("x"), 1.0)),
        ("h2", gate(1.9).input(id("x"), 1.0).input(id("y"), 1.0)),
        ("h3", gate(0.9).input(id("y"), 1.0)),
        ("z", z.threshold(0.9).input(id("h1"), 1.0).input(id("h2"), -2.0).input(id("h3"), 1.0)),
    ])
}

/// One signal on its way.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) from: NeuronId,
    pub(super) to: NeuronId,
    pub(super) signal: Signal,
}

/// The neurons and what they have said. Whoever is spoken to and is not among them is played by the test, which finds
/// what it was told in [`sent`](Self::sent) and speaks with [`hear`](Self::hear).
pub(super) struct Driver {
    carrier: Guarantees,
    neurons: BTreeMap<NeuronId, Neuron>,
    now: Time,
    on_the_way: VecDeque<Sent>,
    sent: Vec<Sent>,
    streams: BTreeMap<(NeuronId, NeuronId), StreamId>,
    requests: u64,
    replies: Vec<(u64, Result<Answer, Refusal>)>,
    changes: Vec<Sample>,
    reported: u64,
    /// What the stores of the neurons hold.
    stored: BTreeMap<NeuronId, Saved>,
    stamped: Vec<(NeuronId, Tag, Event)>,
}

impl Driver {
    pub(super) fn alone(name: &str, config: Config) -> Self {
        Self::network([(name, config)])
    }

    /// Starts the neurons at time 0.
    pub(super) fn network<const N: usize>(configs: [(&str, Config); N]) -> Self {
        Self::network_over(Guarantees::IN_PROCESS, configs)
    }

    /// Starts the neurons at time 0, over a carrier that promises no more than this.
    pub(super) fn network_over<const N: usize>(carrier: Guarantees, configs: [(&str, Config); N]) -> Self {
        let start = |(name, config)| {
            let mut neuron = Neuron::start(id(name), config, carrier, 0, Time::ZERO);
            neuron.keep_record();
            (id(name), neuron)
        };
        let mut driver = Self {
            carrier,
            neurons: configs.map(start).into(),
            now: Time::ZERO,
            on_the_way: VecDeque::new(),
            sent: Vec::new(),
            streams: BTreeMap::new(),
            requests: 0,
            replies: Vec::new(),
            changes: Vec::new(),
            reported: 0,
            stored: BTreeMap::new(),
            stamped: Vec::new(),
        };
        driver.run_until(Time::ZERO);
        driver
    }

    /// Lets time pass up to this many milliseconds after the start.
    pub(super) fn run_to(&mut self, millis: u64) {
        self.run_until(time(millis));
    }

    pub(super) fn run_until(&mut self, end: Time) {
        assert!(end >= self.now, "time never goes backwards");
        for _ in 0..100_000 {
            let wakes = self.neurons.iter().filter_map(|(id, neuron)| Some((neuron.wake_at()?, id.clone())));
            let Some((at, id)) = wakes.min().filter(|(at, _)| *at <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(at);
            self.give(&id, Input::Wake);
        }
        panic!("the neurons do not come to rest before {end:?}");
    }

    /// Lets time pass without waking anybody: whatever runs the neurons is held up.
    pub(super) fn be_held_up_to(&mut self, millis: u64) {
        self.now = time(millis);
    }

    /// The present time, in milliseconds after the start.
    pub(super) fn millis(&self) -> u64 {
        self.now.as_micros() / 1000
    }

    /// When, in milliseconds, a neuron says such a thing to another, up to a time; once for each.
    pub(super) fn times(&mut self, from: &str, to: &str, upto: u64, such: impl Fn(&SignalBody) -> bool) -> Vec<u64> {
        self.sent();
        let mut times = Vec::new();
        for millis in self.millis()..=upto {
            self.run_to(millis);
            let said = self.sent_from(from, to);
            times.extend(said.iter().filter(|body| such(body)).map(|_| millis));
        }
        times
    }

    fn give(&mut self, to: &NeuronId, input: Input) {
        let now = self.now;
        self.neuron_mut(to.as_str()).handle(input, now);
        self.carry(to);
        let before = self.sent.len();
        while let Some(Sent { from, to, signal }) = self.on_the_way.pop_front() {
            assert!(self.sent.len() - before < 100_000, "the neurons talk without end: {from} to {to}: {signal:?}");
            if let Some(neuron) = self.neurons.get_mut(&to) {
                neuron.handle(Input::Signal { from, signal }, self.now);
                self.carry(&to);
            }
        }
    }

    /// Does what a neuron wants done.
    fn carry(&mut self, from: &NeuronId) {
        while let Some(output) = self.neuron_mut(from.as_str()).poll_output() {
            match output {
                Output::Signal { to, signal } => {
                    if let SignalBody::Subscribe { stream } = signal.body {
                        self.streams.insert((from.clone(), to.clone()), stream);
                    }
                    if let Some(tag) = spoken_of(&signal.body) {
                        assert!(tag <= self.stored[from].ceiling, "{from} says more than its store allows: {signal:?}");
                    }
                    let sent = Sent { from: from.clone(), to, signal };
                    self.sent.push(sent.clone());
                    self.on_the_way.push_back(sent);
                }
                Output::Report { report: Report::Reply { request, result }, .. } => {
                    self.replies.push((request, result));
                }
                Output::Report { report: Report::Changed { sample, number, .. }, .. } => {
                    self.changes.push(sample);
                    self.reported = number;
                }
                Output::Save => {
                    let saved = self.neuron(from.as_str()).saved();
                    self.stored.insert(from.clone(), saved);
                }
                Output::Record(Record::Stamped { tag, event }) => self.stamped.push((from.clone(), tag, event)),
                Output::Record(Record::Evaluated(_)) => {}
            }
        }
    }

    /// Asks for something, and returns the number of the request.
    pub(super) fn request(&mut self, of: &str, command: Command) -> u64 {
        self.requests += 1;
        self.request_again(of, self.requests, command);
        self.requests
    }

    pub(super) fn request_again(&mut self, of: &str, request: u64, command: Command) {
        let from: ControllerId = "me".parse().unwrap();
        self.give(&id(of), Input::Request { from, request: Request { id: request, command } });
    }

    /// All answers to a request so far.
    pub(super) fn replies(&self, request: u64) -> Vec<Result<Answer, Refusal>> {
        let replies = self.replies.iter().filter(|(answered, _)| *answered == request);
        replies.map(|(_, result)| result.clone()).collect()
    }

    /// Asks for something that is answered at once.
    pub(super) fn ask(&mut self, of: &str, command: Command) -> Result<Answer, Refusal> {
        let request = self.request(of, command);
        self.replies(request).pop().expect("an answer comes at once")
    }

    /// Asks for something that takes effect at a tag.
    pub(super) fn stamped(&mut self, of: &str, command: Command) -> Stamp {
        match self.ask(of, command) {
            Ok(Answer::Stamped(stamp)) => stamp,
            other => panic!("a stamp was expected, not {other:?}"),
        }
    }

    pub(super) fn stimulate_at(&mut self, millis: u64, name: &str) -> Stamp {
        self.run_to(millis);
        self.stamped(name, now(stimulus(1.0)))
    }

    /// Gives a neuron a reading of one of its sensors.
    pub(super) fn feed_at(&mut self, millis: u64, name: &str, sensor: &str, level: f64) -> Stamp {
        self.run_to(millis);
        self.stamped(name, now(reading(sensor, level)))
    }

    /// Stimulates several neurons with one tag.
    pub(super) fn present(&mut self, wave: &[(&str, f64)]) -> Tag {
        let tickets: Vec<u64> = wave.iter().map(|(name, _)| self.request(name, Command::Reserve)).collect();
        let floors = tickets.iter().map(|ticket| match self.replies(*ticket)[..] {
            [Ok(Answer::Floor { floor, .. })] => floor,
            ref other => panic!("a floor was expected, not {other:?}"),
        });
        let at = floors.max().expect("a wave has members");
        for ((name, level), ticket) in wave.iter().zip(tickets) {
            let command = Command::Commit { ticket, at, stimuli: vec![stimulus(*level)] };
            assert_eq!(self.stamped(name, command), Stamp { tag: at, moved: false });
        }
        at
    }

    /// An outsider speaks to a neuron, in its first life.
    pub(super) fn hear(&mut self, to: &str, from: &str, body: SignalBody) {
        self.hear_in_life(to, from, life(1), body);
    }

    /// An outsider speaks to a neuron.
    pub(super) fn hear_in_life(&mut self, to: &str, from: &str, incarnation: Incarnation, body: SignalBody) {
        let signal = Signal { incarnation, body };
        self.give(&id(to), Input::Signal { from: id(from), signal });
    }

    /// An outsider states a level; it has stated all others before.
    pub(super) fn hear_level(&mut self, to: &str, from: &str, seq: u64, at: Tag, level: f64) {
        self.hear_value(to, from, seq, at, Value::plain(level));
    }

    /// An outsider states a level that may lack something; it has stated all others before.
    pub(super) fn hear_value(&mut self, to: &str, from: &str, seq: u64, at: Tag, value: Value) {
        let stream = self.stream(to, from);
        self.hear(to, from, SignalBody::Changed { stream, seq, known: at.prev(), at, value });
    }

    /// An outsider subscribes to a neuron.
    pub(super) fn hear_subscription(&mut self, to: &str, from: &str) -> StreamId {
        let stream = StreamId { incarnation: life(1), counter: 1 };
        self.hear(to, from, SignalBody::Subscribe { stream });
        stream
    }

    /// An outsider promises that it has nothing new.
    pub(super) fn hear_nothing(&mut self, to: &str, from: &str, after: u64, upto: Tag) {
        let stream = self.stream(to, from);
        self.hear(to, from, SignalBody::Nothing { stream, after, upto, wave: false });
    }

    /// The stream that a neuron has asked a source for last.
    pub(super) fn stream(&self, subscriber: &str, source: &str) -> StreamId {
        self.streams[&(id(subscriber), id(source))]
    }

    /// Lets a neuron begin a new life.
    pub(super) fn restart(&mut self, name: &str) {
        let now = self.now;
        self.neuron_mut(name).restart(now);
        self.give(&id(name), Input::Wake);
    }

    /// What the store of a neuron holds.
    pub(super) fn stored(&self, name: &str) -> Saved {
        self.stored[name].clone()
    }

    /// Lets a neuron come back after a crash, with what its store holds.
    pub(super) fn resume(&mut self, name: &str) {
        self.resume_from(name, self.stored(name));
    }

    /// Lets a neuron come back with what a store held once.
    pub(super) fn resume_from(&mut self, name: &str, saved: Saved) {
        let mut neuron = Neuron::resume(id(name), saved, self.carrier, 0, self.now);
        neuron.keep_record();
        self.neurons.insert(id(name), neuron);
        self.give(&id(name), Input::Wake);
    }

    /// Lets a neuron crash. Whatever is sent to it from now on is lost.
    pub(super) fn crash(&mut self, name: &str) {
        self.neurons.remove(name).expect("the test has made this neuron");
    }

    /// What was sent to a neuron could not be handed over.
    pub(super) fn undelivered(&mut self, from: &str, to: &str) {
        self.give(&id(from), Input::Undelivered { to: id(to) });
    }

    /// What has been sent since this was asked last.
    pub(super) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// What a neuron has sent to another since anything sent was asked for last.
    pub(super) fn sent_from(&mut self, from: &str, to: &str) -> Vec<SignalBody> {
        let between = self.sent().into_iter().filter(|sent| sent.from == id(from) && sent.to == id(to));
        between.map(|sent| sent.signal.body).collect()
    }

    /// The events that a neuron has stamped since the start.
    pub(super) fn stamped_by(&self, name: &str) -> Vec<(Tag, Event)> {
        let own = self.stamped.iter().filter(|(of, ..)| *of == id(name));
        own.map(|(_, tag, event)| (*tag, event.clone())).collect()
    }

    /// What a watch has reported since this was asked last.
    pub(super) fn changes(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.changes)
    }

    /// The number of the change that a watch has reported last.
    pub(super) fn reported(&self) -> u64 {
        self.reported
    }

    pub(super) fn level(&self, name: &str) -> f64 {
        self.neuron(name).level()
    }

    pub(super) fn value(&self, name: &str) -> Value {
        self.neuron(name).value().clone()
    }

    pub(super) fn level_at(&mut self, millis: u64, name: &str) -> f64 {
        self.run_to(millis);
        self.level(name)
    }

    pub(super) fn counters(&self, name: &str) -> Counters {
        self.neuron(name).counters()
    }

    pub(super) fn config(&mut self, name: &str) -> ConfigView {
        match self.ask(name, Command::Config) {
            Ok(Answer::Config(config)) => *config,
            other => panic!("a configuration was expected, not {other:?}"),
        }
    }

    /// The tags of the firings that the neuron remembers.
    pub(super) fn firings(&mut self, name: &str) -> Vec<Tag> {
        match self.ask(name, Command::Log) {
            Ok(Answer::Log(log)) => log.into_iter().map(|Firing { tag }| tag).collect(),
            other => panic!("a log was expected, not {other:?}"),
        }
    }

    pub(super) fn neuron(&self, name: &str) -> &Neuron {
        &self.neurons[name]
    }

    fn neuron_mut(&mut self, name: &str) -> &mut Neuron {
        self.neurons.get_mut(name).expect("the test has made this neuron")
    }
}

/// The tag up to which a neuron has spoken when it has said this.
fn spoken_of(body: &SignalBody) -> Option<Tag> {
    match body {
        SignalBody::Changed { at: tag, .. } | SignalBody::Nothing { upto: tag, .. } => Some(*tag),
        _ => None,
    }
}
