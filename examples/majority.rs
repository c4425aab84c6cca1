//! Two of three: an alarm that fires when at least two of three smoke sensors report smoke, and
//! readings that expire.
//!
//! A reading counts for 300 ms (`hold`). Each line asks for the alarm's level at one tag; a tag in
//! the future is answered once it has come.

use std::{error::Error, sync::Arc, time::Duration};

use neuron_core::{
    Network,
    actor::{Host, block_on},
};
use transport_local::LocalTransport;

fn main() -> Result<(), Box<dyn Error>> {
    examples::help(include_str!("majority.rs"));
    let network = Network::builder("majority")
        .hold(Duration::from_millis(300)) // a reading older than this does not count
        .neuron("alarm", |alarm| alarm.threshold(1.9).sensor("kitchen", 1.0).sensor("hall", 1.0).sensor("attic", 1.0))
        .build()?;
    block_on(async {
        let host = Host::start(network, Arc::new(LocalTransport::new())).await?;
        let controller = host.controller();
        let alarm = async |what: &str, tag, expected: f64| {
            let level = controller.output_at("alarm", tag).await?.level;
            println!("{what:<44} alarm {level}");
            if level == expected { Ok(()) } else { Err(Box::<dyn Error>::from(format!("expected {expected}"))) }
        };
        let first = controller.feed("kitchen", 1.0).await?;
        alarm("smoke in the kitchen only:", first.tag, 0.0).await?;
        let second = controller.feed("attic", 1.0).await?;
        alarm("smoke in the kitchen and in the attic:", second.tag, 1.0).await?;
        // Asking for a tag in the future waits until it has come.
        let kitchen_expired = first.tag.after(Duration::from_millis(301));
        alarm("once the kitchen's reading has expired:", kitchen_expired, 0.0).await?;
        let attic_expired = second.tag.after(Duration::from_millis(301));
        alarm("once the attic's has expired as well:", attic_expired, 0.0).await?;
        let third = controller.feed("hall", 1.0).await?;
        alarm("smoke in the hall, which is alone now:", third.tag, 0.0).await?;
        host.stop().await;
        Ok(())
    })
}
