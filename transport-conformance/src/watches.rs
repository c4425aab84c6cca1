//! What a controller is told of neurons that run elsewhere, come and go.

use std::{sync::Arc, time::Duration};

use neuron_core::{
    Missing, Network, SensorId,
    actor::{Change, Host, Watch},
    neuron::{Sensor, WhenSilent},
    store::MemoryStore,
    transport::Transport,
};
use tokio::time::timeout;

use crate::harness::Harness;

/// How soon a watch tells that a neuron has gone, or is back: the lease of two seconds and the
/// patience would do on an idle machine.
const TOLD: Duration = Duration::from_secs(10);

fn lamp() -> Network {
    let lamp = Network::builder("watched").neuron("lamp", |lamp| lamp.hold(Duration::from_secs(60)));
    lamp.build().expect("it is right")
}

/// Starts a host of its own for a controller.
async fn observer(network: &Network, transport: Arc<dyn Transport>) -> Host {
    let no_neurons: [&str; 0] = [];
    Host::builder(network.clone(), transport).only(no_neurons).start().await.expect("it starts")
}

async fn next(watch: &mut Watch) -> Change {
    timeout(TOLD, watch.next()).await.expect("it tells in time").expect("the host of the controller runs")
}

/// A neuron fires, and its host stops. The watch tells that it cannot be heard. Started anew from
/// its store, it is at rest, and the watch says so, and goes on.
pub async fn a_watch_goes_on_when_its_neuron_is_started_anew<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let (network, store) = (lamp(), Arc::new(MemoryStore::default()));
    let start = || Host::builder(network.clone(), harness.transport()).store(store.clone()).start();
    let host = start().await.expect("it starts");
    let watcher = observer(&network, harness.transport()).await;
    let mut watch = watcher.controller().watch("lamp").await.expect("it can be watched");
    assert_eq!(next(&mut watch).await.level, 0.0);
    host.controller().stimulate("lamp", 1.0).await.expect("it takes the stimulus");
    assert_eq!(next(&mut watch).await.level, 1.0);
    host.stop().await;
    let gone = next(&mut watch).await;
    assert_eq!((gone.level, gone.missing.names()), (0.0, &["lamp".parse().expect("a name")][..]));
    let host = start().await.expect("it starts again");
    let back = next(&mut watch).await;
    assert_eq!((back.level, back.missing, back.missed), (0.0, Missing::NONE, 1));
    for level in [1.0, 0.0] {
        host.controller().stimulate("lamp", level).await.expect("it takes the stimulus");
        let change = next(&mut watch).await;
        assert_eq!((change.level, change.missing, change.missed), (level, Missing::NONE, 0));
    }
    drop(watch);
    host.stop().await;
    watcher.stop().await;
}

/// A thermometer falls silent. The watch and the configuration say so, on another host as well; a
/// reading ends it, and a thermometer that cannot tell is as good as silent.
pub async fn a_sensor_that_is_silent_is_told_as_missing<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    // A report that is lost is made up for when the watch is renewed, twice a second.
    let hold = Duration::from_millis(if harness.loses() { 3000 } else { 300 });
    let attached = Sensor::new(1.0).hold(hold).when_silent(WhenSilent::Unknown);
    let network = Network::builder("heating").coincidence(Duration::ZERO);
    let network = network.neuron("cold", |cold| cold.threshold(0.5).sensor_with("frost", attached));
    let network = network.build().expect("it is right");
    let host = Host::start(network.clone(), harness.transport()).await.expect("it starts");
    let watcher = observer(&network, harness.transport()).await;
    let controller = watcher.controller();
    let mut watch = controller.watch("cold").await.expect("it can be watched");
    let frost = Missing::from_iter(["frost".parse::<SensorId>().expect("a name")]);
    let mut changes = Vec::new();
    let mut expect = async |level, missing: &Missing| {
        let change = next(&mut watch).await;
        assert_eq!((change.level, &change.missing), (level, missing));
        changes.push(change.tag);
    };
    expect(0.0, &frost).await;
    controller.feed("frost", 1.0).await.expect("it takes the reading");
    expect(1.0, &Missing::NONE).await;
    expect(0.0, &frost).await;
    controller.feed("frost", 0.0).await.expect("it takes the reading");
    expect(0.0, &Missing::NONE).await;
    controller.feed_unknown("frost").await.expect("it takes the reading");
    expect(0.0, &frost).await;
    assert_eq!(changes[2], changes[1].after(hold));
    let config = controller.config("cold").await.expect("it answers");
    assert_eq!((config.sensors.values().next(), &config.output.missing), (Some(&attached), &frost));
    drop(watch);
    host.stop().await;
    watcher.stop().await;
}

/// A neuron fires, and is started anew within the lease. The watch tells that it is at rest, and
/// that a stretch is not known.
pub async fn a_watch_of_a_neuron_that_comes_back_at_once_counts_what_it_may_have_missed<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let (network, store) = (lamp(), Arc::new(MemoryStore::default()));
    let start = || Host::builder(network.clone(), harness.transport()).store(store.clone()).start();
    let host = start().await.expect("it starts");
    let watcher = observer(&network, harness.transport()).await;
    let mut watch = watcher.controller().watch("lamp").await.expect("it can be watched");
    host.controller().stimulate("lamp", 1.0).await.expect("it takes the stimulus");
    assert_eq!([next(&mut watch).await.level, next(&mut watch).await.level], [0.0, 1.0]);
    host.stop().await;
    let host = start().await.expect("it starts again");
    let mut back = next(&mut watch).await;
    if back.is_degraded() {
        // The machine is slow.
        back = next(&mut watch).await;
    }
    assert_eq!((back.level, back.missing, back.missed), (0.0, Missing::NONE, 1));
    drop(watch);
    host.stop().await;
    watcher.stop().await;
}

/// The same without a store: each incarnation has the same number, and a random nonce that may be
/// lower or higher than that of the one before.
pub async fn a_watch_follows_a_neuron_without_a_store<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let network = lamp();
    let watcher = observer(&network, harness.transport()).await;
    let mut host = Host::start(network.clone(), harness.transport()).await.expect("it starts");
    let mut watch = watcher.controller().watch("lamp").await.expect("it can be watched");
    assert_eq!(next(&mut watch).await.level, 0.0);
    for _ in 0..5 {
        host.controller().stimulate("lamp", 1.0).await.expect("it takes the stimulus");
        let change = next(&mut watch).await;
        assert_eq!((change.level, change.missing), (1.0, Missing::NONE));
        host.stop().await;
        host = Host::start(network.clone(), harness.transport()).await.expect("it starts again");
        let mut back = next(&mut watch).await;
        if back.is_degraded() {
            // The machine is slow.
            back = next(&mut watch).await;
        }
        assert_eq!((back.level, back.missing, back.missed), (0.0, Missing::NONE, 1));
    }
    drop(watch);
    host.stop().await;
    watcher.stop().await;
}

/// A caller reads its own writes, in the order of the article: the threshold is set and the
/// configuration printed, the output is set and all outputs are printed.
pub async fn what_was_answered_shows_in_what_is_asked_afterwards<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let network = Network::builder("article")
        .neuron("x", |x| x.threshold(0.5).hold(Duration::from_secs(60)))
        .neuron("y", |y| y.threshold(0.5).weight("x", 1.0))
        .neuron("z", |z| z.threshold(0.5).weight("y", -1.0).weight("x", 1.0));
    let host = Host::start(network.build().expect("it is right"), harness.transport()).await.expect("it starts");
    let controller = host.controller();
    for round in 1..=20_u16 {
        let threshold = f64::from(round) / 100.0;
        for neuron in ["x", "y", "z"] {
            controller.set_threshold(neuron, threshold).await.expect("it is set");
            let config = controller.config(neuron).await.expect("it answers");
            assert_eq!(config.threshold, Some(threshold), "{neuron} in round {round}");
        }
        let level = f64::from(round % 2);
        controller.stimulate("x", level).await.expect("it takes the stimulus");
        for (neuron, expected) in [("z", 0.0), ("y", level), ("x", level)] {
            let output = controller.output(neuron).await.expect("it answers");
            assert_eq!((output.level, output.missing), (expected, Missing::NONE), "{neuron} in round {round}");
        }
        assert_eq!(controller.log("y").await.expect("it answers").len() as u32, u32::from(round.div_ceil(2)));
    }
    host.stop().await;
}
