//! Brokers that die, hang, move and come back, in both modes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use neuron_core::{
    command::{Command, Request},
    transport::{Address, Envelope, Transport},
};
use tokio::{sync::watch, time::timeout};
use transport_conformance::{Broker, numbered, recovery::Remote, run, until};
use transport_nats::{ConnectError, ConnectionState, NatsConfig, NatsMode, NatsTransport};

/// How soon messages flow again once the broker is back.
const BACK: Duration = Duration::from_secs(5);

/// Defines what the shared cases connect in a mode.
macro_rules! mode {
    ($remote:ident, $mode:expr) => {
        struct $remote(NatsTransport);

        impl $remote {
            async fn connect_as(port: u16, parameter: &str) -> Result<Self, ConnectError> {
                let config = NatsConfig::parse(&format!("nats://127.0.0.1:{port}?{parameter}"))?.mode($mode);
                let network = "recovery".parse().expect("a name");
                NatsTransport::connect_with(config, &network).await.map(Self)
            }
        }

        impl Remote for $remote {
            fn broker() -> Option<Broker> {
                Broker::nats("")
            }

            async fn connect(port: u16) -> Result<Self, ConnectError> {
                Self::connect_as(port, "local_first=false").await
            }

            async fn connect_local_first(port: u16) -> Result<Self, ConnectError> {
                Self::connect_as(port, "wait=true").await
            }

            fn transport(&self) -> Arc<dyn Transport> {
                Arc::new(self.0.clone())
            }

            fn state(&self) -> watch::Receiver<ConnectionState> {
                self.0.state()
            }
        }
    };
}

mod core {
    use super::*;

    mode!(NatsCore, NatsMode::Core);

    transport_conformance::recovery_tests!(NatsCore);
}

mod jetstream {
    use super::*;

    mode!(NatsJetStream, NatsMode::JetStream);

    transport_conformance::recovery_tests!(NatsJetStream);
}

/// The state is watched when the transport is dropped.
#[test]
fn the_state_ends_with_the_transport() {
    run(|| async {
        let Some(broker) = Broker::nats("") else { return };
        let transport = NatsTransport::connect(&broker.url(), &"end".parse().expect("a name")).await;
        let transport = transport.expect("the broker is there");
        let mut state = transport.state();
        drop(transport);
        let closed = timeout(Duration::from_secs(5), state.wait_for(|state| *state == ConnectionState::Closed)).await;
        assert!(closed.is_ok_and(|closed| closed.is_ok()), "it is still {:?}", *state.borrow());
    });
}

/// Redis waits for its client to speak, just as a NATS client waits for its server.
#[test]
fn a_redis_server_is_not_taken_for_a_broker() {
    run(|| async {
        let Some(redis) = Broker::redis("") else { return };
        let begin = Instant::now();
        let (url, network) = (format!("nats://127.0.0.1:{}", redis.port()), "x".parse().expect("a name"));
        let error = NatsTransport::connect(&url, &network).await.expect_err("it is none");
        assert!(matches!(error, ConnectError::NotABroker { expected: "a NATS server", .. }), "{error:?}");
        assert!(begin.elapsed() < Duration::from_secs(2), "it took {:?}", begin.elapsed());
    });
}

/// A server accepts connections and sends nothing.
#[test]
fn a_silent_server_is_not_waited_for() {
    run(|| async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let begin = Instant::now();
        let (url, network) = (format!("nats://me:secret@127.0.0.1:{port}"), "x".parse().expect("a name"));
        let error = NatsTransport::connect(&url, &network).await.expect_err("there is no answer");
        assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        assert!(begin.elapsed() < Duration::from_secs(4), "it took {:?}", begin.elapsed());
    });
}

/// The broker is killed ten times, with an inbox open all the while.
#[test]
fn ten_deaths_in_a_row_are_survived() {
    run(|| async {
        for mode in [NatsMode::Core, NatsMode::JetStream] {
            let Some(mut broker) = Broker::nats("") else { return };
            let config = NatsConfig::parse(&broker.url()).expect("an address").mode(mode).local_first(false);
            let network = "deaths".parse().expect("a name");
            let transport = NatsTransport::connect_with(config, &network).await.expect("a connection");
            let at = Address::Neuron("z".parse().expect("a name"));
            let mut inbox = transport.subscribe(&at).await.expect("an inbox");
            let mut state = transport.state();
            let mut longest = Duration::ZERO;
            for id in 1..=10 {
                broker.kill();
                let lost = timeout(BACK, state.wait_for(|state| *state != ConnectionState::Connected)).await.is_ok();
                assert!(lost, "the loss is noticed");
                broker.start_again();
                let begin = Instant::now();
                let back = timeout(BACK, state.wait_for(|state| *state == ConnectionState::Connected)).await.is_ok();
                assert!(back, "the connection is made again");
                let request = Box::new(Request::new(id, Command::Output { after: neuron_core::Tag::ORIGIN }));
                let (from, to) = ("a".parse().expect("a name"), "z".parse().expect("a name"));
                let envelope = Envelope::Request { from, to, request };
                // Once the state is `Connected`, the very first envelope arrives.
                transport.send(envelope.clone()).await.expect("it is handed over");
                assert_eq!(timeout(BACK, inbox.next()).await.expect("it arrives"), Some(envelope));
                longest = longest.max(begin.elapsed());
            }
            println!("{mode:?}: messages flowed again after at most {longest:?}");
            assert_eq!(transport.counts().reconnects, 10);
        }
    });
}

/// The state becomes `Closed`, and the inboxes end.
#[test]
fn a_transport_that_gives_up_closes_for_good() {
    run(|| async {
        for mode in [NatsMode::Core, NatsMode::JetStream] {
            let Some(mut broker) = Broker::nats("") else { return };
            let config = NatsConfig::parse(&broker.url()).expect("an address").mode(mode).local_first(false);
            let config = config.give_up_after(Duration::from_millis(500));
            let network = "patient".parse().expect("a name");
            let transport = NatsTransport::connect_with(config, &network).await.expect("a connection");
            let mut inbox =
                transport.subscribe(&Address::Neuron("z".parse().expect("a name"))).await.expect("an inbox");
            let mut state = transport.state();
            // A broker that comes back in time is waited for.
            broker.kill();
            broker.start_again();
            let again = async {
                state.changed().await.expect("it is announced");
                state.wait_for(|state| *state == ConnectionState::Connected).await.expect("it is announced");
            };
            timeout(BACK, again).await.expect("it comes back");
            broker.kill();
            let closed = state.wait_for(|state| *state == ConnectionState::Closed);
            timeout(BACK, closed).await.expect("it gives up").expect("it is announced");
            assert_eq!(timeout(BACK, inbox.next()).await.expect("it ends"), None);
        }
    });
}

/// When the connection breaks, each envelope is counted exactly once.
#[test]
fn each_envelope_is_either_sent_or_unsent() {
    run(|| async {
        for mode in [NatsMode::Core, NatsMode::JetStream] {
            let Some(mut broker) = Broker::nats("") else { return };
            let config = NatsConfig::parse(&broker.url()).expect("an address").mode(mode).local_first(false);
            let network = "counted".parse().expect("a name");
            let transport = NatsTransport::connect_with(config, &network).await.expect("a connection");
            let mut state = transport.state();
            let sending = async {
                let mut number = 0;
                loop {
                    if number == 1000 {
                        broker.kill();
                    }
                    let handed_over = transport.send(numbered("a", "z", number)).await;
                    number += 1;
                    if handed_over.is_err() {
                        break number;
                    }
                    tokio::task::yield_now().await;
                }
            };
            let count = timeout(BACK, sending).await.expect("the loss is noticed");
            state.wait_for(|state| *state != ConnectionState::Connected).await.expect("it is announced");
            let all = until(|| transport.counts().sent + transport.counts().unsent >= count);
            timeout(BACK, all).await.unwrap_or_else(|_| panic!("{count}: {:?}", transport.counts()));
            assert_eq!(transport.counts().sent + transport.counts().unsent, count);
        }
    });
}
