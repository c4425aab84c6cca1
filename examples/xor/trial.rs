//! What the program does with the network, and what it counts.

use std::{
    collections::BTreeMap,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{Options, report::Progress};
use neuron_core::{
    Missing, Network, Tag,
    actor::{Change, Host, Watch},
    neuron::Mode,
    transport::Transport,
};

/// The four patterns, and what each neuron answered to them.
pub(crate) struct Table {
    /// The names of the neurons: x and y first, z last.
    pub(crate) neurons: Vec<String>,
    /// One for each pattern.
    pub(crate) rows: Vec<Row>,
}

/// One pattern, and what each neuron answered to it.
pub(crate) struct Row {
    /// The level of each neuron, in the order of [`Table::neurons`].
    pub(crate) levels: Vec<f64>,
    /// The level of z.
    pub(crate) z: f64,
    /// The inputs that z lacked and that could have changed its level; empty for a plain answer.
    pub(crate) missing: Missing,
    /// What XOR is for this pattern.
    pub(crate) expected: f64,
    /// The time from the stimulus to the answer of z.
    pub(crate) took: Duration,
}

/// The result of many patterns in one mode.
pub(crate) struct Outcome {
    pub(crate) mode: Mode,
    pub(crate) patterns: u64,
    /// Plain answers of z that were not XOR at their tag.
    pub(crate) wrong: u64,
    /// Plain changes of z to 1 at tags where XOR is 0.
    pub(crate) spurious: u64,
    /// Answers of z that lacked an input.
    pub(crate) degraded: u64,
    /// The times from the stimulus to the answer of z, sorted.
    pub(crate) latencies: Vec<Duration>,
}

impl Outcome {
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

fn xor(x: f64, y: f64) -> f64 {
    if x == y { 0.0 } else { 1.0 }
}

/// Presents the four patterns, one after the other, and returns what each neuron answered.
pub(crate) async fn truth_table(network: Network, transport: Arc<dyn Transport>) -> Result<Table, Box<dyn Error>> {
    let inner =
        network.neurons().map(|(id, _)| id.to_string()).filter(|name| !["x", "y", "z"].contains(&name.as_str()));
    let neurons: Vec<String> = ["x", "y"].map(str::to_owned).into_iter().chain(inner).chain(["z".to_owned()]).collect();
    let host = Host::start(network, transport).await?;
    let controller = host.controller();
    let mut rows = Vec::new();
    for (x, y) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let begun = Instant::now();
        let wave = controller.present(&[("x", x), ("y", y)]).await?;
        let z = controller.output_at("z", wave.tag).await?;
        let took = begun.elapsed();
        let mut levels = Vec::new();
        for neuron in &neurons {
            levels.push(controller.output_at(neuron, wave.tag).await?.level);
        }
        rows.push(Row { levels, z: z.level, missing: z.missing, expected: xor(x, y), took });
    }
    host.stop().await;
    Ok(Table { neurons, rows })
}

/// Presents random patterns, each as soon as z has answered the one before, and judges each change
/// of z.
pub(crate) async fn random(
    network: Network,
    transport: Arc<dyn Transport>,
    mode: Mode,
    options: &Options,
    mut progress: Progress,
) -> Result<Outcome, Box<dyn Error>> {
    let host = Host::start(network, transport).await?;
    let controller = host.controller();
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let mut watch = controller.watch("z").await?;
    // The value of XOR from each tag on.
    let mut expected = BTreeMap::from([(Tag::ORIGIN, 0.0)]);
    let mut wrong = 0;
    let mut spurious = 0;
    let mut degraded = 0;
    let mut latencies = Vec::new();
    for trial in 0..options.trials {
        let x = f64::from(rng.u8(0..2));
        let y = f64::from(rng.u8(0..2));
        let begun = Instant::now();
        let wave = controller.present(&[("x", x), ("y", y)]).await?;
        let z = controller.output_at("z", wave.tag).await?;
        latencies.push(begun.elapsed());
        if !wave.late.is_empty() {
            return Err(
                "a member of a wave was late: this machine held a neuron up for longer than half its patience".into()
            );
        }
        expected.insert(wave.tag, xor(x, y));
        degraded += u64::from(!z.missing.is_empty());
        wrong += u64::from(z.missing.is_empty() && z.level != xor(x, y));
        spurious += spurious_firings(&mut watch, &expected)?;
        progress.step(trial + 1);
    }
    controller.output_at("z", controller.now()).await?;
    spurious += spurious_firings(&mut watch, &expected)?;
    drop(watch);
    host.stop().await;
    latencies.sort_unstable();
    Ok(Outcome { mode, patterns: options.trials, wrong, spurious, degraded, latencies })
}

/// Takes the changes of z that have been reported so far and returns how many are firings at tags
/// where XOR is 0.
fn spurious_firings(watch: &mut Watch, expected: &BTreeMap<Tag, f64>) -> Result<u64, Box<dyn Error>> {
    let mut count = 0;
    while let Some(Change { level, tag, missed, missing }) = watch.try_next() {
        if missed > 0 {
            return Err(format!("{missed} changes of z were not read in time").into());
        }
        let xor = expected.range(..=tag).next_back().map_or(0.0, |(_, level)| *level);
        count += u64::from(level == 1.0 && xor == 0.0 && missing.is_empty());
    }
    Ok(count)
}
