//! The same networks by other means. Each runs on one thread, and all neurons compute the same
//! sums.
//!
//! For each wave a neuron waits for one message from each input, compares their weighted sum with
//! its threshold, and sends its level to its outputs.

mod actix;
mod channels;
mod kameo;
mod queue;
mod ractor;
mod sums;

use std::{
    sync::{Arc, Mutex, mpsc as std_mpsc},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use benches::plan::{Plan, To};
pub(crate) use sums::{Message, Sums};

/// The means that a network is built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    /// Plain structs and one queue of events, no actors.
    Queue,
    /// A tokio task with an unbounded channel for each neuron.
    Channels,
    /// An actor of actix for each neuron, all on one arbiter.
    Actix,
    /// An actor of kameo with an unbounded mailbox for each neuron.
    Kameo,
    /// An actor of ractor for each neuron.
    Ractor,
}

impl Means {
    /// All means.
    pub(crate) const ALL: [Self; 5] = [Self::Queue, Self::Channels, Self::Actix, Self::Kameo, Self::Ractor];

    /// Returns the name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queue => "bare queue",
            Self::Channels => "bare tokio",
            Self::Actix => "bare actix",
            Self::Kameo => "kameo",
            Self::Ractor => "ractor",
        }
    }
}

/// A network that runs on a thread of its own. The thread ends when this is dropped.
#[derive(Debug)]
#[allow(dead_code, reason = "not every bench lets waves in")]
pub(crate) struct Peer {
    waves: mpsc::UnboundedSender<u64>,
    took: std_mpsc::Receiver<Duration>,
}

impl Peer {
    /// Starts the thread and returns once the network is built.
    pub(crate) fn start(means: Means, plan: &Plan) -> Self {
        let (waves, asked) = mpsc::unbounded_channel();
        let (done, took) = std_mpsc::channel();
        let finish = Finish { current: Arc::new(Mutex::new((Instant::now(), u64::MAX))), done };
        let plan = plan.clone();
        let run = match means {
            Means::Queue => queue::run,
            Means::Channels => channels::run,
            Means::Actix => actix::run,
            Means::Kameo => kameo::run,
            Means::Ractor => ractor::run,
        };
        std::thread::spawn(move || run(plan, asked, finish));
        took.recv().expect("the thread is ready");
        Self { waves, took }
    }

    /// Lets that many waves in at once and returns the time, on that thread, from the first message
    /// of a source to the last decision of the last neuron.
    #[allow(dead_code, reason = "not every bench lets waves in")]
    pub(crate) fn run(&self, waves: u64) -> Duration {
        self.waves.send(waves).expect("the thread runs");
        self.took.recv().expect("the thread answers")
    }
}

/// A stopwatch that the sources start and the last neuron stops.
#[derive(Clone, Debug)]
struct Finish {
    /// When the waves began, and the number of the last one.
    current: Arc<Mutex<(Instant, u64)>>,
    done: std_mpsc::Sender<Duration>,
}

impl Finish {
    /// Reports that the network is built.
    fn ready(&self) {
        self.report(Duration::ZERO);
    }

    fn begin(&self, last: u64) {
        *self.current.lock().expect("no thread panics with the lock") = (Instant::now(), last);
    }

    /// Reports the time if this wave is the last one.
    fn decided(&self, wave: u64) {
        let (begun, last) = *self.current.lock().expect("no thread panics with the lock");
        if wave == last {
            self.report(begun.elapsed());
        }
    }

    fn report(&self, took: Duration) {
        // The receiver may be gone.
        let _ = self.done.send(took);
    }
}

/// The waves that the sources let in, whenever some are asked for.
struct Sources {
    asked: mpsc::UnboundedReceiver<u64>,
    finish: Finish,
    next: u64,
}

impl Sources {
    fn new(asked: mpsc::UnboundedReceiver<u64>, finish: Finish) -> Self {
        finish.ready();
        Self { asked, finish, next: 0 }
    }

    /// Waits until waves are asked for and returns their numbers; `None` when no more will be.
    async fn waves(&mut self) -> Option<std::ops::Range<u64>> {
        let waves = self.asked.recv().await?;
        Some(self.begin(waves))
    }

    fn begin(&mut self, waves: u64) -> std::ops::Range<u64> {
        let begin = self.next;
        self.next += waves;
        self.finish.begin(self.next - 1);
        begin..self.next
    }
}

/// The addresses that a neuron sends to, each with the number of the input there.
type Outputs<A> = Box<[(A, u32)]>;

/// A neuron, which each peer runs in its own way.
struct Neuron<A> {
    sums: Sums,
    outputs: Outputs<A>,
    /// The stopwatch, if this is the last neuron.
    finish: Option<Finish>,
}

impl<A> Neuron<A> {
    /// Adds a message and, if it was the last one of its wave, sends the level to all outputs.
    fn receive(&mut self, message: Message, send: impl Fn(&A, Message)) {
        let Some(level) = self.sums.add(message) else { return };
        send_all(&self.outputs, message.wave, level, send);
        if let Some(finish) = &self.finish {
            finish.decided(message.wave);
        }
    }
}

fn send_all<A>(outputs: &[(A, u32)], wave: u64, level: f64, send: impl Fn(&A, Message)) {
    for (to, input) in outputs {
        send(to, Message { wave, input: *input, level });
    }
}

/// Starts the neurons of a plan, receivers before senders, and lets in the waves that are asked
/// for.
async fn run<A: Clone>(
    plan: Plan,
    asked: mpsc::UnboundedReceiver<u64>,
    finish: Finish,
    mut start: impl AsyncFnMut(Neuron<A>) -> A,
    send: impl Fn(&A, Message),
) {
    let mut started: Vec<Option<A>> = vec![None; plan.neurons.len()];
    let wire = |outputs: &[To], started: &[Option<A>]| -> Outputs<A> {
        let address = |to: &To| started[to.neuron].clone().expect("receivers are started first");
        outputs.iter().map(|to| (address(to), to.input)).collect()
    };
    for (number, unit) in plan.neurons.iter().enumerate().rev() {
        let finish = (number + 1 == plan.neurons.len()).then(|| finish.clone());
        let neuron = Neuron { sums: Sums::new(unit), outputs: wire(&unit.outputs, &started), finish };
        started[number] = Some(start(neuron).await);
    }
    let outputs: Vec<_> = plan.sources.iter().map(|outputs| wire(outputs, &started)).collect();
    drop((started, plan));
    let mut sources = Sources::new(asked, finish);
    while let Some(waves) = sources.waves().await {
        for wave in waves {
            for (source, outputs) in outputs.iter().enumerate() {
                send_all(outputs, wave, level(source, wave), &send);
            }
        }
    }
}

/// Returns the level of a source at a wave: that of the first source changes with each wave, others
/// are 0.
fn level(source: usize, wave: u64) -> f64 {
    if source == 0 && wave.is_multiple_of(2) { 1.0 } else { 0.0 }
}

/// Returns a runtime of one thread.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}
