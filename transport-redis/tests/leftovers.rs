//! What names that are used once leave at the server in mode streams: nothing, after a while.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use neuron_core::{
    Network,
    actor::{Controller, Host},
};
use redis::aio::MultiplexedConnection;
use transport_conformance::Broker;
use transport_redis::RedisTransport;

const NETWORK: &str = "network = { name = \"leftovers\" }\n\
                       [neurons.x]\nthreshold = 0.5\n[neurons.z]\nthreshold = 0.5\nweights = { x = 1.0 }\n";

/// How long what is left may stay: a stream lives for twenty lifetimes after its last message.
const GONE_AFTER: Duration = Duration::from_secs(60);

/// Returns all keys of the server, and of hashes how many fields they have.
async fn keys(server: &mut MultiplexedConnection) -> BTreeMap<String, usize> {
    let mut sizes = BTreeMap::new();
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(server).await.expect("an answer");
    for name in names {
        let fields = redis::cmd("HLEN").arg(&name).query_async(server).await;
        sizes.insert(name, fields.unwrap_or(0));
    }
    sizes
}

/// Returns how many bytes the server receives in a second.
async fn received(server: &mut MultiplexedConnection) -> f64 {
    async fn total(server: &mut MultiplexedConnection) -> u64 {
        let info: String = redis::cmd("INFO").arg("stats").query_async(server).await.expect("an answer");
        let bytes = info.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:"));
        bytes.and_then(|bytes| bytes.trim().parse().ok()).expect("it counts bytes")
    }
    const SPAN: Duration = Duration::from_secs(5);
    let before = total(server).await;
    tokio::time::sleep(SPAN).await;
    (total(server).await - before) as f64 / SPAN.as_secs_f64()
}

/// Waits until nothing of a controller is left, and returns the keys that there are then.
async fn without_controllers(server: &mut MultiplexedConnection) -> BTreeMap<String, usize> {
    let begun = Instant::now();
    loop {
        let keys = keys(server).await;
        let is_of_controller = |(key, fields): (&String, &usize)| key.contains("controller") || *fields > 1;
        if !keys.iter().any(is_of_controller) {
            return keys;
        }
        assert!(begun.elapsed() < GONE_AFTER, "left: {keys:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Controllers come, ask and go. The environment variable `CONTROLLERS` says how many; with it,
/// streams live as long as in use, and what the server receives is measured and printed.
#[test]
fn controllers_that_are_gone_leave_neither_keys_nor_fields() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(leave_nothing());
}

async fn leave_nothing() {
    let Some(broker) = Broker::redis("") else { return };
    let wanted = std::env::var("CONTROLLERS").ok().map(|count| count.parse().expect("a number is wanted"));
    let lifetime = if wanted.is_some() { "2.25s" } else { "100ms" };
    let url = format!("{}?mode=streams&lifetime={lifetime}", broker.url());
    let network = Network::from_toml(NETWORK).expect("the text is right");
    let connect = async || {
        let transport = RedisTransport::connect(&url, network.name()).await.expect("the server is there");
        Arc::new(transport)
    };
    let host = Host::start(network.clone(), connect().await).await.expect("it starts");
    let client = redis::Client::open(broker.url()).expect("an address");
    let mut server = client.get_multiplexed_async_connection().await.expect("the server is there");
    let used = async |count: u32| {
        for _ in 0..count {
            let controller = Controller::join(network.clone(), connect().await).await.expect("it starts");
            controller.present(&[("x", 1.0)]).await.expect("it enters");
            controller.output("z").await.expect("it answers");
        }
    };
    used(1).await;
    assert!(keys(&mut server).await.keys().any(|key| key.contains("controller")), "its requests are kept");
    let before = without_controllers(&mut server).await;
    let traffic = if wanted.is_some() { received(&mut server).await } else { 0.0 };
    let begun = Instant::now();
    used(wanted.unwrap_or(20)).await;
    let used_for = begun.elapsed();
    let begun = Instant::now();
    assert_eq!(without_controllers(&mut server).await, before);
    if let Some(count) = wanted {
        let gone_after = begun.elapsed();
        let now = received(&mut server).await;
        println!(
            "{count} controllers in {used_for:.1?}: {} keys before, as many {gone_after:.1?} after the last; {traffic:.0} \
             B/s before, {now:.0} B/s after",
            before.len(),
        );
    }
    host.stop().await;
}
