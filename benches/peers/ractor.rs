//! An actor of ractor for each neuron.

use benches::plan::Plan;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::mpsc;

use super::{Finish, Message, Neuron, runtime};

struct Body;

impl Actor for Body {
    type Msg = Message;
    type State = Neuron<ActorRef<Message>>;
    type Arguments = Self::State;

    async fn pre_start(&self, _: ActorRef<Message>, neuron: Self::State) -> Result<Self::State, ActorProcessingErr> {
        Ok(neuron)
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        neuron: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        neuron.receive(message, send);
        Ok(())
    }
}

fn send(to: &ActorRef<Message>, message: Message) {
    // While the network stops, some actors end before others.
    let _ = to.cast(message);
}

pub(super) fn run(plan: Plan, asked: mpsc::UnboundedReceiver<u64>, finish: Finish) {
    let start = async |neuron| {
        let (actor, _) = Actor::spawn(None, Body, neuron).await.expect("nothing can go wrong in `pre_start`");
        actor
    };
    runtime().block_on(super::run(plan, asked, finish, start, send));
}
