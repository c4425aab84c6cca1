//! Neurons of one host, which reports when one of them is down.

use std::collections::VecDeque;

use super::driver::{id, ms, time};
use crate::{
    NeuronId, Tag, Time, Value,
    command::{Command, Request, Stimulus},
    neuron::{Config, Input, Mode, Neuron, Outbox, Output},
    record::Record,
    signal::{Incarnation, Signal, SignalBody},
    transport::Guarantees,
};

/// `a`, and `b`, whose input it is; their signals are delivered locally.
struct Host {
    neurons: Vec<Neuron>,
    out: Outbox,
    /// The signals, each with its sender.
    said: Vec<(NeuronId, SignalBody)>,
    now: Time,
    left: bool,
}

impl Host {
    fn start() -> Self {
        let configs = [Config::new().threshold(0.9), Config::new().threshold(0.9).input(id("a"), 1.0)];
        let start = |(name, config)| Neuron::start(id(name), config, Guarantees::IN_PROCESS, 0, Time::ZERO);
        let neurons = ["a", "b"].into_iter().zip(configs).map(start).collect();
        let mut host = Self { neurons, out: Outbox::default(), said: Vec::new(), now: Time::ZERO, left: false };
        host.run_to(0);
        host
    }

    fn give(&mut self, to: usize, input: Input) {
        self.neurons[to].handle_with(input, self.now, &mut self.out);
        let mut at_hand = VecDeque::new();
        self.collect(to, &mut at_hand);
        while let Some((from, body_to, signal)) = at_hand.pop_front() {
            let to = self.neurons.iter().position(|neuron| *neuron.id() == body_to);
            let Some(to) = to.filter(|_| !self.left) else { continue };
            hear(&mut self.neurons[to], &from, signal, self.now, &mut self.out);
            self.collect(to, &mut at_hand);
        }
    }

    fn collect(&mut self, of: usize, at_hand: &mut VecDeque<(NeuronId, NeuronId, Signal)>) {
        let from = self.neurons[of].id().clone();
        while let Some(output) = self.out.pop() {
            if let Output::Signal { to, signal } = output {
                self.said.push((from.clone(), signal.body.clone()));
                at_hand.push_back((from.clone(), to, signal));
            }
        }
    }

    fn run_to(&mut self, millis: u64) {
        let end = time(millis);
        loop {
            let present = if self.left { 1..2 } else { 0..2 };
            let wakes = present.filter_map(|index| Some((self.neurons[index].wake_at()?, index)));
            let Some((at, index)) = wakes.min().filter(|(at, _)| *at <= end) else { break };
            self.now = self.now.max(at);
            self.give(index, Input::Wake);
        }
        self.now = end;
    }

    /// `a` fires for a minute.
    fn fire(&mut self) {
        let stimulus = Stimulus { sensor: None, level: Some(1.0), hold: Some(ms(60_000)) };
        let command = Command::Stimulate { stimulus, at: None, within: ms(0) };
        let from = "me".parse().unwrap();
        self.give(0, Input::Request { from, request: Request::new(1, command) });
    }

    fn levels(&self) -> [f64; 2] {
        [self.neurons[0].level(), self.neurons[1].level()]
    }
}

fn hear(neuron: &mut Neuron, from: &NeuronId, signal: Signal, now: Time, out: &mut Outbox) {
    neuron.begin_batch(now, out);
    neuron.receive_in_batch(from, signal, true, now, out);
    neuron.end_batch(now, out);
}

#[test]
fn a_level_of_a_colocated_neuron_needs_no_renewal() {
    let mut host = Host::start();
    host.run_to(10);
    host.fire();
    host.said.clear();
    host.run_to(30_000);
    assert_eq!(host.said, [], "nothing is said while nothing changes");
    assert_eq!(host.levels(), [1.0, 1.0]);
    assert!(!host.neurons[1].value().is_degraded());
}

#[test]
fn the_level_of_a_peer_that_is_down_lasts_a_lease_and_a_patience_at_most() {
    let mut host = Host::start();
    host.run_to(10);
    host.fire();
    host.run_to(20_000);
    host.left = true;
    let now = host.now;
    host.neurons[1].peer_down(&id("a"), now, &mut host.out);
    host.give(1, Input::Wake);
    let millis = (Config::LEASE + Config::PATIENCE).as_millis();
    host.run_to(20_000 + u64::try_from(millis).unwrap() - 1);
    assert_eq!(host.levels()[1], 1.0);
    host.run_to(20_000 + u64::try_from(millis).unwrap() + 1);
    assert_eq!(host.levels()[1], 0.0);
    assert_eq!(host.neurons[1].value().missing.names(), [id("a").into()]);
}

#[test]
fn a_slow_colocated_input_is_probed_once_and_not_marked_down() {
    let mut host = Host::start();
    host.run_to(10);
    // The host is stalled: `a` gets nothing, but it is not down.
    host.said.clear();
    let from = "me".parse().unwrap();
    let command = Command::OutputAt { tag: Tag::at(time(10)) };
    host.neurons[1].handle(Input::Request { from, request: Request::new(1, command) }, host.now);
    for millis in 10..500 {
        host.neurons[1].handle(Input::Wake, time(millis));
    }
    let mut probes = 0;
    while let Some(output) = host.neurons[1].poll_output() {
        match output {
            Output::Signal { signal, .. } => probes += u32::from(matches!(signal.body, SignalBody::Probe { .. })),
            other => panic!("nothing is answered yet, and this is: {other:?}"),
        }
    }
    assert_eq!(probes, 1);
}

#[test]
fn a_peer_that_restarts_repeatedly_does_not_keep_its_level() {
    let mut host = Host::start();
    host.run_to(10);
    host.fire();
    host.run_to(1000);
    host.left = true;
    for number in 2..8 {
        host.run_to(u64::from(number) * 1000);
        let signal = Signal { incarnation: Incarnation { number, nonce: 0 }, body: SignalBody::Hello };
        let now = host.now;
        hear(&mut host.neurons[1], &id("a"), signal, now, &mut Outbox::default());
    }
    assert_eq!((host.levels()[1], host.neurons[1].value().missing.names()), (0.0, &[id("a").into()][..]));
}

#[test]
fn an_asap_neuron_answers_each_of_several_signals_of_one_batch() {
    let config = Config::new().mode(Mode::Asap).threshold(1.5).input(id("a"), 1.0).input(id("b"), 1.0);
    let mut neuron = Neuron::start(id("n"), config, Guarantees::IN_PROCESS, 0, Time::ZERO);
    neuron.handle(Input::Wake, Time::ZERO);
    let streams: Vec<_> = std::iter::from_fn(|| neuron.poll_output())
        .filter_map(|output| match output {
            Output::Signal { signal: Signal { body: SignalBody::Subscribe { stream }, .. }, .. } => Some(stream),
            _ => None,
        })
        .collect();
    let says = |source: usize, seq, micros, level| {
        let at = Tag::at(Time::from_micros(micros));
        let (stream, value) = (streams[source], Value::plain(level));
        let body = SignalBody::Changed { stream, seq, known: at.prev(), at, value };
        (id(["a", "b"][source]), Signal { incarnation: Incarnation { number: 1, nonce: 0 }, body })
    };
    for source in [0, 1] {
        let (from, signal) = says(source, 1, 1, 0.0);
        hear(&mut neuron, &from, signal, time(1), &mut Outbox::default());
    }
    neuron.keep_record();
    let before = neuron.counters().evaluations;
    let mut out = Outbox::default();
    neuron.begin_batch(time(2), &mut out);
    let all = [says(0, 2, 2000, 1.0), says(1, 2, 2001, 1.0), says(0, 3, 2002, 0.0), says(1, 3, 2003, 0.0)];
    for (from, signal) in all {
        neuron.receive_in_batch(&from, signal, true, time(2), &mut out);
        neuron.evaluate_early(time(2), &mut out);
    }
    neuron.end_batch(time(2), &mut out);
    assert_eq!(neuron.counters().evaluations - before, 4);
    let records = std::iter::from_fn(|| out.pop()).filter_map(|output| match output {
        Output::Record(record) => Some(record),
        _ => None,
    });
    let levels: Vec<f64> = records
        .filter_map(|record| match record {
            Record::Evaluated(claim) => Some(claim.value.level),
            Record::Stamped { .. } => None,
        })
        .collect();
    assert_eq!(levels, [0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn a_neuron_of_a_watched_host_outputs_each_change_it_counts() {
    let mut neuron = Neuron::start(id("n"), Config::new(), Guarantees::IN_PROCESS, 0, Time::ZERO);
    let mut out = Outbox::default();
    let counted = |out: &mut Outbox| {
        let outputs = std::iter::from_fn(|| out.pop()).filter_map(|output| match output {
            Output::Counted { position, sample } => {
                Some((position.incarnation.number, position.number, sample.map(|sample| sample.level)))
            }
            _ => None,
        });
        outputs.collect::<Vec<_>>()
    };
    let stimulate = |neuron: &mut Neuron, number: u64, level: f64, out: &mut Outbox| {
        let stimulus = Stimulus { sensor: None, level: Some(level), hold: None };
        let command = Command::Stimulate { stimulus, at: None, within: ms(0) };
        let request = Request::new(number, command);
        neuron.handle_with(Input::Request { from: "me".parse().unwrap(), request }, time(number), out);
    };
    neuron.handle_with(Input::Wake, Time::ZERO, &mut out);
    stimulate(&mut neuron, 1, 1.0, &mut out);
    assert_eq!(counted(&mut out), [], "nothing is noted while the host is not watched");
    assert_eq!(neuron.set_host_watched(true).number, 0);
    stimulate(&mut neuron, 2, 0.0, &mut out);
    stimulate(&mut neuron, 3, 1.0, &mut out);
    assert_eq!(counted(&mut out), [(1, 1, Some(0.0)), (1, 2, Some(1.0))]);
    neuron.restart_with(time(4), &mut out);
    neuron.handle_with(Input::Wake, time(4), &mut out);
    let after = counted(&mut out);
    assert_eq!(after[0], (2, 0, None), "the incarnation is another one");
    assert_eq!(after.last().map(|(_, _, level)| *level), Some(Some(0.0)));
    neuron.set_host_watched(false);
    stimulate(&mut neuron, 5, 1.0, &mut out);
    assert_eq!(counted(&mut out), []);
    assert!(neuron.set_host_watched(true).number > after.len() as u64 - 1, "but it is counted");
}

#[test]
fn a_fenced_neuron_goes_on_after_the_other_incarnation_if_its_host_prevails() {
    let mut out = Outbox::default();
    let config = Config::new().threshold(0.9).input(id("x"), 1.0);
    let mut neuron = Neuron::start(id("n"), config, Guarantees::IN_PROCESS, 1, Time::ZERO);
    neuron.handle_with(Input::Wake, Time::ZERO, &mut out);
    neuron.restart_fenced(time(1), &mut out);
    assert_eq!(neuron.incarnation().number, 1, "it is not fenced");
    let known = Incarnation { number: 5, nonce: 9 };
    let body = SignalBody::Fenced { answered: neuron.incarnation(), known };
    let signal = Signal { incarnation: Incarnation { number: 1, nonce: 2 }, body };
    neuron.handle_with(Input::Signal { from: id("x"), signal }, time(2), &mut out);
    assert_eq!(neuron.fenced_by(), Some(known));
    out.clear();
    neuron.restart_fenced(time(10), &mut out);
    neuron.handle_with(Input::Wake, time(10), &mut out);
    assert_eq!((neuron.fenced_by(), neuron.incarnation().number), (None, 6));
    let subscribes = |output: Output| matches!(output, Output::Signal { to, signal } if to == id("x") && signal.incarnation.number == 6);
    assert!(std::iter::from_fn(|| out.pop()).any(subscribes), "it asks its input again");
    assert!(neuron.stamp_bound() >= Tag::at(time(10 + 250)), "the other one may have spoken of tags up to now");
}

#[test]
fn a_neighbour_cannot_drive_the_number_of_an_incarnation_up_by_word_of_a_rival() {
    let mut out = Outbox::default();
    let mut neuron = Neuron::start(id("n"), Config::new().threshold(0.9), Guarantees::IN_PROCESS, 1, Time::ZERO);
    neuron.handle_with(Input::Wake, Time::ZERO, &mut out);
    let answered = neuron.incarnation();
    let rival = |number| Incarnation { number, nonce: 9 };
    neuron.outlive(answered, rival(1 + 65), time(1), &mut out);
    assert_eq!(neuron.incarnation().number, 1, "no two processes with one network are so far apart");
    neuron.outlive(rival(1), rival(2), time(1), &mut out);
    assert_eq!(neuron.incarnation().number, 1, "it answers no message of this incarnation");
    neuron.outlive(answered, rival(1 + 64), time(1), &mut out);
    neuron.handle_with(Input::Wake, time(1), &mut out);
    assert_eq!(neuron.incarnation().number, 1 + 65);
}
