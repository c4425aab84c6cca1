//! A lamp on one machine and its sensors on another, over a broker. Run both, each in its own terminal, and kill either one:
//!
//! ```sh
//! cargo run --release --example two_hosts -- hall
//! cargo run --release --example two_hosts -- lounge
//! ```
//!
//! The hall tells every second whether somebody moves there and whether it is dark. The lamp in the lounge is on when both is so.
//! What a neuron needs in order to come back is kept in a folder; while the hall is away, the lamp's answers say that they lack it.

use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};

use clap::Parser;
use neuron_core::{
    Network,
    actor::{Controller, Host},
    store::FileStore,
    transport::Transport,
};
use transport_nats::NatsTransport;
use transport_redis::RedisTransport;

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

/// A lamp on one machine and its sensors on another, over a broker.
#[derive(Parser)]
struct Options {
    /// Which part of the network this process runs.
    #[arg(value_parser = ["hall", "lounge"])]
    host: String,
    /// The broker that both connect to: redis://HOST or nats://HOST, with ?mode=... as docs/brokers.md says.
    #[arg(long, default_value = "redis://127.0.0.1:6379?mode=streams")]
    transport: String,
    /// Where neurons are kept, in a folder for each host.
    #[arg(long, default_value = "target/two_hosts")]
    store: PathBuf,
    /// How long to run, in seconds; for ever if it is not said.
    #[arg(long)]
    seconds: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let network = Network::from_toml(HOUSE)?;
    let transport: Arc<dyn Transport> = if options.transport.starts_with("redis") {
        Arc::new(RedisTransport::connect(&options.transport, network.name()).await?)
    } else {
        Arc::new(NatsTransport::connect(&options.transport, network.name()).await?)
    };
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

/// Somebody moves every other second; it is dark for four seconds, and light for four.
async fn sense(controller: &Controller) -> Result<(), Box<dyn Error>> {
    for second in 0.. {
        let (motion, dark) = (second % 2, second / 4 % 2);
        controller.feed("pir", f64::from(motion)).await?;
        let fed = controller.feed("twilight", f64::from(dark)).await?;
        println!("{} motion {motion} dark {dark}", fed.tag);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Tells every change of the lamp, and what it lacks.
async fn watch(controller: &Controller) -> Result<(), Box<dyn Error>> {
    let mut lamp = controller.watch("lamp").await?;
    while let Some(change) = lamp.next().await {
        let lacks = if change.missing.is_empty() { String::new() } else { format!(", not knowing {}", change.missing) };
        println!("{} lamp {}{lacks}", change.tag, if change.level == 1.0 { "on" } else { "off" });
    }
    Ok(())
}
