//! Networks of neuron-core, over a transport that observes what is sent.

mod observed;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use neuron_core::{
    Network, Tag,
    actor::{ControlError, Host, block_on},
    command::Refusal,
    network::NeuronBuilder,
    transport::Transport,
};

use observed::{Observed, Seen};

/// How many waves enter with one request.
const TRAIN: usize = 100;

/// A running host and what its transport has observed.
pub(crate) struct Ours {
    host: Host,
    seen: Arc<Seen>,
}

/// The result of many waves in flight.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flood {
    /// The time from the first stimulus to the decision of the last neuron about the last wave.
    pub(crate) took: Duration,
    /// Levels that one neuron sent to another.
    pub(crate) hops: u64,
    /// The number of stimuli.
    pub(crate) waves: u64,
    /// Levels that were sent again.
    pub(crate) again: u64,
    /// All messages that were sent: levels, acknowledgements, stimuli and their answers.
    pub(crate) messages: u64,
}

impl Flood {
    pub(crate) fn hops_per_second(&self) -> f64 {
        self.hops as f64 / self.took.as_secs_f64()
    }
}

impl Ours {
    pub(crate) fn start(network: Network, inner: Arc<dyn Transport>) -> Self {
        let seen = Arc::new(Seen::default());
        let transport = Arc::new(Observed::new(inner, seen.clone()));
        let host = block_on(Host::start(network, transport)).expect("the host starts");
        Self { host, seen }
    }

    /// Stimulates x `count` times and adds to `times` the time from each stimulus to the decision
    /// of z.
    pub(crate) fn stimulate(&self, count: usize, times: &mut Vec<Duration>) {
        block_on(async {
            let controller = self.host.controller();
            let mut watch = controller.watch("z").await.expect("z can be watched");
            watch.next().await.expect("the level to start from");
            for round in 0..count {
                self.seen.forget();
                controller.stimulate("x", level(round)).await.expect("x is stimulated");
                watch.next().await.expect("z changes");
                times.push(self.seen.took().expect("z changed because of x"));
            }
        });
    }

    /// Presents x and y `count` times and adds to `times` the time from each call to the decision
    /// of z: it includes the agreement about one tag.
    pub(crate) fn present(&self, count: usize, times: &mut Vec<Duration>) {
        block_on(async {
            let controller = self.host.controller();
            let mut watch = controller.watch("z").await.expect("z can be watched");
            watch.next().await.expect("the level to start from");
            for round in 0..count {
                self.seen.forget();
                let begin = Instant::now();
                controller.present(&[("x", level(round)), ("y", 0.0)]).await.expect("the wave enters");
                watch.next().await.expect("z changes");
                times.push(self.seen.decided().expect("z changed") - begin);
            }
        });
    }

    /// Lets `waves` waves in, with `in_flight` stimuli in flight to x at a time.
    pub(crate) fn flood(&self, waves: usize, in_flight: usize) -> Flood {
        let controller = self.host.controller();
        self.measured(waves, async {
            let requests = (0..waves).map(|wave| controller.stimulate("x", level(wave)));
            let stamps = stream::iter(requests).buffer_unordered(in_flight);
            let tags = stamps.map(|stamp| stamp.expect("x is stimulated").tag);
            let last = tags.fold(Tag::ORIGIN, async |last, tag| last.max(tag)).await;
            self.wait_decided(last).await;
        })
    }

    /// Lets `waves` waves in, in trains, with `in_flight` of them in flight to z at a time.
    pub(crate) fn trains(&self, waves: usize, in_flight: usize) -> Flood {
        let controller = self.host.controller();
        let trains = (0..waves.div_ceil(TRAIN)).map(async |train| {
            let levels: Vec<f64> = (train * TRAIN..waves.min((train + 1) * TRAIN)).map(level).collect();
            let tags = controller.stimulate_train("x", &levels).await.expect("x is stimulated");
            self.wait_decided(*tags.last().expect("there is a wave")).await;
        });
        let in_flight = (in_flight / TRAIN).max(1);
        self.measured(waves, stream::iter(trains).buffer_unordered(in_flight).for_each(async |()| ()))
    }

    /// Waits until z has decided about this tag.
    async fn wait_decided(&self, mut tag: Tag) {
        let controller = self.host.controller();
        // z does not know its level at a tag where it missed a level of an input that a later one
        // has replaced.
        while let Err(error) = controller.output_at("z", tag).await {
            assert!(matches!(error, ControlError::Refused { refusal: Refusal::Unknown(_), .. }), "{error}");
            tag = tag.max(controller.output("z").await.expect("z answers").tag).next();
        }
    }

    fn measured(&self, waves: usize, flood: impl Future<Output = ()>) -> Flood {
        let before = self.seen.counted();
        let begin = Instant::now();
        block_on(flood);
        let took = begin.elapsed();
        let after = self.seen.counted();
        Flood {
            took,
            waves: waves as u64,
            hops: after.levels - before.levels,
            again: after.again - before.again,
            messages: after.messages - before.messages,
        }
    }
}

/// Returns the level of a round: another one than that of the round before, so all neurons change.
fn level(round: usize) -> f64 {
    if round.is_multiple_of(2) { 1.0 } else { 0.0 }
}

/// A chain of three: x → h → z.
pub(crate) fn chain() -> Network {
    let follows = |source: &'static str| move |neuron: NeuronBuilder| neuron.threshold(0.9).weight(source, 1.0);
    let builder = Network::builder("chain").neuron("x", |x| x).neuron("h", follows("x")).neuron("z", follows("h"));
    builder.build().expect("it is valid")
}

/// The network of the example `xor`.
pub(crate) fn xor() -> Network {
    Network::from_toml(include_str!("../../examples/xor.toml")).expect("the file is right")
}
