//! Hosts in processes of their own, which are killed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use neuron_core::{
    Missing, Network, Tag,
    actor::{Change, Controller, Host, Watch},
    store::FileStore,
};
use tokio::time::timeout;

use super::{BACK, Remote, connect_local_first};
use crate::harness::asked_seconds;

/// What tells a process of the test program that it is a host: the type of its transport, a port,
/// the name of the host and the folder of its store.
const ROLE: &str = "CONFORMANCE_HOST";

/// The name of the case that makes a process a host.
const CASE: &str = "a_process_that_is_a_host";

/// How long a call may take before it is abandoned.
const CALL: Duration = Duration::from_secs(3);

const HOSTS: [&str; 3] = ["pi1", "pi2", "pi3"];

/// XOR on three hosts. Each source has a sensor that is never read; its weight is changed.
fn network() -> Network {
    let minute = Duration::from_secs(60);
    let source = |name: &'static str| {
        move |neuron: neuron_core::network::NeuronBuilder| {
            let spare = format!("spare_{name}");
            neuron.threshold(0.9).hold(minute).sensor(spare.as_str(), 0.0)
        }
    };
    let network = Network::builder("recovery")
        .neuron("x", |x| source("x")(x).host("pi1"))
        .neuron("y", |y| source("y")(y).host("pi2"))
        .neuron("h1", |h1| h1.threshold(0.9).weight("x", 1.0).host("pi1"))
        .neuron("h2", |h2| h2.threshold(1.9).weight("x", 1.0).weight("y", 1.0).host("pi3"))
        .neuron("h3", |h3| h3.threshold(0.9).weight("y", 1.0).host("pi2"))
        .neuron("z", |z| z.threshold(0.9).weight("h1", 1.0).weight("h2", -2.0).weight("h3", 1.0).host("pi3"));
    network.build().expect("it is right")
}

/// Runs a host for ever, if this process was started for that; else it does nothing.
pub async fn a_process_that_is_a_host<R: Remote>() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut parts = role.split('|');
    let [kind, port, name, folder] = std::array::from_fn(|_| parts.next().expect("four parts"));
    if kind != std::any::type_name::<R>() {
        return;
    }
    let remote: R = connect_local_first(port.parse().expect("a port")).await;
    let store = Arc::new(FileStore::open(folder).expect("the folder is there"));
    let host = Host::builder(network(), remote.transport()).as_host(name).store(store).start().await;
    let _host = host.expect("the host starts");
    std::future::pending::<()>().await;
}

/// A host in a process of its own, which is killed when this is dropped.
struct Process(Child);

impl Process {
    fn start<R: Remote>(port: u16, name: &str, folder: &Path) -> Self {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).expect("a folder for the store");
        let role = format!("{}|{port}|{name}|{}", std::any::type_name::<R>(), folder.display());
        let program = std::env::current_exe().expect("the test program is there");
        let mut command = Command::new(program);
        command.args([CASE, "--test-threads=2"]).env(ROLE, role).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("it can be started again"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Three hosts run in processes of their own. One of them is killed each second, and the broker
/// twice. No plain answer is wrong, no acknowledged change is lost, and what watches have told
/// agrees with the neurons. The environment variable `SECONDS` says how long; 8 by default.
pub async fn hosts_that_are_killed_say_nothing_wrong_and_lose_nothing<R: Remote>() {
    let Some(mut broker) = R::broker() else { return };
    let seconds = asked_seconds().unwrap_or(8);
    let folder = Folder(std::env::temp_dir().join(format!("neuron-processes-{}", broker.process())));
    let mut processes: BTreeMap<&str, Process> =
        HOSTS.iter().map(|name| (*name, Process::start::<R>(broker.port(), name, &folder.0))).collect();
    let remote: R = connect_local_first(broker.port()).await;
    let no_neurons: [&str; 0] = [];
    let host = Host::builder(network(), remote.transport()).only(no_neurons).start().await.expect("it starts");
    let mut user = User::new(host.controller().clone()).await;
    let end = Instant::now() + Duration::from_secs(seconds);
    let killing = async {
        let mut rng = fastrand::Rng::with_seed(2016);
        let (mut host_killed, mut broker_killed) = (0, 0);
        while Instant::now() < end {
            let name = HOSTS[rng.usize(..HOSTS.len())];
            processes.remove(name);
            host_killed += 1;
            if host_killed == seconds / 3 || host_killed == 2 * seconds / 3 {
                broker.kill();
                tokio::time::sleep(Duration::from_millis(500)).await;
                broker.start_again();
                broker_killed += 1;
            }
            let pause = rng.u64(..900);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            processes.insert(name, Process::start::<R>(broker.port(), name, &folder.0));
            tokio::time::sleep(Duration::from_millis(1000 - pause)).await;
        }
        (host_killed, broker_killed)
    };
    let ((host_killed, broker_killed), ()) = tokio::join!(killing, user.act_until(end));
    user.settle().await;
    println!(
        "{seconds} s, {host_killed} hosts and {broker_killed} brokers killed: {} plain answers, {} degraded, {} calls failed; {} weights acknowledged; {} changes watched, {} of \
         them lacking something",
        user.plain, user.degraded, user.failed, user.acknowledged, user.watched, user.lacking
    );
    drop(user);
    host.stop().await;
}

/// Presents patterns, changes weights, and reads a watch.
struct User {
    controller: Controller,
    watch: Watch,
    rng: fastrand::Rng,
    /// The last change of the watch.
    last: Option<Change>,
    /// The last weight of each spare sensor that was acknowledged, and those that were tried since.
    weights: BTreeMap<&'static str, (f64, Vec<f64>)>,
    next_weight: f64,
    plain: u64,
    degraded: u64,
    failed: u64,
    acknowledged: u64,
    watched: u64,
    lacking: u64,
}

impl User {
    async fn new(controller: Controller) -> Self {
        let watching = async {
            loop {
                if let Ok(Ok(watch)) = timeout(CALL, controller.watch("z")).await {
                    break watch;
                }
            }
        };
        let watch = timeout(BACK * 4, watching).await.expect("the hosts start");
        Self {
            controller,
            watch,
            rng: fastrand::Rng::with_seed(1969),
            last: None,
            weights: BTreeMap::new(),
            next_weight: 1.0,
            plain: 0,
            degraded: 0,
            failed: 0,
            acknowledged: 0,
            watched: 0,
            lacking: 0,
        }
    }

    async fn act_until(&mut self, end: Instant) {
        while Instant::now() < end {
            match self.rng.u8(..4) {
                0 => self.set_weight().await,
                _ => {
                    self.present().await;
                }
            }
            self.read_watch().await;
        }
    }

    /// Presents a pattern, and returns whether the answer was plain.
    async fn present(&mut self) -> bool {
        let pattern = [("x", f64::from(self.rng.u8(..2))), ("y", f64::from(self.rng.u8(..2)))];
        let Ok(Ok(wave)) = timeout(CALL, self.controller.present(&pattern)).await else {
            self.failed += 1;
            return false;
        };
        let Ok(Ok(z)) = timeout(CALL, self.controller.output_at("z", wave.tag)).await else {
            self.failed += 1;
            return false;
        };
        if z.is_degraded() {
            self.degraded += 1;
            return false;
        }
        // A member that is late has another level at this tag than the pattern says.
        if wave.late.is_empty() {
            let xor = if pattern[0].1 == pattern[1].1 { 0.0 } else { 1.0 };
            assert_eq!(z.level, xor, "{pattern:?} at {}", wave.tag);
        }
        self.plain += 1;
        true
    }

    async fn set_weight(&mut self) {
        let (neuron, sensor) = if self.rng.bool() { ("x", "spare_x") } else { ("y", "spare_y") };
        self.next_weight += 1.0;
        let weight = self.next_weight;
        let known = self.weights.entry(neuron).or_insert((0.0, Vec::new()));
        match timeout(CALL, self.controller.set_weight(neuron, sensor, weight)).await {
            Ok(Ok(_)) => {
                self.acknowledged += 1;
                *known = (weight, Vec::new());
            }
            // It may have been made, or may be made later.
            _ => {
                self.failed += 1;
                known.1.push(weight);
            }
        }
    }

    /// Compares what the watch has told with what the neuron answers for that tag.
    async fn read_watch(&mut self) {
        while let Some(change) = self.watch.try_next() {
            self.watched += 1;
            self.lacking += u64::from(change.is_degraded());
            if !change.is_degraded() {
                self.compare(change.tag, change.level).await;
            }
            self.last = Some(change);
        }
    }

    async fn compare(&self, tag: Tag, level: f64) {
        if let Ok(Ok(sample)) = timeout(CALL, self.controller.output_at("z", tag)).await
            && !sample.is_degraded()
        {
            assert_eq!(sample.level, level, "the watch has told this at {tag}");
        }
    }

    /// Waits until answers are plain again, and checks what is left at the end.
    async fn settle(&mut self) {
        let begin = Instant::now();
        while !self.present().await {
            assert!(begin.elapsed() < BACK * 4, "no plain answer");
        }
        // The watch follows within lease and patience.
        let z = loop {
            let now = self.controller.output("z").await.expect("z answers");
            let caught_up = async {
                while !self.last.as_ref().is_some_and(|last| last.level == now.level && last.missing == now.missing) {
                    self.last = self.watch.next().await;
                }
            };
            if timeout(BACK, caught_up).await.is_ok() {
                break now;
            }
            assert!(begin.elapsed() < BACK * 4, "the watch says {:?}, and z {now:?}", self.last);
        };
        assert_eq!(z.missing, Missing::NONE);
        for (neuron, (acknowledged, tried)) in &self.weights {
            let config = self.controller.config(neuron).await.expect("it answers");
            let weight = config.sensors[format!("spare_{neuron}").as_str()].weight;
            assert!(weight == *acknowledged || tried.contains(&weight), "{neuron}: {weight}, not {acknowledged}");
        }
    }
}
