//! Hosts that are lost, leave and come back, also while nothing happens in the network.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use neuron_core::{
    Missing, Network,
    actor::{Change, ControlError, Controller, Host, Watch},
    hosts::{Claim, HostInfo, HostState},
    store::MemoryStore,
    transport::{
        Address, BrokerRefusal, ClaimInbox, Delivery, Envelope, Guarantees, Inbox, Sending, Transport, TransportError,
        async_trait,
    },
};
use tokio::time::timeout;

use crate::harness::Harness;

/// How soon the loss of a host at rest is told: 4.5 s on an idle machine. A carrier that loses
/// messages takes up to twice as long.
const TOLD: Duration = Duration::from_secs(8);
/// How soon everything is plain again.
const BACK: Duration = Duration::from_secs(10);
/// How soon a host that leaves in order is known to have left.
const AT_ONCE: Duration = Duration::from_secs(2);

/// A transport with a cable that can be pulled out: nothing goes out or comes in then.
#[derive(Debug)]
pub(crate) struct Cable {
    inner: Arc<dyn Transport>,
    is_out: Arc<AtomicBool>,
}

impl Cable {
    pub(crate) fn new(inner: Arc<dyn Transport>) -> Arc<Self> {
        Arc::new(Self { inner, is_out: Arc::default() })
    }

    pub(crate) fn pull(&self, out: bool) {
        self.is_out.store(out, Ordering::SeqCst);
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Transport for Cable {
    fn send(&self, envelope: Envelope) -> Sending {
        if self.is_out.load(Ordering::SeqCst) {
            return Sending::done(Ok(()));
        }
        self.inner.send(envelope)
    }

    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
        let inbox = self.inner.subscribe(at).await?;
        let is_out = self.is_out.clone();
        Ok(Inbox::new(inbox.filter(move |_| std::future::ready(!is_out.load(Ordering::SeqCst)))))
    }

    fn send_claim(&self, claim: Claim) -> Sending {
        if self.is_out.load(Ordering::SeqCst) {
            return Sending::done(Ok(()));
        }
        self.inner.send_claim(claim)
    }

    async fn subscribe_claims(&self) -> Result<ClaimInbox, TransportError> {
        let claims = self.inner.subscribe_claims().await?;
        let is_out = self.is_out.clone();
        Ok(ClaimInbox::new(claims.filter(move |_| std::future::ready(!is_out.load(Ordering::SeqCst)))))
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { delivery: Delivery::AtMostOnce, ..self.inner.guarantees().without_local_bypass() }
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

/// A smoke alarm: at rest, a detector in the hall says nothing.
fn alarm() -> Network {
    let network = Network::builder("alarm")
        .neuron("smoke", |smoke| smoke.threshold(0.5).sensor("detector", 1.0).host("hall"))
        .neuron("alarm", |alarm| alarm.threshold(0.5).weight("smoke", 1.0).host("lounge"));
    network.build().expect("it is right")
}

async fn next(watch: &mut Watch, within: Duration) -> Change {
    timeout(within, watch.next()).await.expect("it tells in time").expect("the host of the controller runs")
}

async fn info(controller: &Controller, host: &str) -> HostInfo {
    let hosts = controller.hosts().await.expect("the controller's host runs").hosts;
    hosts.into_iter().find(|info| info.id.as_str() == host).expect("it is known")
}

/// The hall is cut off while its readings are 0. The alarm is degraded, and names the detector's
/// neuron, without being asked. When the hall is back, the alarm is plain.
pub async fn a_host_that_is_lost_at_rest_shows_at_all_that_listen_to_it<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let cable = Cable::new(harness.transport());
    let hall = Host::builder(alarm(), cable.clone()).as_host("hall").start();
    let lounge = Host::builder(alarm(), harness.transport()).as_host("lounge").start();
    let (hall, lounge) = tokio::join!(hall, lounge);
    let (hall, lounge) = (hall.expect("it starts"), lounge.expect("it starts"));
    let controller = lounge.controller();
    let mut watch = controller.watch("alarm").await.expect("it can be watched");
    assert_eq!(next(&mut watch, BACK).await.missing, Missing::NONE);
    // The hosts have told each other where their neurons run.
    let known = async {
        while info(controller, "hall").await.round_trip.is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(BACK, known).await.expect("the hosts know each other");
    let hall_info = info(controller, "hall").await;
    assert_eq!((hall_info.state, hall_info.neurons), (HostState::Up, vec!["smoke".parse().expect("a name")]));
    assert_eq!(info(controller, "lounge").await.neurons, ["alarm".parse().expect("a name")]);

    cable.pull(true);
    let begin = Instant::now();
    let told = if harness.loses() { TOLD * 2 } else { TOLD };
    let lost = next(&mut watch, told).await;
    println!("told {:.1} s after the cable was pulled", begin.elapsed().as_secs_f64());
    assert_eq!((lost.level, lost.missing.names()), (0.0, &["smoke".parse().expect("a name")][..]));
    assert!(controller.output("alarm").await.expect("it answers").is_degraded());
    assert!(matches!(info(controller, "hall").await.state, HostState::Lost { .. }));

    cable.pull(false);
    let back = next(&mut watch, BACK).await;
    assert_eq!((back.level, back.missing), (0.0, Missing::NONE));
    assert_eq!(info(controller, "hall").await.state, HostState::Up);
    drop(watch);
    hall.stop().await;
    lounge.stop().await;
}

/// The hall stops in order while its readings are 0. That shows at once, unless the carrier loses
/// the goodbye: then it shows as if the hall had been lost. And it is plain again soon after the
/// hall has started again.
pub async fn a_host_that_leaves_in_order_says_goodbye<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let store = Arc::new(MemoryStore::default());
    let start = || Host::builder(alarm(), harness.transport()).as_host("hall").store(store.clone()).start();
    let lounge = Host::builder(alarm(), harness.transport()).as_host("lounge").start();
    let (hall, lounge) = tokio::join!(start(), lounge);
    let (hall, lounge) = (hall.expect("it starts"), lounge.expect("it starts"));
    let controller = lounge.controller();
    let mut watch = controller.watch("alarm").await.expect("it can be watched");
    assert_eq!(next(&mut watch, BACK).await.missing, Missing::NONE);
    let known = async {
        while info(controller, "hall").await.round_trip.is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(BACK, known).await.expect("the hosts know each other");
    hall.stop().await;
    let gone = next(&mut watch, if harness.loses() { TOLD } else { AT_ONCE }).await;
    assert_eq!((gone.level, gone.missing.names()), (0.0, &["smoke".parse().expect("a name")][..]));
    let state = info(controller, "hall").await.state;
    let is_lost = harness.loses() && matches!(state, HostState::Lost { .. });
    assert!(is_lost || matches!(state, HostState::Left { .. }), "{state:?}");
    // A call to a neuron there does not wait for ten seconds, and says which host is away.
    let call = timeout(AT_ONCE, controller.present(&[("smoke", 1.0)])).await.expect("it fails at once");
    let error = call.expect_err("its host is away");
    assert!(matches!(&error, ControlError::HostAway { host, .. } if host.as_str() == "hall"), "{error}");
    let hall = start().await.expect("it starts again");
    let back = next(&mut watch, BACK).await;
    assert_eq!((back.level, back.missing), (0.0, Missing::NONE));
    drop(watch);
    hall.stop().await;
    lounge.stop().await;
}
