//! Neurons that join and leave while waves run through the network.

use std::{sync::Arc, time::Duration};

use neuron_core::{
    Missing, Network, Tag,
    actor::{ControlError, Host, HostError},
    command::Refusal,
    network::{NeuronSpec, Synapse},
    neuron::Sensor,
    store::{MemoryStore, Store as _},
};

mod patterns;

use patterns::{Function, Patterns, id, judge, local, xor};

fn spec(threshold: f64, weights: &[(&str, f64)]) -> NeuronSpec {
    let weights = weights.iter().map(|(source, weight)| (id(source), Synapse { weight: *weight, delay: None }));
    NeuronSpec { threshold: Some(threshold), weights: weights.collect(), ..NeuronSpec::default() }
}

#[tokio::test]
async fn a_neuron_joins_while_patterns_run_and_from_then_on_counts_like_any_other() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller().clone();
    let mut patterns = Patterns::run(&controller, "z");
    patterns.more(10).await;
    host.add("neither", spec(-0.5, &[("x", -1.0), ("y", -1.0)])).await.unwrap();
    patterns.more(10).await;
    // Clones of the controller know it as well, and it becomes an input of z.
    let joined = controller.changes().connect("neither", "z").set_weight("z", "neither", 1.0).apply().await.unwrap();
    patterns.more(10).await;
    let xor: Function = |x, y| x != y;
    let not_both: Function = |x, y| x + y < 2.0;
    judge(&patterns.end().await, &[(Tag::ORIGIN, xor), (joined, not_both)]);
    let wave = controller.present(&[("x", 0.0), ("y", 0.0)]).await.unwrap();
    assert_eq!(controller.output_at("neither", wave.tag).await.unwrap().level, 1.0);
    // It knows nothing of the time before it joined.
    let before = controller.output_at("neither", Tag::FIRST).await.unwrap_err();
    assert!(matches!(before, ControlError::Refused { refusal: Refusal::Unknown(_), .. }), "{before}");
    // It can be stimulated, watched and read like the others.
    controller.watch("neither").await.unwrap().next().await.unwrap();
    assert_eq!(controller.config("x").await.unwrap().connections.len(), 3);
}

#[tokio::test]
async fn a_neuron_leaves_while_patterns_run_and_no_answer_lacks_it() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller();
    let clone = controller.clone();
    let mut watch = controller.watch("h2").await.unwrap();
    let mut patterns = Patterns::run(controller, "z");
    patterns.more(20).await;
    let gone = host.remove("h2").await.unwrap();
    patterns.more(20).await;
    let xor: Function = |x, y| x != y;
    let or: Function = |x, y| x + y > 0.0;
    judge(&patterns.end().await, &[(Tag::ORIGIN, xor), (gone, or)]);
    // Neither its watch, nor the controllers, nor its neighbours know it any more.
    while watch.next().await.is_some() {}
    for controller in [controller, &clone] {
        let error = controller.output("h2").await.unwrap_err();
        assert!(matches!(error, ControlError::UnknownNeuron { .. }), "{error}");
    }
    assert!(matches!(host.remove("h2").await, Err(HostError::Control(ControlError::UnknownNeuron { .. }))));
    let z = controller.config("z").await.unwrap();
    assert_eq!(z.weights.keys().chain(z.inputs.keys()).filter(|name| name.as_str() == "h2").count(), 0);
    assert!(!controller.config("x").await.unwrap().connections.contains(&id("h2")));
    assert_eq!(host.counters().panics, 0);
}

#[tokio::test]
async fn a_name_can_be_removed_and_added_again_and_again() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller();
    let mut patterns = Patterns::run(controller, "z");
    let xor: Function = |x, y| x != y;
    let or: Function = |x, y| x + y > 0.0;
    let mut networks = vec![(Tag::ORIGIN, xor)];
    for _ in 0..5 {
        patterns.more(5).await;
        networks.push((host.remove("h2").await.unwrap(), or));
        patterns.more(5).await;
        host.add("h2", spec(1.9, &[("x", 1.0), ("y", 1.0)])).await.unwrap();
        let back = controller.changes().connect("h2", "z").set_weight("z", "h2", -2.0).apply().await.unwrap();
        networks.push((back, xor));
    }
    patterns.more(5).await;
    judge(&patterns.end().await, &networks);
    assert_eq!(host.counters().fenced, 0);
}

#[tokio::test]
async fn a_new_neuron_is_refused_for_what_a_network_file_would_be_refused_for() {
    let host = Host::start(xor(), local()).await.unwrap();
    let loops = NeuronSpec { weights: [(id("w"), Synapse { weight: 1.0, delay: None })].into(), ..spec(0.9, &[]) };
    let sensor_named_like_a_neuron =
        NeuronSpec { sensors: [("h1".parse().unwrap(), Sensor::new(1.0))].into(), ..spec(0.9, &[]) };
    for (name, spec, why) in [
        ("h1", spec(0.9, &[]), "there are two neurons of this name"),
        ("h.1", spec(0.9, &[]), "cannot stand in a name"),
        ("sensor_x_1", spec(0.9, &[]), "`sensor_x_1` is the name of a neuron"),
        ("w", spec(0.9, &[("h4", 1.0)]), "`h4` is not a neuron here; did you mean `h3`?"),
        ("w", spec(0.9, &[("sensor_x_1", 1.0)]), "`sensor_x_1` is not a neuron here"),
        ("w", spec(f64::INFINITY, &[]), "is not usable"),
        ("w", sensor_named_like_a_neuron, "`h1` is the name of a neuron"),
        ("w", loops, "a loop without a delay: w → w"),
    ] {
        let error = host.add(name, spec).await.unwrap_err();
        assert!(matches!(error, HostError::Network(_)), "{error}");
        assert!(error.to_string().contains(why), "{error} does not say {why:?}");
    }
    assert!(matches!(host.controller().output("w").await, Err(ControlError::UnknownNeuron { .. })));
}

#[tokio::test]
async fn a_neuron_that_joined_comes_back_from_the_store_and_one_that_left_does_not() {
    let store = MemoryStore::default();
    let host = Host::builder(xor(), local()).store(Arc::new(store.clone())).start().await.unwrap();
    let sensor =
        NeuronSpec { sensors: [("lux".parse().unwrap(), Sensor::new(1.0))].into(), ..spec(0.9, &[("z", 1.0)]) };
    host.add("w", sensor.clone()).await.unwrap();
    host.add("v", sensor).await.unwrap();
    host.controller().connect("w", "v").await.unwrap();
    host.remove("v").await.unwrap();
    let mut names = store.names().unwrap();
    names.sort();
    assert_eq!(names, ["h1", "h2", "h3", "w", "x", "y", "z"].map(id));
    drop(host);
    let host = Host::builder(xor(), local()).store(Arc::new(store)).start().await.unwrap();
    let controller = host.controller();
    let wave = controller.present(&[("x", 1.0), ("y", 0.0)]).await.unwrap();
    let w = controller.output_at("w", wave.tag).await.unwrap();
    assert_eq!((w.level, w.missing), (1.0, Missing::NONE));
    assert!(matches!(controller.output("v").await, Err(ControlError::UnknownNeuron { .. })));
    controller.feed("lux", 1.0).await.unwrap();
    assert!(matches!(controller.connect("w", "x").await, Err(ControlError::Loop(_))));
}

#[tokio::test]
async fn a_neuron_leaves_with_all_its_loops_and_the_last_one_can_leave_too() {
    let network = Network::builder("memory")
        .hold(Duration::from_secs(600))
        .neuron("set", |set| set.threshold(0.9))
        .neuron("latch", |latch| {
            latch.threshold(0.9).weight("set", 1.0).delayed_weight("latch", 1.0, Duration::from_millis(1))
        })
        .build()
        .unwrap();
    let host = Host::start(network, local()).await.unwrap();
    let set = host.controller().stimulate("set", 1.0).await.unwrap();
    assert_eq!(host.controller().output_at("latch", set.tag).await.unwrap().level, 1.0);
    host.remove("latch").await.unwrap();
    host.remove("set").await.unwrap();
    host.add("set", spec(0.9, &[])).await.unwrap();
    host.controller().stimulate("set", 1.0).await.unwrap();
}

#[tokio::test]
async fn only_the_host_that_runs_a_neuron_can_remove_it() {
    let transport = local();
    let one = Host::builder(xor(), transport.clone()).only(["x", "y"]).start();
    let two = Host::builder(xor(), transport.clone()).only(["h1", "h2", "h3", "z"]).start();
    let (one, two) = tokio::join!(one, two);
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(matches!(one.remove("h2").await, Err(HostError::Elsewhere(neuron)) if neuron.as_str() == "h2"));
    // Its subscribers may run on other hosts.
    let gone = one.remove("y").await.unwrap();
    let h3 = two.controller().output_at("h3", gone).await.unwrap();
    assert_eq!((h3.level, h3.missing), (0.0, Missing::NONE));
}
