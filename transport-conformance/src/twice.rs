//! Hosts that want to run the same neurons.

use std::time::Duration;

use futures_util::{StreamExt as _, future::join_all};
use neuron_core::{
    Missing, Network, Time,
    actor::{Controller, Host, HostError},
    hosts::Claim,
    network::NeuronSpec,
};
use tokio::time::timeout;

use crate::harness::{Harness, id};

/// How soon something arrives that is repeated.
const SOON: Duration = Duration::from_secs(10);

/// How often something is sent again.
const PAUSE: Duration = Duration::from_millis(50);

fn xor() -> Network {
    Network::from_toml(include_str!("xor.toml")).expect("the file is right")
}

async fn works(controller: &Controller) {
    for (x, y) in [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)] {
        let wave = controller.present(&[("x", x), ("y", y)]).await.expect("the wave enters");
        let z = controller.output_at("z", wave.tag).await.expect("z answers");
        assert_eq!((z.level, z.missing), (if x == y { 0.0 } else { 1.0 }, Missing::NONE));
    }
}

/// Each inbox for claims gets each claim, also that of its own process.
pub async fn a_claim_reaches_every_host<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let subscribe = || async { transport.subscribe_claims().await.expect("claims can be heard") };
    let mut inboxes = [subscribe().await, subscribe().await];
    let claim = Claim {
        neuron: id("z"),
        host: "pi1".parse().expect("a name"),
        id: 7,
        since: Time::from_micros(8),
        is_established: true,
        answers: Some(9),
    };
    for inbox in &mut inboxes {
        let arriving = async {
            loop {
                // A carrier may lose it.
                let _ = transport.send_claim(claim.clone()).await;
                if let Ok(received) = timeout(PAUSE, inbox.next()).await {
                    return received;
                }
            }
        };
        assert_eq!(timeout(SOON, arriving).await.expect("it arrives"), Some(claim.clone()));
    }
}

/// A host does not start while another one runs one of its neurons; the error names the other host
/// and the neurons. The first one does not notice. Once it has stopped, another one starts.
pub async fn a_host_whose_neurons_run_already_is_refused<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    if harness.loses() {
        return;
    }
    let first = Host::builder(xor(), harness.transport()).name("first".parse().expect("a name")).start();
    let first = first.await.expect("it starts");
    for neurons in [&["x", "y", "h1", "h2", "h3", "z"][..], &["z"]] {
        let second = Host::builder(xor(), harness.transport()).only(neurons.iter().copied()).start().await;
        let Err(HostError::RunsElsewhere { host, neurons: named }) = second else {
            panic!("a host is refused whose neurons run already: {second:?}");
        };
        let named: Vec<&str> = named.iter().map(|neuron| neuron.as_str()).collect();
        let mut expected = neurons.to_vec();
        expected.sort_unstable();
        assert_eq!((host.as_str(), named), ("first", expected));
        works(first.controller()).await;
    }
    first.stop().await;
    let next = Host::start(xor(), harness.transport()).await.expect("the neurons are free");
    works(next.controller()).await;
    next.stop().await;
}

/// A neuron that is added does not join if another host runs one of its name, whether that was added
/// as well or not. The other one goes on.
pub async fn a_neuron_that_runs_already_is_not_added<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    if harness.loses() {
        return;
    }
    let start = |neurons: &[&'static str]| {
        let builder = Host::builder(xor(), harness.transport()).only(neurons.iter().copied());
        let builder = builder.name(format!("host-{}", neurons.len()).parse().expect("a name"));
        builder.start()
    };
    let (most, none) = (start(&["x", "y", "h1", "h2", "h3", "z"]).await, start(&[]).await);
    let (most, none) = (most.expect("it starts"), none.expect("it starts"));
    let spec = || NeuronSpec { threshold: Some(0.5), ..NeuronSpec::default() };
    most.add("extra", spec()).await.expect("it is new");
    let again = none.add("extra", spec()).await;
    assert!(
        matches!(&again, Err(HostError::RunsElsewhere { host, .. }) if host.as_str() == "host-6"),
        "it runs already: {again:?}"
    );
    none.add("other", spec()).await.expect("it is new");
    let again = most.add("other", spec()).await;
    assert!(matches!(&again, Err(HostError::RunsElsewhere { .. })), "it runs already: {again:?}");
    most.controller().stimulate("extra", 1.0).await.expect("it goes on");
    works(most.controller()).await;
    most.remove("extra").await.expect("it runs here");
    none.add("extra", spec()).await.expect("the name is free");
    for host in [most, none] {
        host.stop().await;
    }
}

/// Of hosts that start in the same moment one works wholly, and the others are refused.
pub async fn of_hosts_that_start_at_once_one_works_wholly<H: Harness>() {
    for _ in 0..4 {
        let Some(harness) = H::open().await else { return };
        if harness.loses() {
            return;
        }
        let starting = join_all((0..3).map(|_| Host::start(xor(), harness.transport()))).await;
        let mut started = Vec::new();
        for host in starting {
            match host {
                Ok(host) => started.push(host),
                Err(error) => assert!(matches!(error, HostError::RunsElsewhere { .. }), "{error}"),
            }
        }
        assert_eq!(started.len(), 1);
        for host in started {
            works(host.controller()).await;
            host.stop().await;
        }
    }
}
