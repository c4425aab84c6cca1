//! A few neurons whose time is moved by hand. Every signal arrives at once, in the order it was sent.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::{
    ControllerId, NeuronId, SensorId, Tag, Time,
    command::{Answer, Command, ConfigView, Firing, Refusal, Report, Request, Sample, Stamp, Stimulus},
    neuron::{Config, Counters, Input, Neuron, Output, Pace},
    signal::{Incarnation, Signal, SignalBody, StreamId},
};

/// How long an input may be silent before it is asked.
pub(super) const GRACE: Duration = Duration::from_millis(1);

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
    neurons: BTreeMap<NeuronId, Neuron>,
    now: Time,
    on_the_way: VecDeque<Sent>,
    sent: Vec<Sent>,
    streams: BTreeMap<(NeuronId, NeuronId), StreamId>,
    requests: u64,
    replies: Vec<(u64, Result<Answer, Refusal>)>,
    changes: Vec<Sample>,
}

impl Driver {
    pub(super) fn alone(name: &str, config: Config) -> Self {
        Self::network([(name, config)])
    }

    /// Starts the neurons at time 0.
    pub(super) fn network<const N: usize>(configs: [(&str, Config); N]) -> Self {
        let pace = Pace { grace: GRACE, retry: ms(25) };
        let neurons =
            configs.map(|(name, config)| (id(name), Neuron::start(id(name), config, pace, Time::ZERO))).into();
        let mut driver = Self {
            neurons,
            now: Time::ZERO,
            on_the_way: VecDeque::new(),
            sent: Vec::new(),
            streams: BTreeMap::new(),
            requests: 0,
            replies: Vec::new(),
            changes: Vec::new(),
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

    fn give(&mut self, to: &NeuronId, input: Input) {
        let now = self.now;
        self.neuron_mut(to.as_str()).handle(input, now);
        self.carry(to);
        while let Some(Sent { from, to, signal }) = self.on_the_way.pop_front() {
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
                    let sent = Sent { from: from.clone(), to, signal };
                    self.sent.push(sent.clone());
                    self.on_the_way.push_back(sent);
                }
                Output::Report { report: Report::Reply { request, result }, .. } => {
                    self.replies.push((request, result));
                }
                Output::Report { report: Report::Changed { sample, .. }, .. } => self.changes.push(sample),
                Output::Record(_) => {}
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
            [Ok(Answer::Floor(floor))] => floor,
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
        self.hear_in_life(to, from, 1, body);
    }

    /// An outsider speaks to a neuron.
    pub(super) fn hear_in_life(&mut self, to: &str, from: &str, life: u32, body: SignalBody) {
        let signal = Signal { incarnation: Incarnation(life), body };
        self.give(&id(to), Input::Signal { from: id(from), signal });
    }

    /// An outsider states a level; it has stated all others before.
    pub(super) fn hear_level(&mut self, to: &str, from: &str, seq: u64, at: Tag, level: f64) {
        let stream = self.stream(to, from);
        self.hear(to, from, SignalBody::Changed { stream, seq, known: at.prev(), at, level });
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

    /// What has been sent since this was asked last.
    pub(super) fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// What a watch has reported since this was asked last.
    pub(super) fn changes(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn level(&self, name: &str) -> f64 {
        self.neuron(name).level()
    }

    pub(super) fn level_at(&mut self, millis: u64, name: &str) -> f64 {
        self.run_to(millis);
        self.level(name)
    }

    pub(super) fn counters(&self, name: &str) -> Counters {
        *self.neuron(name).counters()
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
