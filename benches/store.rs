//! What a store costs: waves beside a store that takes 50 ms for each save, against none; and what
//! ten active neurons write to disk.
//!
//! Run it with `cargo bench -p benches --bench store`. With `-- --full` the writes are measured for
//! an hour.

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use benches::report::{Goal, Report, folder};
use neuron_core::{
    Network, NeuronId, Tag,
    actor::{Host, block_on},
    neuron::Saved,
    store::{FileStore, MemoryStore, Store, StoreError},
};
use transport_local::LocalTransport;

const XOR: &str = include_str!("../examples/xor.toml");
/// How long the slow store takes.
const SAVE_TIME: Duration = Duration::from_millis(50);
/// How long waves are measured: the ceiling is saved several times meanwhile.
const WAVES_SPAN: Duration = Duration::from_secs(60);
/// How many waves enter one host before the other's turn comes.
const BLOCK: usize = 50;
const NEURONS: usize = 10;
/// How long a host runs before what it writes is measured: the first ceilings are shorter.
const WARM_UP: Duration = Duration::from_secs(150);

fn main() {
    if benches::is_test() {
        return;
    }
    let mut report = Report::new("store");
    waves(&mut report);
    writes(&mut report, if benches::is_full() { 3_600 } else { 180 });
    report.save();
}

/// A store in memory that takes [`SAVE_TIME`] for whatever a disk would take long for.
#[derive(Debug, Default)]
struct Slow(MemoryStore);

impl Store for Slow {
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError> {
        self.0.load(neuron)
    }

    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        std::thread::sleep(SAVE_TIME);
        self.0.save(neuron, saved)
    }

    fn remove(&self, neuron: &NeuronId) -> Result<(), StoreError> {
        std::thread::sleep(SAVE_TIME);
        self.0.remove(neuron)
    }

    fn names(&self) -> Result<Vec<NeuronId>, StoreError> {
        self.0.names()
    }

    fn ceiling(&self) -> Result<Option<Tag>, StoreError> {
        self.0.ceiling()
    }

    fn save_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        std::thread::sleep(SAVE_TIME);
        self.0.save_ceiling(ceiling)
    }

    fn note_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        self.0.note_ceiling(ceiling)
    }
}

/// Measures the time from the entry of a wave to the answer of `z`, with the slow store and without
/// one, in turns.
fn waves(report: &mut Report) {
    let start = |store: Option<Arc<dyn Store>>| {
        let network = Network::from_toml(XOR).expect("the file is right");
        let builder = Host::builder(network, Arc::new(LocalTransport::new()));
        let builder = store.into_iter().fold(builder, |builder, store| builder.store(store));
        block_on(builder.start()).expect("the host starts")
    };
    let hosts = [start(Some(Arc::new(Slow::default()))), start(None)];
    let mut times = [Vec::new(), Vec::new()];
    let begin = Instant::now();
    while begin.elapsed() < WAVES_SPAN {
        for (host, times) in hosts.iter().zip(&mut times) {
            for number in 0..BLOCK {
                let [x, y] = [number & 1, number >> 1 & 1].map(|level| level as f64);
                let before = Instant::now();
                let answer = block_on(async {
                    let wave = host.controller().present(&[("x", x), ("y", y)]).await?;
                    host.controller().output_at("z", wave.tag).await
                });
                times.push(before.elapsed().as_secs_f64() * 1e6);
                assert_eq!(answer.expect("it answers").level, if x == y { 0.0 } else { 1.0 });
            }
        }
    }
    hosts.into_iter().for_each(|host| block_on(host.stop()));
    let [mut ours, mut theirs] = times;
    ours.sort_by(f64::total_cmp);
    theirs.sort_by(f64::total_cmp);
    for (name, part, goal) in [("p50", 0.5, 1.1), ("p99", 0.99, 1.5), ("p99.9", 0.999, f64::INFINITY)] {
        let at = |times: &[f64]| times[((times.len() - 1) as f64 * part) as usize];
        let what = format!("a wave beside a store that takes 50 ms, against none, {name}");
        let goal = goal.is_finite().then_some(Goal::AtMost(goal));
        report.compare(&what, at(&ours), at(&theirs), "µs", goal);
    }
}

/// Measures what a host of ten neurons writes, each of which fires ten times a second.
fn writes(report: &mut Report, seconds: u64) {
    let path = folder().join("store");
    let _ = fs::remove_dir_all(&path);
    let mut network = Network::builder("active");
    for number in 0..NEURONS {
        network = network.neuron(&format!("n{number}"), |neuron| neuron.hold(Duration::from_millis(20)));
    }
    let store = Arc::new(FileStore::open(&path).expect("the folder opens"));
    let network = network.build().expect("it is right");
    let builder = Host::builder(network, Arc::new(LocalTransport::new())).store(store);
    let host = block_on(builder.start()).expect("the host starts");
    let run = |span: Duration| {
        let begin = Instant::now();
        while begin.elapsed() < span {
            for number in 0..NEURONS {
                block_on(host.controller().stimulate(&format!("n{number}"), 1.0)).expect("it takes it");
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    run(WARM_UP);
    let before = written();
    run(Duration::from_secs(seconds));
    let a_day = (written() - before) as f64 / seconds as f64 * 86_400.0 / 1e6;
    report.figure(
        &format!("written a day, ten active neurons (measured for {seconds} s)"),
        a_day,
        "MB",
        Some(Goal::AtMost(10.0)),
    );
    block_on(host.stop());
    let _ = fs::remove_dir_all(&path);
}

/// Returns how many bytes this process has caused to be written to disks.
fn written() -> u64 {
    let counters = fs::read_to_string("/proc/self/io").expect("the system tells what a process writes");
    let line = counters.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.expect("it is told").parse().expect("a number")
}
