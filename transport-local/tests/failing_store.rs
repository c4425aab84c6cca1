//! A store that fails for a while: a neuron that cannot be saved is silent, and goes on later.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::StreamExt as _;
use neuron_core::{
    ControllerId, Missing, Network, NeuronId, Tag,
    actor::{ControlError, Host, HostError, Watch, WatchAll, WatchEvent},
    command::{Command, ConfigChange, Refusal, Report, Request},
    network::NeuronSpec,
    neuron::Saved,
    store::{MemoryStore, Store, StoreError},
    transport::{Address, Envelope, Transport as _},
};
use transport_local::LocalTransport;

const XOR: &str = include_str!("../../examples/xor.toml");

/// A store in memory that fails as it is told to.
#[derive(Debug, Default)]
struct Failing {
    inner: MemoryStore,
    /// How many of the next saves of a neuron fail.
    failures: Mutex<BTreeMap<&'static str, usize>>,
    /// A save that fails has taken place all the same.
    writes_first: AtomicBool,
    loads_fail: AtomicBool,
    notes_fail: AtomicBool,
    ceilings_fail: AtomicBool,
}

impl Failing {
    fn fail(&self, neuron: &'static str, times: usize) {
        self.failures.lock().unwrap().insert(neuron, times);
    }

    /// Returns how many failures are left.
    fn left(&self, neuron: &str) -> usize {
        self.failures.lock().unwrap().get(neuron).copied().unwrap_or_default()
    }

    fn saved(&self, neuron: &str) -> Saved {
        self.inner.load(&neuron.parse().unwrap()).unwrap().unwrap()
    }
}

fn full_if(is_full: bool) -> Result<(), StoreError> {
    if is_full { Err(StoreError::other("the disk is full")) } else { Ok(()) }
}

impl Store for Failing {
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError> {
        full_if(self.loads_fail.load(Ordering::SeqCst))?;
        self.inner.load(neuron)
    }

    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        let mut failures = self.failures.lock().unwrap();
        if let Some(left) = failures.get_mut(neuron.as_str()).filter(|left| **left > 0) {
            *left -= 1;
            if self.writes_first.load(Ordering::SeqCst) {
                self.inner.save(neuron, saved)?;
            }
            return full_if(true);
        }
        self.inner.save(neuron, saved)
    }

    fn remove(&self, neuron: &NeuronId) -> Result<(), StoreError> {
        self.inner.remove(neuron)
    }

    fn names(&self) -> Result<Vec<NeuronId>, StoreError> {
        self.inner.names()
    }

    fn ceiling(&self) -> Result<Option<Tag>, StoreError> {
        self.inner.ceiling()
    }

    fn save_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        full_if(self.ceilings_fail.load(Ordering::SeqCst))?;
        self.inner.save_ceiling(ceiling)
    }

    fn note_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        full_if(self.notes_fail.load(Ordering::SeqCst))?;
        self.inner.note_ceiling(ceiling)
    }
}

fn xor() -> Network {
    Network::from_toml(&XOR.replace("[network]", "[network]\npatience = \"200ms\"\nlease = \"500ms\"")).unwrap()
}

async fn start(store: Arc<dyn Store>) -> Result<Host, HostError> {
    Host::builder(xor(), Arc::new(LocalTransport::new())).store(store).start().await
}

/// Starts a host, and waits until what h1 learns of its peers at the start is saved: that is saved in
/// the background.
async fn start_settled(store: &Arc<Failing>) -> Host {
    let host = start(store.clone()).await.unwrap();
    let knows_peers = |saved: Saved| {
        saved.sources.values().all(|incarnation| incarnation.number > 0)
            && saved.subscribers.values().any(|incarnation| incarnation.number > 0)
    };
    while !knows_peers(store.saved("h1")) {
        tokio::task::yield_now().await;
    }
    host
}

/// Checks that a call was refused because the neuron cannot be saved, with the words of the system.
fn is_unsaved<T: std::fmt::Debug>(result: Result<T, ControlError>, words: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, ControlError::Refused { refusal: Refusal::Unsaved(_), .. }), "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

/// Presents a pattern, and returns the level of z and what it lacks.
async fn answer(host: &Host, x: f64, y: f64) -> (f64, Missing) {
    let wave = host.controller().present(&[("x", x), ("y", y)]).await.unwrap();
    let sample = host.controller().output_at("z", wave.tag).await.unwrap();
    (sample.level, sample.missing)
}

/// Waits until each neuron hears all its inputs again, and checks the answers of z.
async fn is_xor_again(host: &Host) {
    // Only with this pattern each level counts.
    while answer(host, 1.0, 1.0).await.1 != Missing::NONE {}
    for (x, y) in [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.0, 0.0)] {
        assert_eq!(answer(host, x, y).await, (if x == y { 0.0 } else { 1.0 }, Missing::NONE), "({x}, {y})");
    }
}

/// Waits until as many silent neurons have gone on.
async fn until_saved_again(host: &Host, count: u64) {
    while host.counters().saved_again < count {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.counters().saved_again, count);
}

fn missing(name: &str) -> Missing {
    Missing::from_iter([name.parse::<NeuronId>().unwrap()])
}

#[tokio::test]
async fn a_neuron_whose_save_fails_is_silent_and_goes_on_in_its_next_incarnation() {
    let store = Arc::new(Failing::default());
    let host = start(store.clone()).await.unwrap();
    is_xor_again(&host).await;
    let controller = host.controller();
    controller.set_weight("h1", "x", 2.0).await.unwrap();
    store.fail("h1", usize::MAX);
    is_unsaved(controller.set_weight("h1", "x", 3.0).await, "the disk is full");
    // It does nothing that it is asked to, and names the reason each time.
    is_unsaved(controller.set_threshold("h1", 7.0).await, "the disk is full");
    is_unsaved(controller.config("h1").await, "the disk is full");
    is_unsaved(controller.output("h1").await, "the disk is full");
    let error = host.remove("h1").await.unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(answer(&host, 1.0, 0.0).await.1, missing("h1"));
    assert_eq!((host.counters().unsaved, host.counters().saved_again), (1, 0));
    assert_eq!((store.saved("h1").incarnation, store.saved("h1").config.weights["x"]), (1, 2.0));
    store.fail("h1", 0);
    until_saved_again(&host, 1).await;
    // What was acknowledged is there, and what was refused is not.
    let config = controller.config("h1").await.unwrap();
    assert_eq!((config.weights["x"], config.threshold), (2.0, Some(0.9)));
    is_xor_again(&host).await;
    assert_eq!(store.saved("h1").incarnation, 2);
    assert_eq!((host.counters().unsaved, host.counters().fenced), (1, 0));
    // The life after that is like any other.
    controller.set_threshold("h1", 5.0).await.unwrap();
    host.stop().await;
    let host = start(store).await.unwrap();
    let config = host.controller().config("h1").await.unwrap();
    assert_eq!((config.weights["x"], config.threshold), (2.0, Some(5.0)));
}

#[tokio::test]
async fn a_save_is_tried_again_until_it_succeeds() {
    let store = Arc::new(Failing::default());
    let host = start_settled(&store).await;
    store.fail("h1", 3);
    is_unsaved(host.controller().set_weight("h1", "x", 3.0).await, "the disk is full");
    until_saved_again(&host, 1).await;
    assert_eq!(store.left("h1"), 0);
    assert_eq!(host.counters().unsaved, 1, "it is one outage, however many saves fail");
    host.controller().set_weight("h1", "x", 1.0).await.unwrap();
    is_xor_again(&host).await;
}

#[tokio::test]
async fn a_change_that_was_refused_is_not_made_although_the_store_has_it() {
    let store = Arc::new(Failing::default());
    let host = start_settled(&store).await;
    store.writes_first.store(true, Ordering::SeqCst);
    store.fail("h1", 1);
    is_unsaved(host.controller().set_weight("h1", "x", 3.0).await, "the disk is full");
    until_saved_again(&host, 1).await;
    assert_eq!(host.controller().config("h1").await.unwrap().weights["x"], 1.0);
    assert_eq!(store.saved("h1").config.weights["x"], 1.0);
}

#[tokio::test]
async fn changes_that_come_during_a_save_that_fails_are_all_refused() {
    let store = Arc::new(Failing::default());
    let host = start_settled(&store).await;
    store.fail("h1", 1);
    let changing: Vec<_> = (0..20)
        .map(|number| {
            let controller = host.controller().clone();
            tokio::spawn(async move { controller.set_weight("h1", "x", f64::from(number) + 10.0).await })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for (number, change) in changing.into_iter().enumerate() {
        // Some may come after the outage.
        if change.await.unwrap().is_ok() {
            acknowledged.push(number as f64 + 10.0);
        }
    }
    until_saved_again(&host, 1).await;
    let kept = host.controller().config("h1").await.unwrap().weights["x"];
    assert_eq!(store.saved("h1").config.weights["x"], kept);
    let expected: &[f64] = if acknowledged.is_empty() { &[1.0] } else { &acknowledged };
    assert!(expected.contains(&kept), "{kept} is none of {expected:?}");
}

#[tokio::test]
async fn a_request_that_was_refused_and_arrives_again_later_is_not_carried_out() {
    let store = Arc::new(Failing::default());
    let transport = Arc::new(LocalTransport::new());
    let host = Host::builder(xor(), transport.clone()).store(store.clone()).start().await.unwrap();
    let boss: ControllerId = "boss".parse().unwrap();
    let mut inbox = transport.subscribe(&Address::Controller(boss.clone())).await.unwrap();
    let mut ask = async |threshold: f64| {
        let command = Command::Configure(ConfigChange::SetThreshold { threshold });
        let request = Box::new(Request::new(7, command));
        let envelope = Envelope::Request { from: boss.clone(), to: "h1".parse().unwrap(), request };
        transport.send(envelope).await.unwrap();
        let Some(Envelope::Report { report, .. }) = inbox.next().await else { panic!("h1 answers") };
        let Report::Reply { request: 7, result } = *report else { panic!("{report:?}") };
        result
    };
    store.fail("h1", usize::MAX);
    // The first one begins the outage.
    is_unsaved(host.controller().set_threshold("h1", 8.0).await, "the disk is full");
    let refused = ask(9.0).await.unwrap_err();
    store.fail("h1", 0);
    until_saved_again(&host, 1).await;
    assert_eq!(ask(9.0).await.unwrap_err(), refused);
    assert_eq!(host.controller().config("h1").await.unwrap().threshold, Some(0.9));
}

#[tokio::test]
async fn a_neuron_that_cannot_be_saved_is_missing_on_other_hosts_and_heard_again() {
    let store = Arc::new(Failing::default());
    let transport = Arc::new(LocalTransport::new());
    let rest = Host::builder(xor(), transport.clone()).only(["y", "h1", "h2", "h3", "z"]);
    let only_x = Host::builder(xor(), transport).only(["x"]).store(store.clone());
    let (rest, only_x) = tokio::join!(rest.start(), only_x.start());
    let (rest, only_x) = (rest.unwrap(), only_x.unwrap());
    is_xor_again(&rest).await;
    store.fail("x", usize::MAX);
    is_unsaved(rest.controller().set_threshold("x", 3.0).await, "the disk is full");
    let wave = rest.controller().stimulate("y", 1.0).await.unwrap();
    let z = rest.controller().output_at("z", wave.tag).await.unwrap();
    assert_eq!(z.missing, missing("x"));
    store.fail("x", 0);
    until_saved_again(&only_x, 1).await;
    is_xor_again(&rest).await;
    assert_eq!((only_x.counters().fenced, rest.counters().fenced), (0, 0));
}

#[tokio::test]
async fn a_store_that_cannot_be_read_either_is_waited_for() {
    let store = Arc::new(Failing::default());
    let host = start_settled(&store).await;
    store.loads_fail.store(true, Ordering::SeqCst);
    is_unsaved(host.controller().set_weight("h1", "x", 3.0).await, "the disk is full");
    assert_eq!(store.saved("h1").config.weights["x"], 1.0);
    store.loads_fail.store(false, Ordering::SeqCst);
    until_saved_again(&host, 1).await;
    assert_eq!(host.controller().config("h1").await.unwrap().weights["x"], 1.0);
    is_xor_again(&host).await;
}

#[tokio::test]
async fn neurons_whose_ceiling_cannot_be_noted_are_silent_until_it_can_be() {
    let store = Arc::new(Failing::default());
    let host = start_settled(&store).await;
    is_xor_again(&host).await;
    store.notes_fail.store(true, Ordering::SeqCst);
    // Until they would speak beyond what was noted.
    let refused = loop {
        if let Err(error) = host.controller().stimulate("x", 1.0).await {
            break error;
        }
    };
    is_unsaved::<()>(Err(refused), "the disk is full");
    let unsaved = host.counters().unsaved;
    store.notes_fail.store(false, Ordering::SeqCst);
    while host.counters().saved_again < unsaved || host.counters().saved_again < host.counters().unsaved {
        tokio::task::yield_now().await;
    }
    is_xor_again(&host).await;
    assert_eq!(host.counters().fenced, 0);
}

#[tokio::test]
async fn a_host_whose_ceiling_cannot_be_saved_does_not_start_and_says_why() {
    let store = Arc::new(Failing::default());
    store.ceilings_fail.store(true, Ordering::SeqCst);
    let error = start(store.clone()).await.unwrap_err();
    assert_eq!(format!("{error:?}"), "cannot use the store: the store failed: the disk is full");
    store.ceilings_fail.store(false, Ordering::SeqCst);
    store.fail("z", 1);
    let error = start(store.clone()).await.unwrap_err();
    assert!(matches!(&error, HostError::Save { neuron, .. } if neuron.as_str() == "z"), "{error}");
    start(store).await.unwrap();
}

#[tokio::test]
async fn a_neuron_that_is_added_and_cannot_be_saved_does_not_run() {
    let store = Arc::new(Failing::default());
    let host = start_settled(&store).await;
    store.fail("w", 1);
    let error = host.add("w", NeuronSpec::default()).await.unwrap_err();
    assert!(matches!(&error, HostError::Save { neuron, .. } if neuron.as_str() == "w"), "{error}");
    host.add("w", NeuronSpec::default()).await.unwrap();
    host.controller().config("w").await.unwrap();
}

#[tokio::test]
async fn watches_name_a_neuron_that_cannot_be_saved_and_go_on_with_it() {
    let store = Arc::new(Failing::default());
    let host = start(store.clone()).await.unwrap();
    let mut watch = host.controller().watch("h1").await.unwrap();
    let mut all = host.controller().watch_all().await.unwrap();
    let until_one = async |watch: &mut Watch, expected: &Missing| {
        while watch.next().await.unwrap().missing != *expected {}
    };
    until_one(&mut watch, &Missing::NONE).await;
    let until = async |watch: &mut WatchAll, expected: &Missing| loop {
        let event = watch.next().await.unwrap();
        let WatchEvent::Changed { neuron, change } = event else { continue };
        if neuron.as_str() == "h1" && change.missing == *expected {
            break;
        }
    };
    until(&mut all, &Missing::NONE).await;
    store.fail("h1", usize::MAX);
    is_unsaved(host.controller().set_weight("h1", "x", 3.0).await, "the disk is full");
    until_one(&mut watch, &missing("h1")).await;
    until(&mut all, &missing("h1")).await;
    store.fail("h1", 0);
    until_one(&mut watch, &Missing::NONE).await;
    until(&mut all, &Missing::NONE).await;
}
