//! One user at the broker for each device, with the permissions that it needs and no others.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use neuron_core::{
    HostId, Missing, Network,
    actor::{ControlError, Host, HostBuilder, WatchEvent},
    transport::Transport,
};
use tokio::time::timeout;

/// Runs XOR with a host and a connection for each neuron, as the user with the neuron's name, and
/// steers it as the user `boss`. `as_user` connects as a user.
///
/// # Panics
/// If a user is not permitted what it has to do, or if the controller of a neuron's host can steer.
pub async fn xor_runs_with_a_user_for_each_neuron<T: Transport, F: Future<Output = T>>(
    network: Network,
    as_user: impl Fn(String) -> F,
) {
    let mut hosts = Vec::new();
    for (neuron, _) in network.neurons() {
        let transport = Arc::new(as_user(neuron.to_string()).await);
        let name = neuron.as_str().parse().expect("a controller may have the name of a neuron");
        hosts.push(Host::builder(network.clone(), transport).only([neuron.as_str()]).controller(name));
    }
    let boss = as_user("boss".to_owned()).await;
    xor_runs(network, hosts, boss).await;
}

/// Runs XOR with a connection for each host of the network, as the user with the host's name, and
/// steers it as the user `boss`.
///
/// # Panics
/// As for [`xor_runs_with_a_user_for_each_neuron`].
pub async fn xor_runs_with_a_user_for_each_host<T: Transport, F: Future<Output = T>>(
    network: Network,
    as_user: impl Fn(String) -> F,
) {
    let names: BTreeSet<HostId> = network.neurons().filter_map(|(_, spec)| spec.host.clone()).collect();
    let mut hosts = Vec::new();
    for name in names {
        let transport = Arc::new(as_user(name.to_string()).await);
        let controller = name.as_str().parse().expect("a controller may have the name of a host");
        hosts.push(Host::builder(network.clone(), transport).as_host(name.as_str()).controller(controller));
    }
    let boss = as_user("boss".to_owned()).await;
    xor_runs(network, hosts, boss).await;
}

async fn xor_runs(network: Network, hosts: Vec<HostBuilder>, boss: impl Transport) {
    let starting = hosts.into_iter().map(HostBuilder::start);
    let hosts: Vec<Host> = try_join_all(starting).await.expect("each may do what it has to");
    let no_neurons: [&str; 0] = [];
    let neurons = network.neurons().count();
    let boss = Host::builder(network, Arc::new(boss)).only(no_neurons).controller("boss".parse().expect("a name"));
    let boss = boss.start().await.expect("it may do what it has to");
    for (x, y) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0)] {
        let wave = boss.controller().present(&[("x", x), ("y", y)]).await.expect("the wave enters");
        let z = boss.controller().output_at("z", wave.tag).await.expect("z answers");
        assert_eq!((z.level, z.missing), (if x == y { 0.0 } else { 1.0 }, Missing::NONE));
    }
    // The hosts answer in the names of their neurons, and each neuron reports in its own.
    let mut watch = boss.controller().watch_all().await.expect("its host runs");
    let mut told = BTreeSet::new();
    while told.len() < neurons {
        let event = timeout(Duration::from_secs(5), watch.next()).await.expect("in time").expect("its host runs");
        if let WatchEvent::Changed { neuron, change } = event
            && !change.missing.names().iter().any(|missing| missing.as_str() == neuron.as_str())
        {
            told.insert(neuron);
        }
    }
    drop(watch);
    let refused = timeout(Duration::from_secs(1), hosts[0].controller().set_threshold("z", 0.1)).await;
    let refused = matches!(&refused, Err(_) | Ok(Err(ControlError::NoAnswer { .. } | ControlError::Send { .. })));
    let threshold = boss.controller().config("z").await.expect("z answers").threshold;
    assert!(refused && threshold == Some(0.9), "the threshold of z is {threshold:?}");
    for host in hosts.into_iter().chain([boss]) {
        host.stop().await;
    }
}
