//! How long it takes from x to z, beside the same network and beside three hops of bare tokio channels.
//!
//! All contestants run on one thread of their own and are measured inside it: from the moment both x and y have begun to
//! tell (they are told what to do from another thread, one after the other; asap neurons do not wait for y), to the moment
//! z has decided. They take turns
//! in one run, and what counts is the ratio.

use std::{
    sync::{Arc, Mutex, mpsc as std_mpsc},
    time::{Duration, Instant},
};

use neuron_core::{
    Network,
    actor::{Host, block_on},
    command::Report,
    neuron::Mode,
    transport::{Address, BoxFuture, Envelope, Guarantees, Inbox, Sending, Transport, TransportError},
};
use tokio::sync::mpsc;
use transport_local::LocalTransport;

const ROUNDS: usize = 200;
const PER_ROUND: usize = 100;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let coherent = Network::from_toml(include_str!("../examples/xor.toml")).expect("the file is right");
    let ours = [Ours::start(coherent.clone(), true), Ours::start(coherent.with_mode(Mode::Asap), false)];
    let theirs = [Bare::start(xor_over_channels), Bare::start(three_hops)];
    let mut samples: [Vec<Duration>; 4] = Default::default();
    for _ in 0..ROUNDS {
        for (contestant, samples) in ours.iter().zip(&mut samples[..2]) {
            contestant.measure(samples);
        }
        for (contestant, samples) in theirs.iter().zip(&mut samples[2..]) {
            contestant.measure(samples);
        }
    }
    let [coherent, asap, bare_xor, bare_hops] = samples.map(|mut samples| {
        samples.sort_unstable();
        (samples[samples.len() / 2], samples[samples.len() * 99 / 100])
    });
    let micros = |span: Duration| span.as_secs_f64() * 1e6;
    println!(
        "{:<44} {:>8} {:>8} {:>14} {:>14}",
        "from x to z, in-process", "p50 µs", "p99 µs", "× three hops", "× bare XOR"
    );
    for (name, (p50, p99)) in [
        ("coherent neurons", coherent),
        ("asap neurons", asap),
        ("bare tokio channels, the same network", bare_xor),
        ("bare tokio channels, three hops", bare_hops),
    ] {
        println!(
            "{name:<44} {:>8.2} {:>8.2} {:>14.2} {:>14.2}",
            micros(p50),
            micros(p99),
            micros(p50) / micros(bare_hops.0),
            micros(p50) / micros(bare_xor.0),
        );
    }
}

/// Our network, with a transport that notes when x first tells and when z reports.
struct Ours {
    host: Host,
    stamps: Arc<Mutex<Stamps>>,
    /// It decides once y has had its say; an asap neuron does not wait for that.
    waits_for_y: bool,
}

#[derive(Debug, Default)]
struct Stamps {
    x: Option<Instant>,
    y: Option<Instant>,
    decided: Option<Instant>,
}

impl Ours {
    fn start(network: Network, waits_for_y: bool) -> Self {
        let stamps = Arc::new(Mutex::new(Stamps::default()));
        let transport = Arc::new(Stopwatch { inner: LocalTransport::new(), stamps: stamps.clone() });
        let host = block_on(Host::start(network, transport)).expect("the host starts");
        Self { host, stamps, waits_for_y }
    }

    fn measure(&self, samples: &mut Vec<Duration>) {
        block_on(async {
            let controller = self.host.controller();
            let mut watch = controller.watch("z").await.expect("z can be watched");
            watch.next().await.expect("the level to start from");
            for round in 0..PER_ROUND {
                *self.stamps.lock().expect("nobody panicked") = Stamps::default();
                let level = if round % 2 == 0 { 1.0 } else { 0.0 };
                controller.present(&[("x", level), ("y", 0.0)]).await.expect("the wave enters");
                watch.next().await.expect("z changes");
                let stamps = self.stamps.lock().expect("nobody panicked");
                let told = if self.waits_for_y { stamps.x.max(stamps.y) } else { stamps.x };
                let (Some(told), Some(decided)) = (told, stamps.decided) else { panic!("z changed without x") };
                samples.push(decided - told);
            }
        });
    }
}

#[derive(Debug)]
struct Stopwatch {
    inner: LocalTransport,
    stamps: Arc<Mutex<Stamps>>,
}

impl Transport for Stopwatch {
    fn send(&self, envelope: Envelope) -> Sending {
        let now = Instant::now();
        let Envelope::Report { from, report, .. } = &envelope else { return self.inner.send(envelope) };
        let stamps = || self.stamps.lock().expect("nobody panicked");
        match (from.as_str(), &**report) {
            // x and y reply to the one who stimulates them, and then tell. To wake the thread that hears of it takes longer
            // than all the rest.
            ("x", Report::Reply { .. }) => {
                let sending = self.inner.send(envelope);
                stamps().x = Some(Instant::now());
                return sending;
            }
            ("y", Report::Reply { .. }) => {
                let sending = self.inner.send(envelope);
                stamps().y = Some(Instant::now());
                return sending;
            }
            ("z", Report::Changed { .. }) => stamps().decided = Some(now),
            _ => {}
        }
        self.inner.send(envelope)
    }

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        self.inner.subscribe(at)
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }

    fn is_direct(&self) -> bool {
        self.inner.is_direct()
    }
}

/// Tasks over bare channels on a thread of their own.
struct Bare {
    start: mpsc::UnboundedSender<f64>,
    took: std_mpsc::Receiver<Duration>,
}

impl Bare {
    fn start(contestant: fn(mpsc::UnboundedReceiver<f64>, std_mpsc::Sender<Duration>)) -> Self {
        let (start, started) = mpsc::unbounded_channel();
        let (done, took) = std_mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let local = tokio::task::LocalSet::new();
            local.block_on(&runtime, async move {
                contestant(started, done);
                std::future::pending::<()>().await;
            });
        });
        Self { start, took }
    }

    fn measure(&self, samples: &mut Vec<Duration>) {
        for round in 0..PER_ROUND {
            self.start.send(if round % 2 == 0 { 1.0 } else { 0.0 }).expect("the thread runs");
            samples.push(self.took.recv().expect("the thread answers"));
        }
    }
}

type Message = (Instant, usize, f64);
type Ends = (mpsc::UnboundedSender<Message>, mpsc::UnboundedReceiver<Message>);

/// A task that waits for one message of each input, sums them up, and tells the outputs.
fn neuron(
    mut inbox: mpsc::UnboundedReceiver<Message>,
    weights: Vec<f64>,
    threshold: f64,
    tell: impl Fn(Instant, f64) + 'static,
) {
    tokio::task::spawn_local(async move {
        let mut sum = 0.0;
        let mut heard = 0;
        while let Some((begun, input, level)) = inbox.recv().await {
            sum += weights[input] * level;
            heard += 1;
            if heard == weights.len() {
                tell(begun, if sum >= threshold { 1.0 } else { 0.0 });
                (sum, heard) = (0.0, 0);
            }
        }
    });
}

/// The XOR network by hand: x and y are told, and h1, h2, h3 and z each wait for their inputs.
fn xor_over_channels(mut start: mpsc::UnboundedReceiver<f64>, done: std_mpsc::Sender<Duration>) {
    let [h1, h2, h3, z]: [Ends; 4] = std::array::from_fn(|_| mpsc::unbounded_channel());
    let to = |ends: &Ends, input: usize| {
        let sender = ends.0.clone();
        move |begun, level| sender.send((begun, input, level)).expect("the task runs")
    };
    let [x1, x2, y2, y3] = [to(&h1, 0), to(&h2, 0), to(&h2, 1), to(&h3, 0)];
    let [z1, z2, z3] = [to(&z, 0), to(&z, 1), to(&z, 2)];
    neuron(h1.1, vec![1.0], 0.9, z1);
    neuron(h2.1, vec![1.0, 1.0], 1.9, z2);
    neuron(h3.1, vec![1.0], 0.9, z3);
    neuron(z.1, vec![1.0, -2.0, 1.0], 0.9, move |begun, _| done.send(begun.elapsed()).expect("somebody measures"));
    tokio::task::spawn_local(async move {
        while let Some(level) = start.recv().await {
            let begun = Instant::now();
            x1(begun, level);
            x2(begun, level);
            y2(begun, 0.0);
            y3(begun, 0.0);
        }
    });
}

/// A message that passes three channels.
fn three_hops(mut start: mpsc::UnboundedReceiver<f64>, done: std_mpsc::Sender<Duration>) {
    let [a, b, c]: [Ends; 3] = std::array::from_fn(|_| mpsc::unbounded_channel());
    let (to_a, to_b, to_c) = (a.0, b.0, c.0);
    neuron(a.1, vec![1.0], 0.9, move |begun, level| to_b.send((begun, 0, level)).expect("the task runs"));
    neuron(b.1, vec![1.0], 0.9, move |begun, level| to_c.send((begun, 0, level)).expect("the task runs"));
    neuron(c.1, vec![1.0], 0.9, move |begun, _| done.send(begun.elapsed()).expect("somebody measures"));
    tokio::task::spawn_local(async move {
        while let Some(level) = start.recv().await {
            to_a.send((Instant::now(), 0, level)).expect("the task runs");
        }
    });
}
