//! A network in about ten lines: a lamp that is on when it is dark and there is motion.
//!
//! Presents three pairs of readings and prints what the lamp answers to each. Next: the example
//! `xor`.

use std::{error::Error, sync::Arc};

use neuron_core::{
    Network,
    actor::{Host, block_on},
};
use transport_local::LocalTransport;

fn main() -> Result<(), Box<dyn Error>> {
    examples::help(include_str!("hello_neuron.rs"));
    let network = Network::builder("hallway")
        .neuron("lamp", |lamp| lamp.threshold(1.9).sensor("dark", 1.0).sensor("motion", 1.0))
        .build()?;
    block_on(async {
        let host = Host::start(network, Arc::new(LocalTransport::new())).await?;
        for (dark, motion) in [(0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
            let wave = host.controller().present(&[("dark", dark), ("motion", motion)]).await?;
            let lamp = host.controller().output_at("lamp", wave.tag).await?;
            println!("dark {dark}, motion {motion}: lamp {}", lamp.level);
        }
        host.stop().await;
        Ok(())
    })
}
