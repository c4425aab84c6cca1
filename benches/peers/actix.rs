//! An actor of actix for each neuron.

use actix::{Actor, Addr, Context, Handler, System};
use tokio::sync::mpsc;

use super::{Finish, Message, Sources, Sums, level};
use benches::plan::{Plan, To};

struct Neuron {
    sums: Sums,
    outputs: Box<[(Addr<Self>, u32)]>,
    finish: Option<Finish>,
}

impl Actor for Neuron {
    type Context = Context<Self>;
}

impl actix::Message for Message {
    type Result = ();
}

impl Handler<Message> for Neuron {
    type Result = ();

    fn handle(&mut self, message: Message, _: &mut Self::Context) {
        let Some(level) = self.sums.hear(message) else { return };
        tell(&self.outputs, message.wave, level);
        if let Some(finish) = &self.finish {
            finish.decided(message.wave);
        }
    }
}

pub(super) fn run(plan: Plan, asked: mpsc::UnboundedReceiver<u64>, finish: Finish) {
    System::new().block_on(async move {
        let last = plan.neurons.len() - 1;
        let mut built: Vec<Option<Addr<Neuron>>> = vec![None; plan.neurons.len()];
        for (number, unit) in plan.neurons.iter().enumerate().rev() {
            let finish = (number == last).then(|| finish.clone());
            let neuron = Neuron { sums: Sums::new(unit), outputs: wire(&unit.outputs, &built), finish };
            built[number] = Some(neuron.start());
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

fn wire(outputs: &[To], built: &[Option<Addr<Neuron>>]) -> Box<[(Addr<Neuron>, u32)]> {
    let address = |to: &To| built[to.neuron].clone().expect("listeners are built first");
    outputs.iter().map(|to| (address(to), to.input)).collect()
}

fn tell(outputs: &[(Addr<Neuron>, u32)], wave: u64, level: f64) {
    for (to, input) in outputs {
        to.do_send(Message { wave, input: *input, level });
    }
}
