//! Neurons that panic, and inboxes that do.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use neuron_core::{
    ControllerId, Network, NeuronId, Tag,
    actor::{ControlError, Host},
    command::{Command, Refusal, Request},
    signal::SignalBody,
    transport::{Address, Envelope, Guarantees, Inbox, Sending, Transport, TransportError, async_trait},
};
use tokio::time::timeout;
use transport_local::LocalTransport;

/// How long a step may take that nothing holds up.
const SOON: Duration = Duration::from_secs(5);

const XOR: &str = include_str!("../../examples/xor.toml");

fn xor() -> Network {
    Network::from_toml(XOR).unwrap()
}

async fn level(host: &Host, neuron: &str, tag: Tag) -> f64 {
    host.controller().output_at(neuron, tag).await.unwrap().level
}

/// a; b, which follows a; and c, which is not connected.
fn three() -> Network {
    let builder = Network::builder("three").hold(Duration::from_secs(600)).patience(Duration::from_secs(2));
    builder
        .neuron("a", |a| a)
        .neuron("b", |b| b.threshold(0.9).weight("a", 1.0))
        .neuron("c", |c| c)
        .build()
        .expect("it is valid")
}

/// A request that c answers.
fn request_to_c() -> Envelope {
    let from: ControllerId = "tester".parse().expect("a name");
    let to: NeuronId = "c".parse().expect("a name");
    Envelope::Request { from, to, request: Box::new(Request::new(1, Command::Output { after: Tag::ORIGIN })) }
}

/// A transport with a bug: it panics, in the turn of the sender, at the first statement of one
/// neuron that it is on.
#[derive(Debug)]
struct Panicking {
    inner: LocalTransport,
    victim: &'static str,
    panics_left: AtomicU64,
}

#[async_trait]
impl Transport for Panicking {
    fn send(&self, envelope: Envelope) -> Sending {
        if let Envelope::Signal { from, signal, .. } = &envelope
            && from.as_str() == self.victim
            && matches!(&signal.body, SignalBody::Changed { value, .. } if value.level == 1.0)
            && self.panics_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        {
            panic!("the test wants this");
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
async fn a_neuron_that_panics_comes_back_with_its_configuration_and_the_others_go_on() {
    let transport = Panicking { inner: LocalTransport::new(), victim: "h1", panics_left: AtomicU64::new(1) };
    let host = Host::start(xor(), Arc::new(transport)).await.unwrap();
    let controller = host.controller();
    // A change that must survive.
    controller.set_weight("h1", "x", 3.0).await.unwrap();
    let wave = controller.present(&[("x", 1.0), ("y", 0.0)]).await.unwrap();
    // Its statement is lost with its old incarnation, so z never learns what h1 was at that tag.
    let then = controller.output_at("z", wave.tag).await;
    assert!(
        matches!(then, Err(ControlError::Refused { refusal: Refusal::Unknown(_), .. })),
        "what h1 was at that tag is not known: {then:?}"
    );
    assert_eq!(level(&host, "z", controller.now()).await, 1.0, "x still holds, and the new h1 has heard of it");
    assert_eq!(host.counters().panics, 1);
    assert_eq!(controller.counters("h1").await.unwrap().restarts, 1);
    assert_eq!(controller.config("h1").await.unwrap().weights["x"], 3.0);
    for (x, y) in [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)] {
        let wave = controller.present(&[("x", x), ("y", y)]).await.unwrap();
        let expected = if x == y { 0.0 } else { 1.0 };
        assert_eq!(level(&host, "z", wave.tag).await, expected, "({x}, {y}) after the restart");
    }
    assert_eq!(host.counters().panics, 1);
    host.stop().await;
}

/// A transport with a bug: the inbox of c panics once `panics` is set.
#[derive(Debug)]
struct Buggy {
    inner: LocalTransport,
    panics: Arc<AtomicBool>,
}

#[async_trait]
impl Transport for Buggy {
    fn send(&self, envelope: Envelope) -> Sending {
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        let panics = matches!(at, Address::Neuron(id) if id.as_str() == "c").then(|| self.panics.clone());
        Ok(Inbox::new(BuggyInbox { inner: self.inner.subscribe(at).await?, panics }))
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees().without_local_bypass()
    }
}

struct BuggyInbox {
    inner: Inbox,
    panics: Option<Arc<AtomicBool>>,
}

impl Stream for BuggyInbox {
    type Item = Envelope;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Envelope>> {
        assert!(self.panics.as_ref().is_none_or(|panics| !panics.load(Ordering::Relaxed)), "a bug of the transport");
        Pin::new(&mut self.inner).poll_next(context)
    }
}

#[tokio::test]
async fn an_inbox_that_panics_ends_one_neuron_and_is_counted() {
    let panics = Arc::new(AtomicBool::new(false));
    let local = LocalTransport::new();
    let transport = Buggy { inner: local.clone(), panics: panics.clone() };
    let host = Host::start(three(), Arc::new(transport)).await.expect("the host starts");
    panics.store(true, Ordering::Relaxed);
    local.send(request_to_c()).await.expect("it is handed over");
    let dies = async {
        while host.counters().deaths == 0 {
            host.controller().output("a").await.expect("a is not gone");
        }
    };
    timeout(SOON, dies).await.expect("c dies");
    host.controller().output("c").await.expect_err("c is gone");
    assert_eq!((host.counters().panics, host.counters().deaths), (1, 1));
}

#[tokio::test]
async fn what_a_neuron_of_the_host_said_last_lapses_when_it_is_gone() {
    let network = Network::builder("lapse").lease(Duration::from_millis(200)).patience(Duration::from_millis(50));
    let network = network.neuron("c", |c| c.threshold(0.9).hold(Duration::from_secs(600)));
    let network = network.neuron("d", |d| d.threshold(0.9).weight("c", 1.0)).build().expect("it is right");
    let panics = Arc::new(AtomicBool::new(false));
    let local = LocalTransport::new();
    let transport = Bypassed(Buggy { inner: local.clone(), panics: panics.clone() });
    let host = Host::start(network, Arc::new(transport)).await.expect("the host starts");
    let mut watch = host.controller().watch("d").await.expect("d can be watched");
    host.controller().stimulate("c", 1.0).await.expect("c is stimulated");
    let fires = async { while watch.next().await.expect("the host runs").level == 0.0 {} };
    timeout(SOON, fires).await.expect("d fires");
    panics.store(true, Ordering::Relaxed);
    local.send(request_to_c()).await.expect("it is handed over");
    let lapsed = timeout(SOON, watch.next()).await.expect("d lets go of it").expect("the host runs");
    assert_eq!((lapsed.level, lapsed.missing.to_string().as_str()), (0.0, "c"));
}

/// The same bug in a transport that signals within a host bypass.
#[derive(Debug)]
struct Bypassed(Buggy);

#[async_trait]
impl Transport for Bypassed {
    fn send(&self, envelope: Envelope) -> Sending {
        self.0.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.0.subscribe(at).await
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { local_bypass: true, ..self.0.guarantees() }
    }
}
