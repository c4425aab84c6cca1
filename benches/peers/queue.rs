//! One queue of events, and neurons that are plain structs.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::{Finish, Message, Sources, Sums, level};
use benches::plan::{Plan, To};

pub(super) fn run(plan: Plan, asked: mpsc::UnboundedReceiver<u64>, finish: Finish) {
    let mut neurons: Vec<(Sums, Vec<To>)> =
        plan.neurons.into_iter().map(|unit| (Sums::new(&unit), unit.outputs)).collect();
    let last = neurons.len() - 1;
    let mut queue: VecDeque<(usize, Message)> = VecDeque::new();
    let mut sources = Sources::new(asked, finish.clone());
    while let Some(waves) = sources.asked.blocking_recv() {
        for wave in sources.begin(waves) {
            for (source, outputs) in plan.sources.iter().enumerate() {
                let level = level(source, wave);
                queue.extend(outputs.iter().map(|to| (to.neuron, Message { wave, input: to.input, level })));
            }
        }
        while let Some((neuron, message)) = queue.pop_front() {
            let (sums, outputs) = &mut neurons[neuron];
            let Some(level) = sums.add(message) else { continue };
            let wave = message.wave;
            queue.extend(outputs.iter().map(|to| (to.neuron, Message { wave, input: to.input, level })));
            if neuron == last {
                finish.decided(wave);
            }
        }
    }
}
