//! Patterns that run through a network while it is changed, and a judge of the answers.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use neuron_core::{Missing, Network, NeuronId, Tag, actor::Controller, transport::Transport};
use tokio::task::JoinHandle;
use transport_local::LocalTransport;

const XOR: &str = include_str!("../../../examples/xor.toml");

pub(crate) fn xor() -> Network {
    Network::from_toml(&XOR.replacen("[network]", "[network]\nhold = \"600s\"", 1)).unwrap()
}

pub(crate) fn local() -> Arc<dyn Transport> {
    Arc::new(LocalTransport::new())
}

pub(crate) fn id(name: &str) -> NeuronId {
    name.parse().unwrap()
}

/// A pattern that was presented, and the level of the output at its tag.
pub(crate) struct Seen {
    tag: Tag,
    x: f64,
    y: f64,
    level: f64,
}

/// A task that presents one pattern after the other to x and y, and asks a neuron for its level at
/// each, until `end`.
pub(crate) struct Patterns {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<Seen>>,
    rounds: tokio::sync::watch::Receiver<usize>,
}

impl Patterns {
    pub(crate) fn run(controller: &Controller, output: &'static str) -> Self {
        let controller = controller.clone();
        let stop = Arc::new(AtomicBool::new(false));
        let (count, rounds) = tokio::sync::watch::channel(0);
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut random = 2016_u32;
            while !stopped.load(Ordering::SeqCst) {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (x, y) = (f64::from(random >> 31), f64::from(random >> 30 & 1));
                let wave = controller.present(&[("x", x), ("y", y)]).await.unwrap();
                assert!(wave.late.is_empty());
                let sample = controller.output_at(output, wave.tag).await.unwrap();
                assert_eq!(sample.missing, Missing::NONE, "at {}", wave.tag);
                seen.push(Seen { tag: wave.tag, x, y, level: sample.level });
                count.send(seen.len()).unwrap();
            }
            seen
        });
        Self { stop, task, rounds }
    }

    /// Waits until `rounds` more patterns have been answered.
    pub(crate) async fn more(&mut self, rounds: usize) {
        let begin = *self.rounds.borrow();
        self.rounds.wait_for(|now| *now >= begin + rounds).await.unwrap();
    }

    /// Stops presenting, and returns all that was answered.
    pub(crate) async fn end(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

/// Whether the output is on for these levels of x and y.
pub(crate) type Function = fn(f64, f64) -> bool;

/// Checks that every answer is that of the network which was in force at its tag, and that each
/// network answered some.
pub(crate) fn judge(seen: &[Seen], networks: &[(Tag, Function)]) {
    let mut of_each = vec![0; networks.len()];
    for Seen { tag, x, y, level } in seen {
        let which = networks.iter().rposition(|(from, _)| from <= tag).unwrap();
        let expected = f64::from(u8::from(networks[which].1(*x, *y)));
        assert_eq!(*level, expected, "({x}, {y}) at {tag}, in the network from {} on", networks[which].0);
        of_each[which] += 1;
    }
    assert!(of_each.iter().all(|count| *count > 0), "patterns in each network: {of_each:?}");
}
