//! Hosts over transports that refuse, are slow, or lose.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_core::Stream as _;
use neuron_core::{
    Missing, Network,
    actor::Host,
    command::{Command, Report, Request, Stimulus},
    network::NeuronSpec,
    signal::SignalBody,
    transport::{
        Address, Delivery, Envelope, Guarantees, Inbox, Pace, Sending, Transport, TransportError, TransportErrorKind,
        async_trait,
    },
};
use tokio::sync::watch;
use transport_conformance::Faulty;
use transport_local::LocalTransport;

const XOR: &str = include_str!("../../examples/xor.toml");

/// `quick` and `slow`, which both follow `a`.
fn fan() -> Network {
    Network::builder("fan")
        .hold(Duration::from_secs(600))
        .neuron("a", |a| a.threshold(0.9))
        .neuron("quick", |quick| quick.threshold(0.9).weight("a", 1.0))
        .neuron("slow", |slow| slow.threshold(0.9).weight("a", 1.0))
        .build()
        .unwrap()
}

fn is_statement(envelope: &Envelope, of: &str, to: &str) -> bool {
    matches!(envelope, Envelope::Signal { from, to: receiver, signal }
        if from.as_str() == of && receiver.as_str() == to && matches!(signal.body, SignalBody::Changed { .. }))
}

/// Refuses one statement from a to slow.
#[derive(Debug)]
struct Refusing {
    inner: LocalTransport,
    /// How many statements it carries before that one.
    after: AtomicU64,
}

#[async_trait]
impl Transport for Refusing {
    fn send(&self, envelope: Envelope) -> Sending {
        if is_statement(&envelope, "a", "slow") && self.after.fetch_sub(1, Ordering::SeqCst) == 0 {
            return Sending::done(Err(TransportErrorKind::NoInbox.into()));
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

#[tokio::test]
async fn a_statement_that_is_refused_is_made_up_for_at_once() {
    let transport = Refusing { inner: LocalTransport::new(), after: AtomicU64::new(2) };
    let host = Host::start(fan(), Arc::new(transport)).await.unwrap();
    let controller = host.controller();
    let mut last = 0.0;
    for level in [1.0, 0.0, 1.0] {
        let stamp = controller.stimulate("a", level).await.unwrap();
        let quick = controller.output_at("quick", stamp.tag).await.unwrap();
        assert_eq!((quick.level, quick.missing), (level, Missing::NONE));
        last = level;
    }
    let slow = controller.output_at("slow", controller.now()).await.unwrap();
    assert_eq!((slow.level, slow.missing), (last, Missing::NONE));
    assert_eq!(controller.counters("a").await.unwrap().given_up, 1);
    assert_eq!(host.counters().undelivered, 1);
}

/// Makes whatever a neuron sends to one address wait while the gate is closed.
#[derive(Debug)]
struct Gated {
    inner: LocalTransport,
    to: &'static str,
    open: watch::Receiver<bool>,
}

impl Gated {
    fn new(to: &'static str) -> (Arc<Self>, watch::Sender<bool>) {
        let (gate, open) = watch::channel(true);
        (Arc::new(Self { inner: LocalTransport::new(), to, open }), gate)
    }
}

#[async_trait]
impl Transport for Gated {
    fn send(&self, envelope: Envelope) -> Sending {
        let concerned = match &envelope {
            Envelope::Signal { to, .. } => to.as_str() == self.to,
            Envelope::Report { to, .. } => to.as_str().starts_with(self.to),
            Envelope::Request { .. } | Envelope::Host { .. } => false,
        };
        if !concerned || *self.open.borrow() {
            return self.inner.send(envelope);
        }
        let (inner, mut open) = (self.inner.clone(), self.open.clone());
        Sending::later(async move {
            let _ = open.wait_for(|open| *open).await;
            inner.send(envelope).await
        })
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees().without_local_bypass()
    }
}

#[tokio::test]
async fn a_slow_receiver_holds_up_no_other_one_and_hears_of_every_change_when_it_is_back() {
    let (transport, gate) = Gated::new("slow");
    let host = Host::start(fan(), transport).await.unwrap();
    let controller = host.controller();
    gate.send(false).unwrap();
    let mut changes = Vec::new();
    for round in 1..=100 {
        let level = f64::from(round % 2);
        let stamp = controller.stimulate("a", level).await.unwrap();
        let quick = controller.output_at("quick", stamp.tag).await.unwrap();
        assert_eq!((quick.level, quick.missing), (level, Missing::NONE));
        changes.push((stamp.tag, level));
    }
    gate.send(true).unwrap();
    for (tag, level) in changes {
        let slow = controller.output_at("slow", tag).await.unwrap();
        assert_eq!((slow.level, slow.missing), (level, Missing::NONE), "at {tag}");
    }
    assert_eq!(host.counters().shed, 0);
}

#[tokio::test]
async fn a_receiver_that_is_far_too_slow_skips_to_the_newest_level() {
    let (transport, gate) = Gated::new("slow");
    let host = Host::start(fan(), transport).await.unwrap();
    let controller = host.controller();
    gate.send(false).unwrap();
    let mut last = controller.now();
    for round in 1..=2501 {
        last = controller.stimulate("a", f64::from(round % 2)).await.unwrap().tag;
    }
    assert_eq!(controller.output_at("quick", last).await.unwrap().level, 1.0);
    assert!(host.counters().shed > 0);
    assert_eq!(controller.counters("a").await.unwrap().given_up, 1, "what waits is bounded");
    gate.send(true).unwrap();
    let slow = controller.output_at("slow", controller.now()).await.unwrap();
    assert_eq!((slow.level, slow.missing), (1.0, Missing::NONE));
}

#[tokio::test]
async fn a_watch_that_is_not_read_gets_the_newest_change_and_says_how_many_are_missing() {
    let (transport, gate) = Gated::new("controller-");
    let host = Host::start(fan(), transport.clone()).await.unwrap();
    let controller = host.controller();
    let mut watch = controller.watch("a").await.unwrap();
    assert_eq!(watch.next().await.unwrap().level, 0.0);
    gate.send(false).unwrap();
    // The controller receives nothing meanwhile, so another one stimulates.
    let mut answers = transport.subscribe(&Address::Controller("other".parse().unwrap())).await.unwrap();
    for id in 1..=1501 {
        let level = if id % 2 == 1 { 1.0 } else { 0.0 };
        let stimulus = Stimulus { sensor: None, level: Some(level), hold: None };
        let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
        let request = Box::new(Request::new(id, command));
        let envelope = Envelope::Request { from: "other".parse().unwrap(), to: "a".parse().unwrap(), request };
        transport.send(envelope).await.unwrap();
        poll_fn(|context| Pin::new(&mut answers).poll_next(context)).await.unwrap();
    }
    gate.send(true).unwrap();
    let (mut told, mut missed, mut level) = (0, 0, 0.0);
    while told + missed < 1501 {
        let change = watch.next().await.unwrap();
        told += 1;
        missed += change.missed;
        level = change.level;
    }
    assert!(missed > 0);
    assert_eq!(level, 1.0, "the newest one is never the one that is left out");
}

/// Loses every third signal, and declares that it may. Losses in a rhythm are harder than random
/// ones: the same message can be hit again and again.
#[derive(Debug)]
struct Lossy {
    inner: LocalTransport,
    signals: AtomicU64,
}

#[async_trait]
impl Transport for Lossy {
    fn send(&self, envelope: Envelope) -> Sending {
        if matches!(envelope, Envelope::Signal { .. }) && self.signals.fetch_add(1, Ordering::Relaxed) % 3 == 2 {
            return Sending::done(Ok(()));
        }
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn guarantees(&self) -> Guarantees {
        let inner = self.inner.guarantees().without_local_bypass();
        let pace = Pace { retry: Duration::from_millis(3), ..inner.pace };
        Guarantees { delivery: Delivery::AtMostOnce, pace, ..inner }
    }
}

#[tokio::test]
async fn a_transport_that_loses_messages_makes_a_network_slow_but_not_wrong() {
    // So patient that no input is given up because of this.
    let patient = XOR.replacen("[network]", "[network]\npatience = \"30s\"", 1);
    let network = Network::from_toml(&patient).unwrap();
    let transport = Lossy { inner: LocalTransport::new(), signals: AtomicU64::new(0) };
    let host = Host::start(network, Arc::new(transport)).await.unwrap();
    for round in 0..20 {
        let (x, y) = (f64::from(round % 2), f64::from(round / 2 % 2));
        let wave = host.controller().present(&[("x", x), ("y", y)]).await.unwrap();
        let z = host.controller().output_at("z", wave.tag).await.unwrap();
        let expected = if x == y { 0.0 } else { 1.0 };
        assert_eq!((z.level, z.missing), (expected, Missing::NONE), "({x}, {y}) at {}", wave.tag);
    }
    let mut resent = 0;
    for neuron in ["x", "y", "h1", "h2", "h3"] {
        resent += host.controller().counters(neuron).await.unwrap().resent;
    }
    assert!(resent > 0);
}

/// Loses one message in five, from neurons and from controllers alike.
fn losing(seed: u64) -> Arc<dyn Transport> {
    let faulty = Faulty::new(Arc::new(LocalTransport::new()), seed, Duration::ZERO, 0);
    Arc::new(faulty.losing(20).retrying_after(Duration::from_millis(3)))
}

#[tokio::test]
async fn every_call_succeeds_over_a_carrier_that_loses_one_message_in_five() {
    // So patient that no input is given up and no wave is torn, however often a message is lost.
    let patient = XOR.replacen("[network]", "[network]\npatience = \"30s\"\nhold = \"600s\"", 1);
    for seed in 0..3 {
        let host = Host::start(Network::from_toml(&patient).unwrap(), losing(seed)).await.unwrap();
        let controller = host.controller();
        for round in 0..20 {
            let (x, y) = (f64::from(round % 2), f64::from(round / 2 % 2));
            let wave = controller.present(&[("x", x), ("y", y)]).await.unwrap();
            assert!(wave.late.is_empty(), "seed {seed}");
            let z = controller.output_at("z", wave.tag).await.unwrap();
            let expected = if x == y { 0.0 } else { 1.0 };
            assert_eq!((z.level, z.missing), (expected, Missing::NONE), "seed {seed}: ({x}, {y}) at {}", wave.tag);
        }
        controller.disconnect("x", "h1").await.unwrap();
        controller.connect("x", "h1").await.unwrap();
        controller.set_weight("h1", "x", 2.0).await.unwrap();
        controller.delete_weight("h1", "x").await.unwrap();
        // With h2 alone, z is on when both are.
        let changes = controller.changes().disconnect("h1", "z").disconnect("h3", "z").set_weight("z", "h2", 1.0);
        let both = changes.apply().await.unwrap();
        let stamp = controller.stimulate("x", 1.0).await.unwrap();
        assert!(stamp.tag > both);
        controller.stimulate("y", 1.0).await.unwrap();
        let spec = NeuronSpec { threshold: Some(0.9), ..NeuronSpec::default() };
        host.add("w", spec).await.unwrap();
        controller.connect("z", "w").await.unwrap();
        let weight = controller.set_weight("w", "z", 1.0).await.unwrap();
        assert_eq!(controller.output_at("w", weight.tag).await.unwrap().level, 1.0, "seed {seed}");
        host.remove("z").await.unwrap();
        assert_eq!(controller.output_at("w", controller.now()).await.unwrap().level, 0.0, "seed {seed}");
        let mut resent = 0;
        for neuron in ["x", "y", "h1", "h2", "h3"] {
            resent += controller.counters(neuron).await.unwrap().resent;
        }
        assert!(resent > 0, "seed {seed}");
        host.stop().await;
    }
}

/// Loses the first request with each id, and the first answer to it.
#[derive(Debug)]
struct LosesTheFirst {
    inner: LocalTransport,
    requests: Mutex<Vec<u64>>,
    answers: Mutex<Vec<u64>>,
}

#[async_trait]
impl Transport for LosesTheFirst {
    fn send(&self, envelope: Envelope) -> Sending {
        let seen = match &envelope {
            Envelope::Request { request, .. } => Some((&self.requests, request.id)),
            Envelope::Report { report, .. } => match **report {
                Report::Reply { request, .. } => Some((&self.answers, request)),
                Report::Changed { .. } => None,
            },
            Envelope::Signal { .. } | Envelope::Host { .. } => None,
        };
        if let Some((seen, id)) = seen {
            let mut seen = seen.lock().unwrap();
            if !seen.contains(&id) {
                seen.push(id);
                return Sending::done(Ok(()));
            }
        }
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn guarantees(&self) -> Guarantees {
        let mut guarantees = self.inner.guarantees().without_local_bypass();
        guarantees.delivery = Delivery::AtMostOnce;
        guarantees.pace.retry = Duration::from_millis(2);
        guarantees
    }
}

#[tokio::test]
async fn a_request_is_repeated_until_it_is_answered_and_carried_out_once() {
    let transport =
        LosesTheFirst { inner: LocalTransport::new(), requests: Mutex::default(), answers: Mutex::default() };
    let host = Host::start(fan(), Arc::new(transport)).await.unwrap();
    let controller = host.controller();
    for level in [1.0, 0.0, 1.0] {
        controller.stimulate("a", level).await.unwrap();
    }
    let wave = controller.present(&[("a", 0.0)]).await.unwrap();
    assert_eq!(controller.output_at("quick", wave.tag).await.unwrap().level, 0.0);
    let counters = controller.counters("a").await.unwrap();
    assert_eq!((counters.kicks, counters.firings), (4, 2), "each was carried out once");
    assert!(counters.duplicates >= 4, "{} repetitions came", counters.duplicates);
}
