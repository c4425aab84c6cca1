//! What one hostile device costs the others: a network of XOR over a broker, with a user for each
//! device, beside a device that sends 10,000 lies a second in its own name.
//!
//! For each carrier it measures a wave of a controller (`present`, then `output_at`) three times:
//! while the device is quiet, while it sends as many messages to itself (so that the broker and the
//! processor have as much to do), and while it lies to all others. Each answer is compared with the
//! truth table.
//!
//! Run it with `cargo bench -p benches --bench hostile`. With `-- --full` the device lies for ten
//! minutes over each carrier. With `-- CARRIER` only one is measured: `pubsub`, `streams`, `core` or
//! `jetstream`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use benches::{
    process::resident,
    statistics::{median, micros, percentile},
};
use futures_util::{FutureExt as _, StreamExt as _};
use neuron_core::{
    Missing, Network, NeuronId, Tag, Time, Value,
    actor::{Controller, Host, block_on},
    signal::{Incarnation, Signal, SignalBody},
    sim::{Habits, Liar, Victims},
    transport::{Address, Envelope, Inbox, Transport},
};
use transport_conformance::Broker;
use transport_nats::{Credential, NatsMode, NatsTransport, Permissions};
use transport_redis::{Acl, RedisMode, RedisTransport};

/// How many messages the device sends a second.
const RATE: u32 = 10_000;
/// How often it sends: a burst each time.
const BURST: Duration = Duration::from_millis(10);
/// How long each phase takes.
const PHASE: Duration = Duration::from_secs(20);
/// How long the device lies with `--full`.
const FULL: Duration = Duration::from_secs(600);
/// How long the network rests after each wave.
const PAUSE: Duration = Duration::from_millis(5);

/// The neurons that honest hosts run, each with a user of its own.
const HONEST: [&str; 7] = ["x", "y", "h1", "h2", "h3", "z", "ear"];

fn main() {
    if benches::is_test() {
        return;
    }
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let lying = if benches::is_full() { FULL } else { PHASE };
    println!(
        "{:<10} {:<22} {:>7} {:>6} {:>7} {:>9} {:>9} {:>10} {:>10} {:>9}",
        "carrier", "the device", "waves", "wrong", "marked", "failed", "sent/s", "p50, µs", "p99, µs", "MiB"
    );
    for carrier in Carrier::ALL {
        if wanted.as_ref().is_none_or(|wanted| wanted == carrier.name()) {
            measure(carrier, lying);
        }
    }
}

/// How envelopes travel.
#[derive(Clone, Copy)]
enum Carrier {
    Redis(RedisMode, &'static str),
    Nats(NatsMode, &'static str),
}

impl Carrier {
    const ALL: [Self; 4] = [
        Self::Redis(RedisMode::PubSub, "pubsub"),
        Self::Redis(RedisMode::Streams, "streams"),
        Self::Nats(NatsMode::Core, "core"),
        Self::Nats(NatsMode::JetStream, "jetstream"),
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Redis(_, name) | Self::Nats(_, name) => name,
        }
    }

    /// Starts a broker with a user for each neuron, and `boss`.
    fn broker(self, network: &Network) -> Option<Broker> {
        let boss = "boss".parse().expect("a name");
        match self {
            Self::Redis(mode, _) => {
                let acl = Acl::new(network, "nn", mode).controller(&boss).file(|_| "secret".to_owned());
                let file = std::env::temp_dir().join(format!("neuron-bench-{}-{mode:?}.acl", std::process::id()));
                std::fs::write(&file, acl.expect("the passwords are plain")).expect("the list can be written");
                let broker = Broker::redis(&format!("aclfile {}\n{}", file.display(), Acl::SERVER_SETTINGS));
                std::fs::remove_file(&file).expect("it has been read");
                broker
            }
            Self::Nats(mode, _) => {
                let permissions = Permissions::new(network, "nn", mode).controller(&boss);
                let config = permissions.config(|_| Credential::Password("secret".to_owned()));
                Broker::nats(&config.expect("the passwords are plain"))
            }
        }
    }

    async fn connect(self, broker: &Broker, user: &str, network: &Network) -> Arc<dyn Transport> {
        let (name, port) = (self.name(), broker.port());
        match self {
            Self::Redis(..) => {
                let address = format!("redis://{user}:secret@127.0.0.1:{port}?mode={name}&local_first=false");
                Arc::new(RedisTransport::connect(&address, network.name()).await.expect("the user is admitted"))
            }
            Self::Nats(..) => {
                let address = format!("nats://{user}:secret@127.0.0.1:{port}?mode={name}&local_first=false");
                Arc::new(NatsTransport::connect(&address, network.name()).await.expect("the user is admitted"))
            }
        }
    }
}

/// Returns XOR, and a neuron `ear` that listens to the liar, which may listen to `x`.
fn network() -> Network {
    let xor = Network::from_toml(include_str!("../examples/xor.toml")).expect("the file is right");
    let mut builder = Network::builder(xor.name().as_str()).settings(*xor.settings());
    for (id, spec) in xor.neurons() {
        builder = builder.spec(id.as_str(), spec.clone());
    }
    let builder = builder.neuron("liar", |liar| liar.threshold(0.5).weight("x", 1.0));
    builder.neuron("ear", |ear| ear.threshold(0.5).weight("liar", 1.0)).build().expect("it is right")
}

fn measure(carrier: Carrier, lying: Duration) {
    let network = network();
    let Some(broker) = carrier.broker(&network) else { return };
    // The boss comes first: only a controller may create the stream of JetStream.
    let boss = block_on(carrier.connect(&broker, "boss", &network));
    let device = Device::start(block_on(carrier.connect(&broker, "liar", &network)));
    let hosts: Vec<Host> = HONEST
        .iter()
        .map(|neuron| {
            let transport = block_on(carrier.connect(&broker, neuron, &network));
            let name = neuron.parse().expect("a name");
            block_on(Host::builder(network.clone(), transport).only([*neuron]).controller(name).start())
                .expect("the host starts")
        })
        .collect();
    let no_neurons: [&str; 0] = [];
    let boss = Host::builder(network, boss).only(no_neurons).controller("boss".parse().expect("a name"));
    let boss = block_on(boss.start()).expect("it starts");
    for (what, doing, span) in [
        ("is quiet", Doing::Nothing, PHASE),
        ("writes to itself", Doing::Selftalk, PHASE),
        ("lies to all others", Doing::Lies, lying),
        ("is quiet again", Doing::Nothing, PHASE),
    ] {
        device.set(doing);
        let before = device.sent();
        let waves = Waves::run(boss.controller(), span);
        let rate = (device.sent() - before) as f64 / span.as_secs_f64();
        waves.print(carrier, what, rate);
    }
    let refused: u64 =
        HONEST.iter().filter_map(|name| block_on(boss.controller().counters(name)).ok()).map(|c| c.unknown).sum();
    println!(
        "{:<10} refused: {refused} signals by neurons, {} reports by the controller",
        carrier.name(),
        boss.counters().forged
    );
    drop(device);
    hosts.into_iter().chain([boss]).for_each(|host| block_on(host.stop()));
}

/// Waves of a controller, and what became of them.
#[derive(Default)]
struct Waves {
    /// From the call of `present` to the answer of z.
    took: Vec<Duration>,
    wrong: u64,
    marked: u64,
    failed: u64,
}

impl Waves {
    fn run(controller: &Controller, span: Duration) -> Self {
        let mut waves = Self::default();
        let mut rng = fastrand::Rng::with_seed(2016);
        // What each source was told, by tag.
        let mut levels = [BTreeMap::from([(Tag::ORIGIN, 0.0)]), BTreeMap::from([(Tag::ORIGIN, 0.0)])];
        let until = Instant::now() + span;
        while Instant::now() < until {
            let pattern = [("x", f64::from(rng.u8(0..2))), ("y", f64::from(rng.u8(0..2)))];
            let began = Instant::now();
            let Ok(wave) = block_on(controller.present(&pattern)) else {
                // What has entered is not known.
                waves.failed += 1;
                continue;
            };
            for ((name, level), levels) in pattern.iter().zip(&mut levels) {
                levels.insert(wave.late.get(*name).copied().unwrap_or(wave.tag), *level);
                *levels = levels.split_off(&Tag::at(wave.tag.time().before(Duration::from_secs(60))));
                levels.entry(Tag::ORIGIN).or_insert(0.0);
            }
            let tag = wave.late.values().copied().fold(wave.tag, Tag::max);
            let z = block_on(controller.output_at("z", tag));
            waves.took.push(began.elapsed());
            let level = |levels: &BTreeMap<Tag, f64>| levels.range(..=tag).next_back().map_or(0.0, |(_, level)| *level);
            let right = if level(&levels[0]) == level(&levels[1]) { 0.0 } else { 1.0 };
            match z {
                Ok(z) if z.missing != Missing::NONE => waves.marked += 1,
                Ok(z) => waves.wrong += u64::from(z.level != right),
                Err(_) => waves.failed += 1,
            }
            std::thread::sleep(PAUSE);
        }
        waves
    }

    fn print(mut self, carrier: Carrier, what: &str, rate: f64) {
        let Self { wrong, marked, failed, .. } = self;
        println!(
            "{:<10} {what:<22} {:>7} {wrong:>6} {marked:>7} {failed:>9} {rate:>9.0} {:>10.0} {:>10.0} {:>9.1}",
            carrier.name(),
            self.took.len(),
            micros(median(&mut self.took)),
            micros(percentile(&mut self.took, 99)),
            resident() as f64 / f64::from(1 << 20),
        );
    }
}

/// What the device does.
#[derive(Clone, Copy)]
enum Doing {
    Nothing,
    Selftalk,
    Lies,
}

/// The device, on a thread of its own.
struct Device {
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    talks: AtomicBool,
    lies: AtomicBool,
    ends: AtomicBool,
    sent: AtomicU64,
}

impl Device {
    fn start(transport: Arc<dyn Transport>) -> Self {
        let shared = Arc::new(Shared::default());
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || Sender::new(transport).run(&shared)
        });
        Self { shared, thread: Some(thread) }
    }

    fn set(&self, doing: Doing) {
        self.shared.talks.store(matches!(doing, Doing::Selftalk), Ordering::Relaxed);
        self.shared.lies.store(matches!(doing, Doing::Lies), Ordering::Relaxed);
    }

    fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the device does not panic");
        }
    }
}

/// What the device sends with.
struct Sender {
    transport: Arc<dyn Transport>,
    inboxes: [Inbox; 2],
    liar: Liar,
    victims: Victims,
    incarnation: Incarnation,
}

fn id(name: &str) -> NeuronId {
    name.parse().expect("a name")
}

impl Sender {
    fn new(transport: Arc<dyn Transport>) -> Self {
        let host = Address::Host("liar".parse().expect("a name"));
        let inboxes = [Address::Neuron(id("liar")), host]
            .map(|address| block_on(transport.subscribe(&address)).expect("it may have an inbox"));
        let victims = Victims {
            neurons: HONEST.map(id).into(),
            hosts: HONEST.map(|name| name.parse().expect("a name")).into(),
            controllers: vec!["boss".parse().expect("a name")],
        };
        let habits = Habits { far_tags: true, ..Habits::default() };
        let liar = Liar::new(id("liar"), "liar".parse().expect("a name"), habits, 2016);
        Self { transport, inboxes, liar, victims, incarnation: Incarnation { number: 1, nonce: 0xbad } }
    }

    fn run(mut self, shared: &Shared) {
        let burst = (f64::from(RATE) * BURST.as_secs_f64()) as u32;
        let mut next = Instant::now();
        while !shared.ends.load(Ordering::Relaxed) {
            next += BURST;
            self.hear();
            let (talks, lies) = (shared.talks.load(Ordering::Relaxed), shared.lies.load(Ordering::Relaxed));
            for _ in 0..if talks || lies { burst } else { 0 } {
                let envelope = if lies { self.liar.lie(&self.victims, now()) } else { self.to_itself() };
                // What has no inbox, or no room there, is as good as lost.
                let _ = block_on(self.transport.send(envelope));
                shared.sent.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }

    /// Takes in what has come. A subscription is answered as an honest neuron at rest would.
    fn hear(&mut self) {
        for index in 0..self.inboxes.len() {
            while let Some(Some(envelope)) = self.inboxes[index].next().now_or_never() {
                self.liar.hear(&envelope);
                let Envelope::Signal { from, signal, .. } = envelope else { continue };
                let SignalBody::Subscribe { stream } = signal.body else { continue };
                let value = Value::plain(0.0);
                let body = SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: Tag::FIRST, value };
                let answer = self.signal(from, body);
                let _ = block_on(self.transport.send(answer));
            }
        }
    }

    fn to_itself(&self) -> Envelope {
        self.signal(id("liar"), SignalBody::Hello)
    }

    fn signal(&self, to: NeuronId, body: SignalBody) -> Envelope {
        Envelope::Signal { from: id("liar"), to, signal: Signal { incarnation: self.incarnation, body } }
    }
}

fn now() -> Time {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Time::from_micros(since.as_micros() as u64)
}
