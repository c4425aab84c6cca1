//! Brokers that die, hang, move and come back, and networks between client and broker that
//! misbehave.
//!
//! Only for transports over a broker: see [`Remote`].

mod duels;
mod local_first;
mod networks;
mod processes;

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

pub use duels::*;
use futures_util::StreamExt as _;
pub use local_first::*;
pub use networks::*;
use neuron_core::transport::{Inbox, Transport};
pub use processes::*;
use tokio::{io::AsyncWriteExt as _, net::TcpListener, sync::watch, time::timeout};
use transport_broker::{ConnectError, ConnectionState};

use crate::{
    Broker, NetworkCondition, Proxy,
    harness::{neuron, number, numbered, open},
};

/// How soon envelopes arrive again once the broker is back. A second would do on an idle machine.
const BACK: Duration = Duration::from_secs(5);
/// How soon a broker that hangs is noticed. The transports give up one that is silent for a few
/// seconds.
const NOTICED: Duration = Duration::from_secs(10);

/// A transport over a broker.
pub trait Remote: Sized {
    /// Starts a broker. Returns `None` if it is not installed; the case is then skipped.
    fn broker() -> Option<Broker>;

    /// Connects to what listens on a port of this machine, which need not be a broker. Everything
    /// that is sent travels over the broker.
    fn connect(port: u16) -> impl Future<Output = Result<Self, ConnectError>>;

    /// Connects as programs do: what has its inbox in this process does not travel over the broker,
    /// and the transport waits for a broker that is not there yet.
    fn connect_local_first(port: u16) -> impl Future<Output = Result<Self, ConnectError>>;

    /// Returns the transport.
    fn transport(&self) -> Arc<dyn Transport>;

    /// Returns the state of its connection, and each change from now on.
    fn state(&self) -> watch::Receiver<ConnectionState>;
}

async fn connect<R: Remote>(port: u16) -> R {
    match R::connect(port).await {
        Ok(remote) => remote,
        Err(error) => panic!("the broker is there: {error:?}"),
    }
}

async fn connect_local_first<R: Remote>(port: u16) -> R {
    match R::connect_local_first(port).await {
        Ok(remote) => remote,
        Err(error) => panic!("the broker is waited for: {error:?}"),
    }
}

/// Sends envelopes with numbers from `from` on until one of them arrives. Returns how long that
/// took.
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

async fn becomes(
    state: &mut watch::Receiver<ConnectionState>,
    wanted: impl Fn(&ConnectionState) -> bool,
    within: Duration,
) {
    let in_time = timeout(within, state.wait_for(|state| wanted(state))).await.is_ok_and(|waited| waited.is_ok());
    assert!(in_time, "the state is still {:?} after {within:?}", *state.borrow());
}

fn is_lost(state: &ConnectionState) -> bool {
    matches!(state, ConnectionState::Reconnecting { .. })
}

/// A broker is killed and started again several times. Envelopes arrive again each time, also at an
/// inbox that was idle in between.
pub async fn a_broker_that_dies_is_found_again<R: Remote>() {
    let Some(mut broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let transport = remote.transport();
    let mut state = remote.state();
    let (mut busy, mut idle) = (open(&transport, &neuron("busy")).await, open(&transport, &neuron("idle")).await);
    for round in 1..=5 {
        broker.kill();
        becomes(&mut state, is_lost, NOTICED).await;
        broker.start_again();
        becomes(&mut state, |state| *state == ConnectionState::Connected, BACK).await;
        flows(&transport, &mut busy, "busy", round * 1000).await;
    }
    flows(&transport, &mut idle, "idle", 1).await;
}

/// A broker comes back without what it had stored. Envelopes arrive again.
pub async fn a_broker_that_comes_back_empty_is_found_again<R: Remote>() {
    let Some(mut broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let transport = remote.transport();
    let mut state = remote.state();
    let mut inbox = open(&transport, &neuron("z")).await;
    flows(&transport, &mut inbox, "z", 1).await;
    broker.kill();
    becomes(&mut state, is_lost, NOTICED).await;
    broker.start_empty();
    flows(&transport, &mut inbox, "z", 1000).await;
}

/// A broker hangs while its connections stand. That is noticed, and envelopes arrive again when it
/// continues.
pub async fn a_broker_that_hangs_is_noticed<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let remote: R = connect(broker.port()).await;
    let transport = remote.transport();
    let mut state = remote.state();
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

/// The network swallows everything while the connection stands. That is noticed, and envelopes
/// arrive again afterwards.
pub async fn a_black_hole_is_noticed<R: Remote>() {
    under_condition::<R>(NetworkCondition::BlackHole).await;
}

/// Connections are reset, and so are new ones. That is noticed, and envelopes arrive again
/// afterwards.
pub async fn a_reset_is_noticed<R: Remote>() {
    under_condition::<R>(NetworkCondition::Reset).await;
}

async fn under_condition<R: Remote>(bad: NetworkCondition) {
    let Some(broker) = R::broker() else { return };
    let proxy = Proxy::start(broker.port()).await;
    let remote: R = connect(proxy.port()).await;
    let transport = remote.transport();
    let mut state = remote.state();
    let mut inbox = open(&transport, &neuron("z")).await;
    proxy.set(bad);
    becomes(&mut state, is_lost, NOTICED).await;
    proxy.set(NetworkCondition::Fair);
    flows(&transport, &mut inbox, "z", 1).await;
}

/// The connection ends in the middle of a frame. Half a frame is not delivered, and envelopes
/// arrive again afterwards.
pub async fn a_cut_in_the_middle_of_a_frame_harms_nothing<R: Remote>() {
    let Some(broker) = R::broker() else { return };
    let proxy = Proxy::start(broker.port()).await;
    let remote: R = connect(proxy.port()).await;
    let transport = remote.transport();
    let mut state = remote.state();
    let mut inbox = open(&transport, &neuron("z")).await;
    for cut in [1, 33, 70, 171] {
        becomes(&mut state, |state| *state == ConnectionState::Connected, BACK).await;
        proxy.set(NetworkCondition::CutAfter(cut));
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
        proxy.set(NetworkCondition::Fair);
        flows(&transport, &mut inbox, "z", 1_000_000_000).await;
    }
}

/// Over a link of a hundred kilobytes a second everything arrives in order, and the connection
/// stands.
pub async fn a_slow_link_loses_nothing<R: Remote>() {
    const COUNT: u64 = 200;
    let Some(broker) = R::broker() else { return };
    let proxy = Proxy::start(broker.port()).await;
    let remote: R = connect(proxy.port()).await;
    let transport = remote.transport();
    let mut inbox = open(&transport, &neuron("z")).await;
    proxy.set(NetworkCondition::Slow(100));
    for number in 0..COUNT {
        transport.send(numbered("a", "z", number)).await.expect("it is handed over");
    }
    for expected in 0..COUNT {
        let envelope = timeout(NOTICED, inbox.next()).await.expect("it arrives").expect("the inbox is open");
        assert_eq!(number(&envelope).1, expected);
    }
    assert_eq!(*remote.state().borrow(), ConnectionState::Connected);
}

/// The first connection fails at once if there is no broker, or something else at its port. The
/// error says which.
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
