//! The pure core in a plain loop: no runtime, no actors, no sockets, no clock. Time is a number
//! that this loop advances.
//!
//! Two neurons: `lamp` follows `motion`. Another runtime, or a program without one, drives neurons
//! like this. The loop prints each change of the lamp and ends when no timer is left.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error,
    time::Duration,
};

use neuron_core::{
    NeuronId, Time,
    command::{Command, Request, Stimulus},
    neuron::{Config, Input, Neuron, Output},
    transport::Guarantees,
};

fn main() -> Result<(), Box<dyn Error>> {
    examples::help(include_str!("sans_io_loop.rs"));
    // The loop itself carries the messages: it loses none and takes no time.
    let carrier = Guarantees::IN_PROCESS;
    let motion: NeuronId = "motion".parse()?;
    let lamp: NeuronId = "lamp".parse()?;
    let follows = Config::new().threshold(0.9).input(motion.clone(), 1.0).linger(Duration::from_secs(60));
    let mut now = Time::ZERO;
    let mut neurons = BTreeMap::from([
        (motion.clone(), Neuron::start(motion.clone(), Config::new(), carrier, 0, now)),
        (lamp.clone(), Neuron::start(lamp.clone(), follows, carrier, 0, now)),
    ]);

    // One stimulus, which lasts for 5 seconds, the default `hold`.
    let stimulus = Stimulus { sensor: None, level: Some(1.0), hold: None };
    let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
    let request = Input::Request { from: "me".parse()?, request: Request::new(1, command) };
    let mut mail = VecDeque::from([(motion, request)]);

    let mut shown = 0.0;
    loop {
        // Deliver what is in flight, then fire the timers that are due, then advance the time to
        // the next timer.
        let woken = neurons.iter().find(|(_, neuron)| neuron.wake_at().is_some_and(|at| at <= now));
        let woken = woken.map(|(id, _)| (id.clone(), Input::Wake));
        if let Some((to, input)) = mail.pop_front().or(woken) {
            let Some(neuron) = neurons.get_mut(&to) else { continue };
            neuron.handle(input, now);
            while let Some(output) = neuron.poll_output() {
                if let Output::Signal { to: next, signal } = output {
                    mail.push_back((next, Input::Signal { from: to.clone(), signal }));
                }
            }
        } else if let Some(next) = neurons.values().filter_map(Neuron::wake_at).min() {
            now = next;
        } else {
            break;
        }
        if neurons[&lamp].level() != shown {
            shown = neurons[&lamp].level();
            println!("{:>9.3} s  lamp {shown}", now.since(Time::ZERO).as_secs_f64());
        }
    }
    println!("{:>9.3} s  nothing more will happen by itself", now.since(Time::ZERO).as_secs_f64());
    Ok(())
}
