//! Stores whose tags are ahead of the clock, because that was ahead before.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use neuron_core::{
    Network,
    actor::{Host, HostBuilder, HostError},
    store::{FileStore, MemoryStore, Store},
    transport::Transport,
};
use tokio::time::timeout;
use transport_local::LocalTransport;

const HOUR: i64 = 3600;
const TEN_YEARS: i64 = 10 * 365 * 24 * HOUR;

/// z, on another host, hears x.
const NETWORK: &str = r#"
[network]
name = "clocks"

[neurons]
x = { threshold = 0.9, host = "pi1" }
z = { threshold = 0.9, weights = { x = 1 }, host = "pi2" }
"#;

fn network() -> Network {
    Network::from_toml(NETWORK).expect("it is right")
}

fn local() -> Arc<dyn Transport> {
    Arc::new(LocalTransport::new())
}

/// Returns the time of day, so many seconds ahead.
fn ahead_by(seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds >= 0 { SystemTime::now() + by } else { SystemTime::now() - by }
}

/// Returns the host of x, whose clock is so many seconds ahead.
fn x(transport: &Arc<dyn Transport>, store: &Arc<dyn Store>, ahead: i64) -> HostBuilder {
    let host = Host::builder(network(), transport.clone()).as_host("pi1").store(store.clone());
    host.time_of_day(move || ahead_by(ahead)).wait_for_clock(Duration::ZERO)
}

/// Lets x run for a moment with a clock that is so many seconds ahead.
async fn run_ahead(store: &Arc<dyn Store>, ahead: i64) {
    let host = x(&local(), store, ahead).forget_future().start().await.expect("it starts");
    host.controller().stimulate("x", 1.0).await.expect("it is stimulated");
    host.stop().await;
}

/// A folder that is removed when the test is over.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(FileStore::open(&self.0).expect("it is a folder"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_store_ten_years_ahead_is_told_with_its_times_and_the_cure() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    run_ahead(&store, TEN_YEARS).await;
    let error = x(&local(), &store, 0).start().await.expect_err("it is far ahead");
    let HostError::AheadOfClock { neuron, saved, clock } = &error else { panic!("{error}") };
    assert_eq!(neuron.as_str(), "x");
    let ahead = saved.since(*clock).as_secs();
    assert!(ahead.abs_diff(TEN_YEARS as u64) < 200, "{ahead} s");
    let told = error.to_string();
    assert!(told.starts_with(&format!("x has spoken of times up to {} (UTC)", saved.to_utc())), "{told}");
    assert!(
        told.contains(&format!("the clock shows {}", clock.to_utc())) && told.contains("`forget_future`"),
        "{told}"
    );
}

/// The peer that has heard x before is not on its old promise: it hears the next incarnation.
#[tokio::test]
async fn a_neuron_that_forgets_the_future_is_believed_by_its_peers() {
    let folder = Folder::new("forgets_the_future");
    let transport = local();
    let pi2 = async { Host::builder(network(), transport.clone()).as_host("pi2").start().await };
    let first = { folder.store() };
    let pi1 = x(&transport, &first, 0).start();
    let (pi1, pi2) = tokio::join!(pi1, pi2);
    let (pi1, pi2) = (pi1.expect("it starts"), pi2.expect("it starts"));
    let wave = pi1.controller().present(&[("x", 1.0)]).await.expect("it enters");
    assert_eq!(pi2.controller().output_at("z", wave.tag).await.expect("it answers").level, 1.0);
    pi1.stop().await;
    drop(first);
    // Its clock is ten years ahead for a while; its peer does not believe it.
    let store = folder.store();
    let pi1 = x(&transport, &store, TEN_YEARS).start().await.expect("it starts");
    pi1.controller().stimulate("x", 1.0).await.expect("it is stimulated");
    pi1.stop().await;
    drop(store);
    let store = folder.store();
    let error = x(&transport, &store, 0).start().await.expect_err("it is far ahead");
    assert!(matches!(error, HostError::AheadOfClock { .. }), "{error}");
    let pi1 = x(&transport, &store, 0).forget_future().start().await.expect("it has forgotten that");
    for level in [1.0, 0.0, 1.0] {
        let wave = pi1.controller().present(&[("x", level)]).await.expect("it enters");
        assert!(wave.ahead < Duration::from_secs(60), "{:?}", wave.ahead);
        let answer = pi2.controller().output_at("z", wave.tag).await.expect("it answers");
        assert_eq!((answer.level, answer.missing.is_empty()), (level, true));
    }
    pi1.stop().await;
    drop(store);
    // It is forgotten for good.
    let store = folder.store();
    let pi1 = x(&transport, &store, 0).start().await.expect("it starts without more");
    tokio::join!(pi1.stop(), pi2.stop());
}

/// Local time that is taken for UTC until the time comes from the network, at each boot.
#[tokio::test]
async fn a_clock_one_to_twelve_hours_ahead_at_each_boot_has_a_cure() {
    for hours in 1..=12 {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        for _ in 0..2 {
            run_ahead(&store, hours * HOUR).await;
            let transport = local();
            let host = match x(&transport, &store, 0).start().await {
                Ok(host) => host,
                Err(error @ HostError::AheadOfClock { .. }) if hours >= 3 => {
                    assert!(error.to_string().contains("local time was taken for UTC"), "{error}");
                    x(&transport, &store, 0).forget_future().start().await.expect("it has forgotten that")
                }
                Err(error) => panic!("{hours} h: {error}"),
            };
            let wave = host.controller().stimulate("x", 1.0).await.expect("it is stimulated");
            let ahead = wave.tag.time().since(host.controller().now().time());
            let most = if hours >= 3 { 60 } else { hours as u64 * 3600 + 200 };
            assert!(ahead <= Duration::from_secs(most), "{hours} h: {ahead:?}");
            host.stop().await;
        }
    }
}

#[tokio::test]
async fn a_start_waits_for_a_clock_that_is_set_soon() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    run_ahead(&store, 0).await;
    // The machine has no clock of its own, and begins a day in the past.
    let ahead = Arc::new(AtomicI64::new(-24 * HOUR));
    let read = ahead.clone();
    let host = x(&local(), &store, 0).time_of_day(move || ahead_by(read.load(Ordering::Relaxed)));
    let begin = Instant::now();
    let starting = tokio::spawn(host.wait_for_clock(Duration::from_secs(60)).start());
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!starting.is_finished());
    ahead.store(0, Ordering::Relaxed);
    let host = starting.await.expect("it ends").expect("the clock is right");
    assert!(begin.elapsed() < Duration::from_secs(20));
    let stamp = host.controller().stimulate("x", 1.0).await.expect("it is stimulated");
    assert!(host.controller().now().time().since(stamp.tag.time()) < Duration::from_secs(60));
    host.stop().await;
}

#[tokio::test]
async fn nothing_is_forgotten_that_peers_believe() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    run_ahead(&store, 2 * HOUR).await;
    let host = x(&local(), &store, 0).forget_future().start().await.expect("it starts");
    let stamp = host.controller().stimulate("x", 1.0).await.expect("it is stimulated");
    let ahead = stamp.tag.time().since(host.controller().now().time());
    assert!(ahead > Duration::from_secs(2 * 3600 - 60), "{ahead:?}");
    host.stop().await;
}

/// Deleting its file is no cure: its peers know what it was.
#[tokio::test]
async fn a_neuron_whose_file_is_deleted_is_fenced() {
    let folder = Folder::new("deleted_file");
    let transport = local();
    let store = folder.store();
    let pi1 = Host::builder(network(), transport.clone()).as_host("pi1").start();
    let z = || Host::builder(network(), transport.clone()).as_host("pi2").store(store.clone()).start();
    let (pi1, pi2) = tokio::join!(pi1, z());
    let (pi1, pi2) = (pi1.expect("it starts"), pi2.expect("it starts"));
    pi1.controller().present(&[("x", 1.0)]).await.expect("it enters");
    pi2.stop().await;
    store.remove(&"z".parse().expect("a name")).expect("it is there");
    let refused = async {
        let pi2 = match z().await {
            Ok(host) => host,
            Err(error) => return error.to_string(),
        };
        loop {
            if let Err(error) = pi2.controller().stimulate("z", 1.0).await {
                return error.to_string();
            }
        }
    };
    let error = timeout(Duration::from_secs(20), refused).await.expect("it is fenced");
    assert!(error.contains("another incarnation"), "{error}");
    pi1.stop().await;
}
