//! Hosts that go on with what they have while the broker is away.

use std::time::{Duration, Instant};

use neuron_core::{
    Missing, Network,
    actor::{Controller, Host, Watch},
};
use tokio::time::timeout;
use transport_broker::ConnectionState;

use super::{BACK, NOTICED, Remote, becomes, connect, connect_local_first, is_lost};

/// How long a call takes at most that needs no broker. Milliseconds would do on an idle machine.
const PROMPT: Duration = Duration::from_secs(1);

/// A switch and a lamp on one host, and a neuron on another one.
fn porch() -> Network {
    let network = Network::builder("recovery").coincidence(Duration::ZERO);
    let network = network
        .neuron("lamp", |lamp| lamp.threshold(0.5).sensor("switch", 1.0).host("here"))
        .neuron("elsewhere", |elsewhere| elsewhere.threshold(0.5).weight("lamp", 1.0).host("there"));
    network.build().expect("it is right")
}

/// Switches the lamp on and off, and checks that it follows, and that its watch tells each change.
async fn switch(controller: &Controller, watch: &mut Watch) {
    for level in [1.0, 0.0] {
        let begin = Instant::now();
        controller.feed("switch", level).await.expect("the reading is taken");
        let lamp = controller.output("lamp").await.expect("the lamp answers");
        assert_eq!((lamp.level, lamp.missing), (level, Missing::NONE));
        let change = timeout(PROMPT, watch.next()).await.expect("the watch tells").expect("the host runs");
        assert_eq!((change.level, change.missing, change.missed), (level, Missing::NONE, 0));
        assert!(begin.elapsed() < PROMPT, "it took {:?}", begin.elapsed());
    }
}

/// The broker of a host is killed. Sensor, neuron, watch and controller of that host go on. When
/// the broker is back, so is the neuron on the other host.
pub async fn a_host_goes_on_with_its_own_neurons_while_the_broker_is_away<R: Remote>() {
    let Some(mut broker) = R::broker() else { return };
    let (remote, other): (R, R) = (connect_local_first(broker.port()).await, connect(broker.port()).await);
    let starting = Host::builder(porch(), remote.transport()).as_host("here").start();
    let there = Host::builder(porch(), other.transport()).as_host("there").start();
    let (host, there) = tokio::join!(starting, there);
    let (host, there) = (host.expect("the host starts"), there.expect("the other host starts"));
    let controller = host.controller();
    let mut watch = controller.watch("lamp").await.expect("it can be watched");
    assert_eq!(watch.next().await.map(|change| change.level), Some(0.0));
    let mut state = remote.state();
    switch(controller, &mut watch).await;
    broker.kill();
    becomes(&mut state, is_lost, NOTICED).await;
    let end = Instant::now() + Duration::from_secs(3);
    while Instant::now() < end {
        switch(controller, &mut watch).await;
    }
    broker.start_again();
    becomes(&mut state, |state| *state == ConnectionState::Connected, BACK).await;
    controller.feed("switch", 1.0).await.expect("the reading is taken");
    let follows = async {
        loop {
            let wave = controller.now();
            if let Ok(sample) = controller.output_at("elsewhere", wave).await
                && sample.fires()
                && !sample.is_degraded()
            {
                break;
            }
        }
    };
    timeout(NOTICED, follows).await.expect("the other host is heard again");
    drop(watch);
    host.stop().await;
    there.stop().await;
}

/// A host starts while there is no broker, says so, and works. When the broker comes, others reach
/// the host.
pub async fn a_host_that_starts_before_its_broker_joins_when_that_comes<R: Remote>() {
    let Some(mut broker) = R::broker() else { return };
    broker.kill();
    let remote: R = connect_local_first(broker.port()).await;
    let mut state = remote.state();
    becomes(&mut state, is_lost, NOTICED).await;
    let host = Host::builder(porch(), remote.transport()).as_host("here").start().await.expect("the host starts");
    let mut watch = host.controller().watch("lamp").await.expect("it can be watched");
    assert_eq!(watch.next().await.map(|change| change.level), Some(0.0));
    switch(host.controller(), &mut watch).await;
    broker.start_again();
    becomes(&mut state, |state| *state == ConnectionState::Connected, NOTICED).await;
    let other: R = connect(broker.port()).await;
    let there = Host::builder(porch(), other.transport()).as_host("there").start().await.expect("it starts");
    let wave = there.controller().feed("switch", 1.0).await.expect("the lamp takes the reading");
    let sample = there.controller().output_at("elsewhere", wave.tag).await.expect("it answers");
    assert_eq!((sample.level, sample.missing), (1.0, Missing::NONE));
    assert_eq!(watch.next().await.map(|change| change.level), Some(1.0));
    drop(watch);
    host.stop().await;
    there.stop().await;
}
