//! A store that takes long holds up only what waits for it.

use std::sync::{Arc, Condvar, Mutex};

use neuron_core::{
    Missing, Network, NeuronId, Tag,
    actor::{ControlError, Host, WatchEvent},
    command::Stamp,
    neuron::Saved,
    store::{MemoryStore, Store, StoreError},
};
use tokio::{sync::Notify, task::JoinHandle};
use transport_local::LocalTransport;

const XOR: &str = include_str!("../../examples/xor.toml");

/// A store whose saves of one neuron wait while its gate is closed.
#[derive(Debug, Default)]
struct Gated {
    inner: MemoryStore,
    gate: Mutex<Gate>,
    opened: Condvar,
    waits: Notify,
}

#[derive(Debug, Default)]
struct Gate {
    closed_for: Option<&'static str>,
    /// The neuron that the gate was closed for last, and how many saves of it have been asked for
    /// since.
    counted: Option<&'static str>,
    asked: usize,
}

impl Gated {
    fn close(&self, neuron: &'static str) {
        *self.gate.lock().unwrap() = Gate { closed_for: Some(neuron), counted: Some(neuron), asked: 0 };
    }

    /// Returns whether what a neuron knows of its sources and its subscriber is saved.
    fn knows_peers(&self, neuron: &str) -> bool {
        let saved = self.load(&neuron.parse().unwrap()).unwrap().expect("it has been saved");
        saved.sources.values().chain(saved.subscribers.values()).all(|incarnation| incarnation.number > 0)
            && !saved.sources.is_empty()
            && !saved.subscribers.is_empty()
    }

    fn open(&self) {
        self.gate.lock().unwrap().closed_for = None;
        self.opened.notify_all();
    }
}

impl Store for Gated {
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError> {
        self.inner.load(neuron)
    }

    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        let mut gate = self.gate.lock().unwrap();
        gate.asked += usize::from(gate.counted == Some(neuron.as_str()));
        if gate.closed_for == Some(neuron.as_str()) {
            self.waits.notify_one();
        }
        while gate.closed_for == Some(neuron.as_str()) {
            gate = self.opened.wait(gate).unwrap();
        }
        drop(gate);
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
        self.inner.save_ceiling(ceiling)
    }

    fn note_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        self.inner.note_ceiling(ceiling)
    }
}

async fn xor(store: Arc<Gated>) -> Host {
    let network = XOR.replace("[network]", "[network]\npatience = \"200ms\"\nlease = \"500ms\"");
    let network = Network::from_toml(&network).unwrap();
    Host::builder(network, Arc::new(LocalTransport::new())).store(store).start().await.unwrap()
}

/// Changes a threshold. Returns once the neuron waits for its save, until the gate is opened.
async fn begin_change(host: &Host, store: &Gated, neuron: &'static str) -> JoinHandle<Result<Stamp, ControlError>> {
    store.close(neuron);
    let controller = host.controller().clone();
    let changing = tokio::spawn(async move { controller.set_threshold(neuron, 5.0).await });
    store.waits.notified().await;
    changing
}

/// Presents a pattern, and returns the level of a neuron and what it lacks.
async fn answer(host: &Host, x: f64, y: f64, of: &str) -> (f64, Missing) {
    let wave = host.controller().present(&[("x", x), ("y", y)]).await.unwrap();
    let sample = host.controller().output_at(of, wave.tag).await.unwrap();
    (sample.level, sample.missing)
}

#[tokio::test]
async fn a_change_that_is_being_saved_holds_up_nothing_else() {
    let store = Arc::new(Gated::default());
    let host = xor(store.clone()).await;
    let changing = begin_change(&host, &store, "h1").await;
    for (x, y) in [(1.0, 1.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
        assert_eq!(answer(&host, x, y, "h2").await, (f64::from(u8::from(x + y > 1.0)), Missing::NONE));
    }
    // z goes on without h1, and says so where that matters.
    let (_, missing) = answer(&host, 0.0, 0.0, "z").await;
    assert_eq!(missing, Missing::from_iter(["h1".parse::<NeuronId>().unwrap()]));
    assert!(!changing.is_finished(), "a change that is not durable is not acknowledged");
    store.open();
    changing.await.unwrap().unwrap();
    assert_eq!(store.load(&"h1".parse().unwrap()).unwrap().unwrap().config.threshold, Some(5.0));
    // h1 never fires any more.
    loop {
        let (level, missing) = answer(&host, 1.0, 0.0, "z").await;
        if missing == Missing::NONE {
            break assert_eq!(level, 0.0);
        }
    }
    host.stop().await;
}

#[tokio::test]
async fn changes_that_come_during_a_save_are_saved_together_by_the_next() {
    let store = Arc::new(Gated::default());
    let host = xor(store.clone()).await;
    // What it learns of others when it starts is saved before.
    while !store.knows_peers("h1") {
        tokio::task::yield_now().await;
    }
    store.close("h1");
    let changing: Vec<_> = (0..20)
        .map(|number| {
            let controller = host.controller().clone();
            tokio::spawn(async move { controller.set_weight("h1", "x", f64::from(number)).await })
        })
        .collect();
    store.waits.notified().await;
    // What another neuron is asked after all of them is answered after the host has received them.
    while host.controller().counters("h2").await.is_err() {}
    store.open();
    for change in changing {
        change.await.unwrap().unwrap();
    }
    assert_eq!(store.gate.lock().unwrap().asked, 2, "one for the first change, and one for all others");
    let kept = store.load(&"h1".parse().unwrap()).unwrap().unwrap().config;
    assert_eq!(host.controller().config("h1").await.unwrap().weights, kept.weights);
    host.stop().await;
}

#[tokio::test]
async fn a_host_that_stops_during_a_save_waits_for_it_and_acknowledges_nothing() {
    let store = Arc::new(Gated::default());
    let host = xor(store.clone()).await;
    let changing = begin_change(&host, &store, "h1").await;
    let stopping = tokio::task::spawn_blocking(move || drop(host));
    assert!(matches!(changing.await.unwrap(), Err(ControlError::Stopped)));
    assert!(!stopping.is_finished(), "the store is still in use");
    store.open();
    stopping.await.unwrap();
    assert_eq!(Arc::strong_count(&store), 1, "nothing uses the store any more");
}

#[tokio::test]
async fn a_neuron_that_is_removed_during_a_save_is_saved_first_and_does_not_come_back() {
    let store = Arc::new(Gated::default());
    let host = xor(store.clone()).await;
    let changing = begin_change(&host, &store, "z").await;
    let controller = host.controller().clone();
    let removing = tokio::spawn(async move { host.remove("z").await.map(|_| host) });
    controller.counters("h2").await.unwrap();
    assert!(!changing.is_finished() && !removing.is_finished());
    store.open();
    changing.await.unwrap().unwrap();
    removing.await.unwrap().unwrap().stop().await;
    assert_eq!(store.load(&"z".parse().unwrap()).unwrap(), None);
}

#[tokio::test]
async fn a_neuron_that_waits_for_its_save_is_missing_to_a_watch_of_all() {
    let store = Arc::new(Gated::default());
    let host = xor(store.clone()).await;
    let mut watch = host.controller().watch_all().await.unwrap();
    let until = async |watch: &mut neuron_core::actor::WatchAll, is_silent: bool| loop {
        let event = watch.next().await.unwrap();
        let WatchEvent::Changed { neuron, change } = event else { continue };
        let names_itself = change.missing.names().iter().any(|missing| missing.as_str() == neuron.as_str());
        if neuron.as_str() == "h1" && names_itself == is_silent {
            break change;
        }
    };
    until(&mut watch, false).await;
    let changing = begin_change(&host, &store, "h1").await;
    until(&mut watch, true).await;
    store.open();
    changing.await.unwrap().unwrap();
    until(&mut watch, false).await;
    host.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_save_is_bounded_and_its_receivers_hear_again_afterwards() {
    let store = Arc::new(Gated::default());
    let host = xor(store.clone()).await;
    store.close("h1");
    let changing = {
        let controller = host.controller().clone();
        tokio::spawn(async move { controller.set_weight("h1", "x", 1.0).await })
    };
    store.waits.notified().await;
    // Each makes h1 say something.
    while host.counters().shed == 0 {
        host.controller().stimulate_train("x", &[1.0, 0.0].repeat(500)).await.unwrap();
    }
    store.open();
    changing.await.unwrap().unwrap();
    loop {
        if answer(&host, 1.0, 0.0, "z").await == (1.0, Missing::NONE) {
            break;
        }
    }
    for (x, y) in [(1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (1.0, 0.0)] {
        assert_eq!(answer(&host, x, y, "z").await, (if x == y { 0.0 } else { 1.0 }, Missing::NONE));
    }
    host.stop().await;
}
