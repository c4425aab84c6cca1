//! A network inside an application that is made of actix actors.
//!
//! Two actors, which know messages and nothing of networks: `Hall` is told what its sensors read,
//! and presents it to the network; `Lamp` is a `Recipient` of each change of the neuron `lamp`.

use std::{error::Error, sync::Arc, time::Duration};

use actix::{Actor, Context, Handler, Message, Recipient, ResponseFuture, System};
use clap::Parser;
use neuron_core::{
    Network, Tag,
    actor::{Change, ControlError, Controller, Host, Watch},
};
use transport_local::LocalTransport;

/// Runs a network inside an application that is made of actix actors.
///
/// An actor presents what two sensors read, another one gets each change of the lamp: on when it is
/// dark and there is motion. Without options the readings change once a second until Ctrl-C.
#[derive(Parser)]
struct Options {
    /// Go through the readings once, without a pause, and fail unless the lamp has been told the
    /// right changes.
    #[arg(long)]
    check: bool,
}

/// What the sensors of the hall read.
const READINGS: [Reading; 4] = [
    Reading { dark: 0.0, motion: 1.0 },
    Reading { dark: 1.0, motion: 0.0 },
    Reading { dark: 1.0, motion: 1.0 },
    Reading { dark: 1.0, motion: 0.0 },
];

#[derive(Clone, Copy)]
struct Reading {
    dark: f64,
    motion: f64,
}

/// The answer is the tag of the reading, or why the network did not take it.
impl Message for Reading {
    type Result = Result<Tag, ControlError>;
}

/// Presents each reading to the network as one wave.
struct Hall {
    network: Controller,
}

impl Actor for Hall {
    type Context = Context<Self>;
}

impl Handler<Reading> for Hall {
    type Result = ResponseFuture<Result<Tag, ControlError>>;

    fn handle(&mut self, reading: Reading, _: &mut Self::Context) -> Self::Result {
        let network = self.network.clone();
        Box::pin(async move {
            let wave = network.present(&[("dark", reading.dark), ("motion", reading.motion)]).await?;
            Ok(wave.tag)
        })
    }
}

/// A neuron has another level.
struct LevelChanged(Change);

impl Message for LevelChanged {
    type Result = ();
}

/// Asks a lamp for all levels that it has been told, the oldest first.
struct History;

impl Message for History {
    type Result = Vec<f64>;
}

/// Switches something on and off, and remembers it.
#[derive(Default)]
struct Lamp {
    history: Vec<f64>,
}

impl Actor for Lamp {
    type Context = Context<Self>;
}

impl Handler<LevelChanged> for Lamp {
    type Result = ();

    fn handle(&mut self, LevelChanged(change): LevelChanged, _: &mut Self::Context) {
        // A degraded answer names the neurons that could have made it another one.
        let lacks = if change.missing.is_empty() { String::new() } else { format!(", lacks {}", change.missing) };
        println!("{} lamp {}{lacks}", change.tag, if change.level == 1.0 { "on" } else { "off" });
        self.history.push(change.level);
    }
}

impl Handler<History> for Lamp {
    type Result = Vec<f64>;

    fn handle(&mut self, _: History, _: &mut Self::Context) -> Self::Result {
        self.history.clone()
    }
}

/// Forwards each change of a neuron until the host or the recipient has stopped.
///
/// It waits until the recipient has handled a change before it forwards the next. So the mailbox
/// does not grow: a recipient that falls behind by more than 256 changes misses the oldest, and
/// `Change::missed` says how many.
async fn forward(mut watch: Watch, recipient: Recipient<LevelChanged>) {
    while let Some(change) = watch.next().await {
        if recipient.send(LevelChanged(change)).await.is_err() {
            break;
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    System::new().block_on(run(&options))
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let network = Network::builder("hallway")
        .neuron("lamp", |lamp| lamp.threshold(1.9).sensor("dark", 1.0).sensor("motion", 1.0))
        .build()?;
    // The host has a thread of its own; actors of this system only exchange messages with it.
    let host = Host::start(network, Arc::new(LocalTransport::new())).await?;
    let controller = host.controller().clone();
    let lamp = Lamp::default().start();
    let forwarding = actix::spawn(forward(controller.watch("lamp").await?, lamp.clone().recipient()));
    let hall = Hall { network: controller.clone() }.start();

    if options.check {
        let mut last = Tag::ORIGIN;
        for reading in READINGS {
            last = hall.send(reading).await??;
        }
        controller.output_at("lamp", last).await?;
    } else {
        let readings = async {
            for reading in READINGS.into_iter().cycle() {
                hall.send(reading).await??;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok::<(), Box<dyn Error>>(())
        };
        tokio::select! {
            result = readings => result?,
            _ = tokio::signal::ctrl_c() => println!("stops"),
        }
    }

    host.stop().await; // ends the watch, once all of its changes are forwarded
    forwarding.await?;
    let history = lamp.send(History).await?;
    if options.check && history != [0.0, 1.0, 0.0] {
        return Err(format!("the lamp should have been told off, on, off, and was told {history:?}").into());
    }
    Ok(())
}
