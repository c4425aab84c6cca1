//! A few neurons in a time that the test advances. Signals arrive at once, in the order of sending.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    ControllerId, NeuronId, Tag, Time,
    command::{Answer, Command, ConfigView, Firing, Refusal, Report, Request, Sample, Stamp},
    neuron::{Config, Counters, Input, Neuron, Output, Saved},
    record::{Event, Record},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    transport::Guarantees,
    value::Value,
};

pub(super) use super::values::*;

/// Returns the network of the examples: `z` is the XOR of `x` and `y`.
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

/// One signal that was sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sent {
    pub(super) from: NeuronId,
    pub(super) to: NeuronId,
    pub(super) signal: Signal,
}

/// The neurons and the messages that they have sent.
///
/// The test plays all other neurons, the outsiders: it finds the signals to them in
/// [`sent`](Self::sent), and sends theirs with [`receive`](Self::receive).
pub(super) struct Driver {
    guarantees: Guarantees,
    pub(super) neurons: BTreeMap<NeuronId, Neuron>,
    pub(super) now: Time,
    in_flight: VecDeque<Sent>,
    sent: Vec<Sent>,
    streams: BTreeMap<(NeuronId, NeuronId), StreamId>,
    requests: u64,
    replies: Vec<(u64, Result<Answer, Refusal>)>,
    changes: Vec<Sample>,
    reported: u64,
    /// The content of the neurons' stores.
    stored: BTreeMap<NeuronId, Saved>,
    saves: u64,
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

    /// Starts the neurons at time 0, over a transport with these guarantees.
    pub(super) fn network_over<const N: usize>(guarantees: Guarantees, configs: [(&str, Config); N]) -> Self {
        let start = |(name, config)| {
            let mut neuron = Neuron::start(id(name), config, guarantees, 0, Time::ZERO);
            neuron.keep_record();
            (id(name), neuron)
        };
        let mut driver = Self {
            guarantees,
            neurons: configs.map(start).into(),
            now: Time::ZERO,
            in_flight: VecDeque::new(),
            sent: Vec::new(),
            streams: BTreeMap::new(),
            requests: 0,
            replies: Vec::new(),
            changes: Vec::new(),
            reported: 0,
            stored: BTreeMap::new(),
            saves: 0,
            stamped: Vec::new(),
        };
        driver.run_until(Time::ZERO);
        driver
    }

    /// Advances the time to this many milliseconds after the start, and wakes neurons on the way.
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

    /// Advances the time without wake-ups, as if the host were stalled.
    pub(super) fn stall_to(&mut self, millis: u64) {
        self.now = time(millis);
    }

    /// Returns the present time, in milliseconds after the start.
    pub(super) fn millis(&self) -> u64 {
        self.now.as_micros() / 1000
    }

    /// Advances the time to `upto` and returns when, in milliseconds, a neuron sends a signal for
    /// which `such` is true; once for each signal.
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

    pub(super) fn give(&mut self, to: &NeuronId, input: Input) {
        let now = self.now;
        self.neuron_mut(to.as_str()).handle(input, now);
        self.carry_out(to);
        let before = self.sent.len();
        while let Some(Sent { from, to, signal }) = self.in_flight.pop_front() {
            assert!(self.sent.len() - before < 100_000, "the neurons talk without end: {from} to {to}: {signal:?}");
            if let Some(neuron) = self.neurons.get_mut(&to) {
                neuron.handle(Input::Signal { from, signal }, self.now);
                self.carry_out(&to);
            }
        }
    }

    /// Carries out the outputs of a neuron.
    fn carry_out(&mut self, from: &NeuronId) {
        while let Some(output) = self.neuron_mut(from.as_str()).poll_output() {
            match output {
                Output::Signal { to, signal } => {
                    if let SignalBody::Subscribe { stream } = signal.body {
                        self.streams.insert((from.clone(), to.clone()), stream);
                    }
                    if let Some(tag) = promised_tag(&signal.body) {
                        assert!(
                            tag <= self.stored[from].ceiling,
                            "{from} promises more than its store allows: {signal:?}"
                        );
                    }
                    let sent = Sent { from: from.clone(), to, signal };
                    self.sent.push(sent.clone());
                    self.in_flight.push_back(sent);
                }
                Output::Report { report: Report::Reply { request, result }, .. } => {
                    self.replies.push((request, result));
                }
                Output::Report { report: Report::Changed { sample, position, .. }, .. } => {
                    self.changes.push(sample);
                    self.reported = position.number;
                }
                Output::Save | Output::SaveSoon => {
                    let saved = self.neuron(from.as_str()).saved();
                    self.stored.insert(from.clone(), saved);
                    self.saves += 1;
                }
                Output::Record(Record::Stamped { tag, event }) => self.stamped.push((from.clone(), tag, event)),
                Output::Record(Record::Evaluated(_)) | Output::Counted { .. } => {}
            }
        }
    }

    /// Sends a command and returns the number of the request.
    pub(super) fn request(&mut self, of: &str, command: Command) -> u64 {
        self.requests += 1;
        self.request_again(of, self.requests, command);
        self.requests
    }

    pub(super) fn request_again(&mut self, of: &str, request: u64, command: Command) {
        let from: ControllerId = "me".parse().unwrap();
        self.give(&id(of), Input::Request { from, request: Request::new(request, command) });
    }

    /// Sends a command as another controller, and returns the number of the request.
    pub(super) fn request_as(&mut self, controller: &str, of: &str, command: Command) -> u64 {
        self.requests += 1;
        let from: ControllerId = controller.parse().unwrap();
        self.give(&id(of), Input::Request { from, request: Request::new(self.requests, command) });
        self.requests
    }

    /// Returns the answers to a request so far.
    pub(super) fn replies(&self, request: u64) -> Vec<Result<Answer, Refusal>> {
        let replies = self.replies.iter().filter(|(answered, _)| *answered == request);
        replies.map(|(_, result)| result.clone()).collect()
    }

    /// Sends a command that is answered at once, and returns the answer.
    pub(super) fn ask(&mut self, of: &str, command: Command) -> Result<Answer, Refusal> {
        let request = self.request(of, command);
        self.replies(request).pop().expect("an answer comes at once")
    }

    /// Sends a command with a deadline that is answered at once, and returns the answer.
    pub(super) fn ask_by(&mut self, of: &str, deadline: Time, command: Command) -> Result<Answer, Refusal> {
        let request = self.request_by(of, deadline, command);
        self.replies(request).pop().expect("an answer comes at once")
    }

    /// Sends a command with a deadline, and returns the number of the request.
    pub(super) fn request_by(&mut self, of: &str, deadline: Time, command: Command) -> u64 {
        self.requests += 1;
        let request = Request { id: self.requests, deadline: Some(deadline), command };
        self.give(&id(of), Input::Request { from: "me".parse().unwrap(), request });
        self.requests
    }

    /// Sends a command that takes effect at a tag, and returns its stamp.
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

    /// Sends a reading of a sensor.
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

    /// Tells a neuron that the host of an input is gone.
    #[cfg(feature = "sim")]
    pub(super) fn lose_input(&mut self, name: &str, source: &str) {
        let now = self.now;
        self.neuron_mut(name).handle_input_lost(&id(source), now);
        self.carry_out(&id(name));
    }

    /// Delivers a signal of an outsider in its first incarnation.
    pub(super) fn receive(&mut self, to: &str, from: &str, body: SignalBody) {
        self.receive_from_incarnation(to, from, incarnation(1), body);
    }

    /// Delivers a signal of an outsider.
    pub(super) fn receive_from_incarnation(
        &mut self,
        to: &str,
        from: &str,
        incarnation: Incarnation,
        body: SignalBody,
    ) {
        let signal = Signal { incarnation, body };
        self.give(&id(to), Input::Signal { from: id(from), signal });
    }

    /// Delivers a statement of an outsider, whose earlier statements were all delivered.
    pub(super) fn receive_level(&mut self, to: &str, from: &str, seq: u64, at: Tag, level: f64) {
        self.receive_value(to, from, seq, at, Value::plain(level));
    }

    /// Like [`receive_level`](Self::receive_level), with a value that may be degraded.
    pub(super) fn receive_value(&mut self, to: &str, from: &str, seq: u64, at: Tag, value: Value) {
        let stream = self.stream(to, from);
        self.receive(to, from, SignalBody::Changed { stream, seq, known: at.prev(), at, value });
    }

    /// Delivers a subscription of an outsider, and returns its stream.
    pub(super) fn receive_subscription(&mut self, to: &str, from: &str) -> StreamId {
        let stream = StreamId { incarnation: incarnation(1), counter: 1 };
        self.receive(to, from, SignalBody::Subscribe { stream });
        stream
    }

    /// Delivers a null message of an outsider.
    pub(super) fn receive_null(&mut self, to: &str, from: &str, after: u64, upto: Tag) {
        let stream = self.stream(to, from);
        self.receive(to, from, SignalBody::Nothing { stream, after, upto, wave: false });
    }

    /// Returns the stream that a neuron has asked a source for last.
    pub(super) fn stream(&self, subscriber: &str, source: &str) -> StreamId {
        self.streams[&(id(subscriber), id(source))]
    }

    /// Restarts a neuron in place.
    pub(super) fn restart(&mut self, name: &str) {
        let now = self.now;
        self.neuron_mut(name).restart(now);
        self.give(&id(name), Input::Wake);
    }

    /// Returns how often any neuron was saved since the last call.
    pub(super) fn take_saves(&mut self) -> u64 {
        std::mem::take(&mut self.saves)
    }

    /// Returns the content of a neuron's store.
    pub(super) fn stored(&self, name: &str) -> Saved {
        self.stored[name].clone()
    }

    /// Resumes a neuron after a crash, from its store.
    pub(super) fn resume(&mut self, name: &str) {
        self.resume_from(name, self.stored(name));
    }

    /// Resumes a neuron from the content of a store.
    pub(super) fn resume_from(&mut self, name: &str, saved: Saved) {
        let mut neuron = Neuron::resume(id(name), saved, self.guarantees, 0, self.now);
        neuron.keep_record();
        self.neurons.insert(id(name), neuron);
        self.give(&id(name), Input::Wake);
    }

    /// Crashes a neuron. Signals to it are lost from now on.
    pub(super) fn crash(&mut self, name: &str) {
        self.neurons.remove(name).expect("the test has made this neuron");
    }

    /// Tells a neuron that a message to another one could not be delivered.
    pub(super) fn undelivered(&mut self, from: &str, to: &str) {
        self.give(&id(from), Input::Undelivered { to: id(to) });
    }

    /// Returns the signals that were sent since the last call.
    pub(super) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// Returns the signals from one neuron to another since the last call of [`sent`](Self::sent).
    /// Drops all other signals.
    pub(super) fn sent_from(&mut self, from: &str, to: &str) -> Vec<SignalBody> {
        let between = self.sent().into_iter().filter(|sent| sent.from == id(from) && sent.to == id(to));
        between.map(|sent| sent.signal.body).collect()
    }

    /// Returns the events that a neuron has stamped since the start.
    pub(super) fn stamped_by(&self, name: &str) -> Vec<(Tag, Event)> {
        let own = self.stamped.iter().filter(|(of, ..)| *of == id(name));
        own.map(|(_, tag, event)| (*tag, event.clone())).collect()
    }

    /// Returns the changes that watches have reported since the last call.
    pub(super) fn changes(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.changes)
    }

    /// Returns the number of the last change that a watch has reported.
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
        match self.ask(name, Command::Config { after: Tag::ORIGIN }) {
            Ok(Answer::Config(config)) => *config,
            other => panic!("a configuration was expected, not {other:?}"),
        }
    }

    /// Returns the tags in the neuron's log of firings.
    pub(super) fn firings(&mut self, name: &str) -> Vec<Tag> {
        match self.ask(name, Command::Log { after: Tag::ORIGIN }) {
            Ok(Answer::Log(log)) => log.into_iter().map(|Firing { tag }| tag).collect(),
            other => panic!("a log was expected, not {other:?}"),
        }
    }

    pub(super) fn neuron(&self, name: &str) -> &Neuron {
        &self.neurons[name]
    }

    pub(super) fn neuron_mut(&mut self, name: &str) -> &mut Neuron {
        self.neurons.get_mut(name).expect("the test has made this neuron")
    }
}

/// Returns the tag that a signal promises; `None` if it promises nothing.
fn promised_tag(body: &SignalBody) -> Option<Tag> {
    match body {
        SignalBody::Changed { at: tag, .. } | SignalBody::Nothing { upto: tag, .. } => Some(*tag),
        _ => None,
    }
}
