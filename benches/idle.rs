//! What 100,000 idle neurons cost in one host: time to start, memory for each, and processor time at rest.

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use neuron_core::{
    Network,
    actor::{Host, block_on},
};
use transport_local::LocalTransport;

const NEURONS: usize = 100_000;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut text = "[network]\nname = \"idle\"\n".to_owned();
    for neuron in 0..NEURONS {
        let _ = write!(text, "[neurons.n{neuron}]\nthreshold = 0.5\n");
        if neuron >= 2 {
            let _ = writeln!(text, "weights = {{ n{} = 1, n{} = 1 }}", neuron - 1, neuron - 2);
        }
    }
    let network = Network::from_toml(&text).expect("the file is right");
    drop(text);
    let before = resident();
    let begun = Instant::now();
    let host = block_on(Host::start(network, Arc::new(LocalTransport::new()))).expect("the host starts");
    let started = begun.elapsed();
    let bytes = resident().saturating_sub(before) / NEURONS as u64;
    println!("{NEURONS} neurons with 2 inputs and 2 outputs started in {:.2} s", started.as_secs_f64());
    println!("{bytes} bytes of resident memory for each");
    let cpu = processor_time();
    std::thread::sleep(Duration::from_secs(3));
    println!("{} ms of processor time in 3 s at rest", (processor_time() - cpu).as_millis());
    let begun = Instant::now();
    block_on(host.stop());
    println!("stopped in {:.2} s", begun.elapsed().as_secs_f64());
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Processor time of this process so far.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<u64> =
        stat.rsplit(')').next().unwrap_or("").split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
    // Ticks of 10 ms on every common Linux.
    Duration::from_millis(fields.iter().sum::<u64>() * 10)
}
