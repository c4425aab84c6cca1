//! Brokers that die, hang, move and come back, and networks between client and broker that misbehave.
//!
//! Only for transports over a broker: see [`Remote`].

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use neuron_core::{
    Missing, Network,
    actor::{Controller, Host},
    transport::{Inbox, Transport},
};
use tokio::{io::AsyncWriteExt as _, net::TcpListener, sync::watch, time::timeout};
use transport_broker::{ConnectError, State};

use crate::{
    Broker, Proxy, Weather,
    harness::{neuron, number, numbered, open},
};

/// How soon envelopes arrive again once the broker is back. A second would do on an idle machine.
const BACK: Duration = Duration::from_secs(5);
/// How soon a broker that hangs is noticed. The transports give up one that is silent for a few seconds.
const NOTICED: Duration = Duration::from_secs(10);

const XOR: &str = include_str!("../../examples/xor.toml");

/// A transport over a broker.
pub trait Remote: Sized {
    /// Starts a broker. Returns `None` if it is not installed; the case is then skipped.
    fn broker() -> Option<Broker>;

    /// Connects to what listens on a port of this machine, which need not be a broker.
    fn connect(port: u16) -> impl Future<Output = Result<Self, ConnectError>>;

    /// Returns the transport.
    fn transport(&self) -> Arc<dyn Transport>;

    /// Returns the state of its connection, and each change from now on.
    fn state(&self) -> watch::Receiver<State>;
}

async fn connect<R: Remote>(port: u16) -> R {
    match R::connect(port).await {
        Ok(remote) => remote,
        Err(error) => panic!("the broker is there: {error:?}"),
    }
}

/// Sends envelopes with numbers from `from` on until one of them arrives. Returns how long that took.
async fn flows(transport: &Arc<dyn Transport>, inbox: &mut Inbox, to: &str, from: u64) -> Duration {
    let begin = Instant::now();
    for attempt in 0.. {
        assert!(begin.elapsed() < BACK, "nothing arrives at {to}");
        // This one may be lost; then a later one arrives.
        let _ = transport.send(numbered("a", to, from + attempt)).await;
        while let Ok(Some(envelope)) = timeout(Duration::from_millis(20), inbox.next()).await {
            if number(&envelope).1 >= from {
                return begin.elapsed();
            }
        }
    }
    unreachable!("it is tried until it succeeds or fails")
}

async fn becomes(state: &mut watch::Receiver<State>, wanted: impl Fn(&State) -> bool, within: Duration) {
    let in_time = timeout(within, state.wait_for(|state| wanted(state))).await.is_ok_and(|waited| waited.is_ok());
    assert!(in_time, "the state is still {:?} after {within:?}", *state.borrow());
}

fn is_lost(state: &State) -> bool {
    matches!(state, State::Reconnecting { .. })
}

/// A broker is killed and started again several times. Busy and idle inboxes receive again.
pub async fn a_broker_that_dies_is_found_again<R: Remote>() {
    let Some(mut broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let (transport, mut state) = (remote.transport(), remote.state());
    let (mut busy, mut idle) = (open(&transport, &neuron("busy")).await, open(&transport, &neuron("idle")).await);
    for round in 1..=5 {
        broker.kill();
        becomes(&mut state, is_lost, NOTICED).await;
        broker.start_again();
        becomes(&mut state, |state| *state == State::Connected, BACK).await;
        flows(&transport, &mut busy, "busy", round * 1000).await;
    }
    flows(&transport, &mut idle, "idle", 1).await;
}

/// A broker comes back without what it had stored. Envelopes arrive again.
pub async fn a_broker_that_comes_back_empty_is_found_again<R: Remote>() {
    let Some(mut broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let (transport, mut state) = (remote.transport(), remote.state());
    let mut inbox = open(&transport, &neuron("z")).await;
    flows(&transport, &mut inbox, "z", 1).await;
    broker.kill();
    becomes(&mut state, is_lost, NOTICED).await;
    broker.start_empty();
    flows(&transport, &mut inbox, "z", 1000).await;
}

/// A broker hangs while its connections stand. That is noticed; later envelopes arrive again.
pub async fn a_broker_that_hangs_is_noticed<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let (transport, mut state) = (remote.transport(), remote.state());
    let mut inbox = open(&transport, &neuron("z")).await;
    broker.freeze();
    becomes(&mut state, is_lost, NOTICED).await;
    broker.thaw();
    flows(&transport, &mut inbox, "z", 1).await;
}

/// Another broker takes over the address of the first one. Envelopes arrive again.
pub async fn a_broker_that_moves_behind_its_address_is_found_again<R: Remote>() {
    let (Some(first), Some(second)) = (R::broker(), R::broker()) else { return };
    let proxy = Proxy::start(first.port()).await;
    let remote: R = connect(proxy.port()).await;
    let transport = remote.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    flows(&transport, &mut inbox, "z", 1).await;
    proxy.move_to(second.port());
    drop(first);
    flows(&transport, &mut inbox, "z", 1000).await;
}

/// The network swallows everything, the connection stands. That is noticed; later envelopes arrive.
pub async fn a_black_hole_is_noticed<R: Remote>() {
    weather::<R>(Weather::BlackHole).await;
}

/// Connections are reset, and so are new ones. That is noticed, and envelopes arrive again afterwards.
pub async fn a_reset_is_noticed<R: Remote>() {
    weather::<R>(Weather::Reset).await;
}

async fn weather<R: Remote>(bad: Weather) {
    let Some(broker) = R::broker() else { return };
    let proxy = Proxy::start(broker.port()).await;
    let remote: R = connect(proxy.port()).await;
    let (transport, mut state) = (remote.transport(), remote.state());
    let mut inbox = open(&transport, &neuron("z")).await;
    proxy.set(bad);
    becomes(&mut state, is_lost, NOTICED).await;
    proxy.set(Weather::Fair);
    flows(&transport, &mut inbox, "z", 1).await;
}

/// The connection ends in the middle of a frame. The half is not delivered; later envelopes arrive.
pub async fn a_cut_in_the_middle_of_a_frame_harms_nothing<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let proxy = Proxy::start(broker.port()).await;
    let remote: R = connect(proxy.port()).await;
    let (transport, mut state) = (remote.transport(), remote.state());
    let mut inbox = open(&transport, &neuron("z")).await;
    for cut in [1, 33, 70, 171] {
        becomes(&mut state, |state| *state == State::Connected, BACK).await;
        proxy.set(Weather::CutAfter(cut));
        let lost = async { becomes(&mut state, is_lost, NOTICED).await };
        let sending = async {
            for number in 0.. {
                // The cut loses some of them.
                let _ = transport.send(numbered("a", "z", number)).await;
                tokio::task::yield_now().await;
                if number % 64 == 63 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        };
        tokio::select! {
            () = lost => {}
            () = sending => {}
        }
        proxy.set(Weather::Fair);
        flows(&transport, &mut inbox, "z", 1_000_000_000).await;
    }
}

/// Over a link of a hundred kilobytes a second everything arrives in order, and the connection stands.
pub async fn a_slow_link_loses_nothing<R: Remote>() {
    const COUNT: u64 = 200;
    let Some(broker) = R::broker() else { return };
    let proxy = Proxy::start(broker.port()).await;
    let remote: R = connect(proxy.port()).await;
    let transport = remote.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    proxy.set(Weather::Slow(100));
    for number in 0..COUNT {
        transport.send(numbered("a", "z", number)).await.expect("it is handed over");
    }
    for expected in 0..COUNT {
        let envelope = timeout(NOTICED, inbox.next()).await.expect("it arrives").expect("the inbox is open");
        assert_eq!(number(&envelope).1, expected);
    }
    assert_eq!(*remote.state().borrow(), State::Connected);
}

/// The first connection fails at once if there is no broker, or something else at its port. The error
/// says which.
pub async fn a_first_connection_says_why_it_fails<R: Remote>() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("it has an address").port();
    let begin = Instant::now();
    let web = async {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            // The client may be gone.
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    };
    let error = tokio::select! {
        () = web => unreachable!("it serves for ever"),
        connected = R::connect(port) => connected.err().expect("that is no broker"),
    };
    assert!(matches!(error, ConnectError::NotABroker { .. }), "{error:?}");
    drop(listener);
    let error = R::connect(port).await.err().expect("nothing listens there");
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    assert!(begin.elapsed() < NOTICED);
}

/// Patterns are presented while the broker is killed and started again. No plain answer is wrong, and
/// answers are plain again soon after the broker is back. The environment variable `ROUNDS` says how often
/// it is killed; 3 times by default.
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

/// Patterns are presented while the broker hangs and its connections stand. No plain answer is wrong, and
/// answers are plain again soon after it continues. The environment variable `FROZEN` says for how many
/// seconds it hangs; without it, until that is noticed.
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

/// Two hosts share a transport, whose connection works on the thread of the first one. When that one
/// stops, the transport reports that the connection is lost, and makes another one. The other host
/// continues.
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
        becomes(&mut state, |state| *state == State::Connected, BACK).await;
    };
    tokio::join!(stopping, patterns.present_for(Duration::from_millis(500)));
    let back = patterns.present_until_plain(BACK).await;
    println!(
        "plain again after {back:?}; {} plain, {} marked, {} none",
        patterns.plain, patterns.marked, patterns.none
    );
    second.stop().await;
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
    becomes(&mut state, |state| *state == State::Connected, BACK).await;
}

/// Presents patterns to XOR, and counts the answers: plain ones, those that lack inputs, and failed calls.
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
