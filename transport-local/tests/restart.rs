//! Hosts that run a part of a network, have a store, and come back.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::StreamExt as _;
use neuron_core::{
    Missing, Network, NeuronId, SourceId, Tag,
    actor::{ControlError, Host, HostError},
    command::Refusal,
    network::NeuronSpec,
    neuron::Saved,
    signal::{Incarnation, Signal, SignalBody, StreamId},
    store::{FileStore, MemoryStore, Store, StoreError},
    transport::{Address, Envelope, Transport},
};
use transport_local::LocalTransport;

const XOR: &str = include_str!("../../examples/xor.toml");

fn name(text: &str) -> NeuronId {
    text.parse().unwrap()
}

fn xor() -> Network {
    Network::from_toml(XOR).unwrap()
}

/// XOR, with x and y on one host and the rest on another.
fn xor_in_two() -> Network {
    let mut text = XOR.to_owned();
    for (neuron, host) in [("x", "pi1"), ("y", "pi1"), ("h1", "pi2"), ("h2", "pi2"), ("h3", "pi2"), ("z", "pi2")] {
        text = text.replace(&format!("[neurons.{neuron}]\n"), &format!("[neurons.{neuron}]\nhost = \"{host}\"\n"));
    }
    Network::from_toml(&text).unwrap()
}

fn local() -> Arc<dyn Transport> {
    Arc::new(LocalTransport::new())
}

/// A folder that is removed when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn store(&self) -> Arc<FileStore> {
        Arc::new(FileStore::open(&self.0).unwrap())
    }

    fn copy_to(&self, other: &Self) {
        let _ = fs::remove_dir_all(&other.0);
        fs::create_dir_all(&other.0).unwrap();
        for entry in fs::read_dir(&self.0).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), other.0.join(entry.file_name())).unwrap();
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn is_xor(host: &Host) {
    for (x, y) in [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (1.0, 0.0)] {
        let wave = host.controller().present(&[("x", x), ("y", y)]).await.unwrap();
        let z = host.controller().output_at("z", wave.tag).await.unwrap();
        let expected = if x == y { 0.0 } else { 1.0 };
        assert_eq!((z.level, z.missing), (expected, Missing::NONE), "({x}, {y})");
    }
}

#[tokio::test]
async fn changes_outlive_the_host_and_the_network_file_does_not_undo_them() {
    let folder = Folder::new("changed-weight");
    let host = Host::builder(xor(), local()).store(folder.store()).start().await.unwrap();
    is_xor(&host).await;
    // From now on z is 1 if both x and y are.
    let controller = host.controller();
    controller.set_weight("z", "h2", 2.0).await.unwrap();
    controller.set_threshold("z", 1.9).await.unwrap();
    controller.disconnect("x", "h1").await.unwrap();
    controller.connect("h2", "h1").await.unwrap();
    drop(host);

    let host = Host::builder(xor(), local()).store(folder.store()).start().await.unwrap();
    let controller = host.controller();
    let config = controller.config("z").await.unwrap();
    assert_eq!((config.weights["h2"], config.threshold), (2.0, Some(1.9)));
    for (x, y, expected) in [(1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 1.0, 0.0)] {
        let wave = controller.present(&[("x", x), ("y", y)]).await.unwrap();
        let z = controller.output_at("z", wave.tag).await.unwrap();
        assert_eq!((z.level, z.missing), (expected, Missing::NONE), "({x}, {y})");
    }
    // The controller knows what is connected now, not what the file says.
    let again = controller.connect("h2", "h1").await.unwrap_err();
    assert!(matches!(again, ControlError::Refused { refusal: Refusal::AlreadyConnected(_), .. }), "{again}");
    let around = controller.connect("h1", "h2").await.unwrap_err();
    assert!(matches!(around, ControlError::Loop(_)), "{around}");
    controller.connect("x", "h1").await.unwrap();
}

#[tokio::test]
async fn a_network_runs_on_two_hosts_and_each_steers_the_whole() {
    let transport = local();
    let pi1 = Host::builder(xor_in_two(), transport.clone()).as_host("pi1");
    let pi2 = Host::builder(xor_in_two(), transport.clone()).only(["h1", "h2", "h3", "z"]);
    let (pi1, pi2) = tokio::join!(pi1.start(), pi2.start());
    let (pi1, pi2) = (pi1.unwrap(), pi2.unwrap());
    is_xor(&pi1).await;
    is_xor(&pi2).await;
    // A host without neurons steers as well.
    let remote = Host::builder(xor_in_two(), transport).only([""; 0]).start().await.unwrap();
    is_xor(&remote).await;
    // When the host of the sensors is gone, z says that it lacks them.
    let wave = pi2.controller().present(&[("x", 1.0), ("y", 0.0)]).await.unwrap();
    pi2.controller().output_at("z", wave.tag).await.unwrap();
    pi1.stop().await;
    let z = pi2.controller().output_at("z", pi2.controller().now()).await.unwrap();
    assert_eq!(z.missing.names().iter().map(SourceId::as_str).collect::<Vec<_>>(), ["x", "y"]);
}

#[tokio::test]
async fn everything_can_be_done_from_a_task_that_moves_between_threads() {
    let task = tokio::spawn(async {
        let store = Arc::new(MemoryStore::default());
        let host = Host::builder(xor(), local()).store(store).start().await.unwrap();
        host.add("w", NeuronSpec::default()).await.unwrap();
        host.controller().changes().connect("z", "w").set_threshold("w", 0.9).apply().await.unwrap();
        host.remove("w").await.unwrap();
        is_xor(&host).await;
        host.stop().await;
    });
    task.await.unwrap();
}

#[tokio::test]
async fn a_part_that_is_not_there_is_an_error_that_says_what_is() {
    let error = Host::builder(xor_in_two(), local()).as_host("pi3").start().await.unwrap_err();
    assert_eq!(error.to_string(), "no neuron of the network has `host = \"pi3\"`; it names pi1, pi2");
    let error = Host::builder(xor(), local()).as_host("pi1").start().await.unwrap_err();
    assert_eq!(error.to_string(), "no neuron of the network has `host = \"pi1\"`; none names any");
    let error = Host::builder(xor(), local()).only(["x", "neuron_h4"]).start().await.unwrap_err();
    assert_eq!(error.to_string(), "`neuron_h4` is not a neuron here; did you mean `h3`?");
}

#[tokio::test]
async fn a_host_that_comes_back_is_a_new_incarnation_and_an_outdated_copy_of_its_store_is_refused() {
    let (folder, copy) = (Folder::new("right-store"), Folder::new("outdated-store"));
    let transport = local();
    let pi1 = |folder: &Folder| Host::builder(xor_in_two(), transport.clone()).as_host("pi1").store(folder.store());
    let pi2 = Host::builder(xor_in_two(), transport.clone()).as_host("pi2");
    let (first, pi2) = tokio::join!(pi1(&folder).start(), pi2.start());
    let (first, pi2) = (first.unwrap(), pi2.unwrap());
    is_xor(&pi2).await;
    first.stop().await;
    folder.copy_to(&copy);

    let second = pi1(&folder).start().await.unwrap();
    is_xor(&pi2).await;
    second.stop().await;

    let error = pi1(&copy).start().await.unwrap_err();
    let HostError::Fenced { neuron, ours, known } = &error else { panic!("{error}") };
    assert!(["x", "y"].contains(&neuron.as_str()));
    // Both are second incarnations after the same first one, and only one of them may run.
    assert_eq!((*ours, *known), (2, 2));
    assert!(error.to_string().contains("its store was lost or restored from an old copy"), "{error}");
    let third = pi1(&folder).start().await.unwrap();
    is_xor(&third).await;
    assert_eq!((third.counters().fenced, pi2.counters().fenced), (0, 0));
    // Nor can a host without a store come back, as long as a neighbour remembers its neurons.
    pi2.stop().await;
    let lost = Host::builder(xor_in_two(), transport.clone()).as_host("pi2").start().await.unwrap_err();
    assert!(matches!(lost, HostError::Fenced { ours: 1, known: 1, .. }), "{lost}");
}

#[tokio::test]
async fn a_neuron_that_is_fenced_while_it_runs_sends_nothing_more_and_is_counted() {
    let transport = local();
    let host = Host::start(xor(), transport.clone()).await.unwrap();
    let later = Incarnation { number: 9, nonce: 9 };
    let tell = async |from: &str, body| {
        let signal = Signal { incarnation: later, body };
        transport.send(Envelope::Signal { from: from.parse().unwrap(), to: name("x"), signal }).await.unwrap();
    };
    // A stranger learns the incarnation of x from its answer, and is not believed all the same.
    let mut inbox = transport.subscribe(&Address::Neuron(name("stranger"))).await.unwrap();
    let stream = StreamId { incarnation: later, counter: 1 };
    tell("stranger", SignalBody::NoStream { stream }).await;
    let Some(Envelope::Signal { signal: Signal { incarnation: answered, .. }, .. }) = inbox.next().await else {
        panic!("x answers")
    };
    tell("stranger", SignalBody::Fenced { answered, known: later }).await;
    host.controller().stimulate("x", 0.0).await.unwrap();
    assert_eq!(host.controller().counters("x").await.unwrap().unknown, 2);
    for _ in 0..2 {
        tell("h1", SignalBody::Fenced { answered, known: later }).await;
    }
    let error = host.controller().stimulate("x", 1.0).await.unwrap_err();
    let expected = Refusal::Fenced { ours: 1, known: 9 };
    assert!(matches!(&error, ControlError::Refused { refusal: source, .. } if *source == expected), "{error}");
    assert_eq!(host.counters().fenced, 1);
    let z = host.controller().stimulate("y", 1.0).await.unwrap();
    let z = host.controller().output_at("z", z.tag).await.unwrap();
    assert_eq!(z.missing.names().iter().map(SourceId::as_str).collect::<Vec<_>>(), ["x"]);
}

/// A store that fails to save one neuron once `fails` is set.
#[derive(Debug, Default)]
struct Failing {
    inner: MemoryStore,
    fails_for: Option<&'static str>,
    fails: AtomicBool,
}

impl Store for Failing {
    fn load(&self, neuron: &NeuronId) -> Result<Option<Saved>, StoreError> {
        self.inner.load(neuron)
    }

    fn save(&self, neuron: &NeuronId, saved: &Saved) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) && self.fails_for == Some(neuron.as_str()) {
            return Err(StoreError::other("the disk is full"));
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
        self.inner.save_ceiling(ceiling)
    }

    fn note_ceiling(&self, ceiling: Tag) -> Result<(), StoreError> {
        self.inner.note_ceiling(ceiling)
    }
}

#[tokio::test]
async fn a_neuron_that_cannot_be_saved_says_nothing_and_the_others_say_that_it_is_missing() {
    let store = Arc::new(Failing { fails_for: Some("h1"), ..Failing::default() });
    let host = Host::builder(xor(), local()).store(store.clone()).start().await.unwrap();
    is_xor(&host).await;
    store.fails.store(true, Ordering::SeqCst);
    let refused = host.controller().set_weight("h1", "x", 3.0).await.unwrap_err();
    assert!(refused.to_string().contains("the disk is full"), "a change that is not durable is refused: {refused}");
    assert_eq!(host.counters().unsaved, 1);
    let wave = host.controller().present(&[("x", 0.0), ("y", 0.0)]).await.unwrap();
    let z = host.controller().output_at("z", wave.tag).await.unwrap();
    assert_eq!(z.missing.names().iter().map(SourceId::as_str).collect::<Vec<_>>(), ["h1"]);
    assert_eq!(store.load(&"h1".parse().unwrap()).unwrap().unwrap().config.weights["x"], 1.0);
    drop(host);

    let error = Host::builder(xor(), local()).store(store).start().await.unwrap_err();
    assert!(matches!(&error, HostError::Save { neuron, .. } if neuron.as_str() == "h1"), "{error}");
}

#[tokio::test]
async fn a_damaged_store_is_an_error_and_nothing_starts() {
    let folder = Folder::new("damaged-store");
    drop(Host::builder(xor(), local()).store(folder.store()).start().await.unwrap());
    let path = folder.0.join("n-h2.neuron");
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = Host::builder(xor(), local()).store(folder.store()).start().await.unwrap_err();
    let HostError::Load { neuron, source } = error else { panic!("{error}") };
    assert_eq!(neuron.as_str(), "h2");
    assert!(source.to_string().contains(&path.display().to_string()), "{source}");
}

#[tokio::test]
async fn a_folder_belongs_to_one_store_at_a_time() {
    let folder = Folder::new("locked-store");
    let host = Host::builder(xor(), local()).store(folder.store()).start().await.unwrap();
    assert!(matches!(FileStore::open(&folder.0), Err(StoreError::InUse { .. })));
    host.stop().await;
    folder.store();
}

#[tokio::test]
async fn a_folder_that_is_away_for_a_while_silences_what_is_changed_meanwhile() {
    let folder = Folder::new("away-for-a-while");
    let (state, away) = (folder.0.join("state"), folder.0.join("away"));
    let start = async || Host::builder(xor(), local()).store(Arc::new(FileStore::open(&state).unwrap())).start().await;
    let host = start().await.unwrap();
    host.controller().set_weight("z", "h2", -3.0).await.unwrap();
    match fs::rename(&state, &away) {
        // There the system keeps a folder that is in use.
        Err(_) if cfg!(windows) => return,
        moved => moved.unwrap(),
    }
    fs::write(&state, "in the place of the folder").unwrap();
    let error = host.controller().set_weight("z", "h2", 2.0).await.unwrap_err();
    assert!(matches!(&error, ControlError::Refused { refusal: Refusal::Unsaved(_), .. }), "{error}");
    assert!(error.to_string().contains("Not a directory"), "{error}");
    fs::remove_file(&state).unwrap();
    fs::rename(&away, &state).unwrap();
    while host.counters().saved_again == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.controller().config("z").await.unwrap().weights["h2"], -3.0);
    host.controller().set_weight("z", "h2", -2.0).await.unwrap();
    host.stop().await;
    is_xor(&start().await.unwrap()).await;
}

#[tokio::test]
async fn no_answer_before_a_crash_is_contradicted_after_it() {
    let store = MemoryStore::default();
    let host = Host::builder(xor(), local()).store(Arc::new(store.clone())).start().await.unwrap();
    let wave = host.controller().present(&[("x", 1.0), ("y", 0.0)]).await.unwrap();
    assert_eq!(host.controller().output_at("z", wave.tag).await.unwrap().level, 1.0);
    drop(host);
    let host = Host::builder(xor(), local()).store(Arc::new(store)).start().await.unwrap();
    // Of the time before its new incarnation, z says that it does not know.
    let then = host.controller().output_at("z", wave.tag).await.unwrap_err();
    assert!(matches!(then, ControlError::Refused { refusal: Refusal::Unknown(_), .. }), "{then}");
    is_xor(&host).await;
}

/// A store on a disk that is full.
#[derive(Debug)]
struct Full;

impl Store for Full {
    fn load(&self, _: &NeuronId) -> Result<Option<Saved>, StoreError> {
        Ok(None)
    }

    fn save(&self, _: &NeuronId, _: &Saved) -> Result<(), StoreError> {
        Err(StoreError::other("the disk is full"))
    }

    fn remove(&self, _: &NeuronId) -> Result<(), StoreError> {
        Ok(())
    }

    fn names(&self) -> Result<Vec<NeuronId>, StoreError> {
        Ok(Vec::new())
    }

    fn ceiling(&self) -> Result<Option<Tag>, StoreError> {
        Ok(None)
    }

    fn save_ceiling(&self, _: Tag) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_large_network_that_cannot_be_saved_is_an_error_and_nothing_worse() {
    const LENGTH: usize = 20_000;
    let name = |index: usize| format!("n{index:05}");
    let chain = (0..LENGTH).fold(Network::builder("chain"), |chain, index| {
        chain.neuron(&name(index), |neuron| match index {
            0 => neuron,
            _ => neuron.threshold(0.9).weight(&name(index - 1), 1.0),
        })
    });
    let error = Host::builder(chain.build().unwrap(), local()).store(Arc::new(Full)).start().await.unwrap_err();
    assert!(matches!(&error, HostError::Save { .. }), "{error}");
}
