//! Two processes that start the same network in the same moment.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::{StreamExt as _, future::join_all, stream};
use neuron_core::{
    Missing, Network,
    actor::{ControlError, Controller, Host, HostError},
    hosts::Claim,
    store::FileStore,
    transport::{
        Address, BrokerRefusal, ClaimInbox, Envelope, Guarantees, Inbox, Sending, Transport, TransportError,
        TransportErrorKind, async_trait,
    },
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{Remote, connect_local_first};
use crate::harness::asked_pairs;

/// What tells a process of the test program that it takes part in a duel: the type of its
/// transport, a port, the folder of its store (none if it is empty) and when it starts its host, in
/// microseconds since 1970.
const ROLE: &str = "CONFORMANCE_DUELLIST";

/// The name of the case that makes a process take part.
const CASE: &str = "a_process_that_takes_part_in_a_duel";

/// What a line begins with that a process writes for the test.
const MARK: &str = "DUEL ";

/// How many pairs there are, unless the test is asked for others.
const PAIRS: u32 = 4;

/// How long after the processes are started their hosts are.
const LEAD: Duration = Duration::from_millis(400);

/// By how much the two starts differ, at most.
const JITTER: u64 = 50_000;

/// How long a start may take.
const STARTED: Duration = Duration::from_secs(20);

/// How soon one of two hosts that have both started has ended, and how soon the other one works.
const SETTLED: Duration = Duration::from_secs(15);

/// How long a call may take before it is abandoned.
const CALL: Duration = Duration::from_secs(1);

const NEURONS: [&str; 6] = ["x", "y", "h1", "h2", "h3", "z"];

/// XOR on the host `pair`, which two processes start. All of it is listened to on another host, by
/// a neuron that fires while all but z do, and each of the six matters to it.
fn network() -> Network {
    let network = Network::builder("recovery")
        .neuron("x", |x| x.threshold(0.9).host("pair"))
        .neuron("y", |y| y.threshold(0.9).host("pair"))
        .neuron("h1", |h1| h1.threshold(0.9).weight("x", 1.0).host("pair"))
        .neuron("h2", |h2| h2.threshold(1.9).weight("x", 1.0).weight("y", 1.0).host("pair"))
        .neuron("h3", |h3| h3.threshold(0.9).weight("y", 1.0).host("pair"))
        .neuron("z", |z| z.threshold(0.9).weight("h1", 1.0).weight("h2", -2.0).weight("h3", 1.0).host("pair"));
    let weight = |name: &str| if name == "z" { -1.0 } else { 1.0 };
    let network = network.neuron("ear", |ear| {
        NEURONS.iter().fold(ear.threshold(4.9).host("third"), |ear, name| ear.weight(name, weight(name)))
    });
    network.build().expect("it is right")
}

fn micros_since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
    u64::try_from(since.as_micros()).expect("it is not that late")
}

/// Starts a host when the test says so, and answers the test, if this process was started for that;
/// else it does nothing.
pub async fn a_process_that_takes_part_in_a_duel<R: Remote>() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut parts = role.split('|');
    let [kind, port, folder, start] = std::array::from_fn(|_| parts.next().expect("four parts"));
    if kind != std::any::type_name::<R>() {
        return;
    }
    let remote: R = connect_local_first(port.parse().expect("a port")).await;
    let mut builder = Host::builder(network(), remote.transport()).as_host("pair");
    if !folder.is_empty() {
        builder = builder.store(Arc::new(FileStore::open(folder).expect("the folder is there")));
    }
    let start: u64 = start.parse().expect("a time");
    sleep(Duration::from_micros(start.saturating_sub(micros_since_1970()))).await;
    let host = match builder.start().await {
        Ok(host) => host,
        Err(error) => return println!("\n{MARK}refused {error}"),
    };
    println!("\n{MARK}started");
    let mut questions = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            error = host.ended() => return println!("\n{MARK}ended {error}"),
            question = questions.next_line() => match question {
                Ok(Some(_)) => println!("\n{MARK}{}", state(host.controller(), "z", 0.0).await),
                _ => return,
            }
        }
    }
}

/// Returns `works` once all six neurons answer, and a wave through them is answered plainly, with
/// this level of a neuron; else what is wrong.
async fn state(controller: &Controller, neuron: &str, level: f64) -> String {
    let end = Instant::now() + SETTLED;
    loop {
        let asking = NEURONS.map(|name| async move {
            match timeout(CALL, controller.config(name)).await {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(format!("{name}: {error}")),
                Err(_) => Some(format!("{name}: no answer")),
            }
        });
        let mut wrong: Vec<String> = join_all(asking).await.into_iter().flatten().collect();
        let wave = async {
            let wave = controller.present(&[("x", 1.0), ("y", 1.0)]).await?;
            controller.output_at(neuron, wave.tag).await
        };
        match timeout(CALL, wave).await {
            Ok(Ok(sample)) if sample.level == level && sample.missing == Missing::NONE => {}
            other => wrong.push(format!("{neuron}: {other:?}")),
        }
        if wrong.is_empty() {
            return "works".to_owned();
        }
        if Instant::now() > end {
            return format!("fails {wrong:?}");
        }
    }
}

/// A process that takes part. It is killed when this is dropped.
struct Process {
    _child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start<R: Remote>(port: u16, folder: Option<&Path>, start: u64) -> Self {
        let folder = folder.map_or(String::new(), |folder| {
            fs::create_dir_all(folder).expect("a folder for the store");
            folder.display().to_string()
        });
        let role = format!("{}|{port}|{folder}|{start}", std::any::type_name::<R>());
        let mut command = Command::new(std::env::current_exe().expect("the test program is there"));
        command.args([CASE, "--nocapture", "--test-threads=2"]).env(ROLE, role).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("it can be started again");
        let stdin = child.stdin.take().expect("it is piped");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { _child: child, stdin, lines }
    }

    /// Returns what the process says next.
    async fn hear(&mut self) -> String {
        while let Ok(Some(line)) = self.lines.next_line().await {
            if let Some(said) = line.strip_prefix(MARK) {
                return said.to_owned();
            }
        }
        "gone".to_owned()
    }

    async fn ask(&mut self) -> String {
        if self.stdin.write_all(b"?\n").await.is_err() {
            return "gone".to_owned();
        }
        timeout(SETTLED * 3, self.hear()).await.unwrap_or_else(|_| "silent".to_owned())
    }
}

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What has become of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// One works wholly, and the other one was refused when it started.
    Refused,
    /// One works wholly. The other one had started, and has ended with an error.
    Ended,
    /// Both have started, and neither has ended.
    Both,
    /// None works wholly.
    None,
}

/// Starts a pair, and returns what becomes of it. `None` if the broker is not installed.
async fn duel<R: Remote>(number: u32, rng: &mut fastrand::Rng) -> Option<Outcome> {
    let broker = R::broker()?;
    let folder = Folder(std::env::temp_dir().join(format!("neuron-duel-{}", broker.process())));
    let remote: R = connect_local_first(broker.port()).await;
    let third = tokio::spawn(Host::builder(network(), remote.transport()).as_host("third").start());
    let lead = micros_since_1970() + u64::try_from(LEAD.as_micros()).expect("it is short");
    let mut pair = ["a", "b"].map(|name| {
        let store = number.is_multiple_of(2).then(|| folder.0.join(name));
        Process::start::<R>(broker.port(), store.as_deref(), lead + rng.u64(..JITTER))
    });
    let [a, b] = &mut pair;
    let (first, second) = tokio::join!(timeout(STARTED, a.hear()), timeout(STARTED, b.hear()));
    let mut said = [first, second].map(|said| said.unwrap_or_else(|_| "no start".to_owned()));
    let third = third.await.expect("it is not abandoned").expect("it starts");
    if said == ["started", "started"] {
        let [a, b] = &mut pair;
        let ended = timeout(SETTLED, async {
            tokio::select! {
                end = a.hear() => (0, end),
                end = b.hear() => (1, end),
            }
        });
        if let Ok((index, end)) = ended.await {
            said[index] = end;
        }
    }
    let outside = state(third.controller(), "ear", 1.0).await;
    let mut states = Vec::new();
    for (process, said) in pair.iter_mut().zip(&said) {
        states.push(if said == "started" { process.ask().await } else { said.clone() });
    }
    third.stop().await;
    println!("{number}: from outside it {outside}; {states:?}");
    let is = |what: &str| states.iter().filter(|state| state.starts_with(what)).count();
    let names_all = |what: &str| {
        let mut said = states.iter().filter(|state| state.starts_with(what));
        said.all(|said| said.contains("another host, pair, runs"))
    };
    Some(match (outside.as_str(), is("works"), is("refused"), is("ended")) {
        ("works", 1, 1, 0) if names_all("refused") => Outcome::Refused,
        ("works", 1, 0, 1) if names_all("ended") => Outcome::Ended,
        _ if said == ["started", "started"] => Outcome::Both,
        _ => Outcome::None,
    })
}

/// Pairs of processes start the same neurons in the same moment. Of each pair one works wholly, also
/// for a third one that listens to it, and the other is refused, or has ended. The environment
/// variable `PAIRS` says how many; 4 by default.
pub async fn of_two_processes_that_start_together_one_works_wholly<R: Remote>() {
    let pairs = asked_pairs().unwrap_or(PAIRS);
    let mut rng = fastrand::Rng::new();
    let mut outcomes: BTreeMap<Outcome, u32> = BTreeMap::new();
    for number in 0..pairs {
        let Some(outcome) = duel::<R>(number, &mut rng).await else { return };
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{pairs} pairs: {outcomes:?}");
    assert!(outcomes.keys().all(|outcome| *outcome <= Outcome::Ended), "of {pairs} pairs: {outcomes:?}");
}

/// A transport over which no claim goes out or comes in until it is told.
#[derive(Debug)]
struct Hushed {
    inner: Arc<dyn Transport>,
    is_heard: watch::Sender<bool>,
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for Hushed {
    fn send(&self, envelope: Envelope) -> Sending {
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn last_refusal(&self, to: &Address) -> Option<BrokerRefusal> {
        self.inner.last_refusal(to)
    }

    fn send_claim(&self, claim: Claim) -> Sending {
        if *self.is_heard.borrow() {
            return self.inner.send_claim(claim);
        }
        Sending::done(Err(TransportErrorKind::Unreachable.into()))
    }

    async fn subscribe_claims(&self) -> Result<ClaimInbox, TransportError> {
        if *self.is_heard.borrow() {
            return self.inner.subscribe_claims().await;
        }
        let mut is_heard = self.is_heard.subscribe();
        let end = async move { is_heard.wait_for(|is_heard| *is_heard).await.is_ok() };
        Ok(ClaimInbox::new(stream::pending().take_until(Box::pin(end))))
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }

    fn attach_to_current_thread(&self) {
        self.inner.attach_to_current_thread();
    }

    async fn detach_from_current_thread(&self) {
        self.inner.detach_from_current_thread().await;
    }
}

/// A host starts while another one runs the same neurons, and the two do not hear what they claim.
/// Once they do, the one that has started later ends, with all its neurons; its calls say why. The
/// other one works wholly, also for a third one, which has heard both.
pub async fn of_two_hosts_that_could_not_hear_each_other_the_older_goes_on<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let [one, two, three]: [R; 3] = [
        connect_local_first(broker.port()).await,
        connect_local_first(broker.port()).await,
        connect_local_first(broker.port()).await,
    ];
    let start = |transport, name| Host::builder(network(), transport).as_host(name).start();
    let older = start(one.transport(), "pair").await.expect("it starts");
    let hushed = Arc::new(Hushed { inner: two.transport(), is_heard: watch::Sender::new(false) });
    let younger = start(hushed.clone(), "pair").await.expect("it hears nothing of the other one");
    // It hears some neurons of the one, some of the other.
    let third = start(three.transport(), "third").await.expect("it starts");
    hushed.is_heard.send_replace(true);
    let error = timeout(STARTED, younger.ended()).await.expect("it ends");
    assert!(matches!(&error, HostError::RunsElsewhere { host, .. } if host.as_str() == "pair"), "{error}");
    let call = younger.controller().output("z").await;
    assert!(matches!(call, Err(ControlError::GaveWay { .. })), "{call:?}");
    assert!(matches!(younger.controller().hosts().await, Err(ControlError::GaveWay { .. })), "it answers nothing");
    assert_eq!(state(third.controller(), "ear", 1.0).await, "works");
    assert_eq!(state(older.controller(), "z", 0.0).await, "works");
    for host in [younger, older, third] {
        host.stop().await;
    }
}
