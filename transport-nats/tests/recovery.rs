//! Brokers that die, hang, move and come back, in both modes.

use std::{sync::Arc, time::Duration};

use neuron_core::transport::Transport;
use tokio::{sync::watch, time::timeout};
use transport_conformance::{Broker, recovery::Remote, run};
use transport_nats::{Config, ConnectError, Mode, NatsTransport, State};

/// What a mode opens for the shared cases.
macro_rules! mode {
    ($remote:ident, $mode:expr) => {
        struct $remote(NatsTransport);

        impl Remote for $remote {
            fn broker() -> Option<Broker> {
                Broker::nats("")
            }

            async fn connect(port: u16) -> Result<Self, ConnectError> {
                let config = Config::parse(&format!("nats://127.0.0.1:{port}"))?.mode($mode);
                let network = "recovery".parse().expect("a name");
                NatsTransport::connect_with(config, &network).await.map(Self)
            }

            fn transport(&self) -> Arc<dyn Transport> {
                Arc::new(self.0.clone())
            }

            fn state(&self) -> watch::Receiver<State> {
                self.0.state()
            }
        }
    };
}

mod core {
    use super::*;

    mode!(NatsCore, Mode::Core);

    transport_conformance::recovery_tests!(NatsCore);
}

mod jetstream {
    use super::*;

    mode!(NatsJetStream, Mode::JetStream);

    transport_conformance::recovery_tests!(NatsJetStream);
}

/// A transport that is dropped says so to whoever still watches.
#[test]
fn the_state_ends_with_the_transport() {
    run(|| async {
        let Some(broker) = Broker::nats("") else { return };
        let transport = NatsTransport::connect(&broker.url(), &"end".parse().expect("a name")).await;
        let transport = transport.expect("the broker is there");
        let mut state = transport.state();
        drop(transport);
        let closed = timeout(Duration::from_secs(5), state.wait_for(|state| *state == State::Closed)).await;
        assert!(closed.is_ok_and(|closed| closed.is_ok()), "it is still {:?}", *state.borrow());
    });
}
