//! A latch: a neuron that is its own input, over an edge with a delay, and so remembers one bit.
//!
//! The weight of `set` is enough to switch `bit` on, that of its own level to keep it on, and
//! `reset` outweighs both. Each line is a push on a button and the bit 200 ms later, long after the
//! push is over.

use std::{error::Error, sync::Arc, time::Duration};

use neuron_core::{
    Network,
    actor::{Host, block_on},
};
use transport_local::LocalTransport;

const NETWORK: &str = r#"
[network]
name = "memory"
hold = "50ms"   # set and reset are short pushes on a button

[neurons.set]
threshold = 0.9
sensors = { set_button = 1 }

[neurons.reset]
threshold = 0.9
sensors = { reset_button = 1 }

[neurons.bit]
threshold = 0.9
weights = { set = 1, reset = -2, bit = { weight = 1, delay = "10ms" } }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    examples::help(include_str!("memory.rs"));
    let network = Network::from_toml(NETWORK)?;
    block_on(async {
        let host = Host::start(network, Arc::new(LocalTransport::new())).await?;
        let controller = host.controller();
        for button in ["reset", "set", "reset", "set"] {
            let wave = controller.present(&[(button, 1.0)]).await?;
            // The push has expired by then (`hold`): a level of 1 can only come from the loop.
            let later = wave.tag.after(Duration::from_millis(200));
            let bit = controller.output_at("bit", later).await?;
            print!("{button:<5} pushed; 200 ms later the bit is {}", bit.level);
            match bit.missing.is_empty() {
                true => println!(),
                false => println!(" (degraded: lacks {})", bit.missing),
            }
            let expected = if button == "set" { 1.0 } else { 0.0 };
            if bit.level != expected {
                return Err(format!("the bit should be {expected}").into());
            }
        }
        host.stop().await;
        Ok(())
    })
}
