//! Whole networks whose broker dies or hangs, and hosts that share a transport.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use neuron_core::{
    Missing, Network,
    actor::{Controller, Host},
};
use tokio::time::timeout;
use transport_broker::ConnectionState;

use super::{BACK, NOTICED, Remote, becomes, connect, connect_local_first, flows, is_lost};
use crate::harness::{neuron, number, numbered, open};

const XOR: &str = include_str!("../xor.toml");

/// Patterns are presented while the broker is killed and started again. No plain answer is wrong,
/// and answers are plain again soon after the broker is back. The environment variable `ROUNDS`
/// says how often it is killed; 3 times by default.
pub async fn xor_is_never_wrong_while_the_broker_dies<R: Remote>() {
    let Some(mut broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let network = Network::from_toml(XOR).expect("the file is right");
    let host = Host::start(network, remote.transport()).await.expect("the host starts");
    let mut patterns = Patterns::new(host.controller().clone());
    let rounds: u64 = std::env::var("ROUNDS").map_or(3, |rounds| rounds.parse().expect("a number is wanted"));
    for round in 0..rounds {
        // Every other time the network is idle when the broker dies.
        if round % 2 == 0 {
            patterns.present_until_plain(BACK).await;
            let moment = Duration::from_millis(patterns.rng.u64(1..100));
            let killing = async {
                tokio::time::sleep(moment).await;
                broker.kill();
            };
            tokio::join!(patterns.present_for(Duration::from_millis(300)), killing);
        } else {
            broker.kill();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        broker.start_again();
        patterns.present_until_plain(BACK).await;
    }
    println!("{rounds} rounds: {} plain answers, {} marked, {} none", patterns.plain, patterns.marked, patterns.none);
    host.stop().await;
}

/// Patterns are presented while the broker hangs and its connections stand. No plain answer is
/// wrong, and answers are plain again soon after it continues. The environment variable `FROZEN`
/// says for how many seconds it hangs; without it, until that is noticed.
pub async fn xor_is_never_wrong_while_the_broker_hangs<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let mut state = remote.state();
    let network = Network::from_toml(XOR).expect("the file is right");
    let host = Host::start(network, remote.transport()).await.expect("the host starts");
    let mut patterns = Patterns::new(host.controller().clone());
    patterns.present_until_plain(BACK).await;
    broker.freeze();
    let begin = Instant::now();
    tokio::select! {
        () = becomes(&mut state, is_lost, NOTICED) => {}
        () = patterns.present_for(NOTICED * 2) => {}
    }
    println!("noticed after {:.1} s", begin.elapsed().as_secs_f64());
    if let Ok(frozen) = std::env::var("FROZEN") {
        let frozen = Duration::from_secs_f64(frozen.parse().expect("a number of seconds is wanted"));
        patterns.present_for(frozen.saturating_sub(begin.elapsed())).await;
    }
    broker.thaw();
    let back = patterns.present_until_plain(BACK).await;
    println!(
        "plain again {:.2} s after it went on; {} marked, {} none",
        back.as_secs_f64(),
        patterns.marked,
        patterns.none
    );
    host.stop().await;
}

/// Two hosts share a transport, whose connection works on the thread of the first one. When that
/// one stops, the inboxes of the other are not subscribed for a moment, which the transport reports.
/// The other host continues.
pub async fn a_host_that_stops_leaves_its_transport_to_the_others<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let network = Network::from_toml(XOR).expect("the file is right");
    // The connection works on the thread of this host, which runs no neurons.
    let no_neurons: [&str; 0] = [];
    let first = Host::builder(network.clone(), remote.transport())
        .only(no_neurons)
        .controller("first".parse().expect("a name"));
    let first = first.start().await.expect("the host starts");
    let second = Host::builder(network, remote.transport()).controller("second".parse().expect("a name"));
    let second = second.start().await.expect("another host starts");
    let mut patterns = Patterns::new(second.controller().clone());
    patterns.present_until_plain(BACK).await;
    let mut state = remote.state();
    state.mark_unchanged();
    let stopping = async {
        first.stop().await;
        // It may stand again before this test sees that it was lost.
        timeout(NOTICED, state.changed()).await.expect("it is told").expect("the transport is there");
        becomes(&mut state, |state| *state == ConnectionState::Connected, BACK).await;
    };
    tokio::join!(stopping, patterns.present_for(Duration::from_millis(500)));
    let back = patterns.present_until_plain(BACK).await;
    println!(
        "plain again after {back:?}; {} plain, {} marked, {} none",
        patterns.plain, patterns.marked, patterns.none
    );
    second.stop().await;
}

/// A host stops, and nothing else has an inbox. The connection leaves its thread in order: the state
/// does not change, and the transport works on.
pub async fn a_host_that_stops_in_order_is_no_loss<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let network = Network::from_toml(XOR).expect("the file is right");
    let host = Host::start(network, remote.transport()).await.expect("the host starts");
    let mut patterns = Patterns::new(host.controller().clone());
    patterns.present_until_plain(BACK).await;
    let mut state = remote.state();
    state.mark_unchanged();
    host.stop().await;
    let transport = remote.transport();
    let mut inbox = open(&transport, &neuron("later")).await;
    flows(&transport, &mut inbox, "later", 1).await;
    assert!(!state.has_changed().expect("the transport is there"), "it is announced as {:?}", *state.borrow());
}

/// A host that is started over the transport of one that has stopped gives right answers.
pub async fn a_host_is_started_where_another_one_has_stopped<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let network = Network::from_toml(XOR).expect("the file is right");
    for _ in 0..3 {
        let host = Host::start(network.clone(), remote.transport()).await.expect("the host starts");
        let mut patterns = Patterns::new(host.controller().clone());
        for _ in 0..10 {
            patterns.present_until_plain(BACK).await;
        }
        host.stop().await;
    }
    let mut state = remote.state();
    becomes(&mut state, |state| *state == ConnectionState::Connected, BACK).await;
}

/// A neuron fires and is watched from another host when the broker dies. The watch says that the
/// neuron cannot be heard, and then, when the broker is back, what holds.
pub async fn a_watch_says_what_it_lacks_while_the_broker_is_away<R: Remote>() {
    let Some(mut broker) = R::broker() else { return };
    let (there, here): (R, R) = (connect(broker.port()).await, connect(broker.port()).await);
    let network = Network::builder("watched").neuron("lamp", |lamp| lamp.hold(Duration::from_secs(60)));
    let network = network.build().expect("it is right");
    let host = Host::start(network.clone(), there.transport()).await.expect("the host starts");
    let no_neurons: [&str; 0] = [];
    let watcher = Host::builder(network, here.transport()).only(no_neurons).start().await.expect("it starts");
    let mut watch = watcher.controller().watch("lamp").await.expect("it can be watched");
    assert_eq!(watch.next().await.map(|change| change.level), Some(0.0));
    host.controller().stimulate("lamp", 1.0).await.expect("it takes the stimulus");
    assert_eq!(watch.next().await.map(|change| change.level), Some(1.0));
    broker.kill();
    let lacking = timeout(NOTICED, watch.next()).await.expect("it tells in time").expect("the host runs");
    assert_eq!((lacking.level, lacking.missing.names()), (0.0, &["lamp".parse().expect("a name")][..]));
    broker.start_again();
    let back = timeout(NOTICED, watch.next()).await.expect("it tells in time").expect("the host runs");
    assert_eq!((back.level, back.missing, back.missed), (1.0, Missing::NONE, 0));
    host.controller().stimulate("lamp", 0.0).await.expect("it takes the stimulus");
    let off = timeout(BACK, watch.next()).await.expect("it tells in time").expect("the host runs");
    assert_eq!((off.level, off.missing), (0.0, Missing::NONE));
    host.stop().await;
    watcher.stop().await;
}

/// Presents patterns to XOR, and counts the answers: plain ones, those that lack inputs, and failed
/// calls.
struct Patterns {
    controller: Controller,
    rng: fastrand::Rng,
    plain: u64,
    marked: u64,
    none: u64,
}

impl Patterns {
    fn new(controller: Controller) -> Self {
        Self { controller, rng: fastrand::Rng::with_seed(2016), plain: 0, marked: 0, none: 0 }
    }

    /// Presents a pattern and checks the answer. Returns whether it was plain.
    async fn present(&mut self) -> bool {
        let pattern = [("x", f64::from(self.rng.u8(0..2))), ("y", f64::from(self.rng.u8(0..2)))];
        let Ok(wave) = self.controller.present(&pattern).await else {
            self.none += 1;
            return false;
        };
        let Ok(z) = self.controller.output_at("z", wave.tag).await else {
            self.none += 1;
            return false;
        };
        if z.missing != Missing::NONE {
            self.marked += 1;
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

    async fn present_for(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            // A call that hangs because the broker is dead is abandoned.
            if timeout(left, self.present()).await.is_err() {
                self.none += 1;
            }
        }
    }

    /// Presents patterns until an answer is plain. Returns how long that took.
    async fn present_until_plain(&mut self, within: Duration) -> Duration {
        let begin = Instant::now();
        while !timeout(within, self.present()).await.is_ok_and(|plain| plain) {
            assert!(begin.elapsed() < within, "no plain answer within {within:?}");
        }
        begin.elapsed()
    }
}

/// What is sent just before a host ends arrives, also if the program drops its transport first.
pub async fn the_last_word_arrives_when_a_program_drops_its_transport_before_its_host<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let network = Network::from_toml(XOR).expect("the file is right");
    let listening: R = connect_local_first(broker.port()).await;
    let mut inbox = open(&listening.transport(), &neuron("z")).await;
    for round in 1..=10 {
        let speaking: R = connect_local_first(broker.port()).await;
        // The connection works on the thread of this host.
        let no_neurons: [&str; 0] = [];
        let host = Host::builder(network.clone(), speaking.transport()).only(no_neurons).start().await;
        let host = host.expect("the host starts");
        flows(&speaking.transport(), &mut inbox, "z", round * 1_000_000).await;
        let last = round * 1_000_000 + 999_999;
        speaking.transport().send(numbered("a", "z", last)).await.expect("there is a connection");
        drop(speaking);
        drop(host);
        let arrives = async { while inbox.next().await.is_some_and(|envelope| number(&envelope).1 != last) {} };
        assert!(timeout(BACK, arrives).await.is_ok(), "round {round}: the last word is lost");
    }
}
