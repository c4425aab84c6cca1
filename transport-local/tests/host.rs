//! A host and its controller over the in-process transport.

use std::{sync::Arc, time::Duration};

use neuron_core::{
    Missing, Network, Tag,
    actor::{ControlError, Controller, Host, block_on},
    command::Refusal,
    network::NeuronBuilder,
    transport::Transport,
};
use transport_local::LocalTransport;

const XOR: &str = include_str!("../../examples/xor.toml");

fn xor() -> Network {
    Network::from_toml(XOR).unwrap()
}

fn local() -> Arc<dyn Transport> {
    Arc::new(LocalTransport::new())
}

async fn level(host: &Host, neuron: &str, tag: Tag) -> f64 {
    host.controller().output_at(neuron, tag).await.unwrap().level
}

#[test]
fn a_host_needs_no_runtime() {
    block_on(async {
        let host = Host::start(xor(), local()).await.unwrap();
        let wave = host.controller().present(&[("x", 1.0), ("y", 0.0)]).await.unwrap();
        assert_eq!(level(&host, "z", wave.tag).await, 1.0);
        host.stop().await;
    });
}

#[tokio::test]
async fn a_host_runs_inside_a_runtime_and_two_do_not_mix() {
    let one = Host::start(xor(), local()).await.unwrap();
    let two = Host::start(xor(), local()).await.unwrap();
    let wave = one.controller().present(&[("x", 1.0), ("y", 0.0)]).await.unwrap();
    assert_eq!(level(&one, "z", wave.tag).await, 1.0);
    assert_eq!(level(&two, "z", wave.tag).await, 0.0);
    one.stop().await;
    two.stop().await;
}

#[test]
fn a_train_of_waves_goes_through_the_network_in_its_order() {
    block_on(async {
        let host = Host::start(xor(), local()).await.unwrap();
        let controller = host.controller();
        let mut watch = controller.watch("z").await.unwrap();
        watch.next().await.unwrap();
        let levels = [1.0, 0.0].repeat(100);
        let tags = controller.stimulate_train("x", &levels).await.unwrap();
        assert!(tags.len() == levels.len() && tags.is_sorted());
        for (tag, level) in tags.iter().zip(levels) {
            let change = watch.next().await.unwrap();
            assert_eq!((change.tag, change.level, change.missing), (*tag, level, Missing::NONE));
        }
        assert!(controller.stimulate_train("x", &[]).await.unwrap().is_empty());
        let refused = controller.stimulate_train("x", &[1.0, 2.0]).await.unwrap_err();
        assert!(matches!(refused, ControlError::Refused { refusal: Refusal::NotALevel, .. }), "{refused}");
        host.stop().await;
    });
}

#[test]
fn of_trains_in_a_row_no_wave_is_left_out_because_another_input_is_silent() {
    const TRAINS: u64 = 30;
    let follows_both = |lamp: NeuronBuilder| lamp.threshold(1.9).weight("motion", 1.0).weight("night", 1.0);
    let network = Network::builder("house").neuron("motion", |it| it).neuron("night", |it| it);
    let network = network.neuron("lamp", follows_both).build().unwrap();
    block_on(async {
        let host = Host::start(network, local()).await.unwrap();
        let controller = host.controller();
        controller.stimulate_for("night", 1.0, Duration::from_secs(3600)).await.unwrap();
        let before = controller.counters("lamp").await.unwrap();
        let mut last = Tag::ORIGIN;
        for _ in 0..TRAINS {
            let tags = controller.stimulate_train("motion", &[1.0, 0.0].repeat(500)).await.unwrap();
            last = *tags.last().unwrap();
        }
        assert_eq!(level(&host, "lamp", last).await, 0.0);
        let after = controller.counters("lamp").await.unwrap();
        assert_eq!(after.superseded, 0);
        assert_eq!(after.firings - before.firings, TRAINS * 500);
        host.stop().await;
    });
}

#[tokio::test]
async fn everything_is_0_once_the_hold_is_over() {
    let host = Host::start(xor(), local()).await.unwrap();
    let stamp = host.controller().stimulate_for("x", 1.0, Duration::from_millis(50)).await.unwrap();
    let end = stamp.tag.after(Duration::from_millis(50));
    assert_eq!(level(&host, "z", end.prev()).await, 1.0);
    for neuron in ["x", "h1", "z"] {
        assert_eq!(level(&host, neuron, end).await, 0.0, "{neuron}");
    }
}

#[tokio::test]
async fn a_watch_tells_the_level_to_start_from_and_then_each_change_with_its_tag() {
    let host = Host::start(xor(), local()).await.unwrap();
    let mut watch = host.controller().watch("z").await.unwrap();
    assert_eq!(watch.next().await.unwrap().level, 0.0);
    let on = host.controller().present(&[("x", 1.0), ("y", 0.0)]).await.unwrap();
    let change = watch.next().await.unwrap();
    assert_eq!((change.level, change.tag, change.missed), (1.0, on.tag, 0));
    let off = host.controller().present(&[("y", 1.0)]).await.unwrap();
    let change = watch.next().await.unwrap();
    assert_eq!((change.level, change.tag), (0.0, off.tag));
    host.stop().await;
    assert!(watch.next().await.is_none(), "a watch ends with its host");
}

#[tokio::test]
async fn a_watch_that_is_not_read_misses_the_oldest_changes_and_says_how_many() {
    let host = Host::start(xor(), local()).await.unwrap();
    let mut watch = host.controller().watch("x").await.unwrap();
    let mut last = Tag::ORIGIN;
    for round in 0..600 {
        last = host.controller().stimulate("x", f64::from(round % 2)).await.unwrap().tag;
    }
    level(&host, "x", last).await;
    let mut changes = 0;
    let mut missed = 0;
    while let Some(change) = watch.try_next() {
        changes += 1;
        missed += change.missed;
    }
    // One is the level to start from, and the first stimulus, with 0, changed nothing.
    assert_eq!(changes - 1 + missed, 599);
    assert!(missed > 0);
}

#[tokio::test]
async fn the_network_is_rewired_while_it_runs() {
    let network = Network::builder("pair").neuron("a", |a| a).neuron("b", |b| b.threshold(0.9)).build().unwrap();
    let host = Host::start(network, local()).await.unwrap();
    let controller = host.controller();
    controller.stimulate("a", 1.0).await.unwrap();
    let connected = controller.connect("a", "b").await.unwrap();
    assert_eq!(level(&host, "b", connected.tag).await, 0.0, "it has no weight yet");
    let weighted = controller.set_weight("b", "a", 1.0).await.unwrap();
    assert_eq!(level(&host, "b", weighted.tag.prev()).await, 0.0);
    assert_eq!(level(&host, "b", weighted.tag).await, 1.0);
    let raised = controller.set_threshold("b", 1.1).await.unwrap();
    assert_eq!(level(&host, "b", raised.tag).await, 0.0);
    controller.set_threshold("b", 0.9).await.unwrap();
    let config = controller.config("b").await.unwrap();
    assert_eq!(config.weights.len(), 1);
    assert_eq!(config.inputs.len(), 1);
    assert_eq!(controller.config("a").await.unwrap().connections, ["b".parse().unwrap()]);
    let gone = controller.disconnect("a", "b").await.unwrap();
    assert_eq!(level(&host, "b", gone.tag.prev()).await, 1.0);
    assert_eq!(level(&host, "b", gone.tag).await, 0.0);
    let forgotten = controller.delete_weight("b", "a").await.unwrap();
    assert_eq!(level(&host, "b", forgotten.tag).await, 0.0);
    let config = controller.config("b").await.unwrap();
    assert!(config.weights.is_empty() && config.inputs.is_empty());
}

#[tokio::test]
async fn a_wave_and_a_reading_last_as_long_as_the_caller_says() {
    const HOLD: Duration = Duration::from_millis(60);
    let network = Network::builder("lamps")
        .coincidence(Duration::from_millis(1))
        .neuron("x", |x| x.threshold(0.5))
        .neuron("lamp", |lamp| lamp.threshold(0.5).sensor("light", 1.0).host("pi1"))
        .build()
        .unwrap();
    assert_eq!(network.neurons().next().unwrap().1.host.as_ref().unwrap().as_str(), "pi1");
    let host = Host::start(network, local()).await.unwrap();
    let controller = host.controller();
    let wave = controller.present_for(&[("x", 1.0), ("light", 1.0)], HOLD).await.unwrap().tag;
    for (tag, fires) in [(wave, true), (wave.after(HOLD).prev(), true), (wave.after(HOLD), false)] {
        let samples = controller.outputs_at(&["lamp", "x"], tag).await.unwrap();
        assert_eq!(samples.iter().map(|sample| sample.fires()).collect::<Vec<_>>(), [fires; 2], "{tag} of {wave}");
        assert!(samples.iter().all(|sample| !sample.is_degraded()));
    }
    let read = controller.feed_for("light", 1.0, HOLD).await.unwrap().tag;
    assert_eq!(level(&host, "lamp", read.after(HOLD).prev()).await, 1.0);
    assert_eq!(level(&host, "lamp", read.after(HOLD)).await, 0.0);
    // A name of the wrong kind: the error says which call is meant.
    let error = controller.feed("lamp", 1.0).await.unwrap_err();
    assert_eq!(
        format!("{error:?}"),
        "`lamp` is a neuron here, not a sensor: make it fire with `stimulate` or `present`"
    );
    let error = controller.stimulate("light", 1.0).await.unwrap_err();
    assert!(error.to_string().starts_with("`light` is a sensor here, not a neuron: give it a reading with `feed`"));
    host.stop().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller();
    let error = controller.stimulate("neuron_h4", 1.0).await.unwrap_err();
    assert_eq!(error.to_string(), "`neuron_h4` is not a neuron here; did you mean `h3`?");
    assert!(matches!(controller.connect("z", "x").await, Err(ControlError::Loop(path)) if path.len() == 4));
    assert!(matches!(controller.connect("x", "x").await, Err(ControlError::Loop(_))));
    assert!(matches!(
        controller.connect("x", "h1").await,
        Err(ControlError::Refused { refusal: Refusal::AlreadyConnected(_), .. })
    ));
    assert!(matches!(controller.present(&[]).await, Err(ControlError::Empty)));
    assert!(matches!(controller.present(&[("x", 1.0), ("x", 0.0)]).await, Err(ControlError::Twice(_))));
    assert!(matches!(
        controller.present(&[("x", 1.0), ("y", 0.5)]).await,
        Err(ControlError::Refused { refusal: Refusal::NotALevel, .. })
    ));
    assert!(matches!(
        controller.set_weight("z", "h1", f64::NAN).await,
        Err(ControlError::Refused { refusal: Refusal::NotFinite(_), .. })
    ));
    assert!(matches!(controller.feed("sensor_x_3", 1.0).await, Err(ControlError::UnknownSensor { .. })));
    assert!(matches!(controller.output("a.b").await, Err(ControlError::BadName { .. })));
    let now = controller.now();
    assert_eq!(level(&host, "x", now).await, 0.0);
    assert_eq!(controller.config("z").await.unwrap().weights.len(), 3);
    // The loop that was refused is allowed with a delay.
    controller.connect_delayed("z", "x", Duration::from_millis(5)).await.unwrap();
}

#[tokio::test]
async fn readings_of_one_window_share_a_tag_and_a_shared_sensor_reaches_all_its_neurons_with_one() {
    let network = Network::builder("shared")
        .coincidence(Duration::from_millis(20))
        .neuron("warm", |n| n.threshold(20.0).sensor("celsius", 1.0))
        .neuron("hot", |n| n.threshold(30.0).sensor("celsius", 1.0))
        .neuron("between", |n| n.threshold(0.9).weight("warm", 1.0).weight("hot", -1.0))
        .build()
        .unwrap();
    let host = Host::start(network, local()).await.unwrap();
    for (celsius, expected) in [(25.0, 1.0), (35.0, 0.0), (15.0, 0.0), (29.5, 1.0)] {
        let read = host.controller().feed("celsius", celsius).await.unwrap();
        assert!(read.late.is_empty());
        assert_eq!(level(&host, "between", read.tag).await, expected, "{celsius} degrees");
    }
}

#[tokio::test]
async fn the_log_and_the_counters_tell_what_happened() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller();
    let wave = controller.present(&[("x", 1.0), ("y", 0.0)]).await.unwrap();
    level(&host, "z", wave.tag).await;
    let log = controller.log("z").await.unwrap();
    assert_eq!(log.iter().map(|firing| firing.tag).collect::<Vec<_>>(), [wave.tag]);
    let counters = controller.counters("z").await.unwrap();
    assert_eq!(counters.firings, 1);
    assert_eq!((counters.late, counters.refused, counters.unknown), (0, 0, 0));
    controller.empty_log("z").await.unwrap();
    assert!(controller.log("z").await.unwrap().is_empty());
    assert_eq!(level(&host, "z", wave.tag).await, 1.0, "an empty log is no loss of memory");
}

#[tokio::test]
async fn two_controllers_present_at_the_same_time_and_no_wave_is_torn() {
    let host = Arc::new(Host::start(xor(), local()).await.unwrap());
    let tasks: Vec<_> = (0..4)
        .map(|task: u32| {
            let host = host.clone();
            tokio::spawn(async move {
                for round in 0..50 {
                    let (x, y) = (f64::from(round % 2), f64::from((round + task) % 2));
                    let wave = host.controller().present(&[("x", x), ("y", y)]).await.unwrap();
                    assert!(wave.late.is_empty());
                    let expected = if x == y { 0.0 } else { 1.0 };
                    assert_eq!(level(&host, "z", wave.tag).await, expected, "({x}, {y}) at {}", wave.tag);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn an_edge_can_be_reversed_by_one_call_after_the_other() {
    let network = Network::builder("turn")
        .neuron("a", |a| a.threshold(0.9))
        .neuron("b", |b| b.threshold(0.9).sensor("s", 1.0).weight("a", 1.0))
        .build()
        .unwrap();
    let host = Host::start(network, local()).await.unwrap();
    let controller = host.controller();
    for _ in 0..20 {
        controller.feed("s", 1.0).await.unwrap();
        controller.disconnect("a", "b").await.unwrap();
        controller.connect("b", "a").await.unwrap();
        level(&host, "b", controller.now()).await;
        level(&host, "a", controller.now()).await;
        controller.disconnect("b", "a").await.unwrap();
        controller.connect("a", "b").await.unwrap();
        level(&host, "b", controller.now()).await;
    }
}

#[tokio::test]
async fn rewiring_from_two_sides_at_once_never_closes_a_loop() {
    let network = Network::builder("race")
        .neuron("a", |a| a.threshold(0.9).delayed_weight("b", 1.0, Duration::from_millis(10)))
        .neuron("b", |b| b.threshold(0.9).weight("a", 1.0))
        .build()
        .unwrap();
    let host = Host::start(network, local()).await.unwrap();
    let controller = host.controller();
    let (gone, made) = tokio::join!(controller.disconnect("b", "a"), controller.connect("b", "a"));
    gone.unwrap();
    assert!(matches!(made, Err(ControlError::Loop(_) | ControlError::Refused { .. })));
    level(&host, "b", controller.now()).await;
}

#[tokio::test]
async fn after_the_end_calls_fail_instead_of_waiting() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller().clone();
    host.stop().await;
    assert!(matches!(controller.stimulate("x", 1.0).await, Err(ControlError::Stopped | ControlError::Send { .. })));
}

#[tokio::test]
async fn a_controller_without_neurons_steers_those_of_another_host_until_its_last_clone_is_gone() {
    let transport = local();
    let host = Host::start(xor(), transport.clone()).await.unwrap();
    let users = Arc::strong_count(&transport);
    let joined = Controller::join(xor(), transport.clone()).await.unwrap();
    let clone = joined.timeout(Duration::from_secs(5));
    drop(joined);
    let wave = clone.present(&[("x", 1.0), ("y", 0.0)]).await.unwrap();
    assert_eq!(clone.output_at("z", wave.tag).await.unwrap().level, 1.0);
    assert!(Arc::strong_count(&transport) > users);
    drop(clone);
    assert_eq!(Arc::strong_count(&transport), users, "its host has stopped");
    assert_eq!(level(&host, "z", wave.tag).await, 1.0);
}

#[tokio::test]
async fn tiny_inboxes_make_a_network_slow_but_not_wrong() {
    let host = Host::start(xor(), Arc::new(LocalTransport::with_capacity(1))).await.unwrap();
    for round in 0..50 {
        let (x, y) = (f64::from(round % 2), f64::from(round / 2 % 2));
        let wave = host.controller().present(&[("x", x), ("y", y)]).await.unwrap();
        let expected = if x == y { 0.0 } else { 1.0 };
        assert_eq!(level(&host, "z", wave.tag).await, expected);
    }
}
