//! An actor of ractor for each neuron.

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;

use super::{Finish, Message, Sources, Sums, level, runtime};
use benches::plan::{Plan, To};

struct Kind;

struct Neuron {
    sums: Sums,
    outputs: Box<[(ActorRef<Message>, u32)]>,
    finish: Option<Finish>,
}

impl Actor for Kind {
    type Msg = Message;
    type State = Neuron;
    type Arguments = Neuron;

    async fn pre_start(&self, _: ActorRef<Message>, neuron: Neuron) -> Result<Neuron, ActorProcessingErr> {
        Ok(neuron)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        neuron: &mut Neuron,
    ) -> Result<(), ActorProcessingErr> {
        let Some(level) = neuron.sums.hear(message) else { return Ok(()) };
        tell(&neuron.outputs, message.wave, level);
        if let Some(finish) = &neuron.finish {
            finish.decided(message.wave);
        }
        Ok(())
    }
}

pub(super) fn run(plan: Plan, asked: mpsc::UnboundedReceiver<u64>, finish: Finish) {
    runtime().block_on(async move {
        let last = plan.neurons.len() - 1;
        let mut built: Vec<Option<ActorRef<Message>>> = vec![None; plan.neurons.len()];
        for (number, unit) in plan.neurons.iter().enumerate().rev() {
            let finish = (number == last).then(|| finish.clone());
            let neuron = Neuron { sums: Sums::new(unit), outputs: wire(&unit.outputs, &built), finish };
            let (actor, _) = Actor::spawn(None, Kind, neuron).await.expect("nothing can go wrong in `pre_start`");
            built[number] = Some(actor);
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

fn wire(outputs: &[To], built: &[Option<ActorRef<Message>>]) -> Box<[(ActorRef<Message>, u32)]> {
    let actor = |to: &To| built[to.neuron].clone().expect("listeners are built first");
    outputs.iter().map(|to| (actor(to), to.input)).collect()
}

fn tell(outputs: &[(ActorRef<Message>, u32)], wave: u64, level: f64) {
    for (to, input) in outputs {
        // At the end, some actors go before others.
        let _ = to.cast(Message { wave, input: *input, level });
    }
}
