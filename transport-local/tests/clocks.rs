//! Clocks that are set while a host runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use neuron_core::{
    Network,
    actor::{Controller, Host},
    transport::Transport,
};
use tokio::time::timeout;
use transport_local::LocalTransport;

const HOUR: i64 = 3600;

/// How long it may take until all is plain again, once the host has noticed its clock: a patience,
/// and as much again for a busy machine. Without a call at once it takes up to five seconds.
const SOON: Duration = Duration::from_millis(500);

/// b hears a of the other host, and is heard there by c; t hears s of the other host.
const NETWORK: &str = r#"
[network]
name = "clocks"
hold = "10m"

[neurons]
a = { threshold = 0.9, host = "pi1" }
b = { threshold = 0.9, weights = { a = 1 }, host = "pi2" }
c = { threshold = 0.9, weights = { b = 1 }, host = "pi1" }
s = { threshold = 0.9, host = "pi2" }
t = { threshold = 0.9, weights = { s = 1 }, host = "pi1" }
"#;

/// A clock whose error is set by hand.
#[derive(Clone, Debug, Default)]
struct HandClock(Arc<AtomicI64>);

impl HandClock {
    fn behind(seconds: i64) -> Self {
        let clock = Self::default();
        clock.set(-seconds);
        clock
    }

    fn ahead(seconds: i64) -> Self {
        Self::behind(-seconds)
    }

    /// Sets by how many seconds it is ahead.
    fn set(&self, ahead: i64) {
        self.0.store(ahead, Ordering::Relaxed);
    }

    fn read(&self) -> SystemTime {
        let ahead = self.0.load(Ordering::Relaxed);
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead >= 0 { SystemTime::now() + by } else { SystemTime::now() - by }
    }
}

fn network() -> Network {
    Network::from_toml(NETWORK).expect("it is right")
}

/// Starts both hosts; the clock of pi1 is given.
async fn start(clock: &HandClock) -> (Host, Host) {
    let transport: Arc<dyn Transport> = Arc::new(LocalTransport::new());
    let clock = clock.clone();
    let pi1 = Host::builder(network(), transport.clone()).as_host("pi1").time_of_day(move || clock.read()).start();
    let pi2 = Host::builder(network(), transport).as_host("pi2").start();
    let (pi1, pi2) = tokio::join!(pi1, pi2);
    (pi1.expect("it starts"), pi2.expect("it starts"))
}

/// Waits until a host has noticed that its clock was set.
async fn noticed(host: &Host, forward: u64, back: u64) {
    let notice = async {
        while (host.counters().clock_forward, host.counters().clock_back) != (forward, back) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(5), notice).await.expect("it looks at its clock once a second");
}

/// Waits until a neuron says plainly that it is on, or off.
async fn says(controller: &Controller, neuron: &str, level: f64) {
    let asking = async {
        loop {
            let sample = controller.output(neuron).await.expect("it answers");
            if sample.missing.is_empty() && sample.level == level {
                return;
            }
        }
    };
    let said = timeout(Duration::from_secs(10), asking).await;
    said.unwrap_or_else(|_| panic!("{neuron} does not say {level}, plainly"));
}

/// Waits until a neuron cannot say plainly what it is.
async fn lacks(controller: &Controller, neuron: &str) {
    let asking = async { while controller.output(neuron).await.expect("it answers").missing.is_empty() {} };
    timeout(Duration::from_secs(10), asking).await.unwrap_or_else(|_| panic!("{neuron} lacks nothing"));
}

/// Lets pi1 start with this clock, sets it by `seconds` once its neighbours have given it up, and
/// checks that all is plain then.
async fn is_plain_after_a_step(clock: HandClock, ahead: i64) {
    let (pi1, pi2) = start(&clock).await;
    let (one, two) = (pi1.controller(), pi2.controller());
    one.stimulate("a", 1.0).await.expect("it is stimulated");
    two.stimulate("s", 1.0).await.expect("it is stimulated");
    lacks(two, "b").await;
    lacks(one, "t").await;
    // By now the attempts are seconds apart.
    tokio::time::sleep(Duration::from_secs(3)).await;
    clock.set(ahead);
    noticed(&pi1, 1, 0).await;
    let begin = Instant::now();
    says(two, "b", 0.0).await;
    says(one, "t", 1.0).await;
    says(one, "c", 0.0).await;
    let took = begin.elapsed();
    println!("all is plain {took:?} after the step");
    assert!(took < SOON, "all is plain after {took:?}");
    let wave = one.present(&[("a", 1.0), ("s", 0.0)]).await.expect("the clocks agree");
    assert!(wave.ahead < Duration::from_secs(60), "{:?}", wave.ahead);
    assert_eq!(one.output_at("c", wave.tag).await.expect("it answers").level, 1.0);
    assert_eq!(two.output_at("t", wave.tag).await.expect("it answers").level, 0.0);
    assert_eq!((pi1.counters().clock_forward, pi1.counters().clock_back), (1, 0));
    assert_eq!((pi2.counters().clock_forward, pi2.counters().clock_back), (0, 0));
    tokio::join!(pi1.stop(), pi2.stop());
}

#[tokio::test]
async fn a_clock_eight_hours_behind_that_is_set_right_is_followed() {
    is_plain_after_a_step(HandClock::behind(8 * HOUR), 0).await;
}

#[tokio::test]
async fn a_machine_without_a_clock_begins_in_1970() {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later").as_secs();
    is_plain_after_a_step(HandClock::behind(seconds as i64 - 100), 0).await;
}

/// While a machine sleeps its monotonic clock stands still: for a host, the time of day leaps.
#[tokio::test]
async fn a_machine_that_has_slept_for_three_hours_is_followed() {
    let clock = HandClock::behind(3 * HOUR + 60);
    is_plain_after_a_step(clock, 0).await;
}

#[tokio::test]
async fn a_host_alone_goes_on_when_its_clock_is_set_right() {
    let clock = HandClock::behind(8 * HOUR);
    let read = clock.clone();
    let transport: Arc<dyn Transport> = Arc::new(LocalTransport::new());
    let host = Host::builder(network(), transport).time_of_day(move || read.read()).start().await.expect("it starts");
    let controller = host.controller();
    let mut changes = controller.watch("c").await.expect("it is watched");
    controller.stimulate("s", 1.0).await.expect("it is stimulated");
    says(controller, "t", 1.0).await;
    clock.set(0);
    noticed(&host, 1, 0).await;
    let begin = Instant::now();
    // The stimulus has a tag eight hours ago, and was over ten minutes later.
    says(controller, "t", 0.0).await;
    let took = begin.elapsed();
    println!("all is plain {took:?} after the step");
    assert!(took < SOON, "all is plain after {took:?}");
    let wave = controller.present(&[("a", 1.0)]).await.expect("it enters");
    assert_eq!(controller.output_at("c", wave.tag).await.expect("it answers").level, 1.0);
    for level in [0.0, 1.0] {
        let change = timeout(Duration::from_secs(5), changes.next()).await.expect("it is told");
        let change = change.expect("the watch goes on");
        assert_eq!((change.level, change.missed), (level, 0));
    }
    let counters = controller.counters("t").await.expect("it answers");
    assert_eq!((counters.degraded, counters.silences, counters.extended), (0, 0, 0));
    host.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_is_not_followed_but_counted() {
    let clock = HandClock::default();
    let (pi1, pi2) = start(&clock).await;
    clock.set(-HOUR);
    noticed(&pi1, 0, 1).await;
    let before = pi1.controller().now();
    let wave = pi1.controller().present(&[("a", 1.0), ("s", 1.0)]).await.expect("it enters");
    assert!(wave.tag >= before && wave.ahead < Duration::from_secs(60), "{:?}", wave.ahead);
    says(pi2.controller(), "b", 1.0).await;
    // It has come up with the host, which has nothing to follow.
    clock.set(0);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    clock.set(2 * HOUR);
    noticed(&pi1, 1, 1).await;
    tokio::join!(pi1.stop(), pi2.stop());
}

/// A call that is under way is not given up because the clock is set.
#[tokio::test]
async fn a_call_waits_as_long_as_it_says_when_the_clock_is_set_meanwhile() {
    let clock = HandClock::behind(8 * HOUR);
    let read = clock.clone();
    let transport: Arc<dyn Transport> = Arc::new(LocalTransport::new());
    let host = Host::builder(network(), transport).only(["a"]).time_of_day(move || read.read()).start().await;
    let host = host.expect("it starts");
    let controller = host.controller();
    let soon = neuron_core::Tag::at(controller.now().time().after(Duration::from_secs(3)));
    let asked = tokio::spawn({
        let controller = controller.clone();
        async move { controller.output_at("a", soon).await }
    });
    clock.set(0);
    noticed(&host, 1, 0).await;
    let answer = timeout(Duration::from_secs(2), asked).await.expect("the tag has come").expect("it ends");
    assert_eq!(answer.expect("it is answered").level, 0.0);
    host.stop().await;
}

#[tokio::test]
async fn clocks_that_are_apart_are_named_with_what_they_show() {
    let clock = HandClock::behind(8 * HOUR);
    let (pi1, pi2) = start(&clock).await;
    let error = pi2.controller().present(&[("a", 1.0), ("s", 1.0)]).await.expect_err("they are apart").to_string();
    assert!(error.starts_with("a and s find no common tag: the clock of s shows 2"), "{error}");
    assert!(error.contains("(UTC), that of a 2"), "{error}");
    clock.set(0);
    noticed(&pi1, 1, 0).await;
    pi2.controller().present(&[("a", 1.0), ("s", 1.0)]).await.expect("they agree");
    tokio::join!(pi1.stop(), pi2.stop());
    let (pi1, pi2) = start(&HandClock::ahead(8 * HOUR)).await;
    let error = pi2.controller().present(&[("a", 1.0), ("s", 1.0)]).await.expect_err("they are apart").to_string();
    assert!(error.starts_with("s and a find no common tag: the clock of a shows 2"), "{error}");
    tokio::join!(pi1.stop(), pi2.stop());
}
