//! A lamp on one machine and its sensors on another, over a broker. Run both, each in its own
//! terminal, and kill either one:
//!
//! ```sh
//! cargo run --release --features redis --example two_hosts -- hall
//! cargo run --release --features redis --example two_hosts -- lounge
//! ```
//!
//! The hall reads its two sensors once a second: whether there is motion and whether it is dark.
//! The lamp in the lounge is on when both are so. Each host keeps in a folder what its neurons need
//! in order to come back. While the hall is away, the lamp's answers say that they lack its
//! neurons.

use std::{error::Error, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use clap::Parser;
use neuron_core::{
    Network,
    actor::{Controller, Host},
    store::FileStore,
};

const HOUSE: &str = r#"
[network]
name = "house"

[neurons.motion]
threshold = 0.5
sensors = { pir = 1 }
host = "hall"

[neurons.dark]
threshold = 0.5
sensors = { twilight = 1 }
host = "hall"

[neurons.lamp]
threshold = 1.5
weights = { motion = 1, dark = 1 }
host = "lounge"
"#;

/// Runs a lamp on one machine and its sensors on another, over a broker.
///
/// Start `hall` in one terminal and `lounge` in another, and kill either one. The lamp is on when
/// it is dark in the hall and there is motion; while the hall is away, the lamp's answers say what
/// they lack. A host that comes back goes on from what its store has kept.
#[derive(Parser)]
struct Options {
    /// Which part of the network this process runs.
    #[arg(value_parser = ["hall", "lounge"])]
    host: String,
    /// The broker that both connect to: redis://HOST (needs --features redis) or nats://HOST (needs
    /// --features nats), with ?mode=... as docs/brokers.md says.
    #[arg(long, default_value = "redis://127.0.0.1:6379?mode=streams")]
    transport: String,
    /// The folder of the stores; each host has a folder of its own in it.
    #[arg(long, default_value = "target/two_hosts")]
    store: PathBuf,
    /// How many seconds to run; until Ctrl-C if this is not given.
    #[arg(long)]
    seconds: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            examples::print_error(&*error);
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let network = Network::from_toml(HOUSE)?;
    if options.transport == "local" {
        return Err("two processes need a broker; `local` stays within one".into());
    }
    let transport = examples::open(&options.transport, network.name()).await?;
    let store = FileStore::open(options.store.join(&options.host))?;
    println!("{} starts, and waits for the other host if it has never heard of it", options.host);
    let host = Host::builder(network, transport).as_host(&options.host).store(Arc::new(store)).start().await?;
    let controller = host.controller();
    let work = async {
        match &*options.host {
            "hall" => sense(controller).await,
            _ => watch(controller).await,
        }
    };
    let end = async {
        match options.seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => drop(tokio::signal::ctrl_c().await),
        }
    };
    tokio::select! {
        result = work => result?,
        () = end => println!("{} stops", options.host),
    }
    host.stop().await;
    Ok(())
}

/// Feeds readings of both sensors: motion every other second; dark for four seconds, and light for
/// four.
async fn sense(controller: &Controller) -> Result<(), Box<dyn Error>> {
    for second in 0.. {
        let motion = second % 2;
        let dark = second / 4 % 2;
        controller.feed("pir", f64::from(motion)).await?;
        let fed = controller.feed("twilight", f64::from(dark)).await?;
        println!("{} motion {motion} dark {dark}", fed.tag);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Prints each change of the lamp, and what it lacks.
async fn watch(controller: &Controller) -> Result<(), Box<dyn Error>> {
    let mut lamp = controller.watch("lamp").await?;
    while let Some(change) = lamp.next().await {
        let lacks = if change.missing.is_empty() { String::new() } else { format!(", not knowing {}", change.missing) };
        println!("{} lamp {}{lacks}", change.tag, if change.level == 1.0 { "on" } else { "off" });
    }
    Ok(())
}
