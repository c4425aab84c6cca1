//! Connections with TLS.
#![cfg(feature = "tls")]

use std::{fs, process::Command, sync::Arc};

use neuron_core::{Network, NetworkId, actor::Host};
use transport_conformance::{Broker, run};
use transport_redis::{ConnectError, RedisTransport};

const XOR: &str = include_str!("../../examples/xor.toml");

#[test]
fn a_connection_can_be_encrypted() {
    run(|| async {
        let folder = std::env::temp_dir().join(format!("neuron-tls-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .expect("openssl is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // `Broker` chooses the plain port; this one is for TLS.
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let (shown_key, shown) = (key.display(), certificate.display());
        let config = format!(
            "tls-port {port}\ntls-cert-file {shown}\ntls-key-file {shown_key}\ntls-ca-cert-file {shown}\ntls-auth-clients no"
        );
        let Some(broker) = Broker::redis(&config) else { return };
        let network: NetworkId = "xor".parse().expect("a name");
        let address = format!("rediss://localhost:{port}");
        let stranger = RedisTransport::connect(&address, &network).await;
        let told = stranger.expect_err("the certificate is not trusted").to_string();
        assert!(!told.contains("redis://"), "it does speak TLS: {told}");
        let plain_port = format!("rediss://localhost:{}", broker.port());
        for (address, scheme) in
            [(plain_port, "the address begins with redis://"), (format!("redis://localhost:{port}"), "rediss://")]
        {
            let error = RedisTransport::connect(&address, &network).await.expect_err("one of them speaks no TLS");
            assert!(matches!(error, ConnectError::NotABroker { .. }), "{error:?}");
            assert!(error.to_string().contains(scheme), "{error}");
        }
        let address = format!("{address}?ca={shown}&local_first=false");
        let transport = RedisTransport::connect(&address, &network).await.expect("the certificate is trusted");
        let host = Host::start(Network::from_toml(XOR).expect("the file is right"), Arc::new(transport)).await;
        let host = host.expect("the host starts");
        let wave = host.controller().present(&[("x", 1.0)]).await.expect("the wave enters");
        let z = host.controller().output_at("z", wave.tag).await.expect("z answers");
        assert_eq!(z.level, 1.0);
        host.stop().await;
        // A folder that stays behind does no harm.
        let _ = fs::remove_dir_all(&folder);
    });
}
