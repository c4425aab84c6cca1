//! Sets of changes, and neurons that come and go, while waves run through the network.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use neuron_core::{
    Missing, Network, NeuronId, Tag,
    actor::{ControlError, Controller, Host, HostError},
    command::{Command, Refusal},
    network::{NeuronSpec, Synapse},
    store::{MemoryStore, Store},
    transport::{
        Address, BoxFuture, Envelope, Guarantees, Inbox, Sending, Transport, TransportError, TransportErrorKind,
    },
};
use tokio::task::JoinHandle;
use transport_local::LocalTransport;

const XOR: &str = include_str!("../../examples/xor.toml");

fn xor() -> Network {
    Network::from_toml(&XOR.replacen("[network]", "[network]\nhold = \"600s\"", 1)).unwrap()
}

/// Sets of changes are held for ten patiences.
fn impatient_xor() -> Network {
    Network::from_toml(&xor().to_toml().replacen("[network]", "[network]\npatience = \"20ms\"", 1)).unwrap()
}

fn local() -> Arc<dyn Transport> {
    Arc::new(LocalTransport::new())
}

fn id(name: &str) -> NeuronId {
    name.parse().unwrap()
}

/// What was presented, and what came of it.
struct Seen {
    tag: Tag,
    x: f64,
    y: f64,
    level: f64,
}

/// Presents one pattern after the other to x and y, and asks a neuron what came of each, until it is told to stop.
struct Patterns {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<Seen>>,
    rounds: tokio::sync::watch::Receiver<usize>,
}

impl Patterns {
    fn run(controller: &Controller, output: &'static str) -> Self {
        let (controller, stop) = (controller.clone(), Arc::new(AtomicBool::new(false)));
        let (count, rounds) = tokio::sync::watch::channel(0);
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut seen = Vec::new();
            let mut random = 2016_u32;
            while !stopped.load(Ordering::SeqCst) {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (x, y) = (f64::from(random >> 31), f64::from(random >> 30 & 1));
                let wave = controller.present(&[("x", x), ("y", y)]).await.unwrap();
                assert!(wave.late.is_empty());
                let sample = controller.output_at(output, wave.tag).await.unwrap();
                assert_eq!(sample.missing, Missing::NONE, "at {}", wave.tag);
                seen.push(Seen { tag: wave.tag, x, y, level: sample.level });
                count.send(seen.len()).unwrap();
            }
            seen
        });
        Self { stop, task, rounds }
    }

    /// Waits until so many more patterns have been answered.
    async fn more(&mut self, rounds: usize) {
        let begin = *self.rounds.borrow();
        self.rounds.wait_for(|now| *now >= begin + rounds).await.unwrap();
    }

    async fn end(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

type Function = fn(f64, f64) -> bool;

/// Every answer is that of the network that counted at its tag.
fn judge(seen: &[Seen], networks: &[(Tag, Function)]) {
    let mut of_each = vec![0; networks.len()];
    for Seen { tag, x, y, level } in seen {
        let which = networks.iter().rposition(|(from, _)| from <= tag).unwrap();
        let expected = f64::from(u8::from(networks[which].1(*x, *y)));
        assert_eq!(*level, expected, "({x}, {y}) at {tag}, in the network from {} on", networks[which].0);
        of_each[which] += 1;
    }
    assert!(of_each.iter().all(|count| *count > 0), "patterns in each network: {of_each:?}");
}

#[tokio::test]
async fn two_inputs_are_swapped_at_one_tag_while_patterns_run_and_no_answer_mixes_the_two_networks() {
    // z is on when its plus is and its minus is not. Which of x and y is which is decided one step before, so that a wave
    // that met one half of the swap alone would be answered wrongly.
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
    // The same by weights, at z itself.
    patterns.more(5).await;
    let swap = controller.changes().set_weight("z", "plus", -1.0).set_weight("z", "minus", 1.0);
    networks.push((swap.apply().await.unwrap(), only_y));
    patterns.more(5).await;
    judge(&patterns.end().await, &networks);
}

/// What every neuron of XOR is set up as.
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
    // Two edges that each could be made alone close a loop together, and one that would close a loop can be made together
    // with the end of another one.
    controller.changes().disconnect("x", "h1").connect("z", "h1").disconnect("h1", "z").apply().await.unwrap();
    let error = controller.changes().connect("h1", "y").connect("x", "h1").apply().await.unwrap_err();
    assert!(matches!(error, ControlError::Loop(_)), "{error}");
    let error = controller.changes().connect("h1", "h3").disconnect("x", "h2").apply().await.unwrap_err();
    assert!(matches!(error, ControlError::Loop(_)), "{error}");
}

/// Does not deliver some commands to one neuron.
#[derive(Debug)]
struct Deaf {
    inner: LocalTransport,
    to: &'static str,
    swallows: Mutex<Option<Swallow>>,
}

#[derive(Clone, Copy, Debug)]
enum Swallow {
    /// The neuron does not seem to hear.
    Prepare,
    /// The neuron is not there any more.
    Commit,
}

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

    fn subscribe(&self, at: &Address) -> BoxFuture<Result<Inbox, TransportError>> {
        self.inner.subscribe(at)
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
    // Nobody is held back, and it can be done again.
    *transport.swallows.lock().unwrap() = None;
    let tag = set().apply().await.unwrap();
    assert_eq!(controller.output_at("z", tag).await.unwrap().missing, Missing::NONE);
    assert_eq!(controller.config("z").await.unwrap().weights["h2"], 5.0);
    assert!(controller.config("h3").await.unwrap().inputs.contains_key("x"));
}

#[tokio::test]
async fn when_a_neuron_goes_after_it_has_agreed_it_is_said_who_has_confirmed_and_who_has_not() {
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
    // Whether x is connected to h3 is not certain, so it is not forgotten that it may be.
    assert!(matches!(controller.connect("h3", "x").await, Err(ControlError::Loop(_))));
    // The neuron itself knows, once it holds what it had agreed to no longer, and answers for later tags again.
    *transport.swallows.lock().unwrap() = None;
    controller.output_at("h3", *tag).await.unwrap();
    let error = controller.disconnect("x", "h3").await.unwrap_err();
    assert!(matches!(error, ControlError::Refused { refusal: Refusal::NotConnected(_), .. }), "{error}");
    controller.connect("x", "h3").await.unwrap();
}

#[tokio::test]
async fn an_edge_is_turned_round_at_one_tag_while_patterns_run() {
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
async fn a_set_comes_to_its_end_also_if_nobody_waits_for_it_any_more() {
    let host = Host::start(xor(), local()).await.unwrap();
    let controller = host.controller();
    {
        let applying = controller.changes().set_threshold("h1", 3.0).set_threshold("h3", 4.0).apply();
        let mut applying = pin!(applying);
        // It begins, and is dropped, most likely before it is done.
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
    // Clones know it as well, and z takes it in.
    let joined = controller.changes().connect("neither", "z").set_weight("z", "neither", 1.0).apply().await.unwrap();
    patterns.more(10).await;
    let xor: Function = |x, y| x != y;
    let not_both: Function = |x, y| x + y < 2.0;
    judge(&patterns.end().await, &[(Tag::ORIGIN, xor), (joined, not_both)]);
    let wave = controller.present(&[("x", 0.0), ("y", 0.0)]).await.unwrap();
    assert_eq!(controller.output_at("neither", wave.tag).await.unwrap().level, 1.0);
    // Of the time before its life nothing is known of it.
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
    // Nobody remembers it.
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
async fn a_name_that_has_been_given_up_can_be_given_again_and_again() {
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
async fn what_a_network_file_would_be_refused_for_a_new_neuron_is_refused_for() {
    let host = Host::start(xor(), local()).await.unwrap();
    let loops = NeuronSpec { weights: [(id("w"), Synapse { weight: 1.0, delay: None })].into(), ..spec(0.9, &[]) };
    let sensor_named_like_a_neuron = NeuronSpec { sensors: [("h1".parse().unwrap(), 1.0)].into(), ..spec(0.9, &[]) };
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
    let sensor = NeuronSpec { sensors: [("lux".parse().unwrap(), 1.0)].into(), ..spec(0.9, &[("z", 1.0)]) };
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
async fn only_the_host_that_runs_a_neuron_can_let_it_go() {
    let transport = local();
    let one = Host::builder(xor(), transport.clone()).only(["x", "y"]).start();
    let two = Host::builder(xor(), transport.clone()).only(["h1", "h2", "h3", "z"]).start();
    let (one, two) = tokio::join!(one, two);
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(matches!(one.remove("h2").await, Err(HostError::Elsewhere(neuron)) if neuron.as_str() == "h2"));
    // Its subscribers may be anywhere.
    let gone = one.remove("y").await.unwrap();
    let h3 = two.controller().output_at("h3", gone).await.unwrap();
    assert_eq!((h3.level, h3.missing), (0.0, Missing::NONE));
}
