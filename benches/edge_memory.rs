//! What an edge keeps in memory while ten million messages pass over it and each fifth is lost.
//!
//! Two neurons in virtual time; the level of the first changes every two milliseconds. It prints
//! the memory of the whole process, which does not grow with the number of messages.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use neuron_core::{
    NeuronId, Time,
    command::{Command, Request, Stimulus},
    neuron::{Config, Input, Neuron, Output},
    signal::Signal,
    transport::{Delivery, Guarantees},
};

const MESSAGES: u64 = 10_000_000;
/// How many messages of a hundred are lost.
const LOSS: u8 = 20;
const INTERVAL: Duration = Duration::from_millis(2);

/// An event of the future.
#[derive(Debug)]
enum Next {
    Change,
    Wake(usize),
    Arrival { to: usize, signal: Signal },
}

/// Two neurons, and the messages in flight between them.
struct Pair {
    neurons: [Neuron; 2],
    wakes: [Option<Time>; 2],
    queue: BinaryHeap<Reverse<(Time, u64)>>,
    coming: std::collections::HashMap<u64, Next>,
    order: u64,
    rng: fastrand::Rng,
    messages: u64,
}

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let source: NeuronId = "source".parse().unwrap();
    let join: NeuronId = "join".parse().unwrap();
    let carrier = Guarantees { delivery: Delivery::AtMostOnce, ordered_per_sender: false, ..Guarantees::IN_PROCESS };
    let listens = Config::new().threshold(0.5).input(source.clone(), 1.0);
    let mut pair = Pair {
        neurons: [
            Neuron::start(source, Config::new(), carrier, 1, Time::ZERO),
            Neuron::start(join, listens, carrier, 2, Time::ZERO),
        ],
        wakes: [None; 2],
        queue: BinaryHeap::new(),
        coming: std::collections::HashMap::new(),
        order: 0,
        rng: fastrand::Rng::with_seed(2016),
        messages: 0,
    };
    pair.drain(0, Time::ZERO);
    pair.drain(1, Time::ZERO);
    pair.push(Time::ZERO, Next::Change);
    println!("{:>12} {:>14} {:>16} {:>10}", "messages", "process, kB", "given up so far", "virtual s");
    for mark in [10_000, 100_000, 1_000_000, 3_000_000, MESSAGES] {
        let now = pair.run(mark);
        let given_up = pair.neurons[0].counters().given_up;
        println!(
            "{mark:>12} {:>14} {given_up:>16} {:>10.0}",
            benches::process::resident() / 1024,
            now.since(Time::ZERO).as_secs_f64()
        );
    }
    println!("one neuron's own size: {} bytes", size_of::<Neuron>());
}

impl Pair {
    /// Runs until `messages` messages have been sent and returns the time.
    fn run(&mut self, messages: u64) -> Time {
        let mut request = 0;
        loop {
            let Some(Reverse((now, number))) = self.queue.pop() else { return Time::MAX };
            let Some(next) = self.coming.remove(&number) else { continue };
            match next {
                Next::Change => {
                    request += 1;
                    let level = f64::from(u8::from(request % 2 == 1));
                    let stimulus = Stimulus { sensor: None, level: Some(level), hold: None };
                    let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
                    let from = "bench".parse().unwrap();
                    let id = self.messages * 2 + request;
                    self.neurons[0].handle(Input::Request { from, request: Request::new(id, command) }, now);
                    self.drain(0, now);
                    self.push(now.after(INTERVAL), Next::Change);
                }
                Next::Wake(index) if self.wakes[index] == Some(now) => {
                    self.neurons[index].handle(Input::Wake, now);
                    self.drain(index, now);
                }
                Next::Wake(_) => {}
                Next::Arrival { to, signal } => {
                    let from = self.neurons[1 - to].id().clone();
                    self.neurons[to].handle(Input::Signal { from, signal }, now);
                    self.drain(to, now);
                }
            }
            if self.messages >= messages {
                return now;
            }
        }
    }

    fn push(&mut self, at: Time, next: Next) {
        self.order += 1;
        self.queue.push(Reverse((at, self.order)));
        self.coming.insert(self.order, next);
    }

    /// Sends what a neuron has to send: it arrives within three milliseconds, in any order, or not
    /// at all.
    fn drain(&mut self, index: usize, now: Time) {
        while let Some(output) = self.neurons[index].poll_output() {
            if let Output::Signal { signal, .. } = output {
                self.messages += 1;
                if self.rng.u8(0..100) >= LOSS {
                    let at = now.after(Duration::from_micros(self.rng.u64(1..3_000)));
                    self.push(at, Next::Arrival { to: 1 - index, signal });
                }
            }
        }
        let wake = self.neurons[index].wake_at();
        if wake != self.wakes[index] {
            self.wakes[index] = wake;
            if let Some(at) = wake {
                self.push(at.max(now), Next::Wake(index));
            }
        }
    }
}
