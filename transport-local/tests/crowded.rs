//! A host with more work than it can do: no neuron waits for ever, nothing overtakes, nothing is
//! lost.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use futures_util::StreamExt as _;
use neuron_core::{
    ControllerId, Network, NeuronId, Tag,
    actor::{Host, block_on},
    command::{Command, ConfigChange, Request, Stimulus},
    network::NeuronBuilder,
    neuron::Saved,
    store::{MemoryStore, Store, StoreError},
    transport::{Address, Envelope, Guarantees, Inbox, Sending, Transport, TransportError, async_trait},
};
use tokio::time::timeout;
use transport_local::LocalTransport;

/// How long a step may take that nothing holds up.
const SOON: Duration = Duration::from_secs(5);

fn name<T: std::str::FromStr<Err = neuron_core::NameError>>(text: &str) -> T {
    text.parse().expect("a name")
}

fn follows(source: &'static str) -> impl Fn(NeuronBuilder) -> NeuronBuilder {
    move |neuron| neuron.threshold(0.9).weight(source, 1.0)
}

/// a; b, which follows a; and c, which `others` neurons follow.
fn network(others: usize) -> Network {
    let mut builder = Network::builder("crowded").hold(Duration::from_secs(600)).patience(Duration::from_secs(2));
    builder = builder.neuron("a", |a| a).neuron("b", follows("a")).neuron("c", |c| c);
    for number in 0..others {
        builder = builder.neuron(&format!("d{number}"), follows("c"));
    }
    builder.build().expect("it is valid")
}

fn request(to: &str, id: u64, command: Command) -> Envelope {
    Envelope::Request {
        from: name::<ControllerId>("tester"),
        to: name(to),
        request: Box::new(Request::new(id, command)),
    }
}

/// Turns a neuron on if `id` is odd, and off if it is even.
fn flip(to: &str, id: u64) -> Envelope {
    let stimulus = Stimulus { sensor: None, level: Some(if id.is_multiple_of(2) { 0.0 } else { 1.0 }), hold: None };
    request(to, id, Command::Stimulate { stimulus, at: None, within: Duration::ZERO })
}

/// A thread that stimulates c without a pause until this is dropped.
struct Flood(Arc<AtomicBool>, Option<JoinHandle<()>>);

impl Flood {
    fn start(transport: &LocalTransport) -> Self {
        let (stop, transport) = (Arc::new(AtomicBool::new(false)), transport.clone());
        let stopped = stop.clone();
        let flooding = move || {
            for id in 1.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                // This waits while the inbox is full.
                block_on(transport.send(flip("c", id))).expect("c is there");
            }
        };
        Self(stop, Some(std::thread::spawn(flooding)))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        if let Some(thread) = self.1.take() {
            thread.join().expect("nothing fails there");
        }
    }
}

#[tokio::test]
async fn a_flood_for_one_does_not_hold_up_what_ends_at_another() {
    let transport = LocalTransport::new();
    let host = Host::start(network(20), Arc::new(transport.clone())).await.expect("the host starts");
    let mut watch = host.controller().watch("a").await.expect("a can be watched");
    watch.next().await.expect("the level to start from");
    let _flood = Flood::start(&transport);
    host.controller().stimulate_for("a", 1.0, Duration::from_millis(100)).await.expect("a is stimulated");
    for level in [1.0, 0.0] {
        let change = timeout(SOON, watch.next()).await.expect("in time").expect("a change");
        assert_eq!(change.level, level);
    }
}

#[tokio::test]
async fn a_flood_for_one_does_not_hold_up_what_waits_for_room() {
    const REPORTS: u64 = 1500;
    let transport = LocalTransport::with_capacity(1000);
    let _host = Host::start(network(20), Arc::new(transport.clone())).await.expect("the host starts");
    let tester = Address::Controller(name("tester"));
    let mut inbox = transport.subscribe(&tester).await.expect("an inbox");
    for id in 0..REPORTS {
        transport.send(request("a", id, Command::Output { after: Tag::ORIGIN })).await.expect("it is handed over");
    }
    let _flood = Flood::start(&transport);
    // The answers to the flood come to the same inbox.
    let mut answered = 0;
    while answered < REPORTS {
        let report = timeout(SOON, inbox.next()).await.expect("in time").expect("a report");
        answered += u64::from(matches!(report, Envelope::Report { from, .. } if from.as_str() == "a"));
    }
}

/// A store that takes `millis` to save c, and does not while it is held.
#[derive(Debug)]
struct Slow {
    inner: MemoryStore,
    millis: AtomicU64,
    is_held: Mutex<bool>,
    released: Condvar,
}

/// Holds up each save of c until it is dropped.
struct Held<'s>(&'s Slow);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.0.is_held.lock().expect("no panic") = false;
        self.0.released.notify_all();
    }
}

impl Slow {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::default(),
            millis: AtomicU64::new(0),
            is_held: Mutex::new(false),
            released: Condvar::new(),
        })
    }

    fn hold(&self) -> Held<'_> {
        *self.is_held.lock().expect("no panic") = true;
        Held(self)
    }
}

impl Store for Slow {
    fn load(&self, id: &NeuronId) -> Result<Option<Saved>, StoreError> {
        self.inner.load(id)
    }

    fn save(&self, id: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        if id.as_str() == "c" {
            std::thread::sleep(Duration::from_millis(self.millis.load(Ordering::Relaxed)));
            let is_held = self.is_held.lock().expect("no panic");
            drop(self.released.wait_while(is_held, |is_held| *is_held).expect("no panic"));
        }
        self.inner.save(id, saved)
    }

    fn names(&self) -> Result<Vec<NeuronId>, StoreError> {
        self.inner.names()
    }

    fn remove(&self, id: &NeuronId) -> Result<(), StoreError> {
        self.inner.remove(id)
    }

    fn ceiling(&self) -> Result<Option<Tag>, StoreError> {
        self.inner.ceiling()
    }

    fn save_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        self.inner.save_ceiling(ceiling)
    }

    fn note_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        self.inner.note_ceiling(ceiling)
    }
}

#[tokio::test]
async fn no_stamp_is_older_than_its_request_however_slow_the_store_is() {
    let (store, transport) = (Slow::new(), Arc::new(LocalTransport::new()));
    let host = Host::builder(network(0), transport.clone()).store(store.clone()).start().await.expect("it starts");
    let elsewhere = Host::builder(network(0), transport).only::<String>([]).start().await.expect("it starts");
    store.millis.store(10, Ordering::Relaxed);
    let asking = (0..4).map(|task| {
        let controller = elsewhere.controller().clone();
        async move {
            for number in 0..10 {
                let before = controller.now();
                let stamp = controller.set_threshold("c", f64::from(task + number)).await.expect("it is set");
                assert!(stamp.tag >= before, "stamped {}, asked for at {before}", stamp.tag);
            }
        }
    });
    futures_util::future::join_all(asking).await;
    host.stop().await;
}

#[tokio::test]
async fn a_slow_store_does_not_hold_up_the_controller_of_the_host() {
    const SAVES: u64 = 200;
    let (store, transport) = (Slow::new(), LocalTransport::new());
    let builder = Host::builder(network(0), Arc::new(transport.clone())).store(store.clone());
    let host = builder.start().await.expect("it starts");
    let held = store.hold();
    let mut inbox = transport.subscribe(&Address::Controller(name("tester"))).await.expect("an inbox");
    for id in 0..SAVES {
        transport
            .send(request("c", id, Command::Configure(ConfigChange::SetThreshold { threshold: 1.0 })))
            .await
            .expect("it is handed over");
    }
    host.controller().output("a").await.expect("a answers");
    // What c has changed is told once it is saved, and not before.
    assert!(futures_util::FutureExt::now_or_never(inbox.next()).is_none());
    drop(held);
    for _ in 0..SAVES {
        timeout(SOON, inbox.next()).await.expect("in time").expect("an answer");
    }
}

#[tokio::test]
async fn what_spills_from_the_local_mailboxes_is_not_overtaken() {
    let (store, transport) = (Slow::new(), LocalTransport::new());
    let builder = Host::builder(network(4500), Arc::new(transport.clone())).store(store.clone());
    let host = builder.start().await.expect("it starts");
    let held = store.hold();
    transport
        .send(request("c", 1, Command::Configure(ConfigChange::SetThreshold { threshold: 1.0 })))
        .await
        .expect("it is handed over");
    // While c is saved all this gathers: more than the local mailboxes hold, behind a full inbox of
    // b, and the local signals from a to b.
    for id in 0..12_000 {
        transport.send(request("b", id, Command::Output { after: Tag::ORIGIN })).await.expect("it is handed over");
    }
    for id in 2..18 {
        transport.send(flip("c", id)).await.expect("it is handed over");
    }
    for id in 0..8_000 {
        transport.send(flip("a", id)).await.expect("it is handed over");
    }
    drop(held);
    let wave = host.controller().stimulate("a", 1.0).await.expect("a is stimulated");
    let b = host.controller().output_at("b", wave.tag).await.expect("b answers");
    assert_eq!((b.level, b.missing.is_empty()), (1.0, true), "{b:?}");
    let counters = host.controller().counters("b").await.expect("b tells");
    assert_eq!((counters.refused, counters.kicks), (0, 8_000), "b hears every change of a, and what it began with");
}

/// A transport over which hosts do not hear what others claim, so that one takes the place of another.
#[derive(Debug)]
struct WithoutClaims(LocalTransport);

#[async_trait]
impl Transport for WithoutClaims {
    fn send(&self, envelope: Envelope) -> Sending {
        self.0.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.0.subscribe(at).await
    }

    fn guarantees(&self) -> Guarantees {
        self.0.guarantees()
    }
}

#[tokio::test]
async fn a_neuron_that_is_taken_over_in_the_middle_of_work_hears_its_inputs() {
    for _ in 0..3 {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        // Room for the whole flood: a sender that waits at an inbox that is closed would be
        // refused.
        let transport = LocalTransport::with_capacity(32_768);
        let shared = Arc::new(WithoutClaims(transport.clone()));
        let first = Host::builder(network(0), shared.clone()).store(store.clone());
        let _first = first.start().await.expect("it starts");
        let flood = {
            let transport = transport.clone();
            std::thread::spawn(move || {
                for id in 0..20_000 {
                    block_on(transport.send(request("b", id, Command::Config { after: Tag::ORIGIN })))
                        .expect("b is there");
                }
            })
        };
        let second = Host::builder(network(0), shared).store(store).only(["b"]);
        let second = second.start().await.expect("it starts");
        flood.join().expect("nothing fails there");
        let heard = async {
            loop {
                let wave = second.controller().stimulate("a", 1.0).await.expect("a is stimulated");
                let b = second.controller().output_at("b", wave.tag).await.expect("b answers");
                if b.missing.is_empty() {
                    break b.level;
                }
            }
        };
        assert_eq!(timeout(SOON, heard).await.expect("b hears a"), 1.0);
    }
}
