//! Addresses that name several servers.

use std::time::Duration;

use futures_util::StreamExt as _;
use neuron_core::{
    NetworkId,
    transport::{Address, Transport as _},
};
use tokio::time::timeout;
use transport_conformance::{Broker, numbered, run};
use transport_nats::{ConnectError, ConnectionState, NatsTransport};

/// How soon each change is noticed.
const SOON: Duration = Duration::from_secs(10);

fn network() -> NetworkId {
    "failover".parse().expect("a name")
}

/// Returns an address that names two servers.
fn both(first: &Broker, second: &Broker, mode: &str) -> String {
    format!("nats://127.0.0.1:{},127.0.0.1:{}?local_first=false&mode={mode}", first.port(), second.port())
}

async fn connected_again(transport: &NatsTransport, reconnects: u64) {
    let mut state = transport.state();
    let again =
        state.wait_for(|state| *state == ConnectionState::Connected && transport.counts().reconnects > reconnects);
    let result = timeout(SOON, again).await.map(drop);
    assert!(result.is_ok(), "it is still {:?}", *transport.state().borrow());
}

/// Sends an envelope from another client of a server, and waits for it.
async fn reached_over(server: &Broker, mode: &str, inbox: &mut neuron_core::transport::Inbox, number: u64) {
    let address = format!("{}?local_first=false&mode={mode}", server.url());
    let sender = NatsTransport::connect(&address, &network()).await.expect("the server is there");
    sender.send(numbered("a", "z", number)).await.expect("it is handed over");
    assert_eq!(timeout(SOON, inbox.next()).await.expect("it arrives"), Some(numbered("a", "z", number)));
}

#[test]
fn servers_are_tried_in_order_at_connect_and_after_each_loss() {
    run(|| async {
        for mode in ["core", "jetstream"] {
            let (Some(mut first), Some(mut second)) = (Broker::nats(""), Broker::nats("")) else { return };
            let address = both(&first, &second, mode);
            let transport = NatsTransport::connect(&address, &network()).await.expect("both are there");
            let at = Address::Neuron("z".parse().expect("a name"));
            let mut inbox = transport.subscribe(&at).await.expect("an inbox");
            reached_over(&first, mode, &mut inbox, 1).await;
            first.kill();
            connected_again(&transport, 0).await;
            reached_over(&second, mode, &mut inbox, 2).await;
            first.start_again();
            second.kill();
            connected_again(&transport, 1).await;
            reached_over(&first, mode, &mut inbox, 3).await;
            second.start_again();
            // Both are there again: the first one is used.
            first.kill();
            first.start_again();
            connected_again(&transport, 2).await;
        }
    });
}

#[test]
fn a_server_that_refuses_the_user_is_passed_over_also_after_a_loss() {
    run(|| async {
        let closed = "authorization { user: other, password: secret }";
        let (Some(first), Some(mut second)) = (Broker::nats(closed), Broker::nats("")) else { return };
        let address = both(&first, &second, "core");
        let transport = NatsTransport::connect(&address, &network()).await.expect("the second one is open");
        second.kill();
        let error = NatsTransport::connect(&address, &network()).await.expect_err("there is none");
        assert!(matches!(error, ConnectError::NoneUsable { .. }), "{error:?}");
        let told = error.to_string();
        for word in [&first.port().to_string(), &second.port().to_string(), "refuses the user", "cannot be reached"] {
            assert!(told.contains(word), "{word}: {told}");
        }
        second.start_again();
        connected_again(&transport, 0).await;
    });
}
