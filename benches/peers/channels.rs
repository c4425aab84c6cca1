//! A task and a channel for each neuron.

use tokio::{
    sync::mpsc,
    task::{LocalSet, spawn_local},
};

use super::{Finish, Message, Sources, Sums, level, runtime};
use benches::plan::{Plan, To};

type Sender = mpsc::UnboundedSender<Message>;

pub(super) fn run(plan: Plan, asked: mpsc::UnboundedReceiver<u64>, finish: Finish) {
    LocalSet::new().block_on(&runtime(), async move {
        let last = plan.neurons.len() - 1;
        let mut built: Vec<Option<Sender>> = vec![None; plan.neurons.len()];
        for (number, unit) in plan.neurons.iter().enumerate().rev() {
            let (sender, mut inbox) = mpsc::unbounded_channel();
            built[number] = Some(sender);
            let outputs = wire(&unit.outputs, &built);
            let mut sums = Sums::new(unit);
            let finish = (number == last).then(|| finish.clone());
            spawn_local(async move {
                while let Some(message) = inbox.recv().await {
                    let Some(level) = sums.hear(message) else { continue };
                    tell(&outputs, message.wave, level);
                    if let Some(finish) = &finish {
                        finish.decided(message.wave);
                    }
                }
            });
        }
        let outputs: Vec<_> = plan.sources.iter().map(|outputs| wire(outputs, &built)).collect();
        drop((built, plan));
        let mut sources = Sources::new(asked, finish);
        while let Some(waves) = sources.waves().await {
            for wave in waves {
                for (source, outputs) in outputs.iter().enumerate() {
                    tell(outputs, wave, level(source, wave));
                }
            }
        }
    });
}

fn wire(outputs: &[To], built: &[Option<Sender>]) -> Box<[(Sender, u32)]> {
    let sender = |to: &To| built[to.neuron].clone().expect("listeners are built first");
    outputs.iter().map(|to| (sender(to), to.input)).collect()
}

fn tell(outputs: &[(Sender, u32)], wave: u64, level: f64) {
    for (to, input) in outputs {
        // At the end, some tasks go before others.
        let _ = to.send(Message { wave, input: *input, level });
    }
}
