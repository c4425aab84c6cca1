//! A task and a channel for each neuron.

use benches::plan::Plan;
use tokio::{
    sync::mpsc,
    task::{LocalSet, spawn_local},
};

use super::{Finish, Message, Neuron, runtime};

type Sender = mpsc::UnboundedSender<Message>;

fn send(to: &Sender, message: Message) {
    // While the network stops, some tasks end before others.
    let _ = to.send(message);
}

pub(super) fn run(plan: Plan, asked: mpsc::UnboundedReceiver<u64>, finish: Finish) {
    let start = async |mut neuron: Neuron<Sender>| {
        let (sender, mut inbox) = mpsc::unbounded_channel();
        spawn_local(async move {
            while let Some(message) = inbox.recv().await {
                neuron.receive(message, send);
            }
        });
        sender
    };
    LocalSet::new().block_on(&runtime(), super::run(plan, asked, finish, start, send));
}
