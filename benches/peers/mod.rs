//! The same networks by other means: everything on one thread, and every neuron does the same sums.
//!
//! A neuron waits for one message of each of its inputs for each wave, weighs them, compares the sum with its threshold, and
//! tells its outputs.

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

/// By what means.
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
    /// All there are.
    pub(crate) const ALL: [Self; 5] = [Self::Queue, Self::Channels, Self::Actix, Self::Kameo, Self::Ractor];

    /// As it is called in reports.
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

/// A network on a thread of its own. The thread ends when this is dropped.
#[derive(Debug)]
#[allow(dead_code, reason = "not every bench lets waves in")]
pub(crate) struct Peer {
    waves: mpsc::UnboundedSender<u64>,
    took: std_mpsc::Receiver<Duration>,
}

impl Peer {
    /// Builds it, and returns once it is built.
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

    /// Lets so many waves in at once: the time, on that thread, from the first word of a source to the last decision of the
    /// last neuron.
    #[allow(dead_code, reason = "not every bench lets waves in")]
    pub(crate) fn run(&self, waves: u64) -> Duration {
        self.waves.send(waves).expect("the thread runs");
        self.took.recv().expect("the thread answers")
    }
}

/// Takes the time.
#[derive(Clone, Debug)]
struct Finish {
    /// Since when, and which wave is the last.
    current: Arc<Mutex<(Instant, u64)>>,
    done: std_mpsc::Sender<Duration>,
}

impl Finish {
    /// Everything is built.
    fn ready(&self) {
        self.report(Duration::ZERO);
    }

    fn begin(&self, last: u64) {
        *self.current.lock().expect("nobody panicked") = (Instant::now(), last);
    }

    /// The last neuron has decided.
    fn decided(&self, wave: u64) {
        let (begun, last) = *self.current.lock().expect("nobody panicked");
        if wave == last {
            self.report(begun.elapsed());
        }
    }

    fn report(&self, took: Duration) {
        // Nobody may be waiting any more.
        let _ = self.done.send(took);
    }
}

/// What the sources say, whenever waves are asked for.
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

    /// The waves to let in now; nothing when that was all.
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

/// Whom a neuron tells, and at which of their inputs.
type Outputs<A> = Box<[(A, u32)]>;

/// What every contestant runs in its own way.
struct Neuron<A> {
    sums: Sums,
    outputs: Outputs<A>,
    /// Of the last neuron.
    finish: Option<Finish>,
}

impl<A> Neuron<A> {
    /// Takes a message in. If it was the last one of its wave, the outputs are told.
    fn hear(&mut self, message: Message, send: impl Fn(&A, Message)) {
        let Some(level) = self.sums.hear(message) else { return };
        tell(&self.outputs, message.wave, level, send);
        if let Some(finish) = &self.finish {
            finish.decided(message.wave);
        }
    }
}

fn tell<A>(outputs: &[(A, u32)], wave: u64, level: f64, send: impl Fn(&A, Message)) {
    for (to, input) in outputs {
        send(to, Message { wave, input: *input, level });
    }
}

/// Starts the neurons of a plan, those who listen first, and lets in the waves that are asked for.
async fn run<A: Clone>(
    plan: Plan,
    asked: mpsc::UnboundedReceiver<u64>,
    finish: Finish,
    mut start: impl AsyncFnMut(Neuron<A>) -> A,
    send: impl Fn(&A, Message),
) {
    let mut started: Vec<Option<A>> = vec![None; plan.neurons.len()];
    let wire = |outputs: &[To], started: &[Option<A>]| -> Outputs<A> {
        let address = |to: &To| started[to.neuron].clone().expect("listeners are started first");
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
                tell(outputs, wave, level(source, wave), &send);
            }
        }
    }
}

/// The level of a source: the first one's changes with every wave.
fn level(source: usize, wave: u64) -> f64 {
    if source == 0 && wave.is_multiple_of(2) { 1.0 } else { 0.0 }
}

/// One thread's runtime.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}
