//! What hosts at rest cost: bytes a second through a Redis server, for 2, 10 and 100 hosts that
//! share edges; and what watches cost.
//!
//! Each host runs one neuron, and listens to that of the next one, as a ring does; then each
//! listens to all others. Run it with `cargo bench -p benches --bench at_rest`.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use neuron_core::{
    Network,
    actor::{Host, block_on},
};
use transport_conformance::Broker;
use transport_redis::{RedisConfig, RedisTransport};

/// How long the bytes are counted.
const MEASURED: Duration = Duration::from_secs(20);

/// How long the hosts have to find each other.
const SETTLING: Duration = Duration::from_secs(8);

fn main() {
    if benches::is_test() {
        return;
    }
    let Some(broker) = Broker::redis("") else { return };
    println!("{:<34} {:>12} {:>12} {:>14}", "hosts at rest", "in, B/s", "out, B/s", "a host, B/s");
    println!("{:<34} {:>12.0} {:>12.0}", "none (what the count costs)", measure(&broker).0, measure(&broker).1);
    for (hosts, listens_to) in [(2, 1), (10, 1), (100, 1), (10, 9)] {
        let network = ring(hosts, listens_to);
        let config = RedisConfig::parse(&broker.url()).expect("an address");
        let running: Vec<Host> = (0..hosts)
            .map(|host| {
                let connecting = RedisTransport::connect_with(config.clone(), network.name());
                let transport = Arc::new(block_on(connecting).expect("the server is there"));
                block_on(Host::builder(network.clone(), transport).as_host(&format!("host{host}")).start())
                    .expect("the host starts")
            })
            .collect();
        std::thread::sleep(SETTLING);
        let (received, sent) = measure(&broker);
        let each = (received + sent) / f64::from(hosts);
        let name = format!("{hosts}, each listens to {listens_to}");
        println!("{name:<34} {received:>12.0} {sent:>12.0} {each:>14.0}");
        running.into_iter().for_each(|host| block_on(host.stop()));
    }
    for neurons in [1, 100] {
        measure_watches(&broker, neurons);
    }
}

/// Measures a host that shares no edge with others, and is watched by a controller elsewhere: first
/// each neuron by itself, then all of them together.
fn measure_watches(broker: &Broker, neurons: u32) {
    let network = (0..neurons).fold(Network::builder("rest"), |network, number| {
        network.neuron(&format!("n{number}"), |neuron| neuron.threshold(0.5))
    });
    let network = network.build().expect("it is right");
    let config = RedisConfig::parse(&broker.url()).expect("an address");
    let connect = || {
        let connecting = RedisTransport::connect_with(config.clone(), network.name());
        Arc::new(block_on(connecting).expect("the server is there"))
    };
    let host = block_on(Host::start(network.clone(), connect())).expect("the host starts");
    let no_neurons: [&str; 0] = [];
    let watcher =
        block_on(Host::builder(network.clone(), connect()).only(no_neurons).start()).expect("the host starts");
    let print = |what: &str| {
        std::thread::sleep(SETTLING);
        let (received, sent) = measure(broker);
        println!("{:<34} {received:>12.0} {sent:>12.0}", format!("{neurons} neurons, {what}"));
    };
    let all = block_on(watcher.controller().watch_all()).expect("the host runs");
    print("one `watch_all`");
    drop(all);
    let each = (0..neurons).map(|number| block_on(watcher.controller().watch(&format!("n{number}"))));
    let each: Vec<_> = each.collect::<Result<_, _>>().expect("they can be watched");
    print("a `watch` of each");
    drop(each);
    block_on(watcher.stop());
    block_on(host.stop());
}

/// Returns a network of one neuron for each host, each listening to that of the next `listens_to`
/// hosts over edges with a delay.
fn ring(hosts: u32, listens_to: u32) -> Network {
    let mut network = Network::builder("rest").patience(Duration::from_millis(20));
    for host in 0..hosts {
        network = network.neuron(&format!("n{host}"), |neuron| {
            let neuron = neuron.threshold(0.5).host(&format!("host{host}"));
            (1..=listens_to).fold(neuron, |neuron, step| {
                neuron.delayed_weight(&format!("n{}", (host + step) % hosts), 1.0, Duration::from_millis(1))
            })
        });
    }
    network.build().expect("it is right")
}

/// Returns how many bytes the server receives and sends in a second.
fn measure(broker: &Broker) -> (f64, f64) {
    let before = bytes(broker);
    std::thread::sleep(MEASURED);
    let after = bytes(broker);
    let rate = |before: u64, after: u64| (after - before) as f64 / MEASURED.as_secs_f64();
    (rate(before.0, after.0), rate(before.1, after.1))
}

/// Returns how many bytes the server has received and sent.
fn bytes(broker: &Broker) -> (u64, u64) {
    let mut stream = TcpStream::connect(("127.0.0.1", broker.port())).expect("the server is there");
    stream.write_all(b"INFO stats\r\nQUIT\r\n").expect("it is sent");
    let count = |lines: &[String], name: &str| {
        let line = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.expect("it is told").trim().parse().expect("a number")
    };
    let lines: Vec<String> = BufReader::new(stream).lines().map_while(Result::ok).collect();
    (count(&lines, "total_net_input_bytes"), count(&lines, "total_net_output_bytes"))
}
