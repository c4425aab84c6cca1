//! An actor of kameo for each neuron.

use std::convert::Infallible;

use benches::plan::Plan;
use kameo::{
    Actor,
    actor::{ActorRef, Spawn},
    mailbox,
    message::Context,
};
use tokio::sync::mpsc;

use super::{Finish, Message, Neuron, runtime};

struct Body(Neuron<ActorRef<Self>>);

impl Actor for Body {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(body: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(body)
    }
}

impl kameo::message::Message<Message> for Body {
    type Reply = ();

    async fn handle(&mut self, message: Message, _: &mut Context<Self, ()>) {
        self.0.receive(message, send);
    }
}

fn send(to: &ActorRef<Body>, message: Message) {
    // While the network stops, some actors end before others.
    let _ = to.tell(message).try_send();
}

pub(super) fn run(plan: Plan, asked: mpsc::UnboundedReceiver<u64>, finish: Finish) {
    let start = async |neuron| {
        let actor = Body::spawn_with_mailbox(Body(neuron), mailbox::unbounded());
        actor.wait_for_startup().await;
        actor
    };
    runtime().block_on(super::run(plan, asked, finish, start, send));
}
