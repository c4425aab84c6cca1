//! Watching all neurons of a network: what it costs, and how it ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use neuron_core::{
    Network,
    actor::{Host, WatchAll, WatchEvent},
    hosts::Claim,
    transport::{
        Address, BrokerRefusal, ClaimInbox, Envelope, Guarantees, Inbox, Sending, Transport, TransportError,
        async_trait,
    },
    wire,
};
use tokio::time::timeout;
use transport_local::LocalTransport;

const SOON: Duration = Duration::from_secs(10);

/// Counts what is sent between controllers and neurons, and its bytes on a wire.
#[derive(Debug, Default)]
struct Counting {
    inner: LocalTransport,
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Counting {
    fn take(&self) -> (u64, u64) {
        (self.messages.swap(0, Ordering::SeqCst), self.bytes.swap(0, Ordering::SeqCst))
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for Counting {
    fn send(&self, envelope: Envelope) -> Sending {
        let frame = match &envelope {
            Envelope::Request { request, .. } => Some(wire::encode_request(request).unwrap()),
            Envelope::Report { report, .. } => Some(wire::encode_report(report).unwrap()),
            _ => None,
        };
        if let Some(frame) = frame {
            self.messages.fetch_add(1, Ordering::SeqCst);
            self.bytes.fetch_add(frame.len() as u64, Ordering::SeqCst);
        }
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        self.inner.subscribe(at).await
    }

    fn send_claim(&self, claim: Claim) -> Sending {
        self.inner.send_claim(claim)
    }

    async fn subscribe_claims(&self) -> Result<ClaimInbox, TransportError> {
        self.inner.subscribe_claims().await
    }

    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }

    fn last_refusal(&self, to: &Address) -> Option<BrokerRefusal> {
        self.inner.last_refusal(to)
    }

    fn attach_to_current_thread(&self) {
        self.inner.attach_to_current_thread();
    }

    async fn detach_from_current_thread(&self) {
        self.inner.detach_from_current_thread().await;
    }
}

fn lamps(count: usize) -> Network {
    let mut network = Network::builder("lamps");
    for number in 0..count {
        network = network.neuron(&format!("lamp-{number}"), |lamp| lamp.hold(Duration::from_secs(60)));
    }
    network.build().unwrap()
}

async fn next(watch: &mut WatchAll) -> (String, f64, u64) {
    match timeout(SOON, watch.next()).await.expect("in time").expect("the host runs") {
        WatchEvent::Changed { neuron, change } => (neuron.to_string(), change.level, change.missed),
        WatchEvent::Removed { neuron } => panic!("{neuron} was not removed"),
    }
}

#[tokio::test]
async fn at_rest_a_host_is_asked_twice_a_second_whatever_the_number_of_its_neurons() {
    const HALF_SECONDS: u64 = 6;
    let mut costs = Vec::new();
    for count in [1, 100] {
        let transport = Arc::new(Counting::default());
        let host = Host::start(lamps(count), transport.clone()).await.unwrap();
        let no_neurons: [&str; 0] = [];
        let watcher = Host::builder(lamps(count), transport.clone()).only(no_neurons).start().await.unwrap();
        let mut watch = watcher.controller().watch_all().await.unwrap();
        for _ in 0..count {
            assert_eq!(next(&mut watch).await.1, 0.0);
        }
        // The first answers settle.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        transport.take();
        tokio::time::sleep(Duration::from_millis(500) * HALF_SECONDS as u32).await;
        let (messages, bytes) = transport.take();
        println!("{count} neurons: {messages} messages and {bytes} bytes in {} s", HALF_SECONDS / 2);
        assert!(messages.abs_diff(2 * HALF_SECONDS) <= 2, "{messages} messages for {count} neurons");
        costs.push(bytes / messages);
        assert_eq!(watch.try_next(), None);

        // A change costs one report, and nothing once the watch has been dropped.
        watcher.controller().stimulate("lamp-0", 1.0).await.unwrap();
        assert_eq!(next(&mut watch).await, ("lamp-0".into(), 1.0, 0));
        drop(watch);
        tokio::time::sleep(Duration::from_millis(100)).await;
        transport.take();
        host.controller().stimulate("lamp-0", 0.0).await.unwrap();
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(transport.take().0, 2, "the stimulus and its answer");
        host.stop().await;
        watcher.stop().await;
    }
    assert_eq!(costs[0], costs[1], "the messages are as long for any number of neurons");
}

#[tokio::test]
async fn a_watch_of_all_neurons_that_is_not_read_keeps_the_last_level_of_each_and_counts_the_others() {
    const CHANGES: u64 = 10_000;
    let host = Host::start(lamps(3), Arc::new(LocalTransport::new())).await.unwrap();
    let controller = host.controller().clone();
    let mut watch = controller.watch_all().await.unwrap();
    for _ in 0..3 {
        next(&mut watch).await;
    }
    controller.stimulate("lamp-1", 1.0).await.unwrap();
    let levels: Vec<f64> = (1..=1000).map(|number| f64::from(number % 2)).collect();
    for _ in 0..CHANGES / 1000 {
        controller.stimulate_train("lamp-0", &levels).await.unwrap();
    }
    // Everything has been reported before this is.
    controller.stimulate("lamp-0", 1.0).await.unwrap();
    controller.stimulate("lamp-2", 1.0).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut counted = [0; 3];
    let mut last = [0.0; 3];
    loop {
        let (name, level, missed) = next(&mut watch).await;
        let index: usize = name.trim_start_matches("lamp-").parse().unwrap();
        counted[index] += missed + 1;
        last[index] = level;
        if last == [1.0; 3] && counted[0] > CHANGES {
            break;
        }
    }
    assert_eq!(counted, [CHANGES + 1, 1, 1]);
    host.stop().await;
    assert_eq!(watch.next().await, None, "a watch ends with its host");
    assert!(controller.watch_all().await.is_err());
}
