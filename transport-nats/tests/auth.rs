//! Logins, and the permissions that the broker then grants.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use neuron_core::{
    Network, NetworkId,
    actor::Host,
    command::{Command, Request},
    transport::{Address, Envelope, Transport as _, TransportErrorKind},
};
use tokio::time::timeout;
use transport_conformance::{Broker, run};
use transport_nats::{ConnectError, ConnectionState, NatsTransport};

fn network() -> NetworkId {
    "auth".parse().expect("a name")
}

fn neuron(name: &str) -> Address {
    Address::Neuron(name.parse().expect("a name"))
}

fn request(from: &str, to: &str) -> Envelope {
    let request = Box::new(Request::new(1, Command::Output { after: neuron_core::Tag::ORIGIN }));
    Envelope::Request { from: from.parse().expect("a name"), to: to.parse().expect("a name"), request }
}

/// Returns the address of a broker, with a login.
fn url(broker: &Broker, login: &str, parameters: &str) -> String {
    let separator = if parameters.is_empty() { '?' } else { '&' };
    format!("nats://{login}127.0.0.1:{}{parameters}{separator}local_first=false", broker.port())
}

/// Checks that a transport can log in, send and receive.
async fn works(url: &str) {
    let transport = NatsTransport::connect(url, &network()).await.expect("the login is accepted");
    let mut inbox = transport.subscribe(&neuron("z")).await.expect("an inbox");
    transport.send(request("z", "z")).await.expect("it is handed over");
    let envelope = timeout(Duration::from_secs(5), inbox.next()).await.expect("it arrives");
    assert_eq!(envelope, Some(request("z", "z")));
}

/// Checks that a login is rejected, and that the error does not contain the password.
async fn is_refused(url: &str) {
    let error = NatsTransport::connect(url, &network()).await.expect_err("the login is rejected");
    assert!(matches!(error, ConnectError::Unauthorized { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}

#[test]
fn a_token_logs_in() {
    run(|| async {
        let Some(broker) = Broker::nats("authorization { token: \"secret\" }") else { return };
        for parameters in ["", "?mode=jetstream"] {
            works(&url(&broker, "secret@", parameters)).await;
            is_refused(&url(&broker, "another-secret@", parameters)).await;
            is_refused(&url(&broker, "", parameters)).await;
        }
    });
}

#[test]
fn a_user_with_a_password_logs_in() {
    run(|| async {
        let Some(broker) = Broker::nats("authorization { user: me, password: \"se:cr@t\" }") else { return };
        works(&url(&broker, "me:se%3Acr%40t@", "")).await;
        is_refused(&url(&broker, "me:secret@", "")).await;
    });
}

#[test]
fn a_key_logs_in() {
    run(|| async {
        let (key, other) = (nkeys::KeyPair::new_user(), nkeys::KeyPair::new_user());
        let config = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", key.public_key());
        let Some(broker) = Broker::nats(&config) else { return };
        let write = |name: &str, key: &nkeys::KeyPair| {
            let path = broker.folder().join(name);
            std::fs::write(&path, format!("{}\n", key.seed().expect("it has a seed"))).expect("a file");
            format!("?nkey={}", path.display())
        };
        let right = write("right", &key);
        works(&url(&broker, "", &right)).await;
        is_refused(&url(&broker, "", &write("wrong", &other))).await;
        // The file is read once: the connection can migrate to the host's thread without it.
        let transport =
            NatsTransport::connect(&url(&broker, "", &right), &network()).await.expect("the login is accepted");
        std::fs::remove_file(broker.folder().join("right")).expect("it is there");
        let one = Network::builder("auth").neuron("z", |z| z).build().expect("it is right");
        let host = Host::start(one, Arc::new(transport.clone())).await.expect("the host starts");
        host.controller().stimulate("z", 1.0).await.expect("z answers");
        assert_eq!(*transport.state().borrow(), ConnectionState::Connected);
        host.stop().await;
        let missing = NatsTransport::connect(&url(&broker, "", "?nkey=/nowhere"), &network()).await;
        assert!(
            matches!(&missing, Err(ConnectError::Local(error)) if error.to_string().contains("/nowhere")),
            "{missing:?}"
        );
    });
}

/// Returns signed claims: a token for servers with operators and accounts.
fn token(issuer: &nkeys::KeyPair, subject: &nkeys::KeyPair, claims: &str) -> String {
    let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let (by, about) = (issuer.public_key(), subject.public_key());
    let claims = format!(r#"{{"jti":"1","iat":1480000000,"iss":"{by}","sub":"{about}","name":"me","nats":{claims}}}"#);
    let signed = encode(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#) + "." + &encode(claims.as_bytes());
    let signature = issuer.sign(signed.as_bytes()).expect("it has a seed");
    signed + "." + &encode(&signature)
}

#[test]
fn a_credentials_file_logs_in() {
    const LIMITS: &str = r#""subs":-1,"data":-1,"payload":-1"#;
    const ACCOUNT: &str = r#""imports":-1,"exports":-1,"wildcards":true,"conn":-1,"leaf":-1"#;
    const KEEPS: &str = r#""mem_storage":-1,"disk_storage":-1,"streams":-1,"consumer":-1"#;
    run(|| async {
        let (operator, system) = (nkeys::KeyPair::new_operator(), nkeys::KeyPair::new_account());
        let (account, user, stranger) =
            (nkeys::KeyPair::new_account(), nkeys::KeyPair::new_user(), nkeys::KeyPair::new_user());
        let may = |keeps: &str| format!(r#"{{"limits":{{{LIMITS},{ACCOUNT}{keeps}}},"type":"account","version":2}}"#);
        let config = format!(
            "operator: {}\nsystem_account: {system}\nresolver: MEMORY\nresolver_preload: {{ {system}: {}, {account}: {} }}",
            token(&operator, &operator, r#"{"type":"operator","version":2}"#),
            token(&operator, &system, &may("")),
            token(&operator, &account, &may(&format!(",{KEEPS}"))),
            system = system.public_key(),
            account = account.public_key(),
        );
        let Some(broker) = Broker::nats(&config) else { return };
        let pass = token(&account, &user, &format!(r#"{{"pub":{{}},"sub":{{}},{LIMITS},"type":"user","version":2}}"#));
        let write = |name: &str, key: &nkeys::KeyPair| {
            let path = broker.folder().join(name);
            let seed = key.seed().expect("it has a seed");
            let text = format!(
                "-----BEGIN NATS USER JWT-----\n{pass}\n------END NATS USER JWT------\n\n\
                 -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
            );
            std::fs::write(&path, text).expect("a file");
            path.display().to_string()
        };
        let (right, wrong) = (write("right.creds", &user), write("wrong.creds", &stranger));
        for mode in ["core", "jetstream"] {
            works(&url(&broker, "", &format!("?mode={mode}&creds={right}"))).await;
            is_refused(&url(&broker, "", &format!("?mode={mode}&creds={wrong}"))).await;
            is_refused(&url(&broker, "", &format!("?mode={mode}"))).await;
        }
        let missing = NatsTransport::connect(&url(&broker, "", "?creds=/nowhere"), &network()).await;
        assert!(
            matches!(&missing, Err(ConnectError::Local(error)) if error.to_string().contains("/nowhere")),
            "{missing:?}"
        );
    });
}

/// A user that may send only as itself, and read only its own inbox.
#[test]
fn a_user_does_what_its_permissions_allow_and_gets_errors_for_the_rest() {
    run(|| async {
        let config = r#"authorization { users: [ { user: z, password: secret, permissions: {
            publish: ["nn.v1.auth.*.*.z"], subscribe: ["nn.v1.auth.*.z.*"]
        } } ] }"#;
        let Some(broker) = Broker::nats(config) else { return };
        let address = url(&broker, "z:secret@", "");
        works(&address).await;
        let transport = NatsTransport::connect(&address, &network()).await.expect("the login is accepted");
        let refused = timeout(Duration::from_secs(2), transport.subscribe(&neuron("other"))).await;
        let error = refused.expect("the answer comes at once").expect_err("another inbox is forbidden");
        assert_eq!(error.kind(), TransportErrorKind::Refused);
        let words = std::error::Error::source(&error).expect("the message of the broker").to_string();
        assert!(words.contains("Permissions Violation") && words.contains("other"), "{words}");

        let mut inbox = transport.subscribe(&neuron("z")).await.expect("its own inbox is permitted");
        transport.send(request("other", "z")).await.expect("it is handed over");
        transport.send(request("z", "z")).await.expect("it is handed over");
        let envelope = timeout(Duration::from_secs(5), inbox.next()).await.expect("it arrives");
        assert_eq!(envelope, Some(request("z", "z")), "a user sends only as itself");
        // The broker reports the refusal a moment later.
        let counted = async {
            while transport.counts().refused == 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(5), counted).await.expect("it is counted");
        assert_eq!(transport.counts().refused, 1);
    });
}

/// The permissions of a user are narrowed while the broker is down.
#[test]
fn an_inbox_that_may_not_be_read_any_more_ends_and_the_others_go_on() {
    run(|| async {
        let config = |subscribe: &str| {
            format!(
                r#"authorization {{ users: [ {{ user: z, password: secret, permissions: {{
                    publish: ["nn.v1.auth.>"], subscribe: ["{subscribe}"]
                }} }} ] }}"#
            )
        };
        let Some(mut broker) = Broker::nats(&config("nn.v1.auth.>")) else { return };
        let transport =
            NatsTransport::connect(&url(&broker, "z:secret@", ""), &network()).await.expect("the login is accepted");
        let mut kept = transport.subscribe(&neuron("z")).await.expect("an inbox");
        let mut lost = transport.subscribe(&neuron("other")).await.expect("another one");
        broker.kill();
        broker.configure(&config("nn.v1.auth.*.z.*"));
        broker.start_again();
        assert_eq!(timeout(Duration::from_secs(5), lost.next()).await.expect("it ends"), None);
        let mut state = transport.state();
        let again = state.wait_for(|state| *state == ConnectionState::Connected);
        timeout(Duration::from_secs(5), again).await.expect("in time").expect("it is told");
        transport.send(request("z", "z")).await.expect("it is handed over");
        let envelope = timeout(Duration::from_secs(5), kept.next()).await.expect("it arrives");
        assert_eq!(envelope, Some(request("z", "z")));
    });
}

/// With JetStream, a user also looks at its stream, makes consumers and acknowledges messages.
#[test]
fn a_user_needs_few_more_permissions_for_jetstream() {
    run(|| async {
        let config = r#"authorization { users: [
            { user: z, password: secret, permissions: {
                publish: ["nn.v1.auth.*.*.z", "$JS.API.>", "$JS.ACK.>"], subscribe: ["_INBOX.>"]
            } },
            { user: y, password: secret, permissions: { publish: ["nn.v1.auth.*.*.y"], subscribe: ["nn.v1.auth.*.y.*"] } },
        ] }"#;
        let Some(broker) = Broker::nats(config) else { return };
        let address = url(&broker, "z:secret@", "?mode=jetstream");
        works(&address).await;
        let transport = NatsTransport::connect(&address, &network()).await.expect("the login is accepted");
        let refused = timeout(Duration::from_secs(2), transport.subscribe(&neuron("other"))).await;
        let error = refused.expect("the answer comes at once").expect_err("another inbox is forbidden");
        assert_eq!(error.kind(), TransportErrorKind::Refused);
        let error = NatsTransport::connect(&url(&broker, "y:secret@", "?mode=jetstream"), &network()).await;
        assert!(matches!(error, Err(ConnectError::Unsupported { .. })), "{error:?}");
    });
}

/// With JetStream, an inbox needs a consumer of its own instead of a subscription.
#[test]
fn an_inbox_whose_consumer_may_not_be_made_any_more_ends_and_the_others_go_on() {
    run(|| async {
        let config = |consumers: &str| {
            format!(
                r#"authorization {{ users: [ {{ user: z, password: secret, permissions: {{
                    publish: ["nn.v1.auth.>", "$JS.API.STREAM.>", "$JS.ACK.>", {consumers}], subscribe: ["_INBOX.>"]
                }} }} ] }}"#
            )
        };
        let Some(mut broker) = Broker::nats(&config(r#""$JS.API.CONSUMER.>""#)) else { return };
        let address = url(&broker, "z:secret@", "?mode=jetstream");
        let transport = NatsTransport::connect(&address, &network()).await.expect("the login is accepted");
        let mut kept = transport.subscribe(&neuron("z")).await.expect("an inbox");
        let mut lost = transport.subscribe(&neuron("other")).await.expect("another one");
        broker.kill();
        let own = ["CREATE.NN_auth.n_z.>", "INFO.NN_auth.n_z", "DELETE.NN_auth.n_z"];
        broker.configure(&config(&own.map(|what| format!(r#""$JS.API.CONSUMER.{what}""#)).join(", ")));
        broker.start_again();
        assert_eq!(timeout(Duration::from_secs(10), lost.next()).await.expect("it ends"), None);
        let mut state = transport.state();
        let again = state.wait_for(|state| *state == ConnectionState::Connected);
        timeout(Duration::from_secs(5), again).await.expect("in time").expect("it is told");
        transport.send(request("z", "z")).await.expect("it is handed over");
        let envelope = timeout(Duration::from_secs(5), kept.next()).await.expect("it arrives");
        assert_eq!(envelope, Some(request("z", "z")));
    });
}
