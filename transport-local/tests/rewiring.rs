//! Sets of changes that take effect while waves run through the network.

use std::{
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use futures_util::FutureExt as _;
use neuron_core::{
    Missing, Network, SensorId, Tag,
    actor::{ControlError, Controller, Host, Presented},
    command::{Command, ConfigView, Refusal},
    transport::{
        Address, Envelope, Guarantees, Inbox, Sending, Transport, TransportError, TransportErrorKind, async_trait,
    },
};
use tokio::time::timeout;
use transport_local::LocalTransport;

mod patterns;

use patterns::{Function, Patterns, id, judge, local, xor};

/// XOR in which a neuron holds a prepared set of changes for 200 ms only, ten times the patience.
fn impatient_xor() -> Network {
    Network::from_toml(&xor().to_toml().replacen("[network]", "[network]\npatience = \"20ms\"", 1)).unwrap()
}

#[tokio::test]
async fn two_inputs_are_swapped_at_one_tag_while_patterns_run_and_no_answer_mixes_the_two_networks() {
    // z is on if plus is and minus is not. The swap takes place one step before them, so a wave
    // that met only half of it would be answered wrongly.
    let network = Network::builder("swap")
        .hold(Duration::from_secs(600))
        .neuron("x", |x| x.threshold(0.9))
        .neuron("y", |y| y.threshold(0.9))
        .neuron("p", |p| p.threshold(0.9).weight("x", 1.0))
        .neuron("q", |q| q.threshold(0.9).weight("y", 1.0))
        .neuron("plus", |plus| plus.threshold(0.9).weight("p", 1.0))
        .neuron("minus", |minus| minus.threshold(0.9).weight("q", 1.0))
        .neuron("z", |z| z.threshold(0.9).weight("plus", 1.0).weight("minus", -1.0))
        .build()
        .unwrap();
    let host = Host::start(network, local()).await.unwrap();
    let controller = host.controller();
    controller.set_weight("plus", "q", 1.0).await.unwrap();
    controller.set_weight("minus", "p", 1.0).await.unwrap();
    let mut patterns = Patterns::run(controller, "z");
    let only_x: Function = |x, y| x > y;
    let only_y: Function = |x, y| y > x;
    let mut networks = vec![(Tag::ORIGIN, only_x)];
    for round in 0..20 {
        patterns.more(5).await;
        let (from, to, then) = if round % 2 == 0 { ("p", "q", only_y) } else { ("q", "p", only_x) };
        let swap = controller.changes().disconnect(from, "plus").connect(to, "plus");
        let swap = swap.disconnect(to, "minus").connect(from, "minus");
        networks.push((swap.apply().await.unwrap(), then));
    }
    // The same swap by weights, at z itself.
    patterns.more(5).await;
    let swap = controller.changes().set_weight("z", "plus", -1.0).set_weight("z", "minus", 1.0);
    networks.push((swap.apply().await.unwrap(), only_y));
    patterns.more(5).await;
    judge(&patterns.end().await, &networks);
}

/// Returns the configuration of every neuron of XOR.
async fn all_configs(controller: &Controller) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    let mut configs = Vec::new();
    for neuron in ["x", "y", "h1", "h2", "h3", "z"] {
        let config = controller.config(neuron).await.unwrap();
        configs.push((config.threshold, config.weights, config.sensors, config.inputs));
    }
    configs
}

#[tokio::test]
async fn a_set_with_one_impossible_change_changes_nothing_anywhere() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller();
    let before = all_configs(controller).await;
    let sets = || {
        let good = controller.changes().set_weight("z", "h2", 5.0).set_threshold("h1", 3.0).disconnect("y", "h3");
        [
            (good.clone().connect("z", "x"), "loop"),
            (good.clone().connect("x", "h1"), "connected already"),
            (good.clone().connect("x", "z").connect("x", "z"), "connected already"),
            (good.clone().disconnect("x", "z"), "no connection from x"),
            (good.clone().disconnect("x", "h2").disconnect("x", "h2"), "no connection from x"),
            (good.clone().set_weight("z", "neuron_h4", 1.0), "did you mean `h3`?"),
            (good.clone().set_threshold("h3", f64::NAN), "must be a finite number"),
            (good.clone().connect_delayed("x", "z", Duration::from_nanos(1)), "at least a microsecond"),
            (good.clone().attach_sensor("x", "y", 1.0), "`y` is a neuron here"),
            (good.clone().present("x", 0.5), "stimulated with 1"),
            (good.clone().present("x", 1.0).present("x", 1.0), "named twice"),
            (good.clone().present("no-such-name", 1.0), "no-such-name"),
            (good.clone().present("sensor_x_1", f64::INFINITY), "must be a finite number"),
            (good.clone().delete_weight("x", "sensor_x_1").present("sensor_x_1", 1.0), "sensor_x_1"),
            (controller.changes(), "there is nothing to do"),
        ]
    };
    for (set, why) in sets() {
        let error = set.apply().await.unwrap_err();
        let mut message = error.to_string();
        if let ControlError::Refused { refusal: source, .. } = &error {
            message = source.to_string();
        }
        assert!(message.contains(why), "{message:?} does not say {why:?}");
    }
    assert_eq!(all_configs(controller).await, before);
    // Two edges that are fine alone close a loop together, and an edge that would close a loop is
    // fine in a set that removes another edge of it.
    controller.changes().disconnect("x", "h1").connect("z", "h1").disconnect("h1", "z").apply().await.unwrap();
    let error = controller.changes().connect("h1", "y").connect("x", "h1").apply().await.unwrap_err();
    assert!(matches!(error, ControlError::Loop(_)), "{error}");
    let error = controller.changes().connect("h1", "h3").disconnect("x", "h2").apply().await.unwrap_err();
    assert!(matches!(error, ControlError::Loop(_)), "{error}");
}

#[tokio::test]
async fn levels_enter_at_the_tag_of_the_changes_they_come_with() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller();
    let levels = async |tag| {
        let mut levels = [0.0; 3];
        for (level, neuron) in levels.iter_mut().zip(["x", "y", "z"]) {
            let sample = controller.output_at(neuron, tag).await.unwrap();
            assert_eq!(sample.missing, Missing::NONE);
            *level = sample.level;
        }
        levels
    };
    // y has a part in the wave and no change, x gets a sensor and its first reading, and z turns to
    // AND: it would be off in the old network, and with the old level of x in the new one.
    let and = || controller.changes().set_weight("z", "h2", 1.0).set_weight("z", "h1", 0.0).set_weight("z", "h3", 0.0);
    let new = and().attach_sensor("x", "sensor_new", 1.0).delete_weight("x", "sensor_x_1");
    let tag = new.present("sensor_new", 1.0).present("y", 1.0).apply().await.unwrap();
    assert_eq!(levels(tag).await, [1.0, 1.0, 1.0]);
    assert_eq!(levels(tag.prev()).await, [0.0, 0.0, 0.0]);
    // Levels alone are a wave like any other.
    let tag = controller.changes().present("sensor_new", 0.0).apply().await.unwrap();
    assert_eq!(levels(tag).await, [0.0, 1.0, 0.0]);
    assert_eq!(levels(tag.prev()).await, [1.0, 1.0, 1.0]);
}

#[tokio::test]
async fn a_level_that_cannot_enter_any_more_keeps_all_changes_of_its_set_from_being_made() {
    let transport = Arc::new(LocalTransport::new());
    let host = Host::start(xor(), transport.clone()).await.unwrap();
    let other = Controller::join(xor(), transport).await.unwrap();
    let before = all_configs(host.controller()).await;
    // The other controller does not know of this.
    host.controller().delete_weight("x", "sensor_x_1").await.unwrap();
    let set = other.changes().set_threshold("h1", 7.0).present("sensor_x_1", 1.0);
    let error = set.apply().await.unwrap_err();
    assert!(matches!(error, ControlError::Refused { refusal: Refusal::UnknownSensor(_), .. }), "{error}");
    host.controller().attach_sensor("x", "sensor_x_1", 1.0).await.unwrap();
    assert_eq!(all_configs(host.controller()).await, before);
}

/// Keeps some commands from one neuron.
#[derive(Debug)]
struct Deaf {
    inner: LocalTransport,
    to: &'static str,
    swallows: Mutex<Option<Swallow>>,
}

#[derive(Clone, Copy, Debug)]
enum Swallow {
    /// `Prepare` is lost, as if the neuron did not hear.
    Prepare,
    /// `Commit` is refused, as if the neuron were gone.
    Commit,
}

#[async_trait]
impl Transport for Deaf {
    fn send(&self, envelope: Envelope) -> Sending {
        if let Envelope::Request { to, request, .. } = &envelope
            && to.as_str() == self.to
        {
            match (*self.swallows.lock().unwrap(), &request.command) {
                (Some(Swallow::Prepare), Command::Prepare { .. }) => return Sending::done(Ok(())),
                (Some(Swallow::Commit), Command::Commit { .. }) => {
                    return Sending::done(Err(TransportErrorKind::NoInbox.into()));
                }
                _ => {}
            }
        }
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees().without_local_bypass()
    }
}

fn deaf(to: &'static str) -> Arc<Deaf> {
    Arc::new(Deaf { inner: LocalTransport::new(), to, swallows: Mutex::new(None) })
}

#[tokio::test]
async fn a_set_that_one_neuron_does_not_answer_to_changes_nothing_anywhere() {
    let transport = deaf("h3");
    let host = Host::start(impatient_xor(), transport.clone()).await.unwrap();
    let controller = host.controller();
    let before = all_configs(controller).await;
    *transport.swallows.lock().unwrap() = Some(Swallow::Prepare);
    let set = || controller.changes().set_weight("z", "h2", 5.0).connect("x", "h3").set_threshold("h1", 3.0);
    let error = set().apply().await.unwrap_err();
    assert!(matches!(&error, ControlError::NoAnswer { neuron, .. } if neuron.as_str() == "h3"), "{error}");
    assert_eq!(all_configs(controller).await, before);
    // No neuron is still held by the failed set, and it can be applied again.
    *transport.swallows.lock().unwrap() = None;
    let tag = set().apply().await.unwrap();
    assert_eq!(controller.output_at("z", tag).await.unwrap().missing, Missing::NONE);
    assert_eq!(controller.config("z").await.unwrap().weights["h2"], 5.0);
    assert!(controller.config("h3").await.unwrap().inputs.contains_key("x"));
}

#[tokio::test]
async fn when_a_neuron_goes_after_it_has_agreed_the_error_names_those_that_confirmed_and_those_that_did_not() {
    let transport = deaf("h3");
    let host = Host::start(impatient_xor(), transport.clone()).await.unwrap();
    let controller = host.controller();
    *transport.swallows.lock().unwrap() = Some(Swallow::Commit);
    let set = controller.changes().set_weight("z", "h2", 5.0).connect("x", "h3").set_threshold("h1", 3.0);
    let error = set.apply().await.unwrap_err();
    let ControlError::Unconfirmed { tag, confirmed, unconfirmed } = &error else { panic!("{error}") };
    assert_eq!(*confirmed, [id("h1"), id("z")]);
    assert!(matches!(&unconfirmed[..], [(neuron, ControlError::Send { .. })] if neuron.as_str() == "h3"));
    assert_eq!(
        error.to_string(),
        format!("the changes take effect at {tag} at h1, z, but not all have confirmed: h3 (cannot send to h3)")
    );
    controller.output_at("h1", *tag).await.unwrap();
    assert_eq!(controller.config("h1").await.unwrap().threshold, Some(3.0));
    // Whether x is connected to h3 is not certain, so the loop check still counts that edge.
    assert!(matches!(controller.connect("h3", "x").await, Err(ControlError::Loop(_))));
    // The neuron itself knows: once its hold on the set is over, it answers for later tags again.
    *transport.swallows.lock().unwrap() = None;
    controller.output_at("h3", *tag).await.unwrap();
    let error = controller.disconnect("x", "h3").await.unwrap_err();
    assert!(matches!(error, ControlError::Refused { refusal: Refusal::NotConnected(_), .. }), "{error}");
    controller.connect("x", "h3").await.unwrap();
}

/// Begins a call and stops waiting for it at once. Seldom it is over by then.
fn abandon(call: impl Future) {
    let _ = call.now_or_never();
}

/// Asks a neuron for its configuration until it is as wanted.
async fn until_config(controller: &Controller, neuron: &str, wanted: impl Fn(&ConfigView) -> bool) {
    let asking = async { while !wanted(&controller.config(neuron).await.unwrap()) {} };
    timeout(Duration::from_secs(10), asking).await.expect("the neuron makes the change");
}

/// Feeds a sensor until the result is as wanted.
async fn until_fed(controller: &Controller, sensor: &str, wanted: impl Fn(Result<Presented, ControlError>) -> bool) {
    let feeding = async { while !wanted(controller.feed(sensor, 1.0).await) {} };
    timeout(Duration::from_secs(10), feeding).await.expect("the controller notes the change");
}

#[tokio::test]
async fn a_call_that_is_abandoned_leaves_neuron_and_controller_in_agreement() {
    let host = Host::start(impatient_xor(), Arc::new(LocalTransport::new())).await.unwrap();
    let controller = host.controller();
    abandon(controller.attach_sensor("x", "light", 1.0));
    until_config(controller, "x", |x| x.sensors.contains_key(&"light".parse::<SensorId>().unwrap())).await;
    until_fed(controller, "light", |fed| fed.is_ok()).await;
    abandon(controller.delete_weight("x", "light"));
    until_config(controller, "x", |x| !x.sensors.contains_key(&"light".parse::<SensorId>().unwrap())).await;
    until_fed(controller, "light", |fed| matches!(fed, Err(ControlError::UnknownSensor { .. }))).await;
    // The controller still takes the edge for connected. The neuron knows better, and is asked.
    abandon(controller.disconnect("x", "h1"));
    until_config(controller, "h1", |h1| h1.inputs.is_empty()).await;
    controller.connect("x", "h1").await.expect("the neuron is asked");
    let error = controller.connect("x", "h1").await.unwrap_err();
    assert!(matches!(&error, ControlError::Refused { refusal: Refusal::AlreadyConnected(_), .. }), "{error}");
    // Another delay of an edge that exists is refused, and the edge still counts as it is.
    let error = controller.connect_delayed("x", "h1", Duration::from_millis(1)).await.unwrap_err();
    assert!(matches!(&error, ControlError::Refused { refusal: Refusal::AlreadyConnected(_), .. }), "{error}");
    assert!(matches!(controller.connect("z", "x").await, Err(ControlError::Loop(_))));
    host.stop().await;
}

#[tokio::test]
async fn a_weight_for_a_new_sensor_attaches_it_and_a_misspelt_neuron_is_an_error() {
    // The article sets up blank neurons in this way.
    let network = Network::builder("blank").neuron("x", |x| x).neuron("h1", |h1| h1).build().unwrap();
    let host = Host::start(network, local()).await.unwrap();
    let controller = host.controller();
    controller.set_weight("x", "sensor_x_1", 1.0).await.unwrap();
    controller.changes().set_weight("x", "sensor_x_2", 1.0).set_threshold("x", 0.9).apply().await.unwrap();
    let sensors: Vec<String> = controller.config("x").await.unwrap().sensors.keys().map(SensorId::to_string).collect();
    assert_eq!(sensors, ["sensor_x_1", "sensor_x_2"]);
    controller.feed("sensor_x_2", 1.0).await.unwrap();
    assert!(controller.output("x").await.unwrap().fires());
    let error = controller.set_weight("x", "h2", 1.0).await.unwrap_err();
    assert!(matches!(&error, ControlError::LikeANeuron { nearest, .. } if nearest == "h1"), "{error}");
    assert!(error.to_string().contains("attach_sensor"), "{error}");
    controller.attach_sensor("x", "h2", 1.0).await.unwrap();
    host.stop().await;
}

#[tokio::test]
async fn an_edge_is_reversed_at_one_tag_while_patterns_run() {
    let network = Network::builder("turn")
        .hold(Duration::from_secs(600))
        .neuron("x", |x| x.threshold(0.9))
        .neuron("y", |y| y.threshold(0.9))
        .neuron("a", |a| a.threshold(0.9).weight("x", 1.0))
        .neuron("b", |b| b.threshold(0.9).weight("y", 1.0).weight("a", 1.0))
        .neuron("z", |z| z.threshold(0.9).weight("a", 1.0))
        .build()
        .unwrap();
    let host = Host::start(network, local()).await.unwrap();
    let controller = host.controller();
    controller.set_weight("a", "b", 1.0).await.unwrap();
    let mut patterns = Patterns::run(controller, "z");
    let one: Function = |x, _| x > 0.0;
    let either: Function = |x, y| x + y > 0.0;
    let mut networks = vec![(Tag::ORIGIN, one)];
    for round in 0..20 {
        patterns.more(5).await;
        let turn = controller.changes();
        let (turn, then) = if round % 2 == 0 {
            (turn.connect("b", "a").disconnect("a", "b"), either)
        } else {
            (turn.connect("a", "b").disconnect("b", "a"), one)
        };
        networks.push((turn.apply().await.unwrap(), then));
    }
    patterns.more(5).await;
    judge(&patterns.end().await, &networks);
}

#[tokio::test]
async fn a_set_is_completed_even_if_its_future_is_dropped() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller();
    {
        let applying = controller.changes().set_threshold("h1", 3.0).set_threshold("h3", 4.0).apply();
        let mut applying = pin!(applying);
        // It begins, and is dropped, most likely before it completes.
        poll_fn(|context| Poll::Ready(applying.as_mut().poll(context).is_ready())).await;
    }
    // Sets are applied one after the other.
    let tag = controller.changes().set_threshold("h2", 5.0).apply().await.unwrap();
    let mut thresholds = BTreeMap::new();
    for neuron in ["h1", "h2", "h3"] {
        controller.output_at(neuron, tag).await.unwrap();
        thresholds.insert(neuron, controller.config(neuron).await.unwrap().threshold.unwrap());
    }
    assert_eq!(thresholds, BTreeMap::from([("h1", 3.0), ("h2", 5.0), ("h3", 4.0)]));
}
