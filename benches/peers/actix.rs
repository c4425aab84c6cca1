//! An actor of actix for each neuron.

use actix::{Actor, Addr, Context, Handler, System};
use benches::plan::Plan;
use tokio::sync::mpsc;

use super::{Finish, Message, Neuron};

struct Body(Neuron<Addr<Self>>);

impl Actor for Body {
    type Context = Context<Self>;
}

impl actix::Message for Message {
    type Result = ();
}

impl Handler<Message> for Body {
    type Result = ();

    fn handle(&mut self, message: Message, _: &mut Self::Context) {
        self.0.receive(message, send);
    }
}

fn send(to: &Addr<Body>, message: Message) {
    to.do_send(message);
}

pub(super) fn run(plan: Plan, asked: mpsc::UnboundedReceiver<u64>, finish: Finish) {
    System::new().block_on(super::run(plan, asked, finish, async |neuron| Body(neuron).start(), send));
}
