//! An actor of kameo for each neuron.

use std::convert::Infallible;

use kameo::{
    Actor,
    actor::{ActorRef, Spawn},
    mailbox,
    message::Context,
};
use tokio::sync::mpsc;

use super::{Finish, Message, Sources, Sums, level, runtime};
use benches::plan::{Plan, To};

struct Neuron {
    sums: Sums,
    outputs: Box<[(ActorRef<Self>, u32)]>,
    finish: Option<Finish>,
}

impl Actor for Neuron {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(neuron: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(neuron)
    }
}

impl kameo::message::Message<Message> for Neuron {
    type Reply = ();

    async fn handle(&mut self, message: Message, _: &mut Context<Self, ()>) {
        let Some(level) = self.sums.hear(message) else { return };
        tell(&self.outputs, message.wave, level);
        if let Some(finish) = &self.finish {
            finish.decided(message.wave);
        }
    }
}

pub(super) fn run(plan: Plan, asked: mpsc::UnboundedReceiver<u64>, finish: Finish) {
    runtime().block_on(async move {
        let last = plan.neurons.len() - 1;
        let mut built: Vec<Option<ActorRef<Neuron>>> = vec![None; plan.neurons.len()];
        for (number, unit) in plan.neurons.iter().enumerate().rev() {
            let finish = (number == last).then(|| finish.clone());
            let neuron = Neuron { sums: Sums::new(unit), outputs: wire(&unit.outputs, &built), finish };
            built[number] = Some(Neuron::spawn_with_mailbox(neuron, mailbox::unbounded()));
        }
        // An actor has started once it answers to that.
        for actor in built.iter().flatten() {
            actor.wait_for_startup().await;
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

fn wire(outputs: &[To], built: &[Option<ActorRef<Neuron>>]) -> Box<[(ActorRef<Neuron>, u32)]> {
    let actor = |to: &To| built[to.neuron].clone().expect("listeners are built first");
    outputs.iter().map(|to| (actor(to), to.input)).collect()
}

fn tell(outputs: &[(ActorRef<Neuron>, u32)], wave: u64, level: f64) {
    for (to, input) in outputs {
        // At the end, some actors go before others.
        let _ = to.tell(Message { wave, input: *input, level }).try_send();
    }
}
