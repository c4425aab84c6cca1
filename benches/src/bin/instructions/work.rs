//! The kinds of work whose instructions are counted. Each can be done any number of times, and is
//! always the same.

use std::{
    collections::VecDeque,
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

use neuron_core::{
    ControllerId, Missing, Network, NeuronId, Tag, Time, Value,
    actor::Host,
    command::{Answer, Command, Report, Request, Stimulus},
    neuron::{Config, Input, Mode, Neuron, Output},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    transport::Guarantees,
    wire,
};
use transport_local::LocalTransport;

/// A kind of work.
pub(crate) struct Work {
    /// Its name on the command line and in the table.
    pub(crate) name: &'static str,
    /// Does it this many times.
    pub(crate) run: fn(u64),
    /// How many times are enough for a count that chance does not move.
    pub(crate) times: u64,
    /// The share by which its count may grow without a change of the source: other compilers, other
    /// C libraries.
    pub(crate) leeway: f64,
}

/// All kinds of work. Those with a host vary a little, because how often its threads wait for each
/// other does.
pub(crate) const ALL: [Work; 8] = [
    Work { name: "hop", run: hops, times: 20_000, leeway: 0.05 },
    Work { name: "xor_wave", run: xor_waves, times: 2_000, leeway: 0.05 },
    Work { name: "encode", run: encodes, times: 20_000, leeway: 0.05 },
    Work { name: "decode", run: decodes, times: 20_000, leeway: 0.05 },
    Work { name: "host_hop", run: |count| host_hops(count, Mode::Coherent), times: 100_000, leeway: 0.05 },
    Work { name: "asap_hop", run: |count| host_hops(count, Mode::Asap), times: 100_000, leeway: 0.05 },
    Work { name: "flood_hop", run: flood_hops, times: 120_000, leeway: 0.05 },
    Work { name: "host_wave", run: host_waves, times: 1_000, leeway: 0.10 },
];

/// Sends waves through a chain that is long enough for its ends not to matter.
fn hops(count: u64) {
    const LENGTH: u64 = 100;
    let follows = |index: u64| {
        let config = Config::new().threshold(0.9);
        if index == 0 { config } else { config.input(chained(index - 1), 1.0) }
    };
    let mut pure = Pure::start((0..=LENGTH).map(|index| (chained(index), follows(index))));
    for wave in 0..count / LENGTH {
        pure.wave(&[(0, level(wave))]);
        assert_eq!(pure.neurons[LENGTH as usize].level(), level(wave), "the wave has come to the end of the chain");
    }
}

fn xor_waves(count: u64) {
    let network = xor();
    let mut pure = Pure::start(network.configs());
    let [x, y, z] = ["x", "y", "z"].map(|id| pure.index(&name(id)));
    for wave in 0..count {
        let one = level(wave);
        let other = level(wave / 2);
        pure.wave(&[(x, one), (y, other)]);
        assert_eq!(pure.neurons[z].level() == 1.0, one != other, "z is XOR");
    }
}

/// Sends waves through a chain in a host that is long enough for the requests and the answers not
/// to matter.
fn host_hops(count: u64, mode: Mode) {
    const LENGTH: u64 = 1000;
    let first = chained(0);
    let last = chained(LENGTH - 1);
    block_on(async {
        let host = Host::start(chain(LENGTH, mode), Arc::new(LocalTransport::new())).await.expect("the host starts");
        let controller = host.controller();
        let mut watch = controller.watch(last.as_str()).await.expect("it is there");
        watch.next().await.expect("the level to start from");
        for wave in 0..count / LENGTH {
            controller.stimulate(first.as_str(), 1.0 - level(wave)).await.expect("the wave enters");
            black_box(watch.next().await.expect("the last one answers"));
        }
        host.stop().await;
    });
}

/// Sends many waves at once through a short chain in a host.
fn flood_hops(count: u64) {
    const LENGTH: u64 = 3;
    const WAVES: u64 = 1000;
    let levels: Vec<f64> = (0..WAVES).map(|wave| 1.0 - level(wave)).collect();
    block_on(async {
        let host = Host::start(chain(LENGTH + 1, Mode::Coherent), Arc::new(LocalTransport::new()))
            .await
            .expect("the host starts");
        let controller = host.controller();
        for _ in 0..count / LENGTH / WAVES {
            let tags = controller.stimulate_train(chained(0).as_str(), &levels).await.expect("the waves enter");
            let last = *tags.last().expect("there are some");
            black_box(controller.output_at(chained(LENGTH).as_str(), last).await.expect("the last one answers"));
        }
        host.stop().await;
    });
}

/// Sends whole waves within a process: a controller, a host on a thread of its own, six neurons,
/// and the answer.
fn host_waves(count: u64) {
    block_on(async {
        let host = Host::start(xor(), Arc::new(LocalTransport::new())).await.expect("the host starts");
        let controller = host.controller();
        for wave in 0..count {
            let levels = [("x", level(wave)), ("y", level(wave / 2))];
            let wave = controller.present(&levels).await.expect("the wave enters");
            black_box(controller.output_at("z", wave.tag).await.expect("z answers"));
        }
        host.stop().await;
    });
}

/// Wakes a parked thread, without a lock: a thread that is woken under a lock spins there, and how
/// long depends on the load of the machine.
struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on(work: impl Future<Output = ()>) {
    let waker = Waker::from(Arc::new(Parked(thread::current())));
    let mut work = pin!(work);
    while work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}

fn encodes(count: u64) {
    let signal = signal();
    for _ in 0..count {
        black_box(wire::encode_signal(black_box(&signal)).expect("it is finite"));
    }
}

fn decodes(count: u64) {
    let frame = wire::encode_signal(&signal()).expect("it is finite");
    for _ in 0..count {
        black_box(wire::decode_signal(black_box(&frame)).expect("it is a signal"));
    }
}

fn signal() -> Signal {
    let incarnation = Incarnation { number: 1, nonce: 7 };
    let at = Tag::at(Time::from_micros(1_000_000));
    let value = Value { level: 1.0, missing: Missing::NONE };
    let stream = StreamId { incarnation, counter: 1 };
    Signal { incarnation, body: SignalBody::Changed { stream, seq: 1, known: at.prev(), at, value } }
}

fn xor() -> Network {
    Network::from_toml(include_str!("../../../../examples/xor.toml")).expect("the file is right")
}

fn name(id: &str) -> NeuronId {
    id.parse().expect("a name")
}

/// Returns that many neurons, each of which follows the one before.
fn chain(length: u64, mode: Mode) -> Network {
    let chain = (0..length).fold(Network::builder("chain").mode(mode), |chain, index| match index {
        0 => chain.neuron(chained(0).as_str(), |neuron| neuron.threshold(0.9)),
        _ => chain
            .neuron(chained(index).as_str(), |neuron| neuron.threshold(0.9).weight(chained(index - 1).as_str(), 1.0)),
    });
    chain.build().expect("it is right")
}

/// Returns the name of a neuron; names sort in the order of the chain.
fn chained(index: u64) -> NeuronId {
    name(&format!("n{index:03}"))
}

fn level(wave: u64) -> f64 {
    (wave % 2) as f64
}

/// Neurons without a host: messages are delivered in order, and time advances only between waves.
struct Pure {
    ids: Vec<NeuronId>,
    neurons: Vec<Neuron>,
    mail: VecDeque<(usize, Input)>,
    now: Time,
    me: ControllerId,
    requests: u64,
    /// The highest floor that a neuron has answered.
    floor: Tag,
}

impl Pure {
    fn start(configs: impl Iterator<Item = (NeuronId, Config)>) -> Self {
        let mut configs: Vec<_> = configs.collect();
        configs.sort_by(|one, other| one.0.cmp(&other.0));
        let now = Time::from_micros(1_000_000);
        let carrier = Guarantees::IN_PROCESS;
        let (ids, neurons) = configs
            .into_iter()
            .map(|(id, config)| {
                let neuron = Neuron::start(id.clone(), config, carrier, 0, now);
                (id, neuron)
            })
            .unzip();
        let me = "me".parse().expect("a name");
        let mut pure = Self { ids, neurons, mail: VecDeque::new(), now, me, requests: 0, floor: Tag::ORIGIN };
        pure.settle();
        pure
    }

    fn index(&self, id: &NeuronId) -> usize {
        self.ids.binary_search(id).expect("one of them")
    }

    /// Advances the time by a millisecond and presents these levels at one tag, as a controller
    /// does.
    fn wave(&mut self, levels: &[(usize, f64)]) {
        self.now = self.now.after(Duration::from_millis(1));
        self.wake();
        self.floor = Tag::ORIGIN;
        let first = self.requests + 1;
        for (to, _) in levels {
            self.request(*to, Command::Reserve);
        }
        self.deliver();
        for (ticket, (to, level)) in (first..).zip(levels) {
            let stimuli = vec![Stimulus { sensor: None, level: Some(*level), hold: None }];
            self.request(*to, Command::Commit { ticket, at: self.floor, stimuli });
        }
        self.deliver();
    }

    fn request(&mut self, to: usize, command: Command) {
        self.requests += 1;
        let request = Request::new(self.requests, command);
        self.mail.push_back((to, Input::Request { from: self.me.clone(), request }));
    }

    /// Advances the time until all neurons have subscribed to each other.
    fn settle(&mut self) {
        self.wake();
        for _ in 0..1_000 {
            self.now = self.now.after(Duration::from_millis(1));
            self.wake();
        }
    }

    fn wake(&mut self) {
        for index in 0..self.neurons.len() {
            if self.neurons[index].wake_at().is_some_and(|at| at <= self.now) {
                self.hand_over(index, Input::Wake);
            }
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Some((to, input)) = self.mail.pop_front() {
            self.hand_over(to, input);
        }
    }

    fn hand_over(&mut self, to: usize, input: Input) {
        self.neurons[to].handle(input, self.now);
        while let Some(output) = self.neurons[to].poll_output() {
            match output {
                Output::Signal { to: next, signal } => {
                    let next = self.index(&next);
                    self.mail.push_back((next, Input::Signal { from: self.ids[to].clone(), signal }));
                }
                Output::Report { report: Report::Reply { result, .. }, .. } => {
                    if let Answer::Floor { floor, .. } = result.expect("it is not refused") {
                        self.floor = self.floor.max(floor);
                    }
                }
                _ => {}
            }
        }
    }
}
