//! scratch
use neuron_core::{
    Network,
    actor::{Host, block_on},
    neuron::Mode,
};
use std::{sync::Arc, time::Instant};
use transport_local::LocalTransport;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let n: usize = args[1].parse().unwrap();
    let waves: usize = args[2].parse().unwrap();
    let asap = args.get(3).is_some_and(|a| a == "asap");
    let mut b = Network::builder("chain").neuron("n0", |x| x);
    for i in 1..n {
        let from = format!("n{}", i - 1);
        b = b.neuron(&format!("n{i}"), |x| x.threshold(0.5).weight(&from, 1.0));
    }
    let mut net = b.build().unwrap();
    if asap {
        net = net.with_mode(Mode::Asap);
    }
    block_on(async {
        let host = Host::start(net, Arc::new(LocalTransport::new())).await.unwrap();
        let c = host.controller();
        let mut w = c.watch(&format!("n{}", n - 1)).await.unwrap();
        w.next().await.unwrap();
        let mut times = vec![];
        for i in 0..waves {
            let begin = Instant::now();
            c.stimulate("n0", if i % 2 == 0 { 1.0 } else { 0.0 }).await.unwrap();
            w.next().await.unwrap();
            times.push(begin.elapsed());
        }
        times.sort();
        println!("{} ns a hop", times[times.len() / 2].as_nanos() / n as u128);
        host.stop().await;
    });
}
