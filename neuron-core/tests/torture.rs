//! Random networks under every fault at once: no plain answer is ever wrong.
//!
//! The suite always uses the same seeds. `SEEDS=100000 FROM=7 cargo test --release -p neuron-core
//! --features sim --test torture` runs more of them, or others. The example `torture` shrinks a
//! failure.

use std::sync::atomic::{AtomicU64, Ordering};

use neuron_core::sim::{FaultProfile, Outcome, Plan, Totals};

/// Returns the number in an environment variable; `default` if it is not set.
fn env_number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number is wanted"))
}

/// Runs many seeds on all processors. A failure names its seed.
fn run(seeds: u64, profile: FaultProfile, check: impl Fn(&Outcome) -> Result<(), String> + Sync) -> Totals {
    let first = env_number("FROM", 0);
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let work = || {
            let mut totals = Totals::default();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= seeds {
                    return totals;
                }
                let seed = first + number;
                let outcome = Plan::random(seed, profile).run();
                if let Some(failure) = outcome.failures.first() {
                    panic!(
                        "seed {seed}: {failure}; see `cargo run --features sim --example torture -- --from {seed} --seeds 1`"
                    );
                }
                if let Err(what) = check(&outcome) {
                    panic!("seed {seed}: {what}");
                }
                totals.add(&outcome.totals);
            }
        };
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut totals = Totals::default();
        for thread in running {
            match thread.join() {
                Ok(mine) => totals.add(&mine),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        totals
    })
}

#[test]
fn no_plain_answer_is_wrong_whatever_goes_wrong() {
    let totals = run(env_number("SEEDS", 2_000), FaultProfile::ALL, |_| Ok(()));
    assert_eq!(totals.wrong, 0);
    assert_eq!(totals.unexplained, 0);
    // The faults occurred, and so did their effects.
    for (what, count) in [
        ("evaluations", totals.evaluations),
        ("degraded answers", totals.degraded),
        ("lost messages", totals.lost),
        ("silent inputs", totals.silences),
        ("statements sent again", totals.resent),
        ("subscribers given up", totals.given_up),
        ("runs that settled", totals.settled),
        ("stores lost and noticed", totals.noticed_stores),
        ("changes told by watches", totals.watched),
        ("changes missed by watches", totals.watched_missed),
        ("hosts lost", totals.hosts_lost),
        ("hosts back", totals.hosts_back),
        ("clocks set forward", totals.clock_steps),
    ] {
        assert!(count > 0, "there were no {what}");
    }
}

#[test]
fn delays_shorter_than_the_patience_degrade_nothing() {
    let totals = run(env_number("SEEDS", 1_000), FaultProfile::DELAY, |outcome| match outcome.totals.degraded {
        0 => Ok(()),
        degraded => Err(format!("{degraded} degraded answers")),
    });
    assert_eq!((totals.degraded, totals.silences, totals.unexplained), (0, 0, 0));
    // A report that was overtaken is counted as missed.
    assert_eq!((totals.watched_degraded, totals.hosts_lost), (0, 0));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    run(100, FaultProfile::ALL, |outcome| {
        let again = Plan::random(outcome.seed, FaultProfile::ALL).run();
        if again.trace == outcome.trace { Ok(()) } else { Err("another trace the second time".to_owned()) }
    });
}

#[test]
fn another_seed_gives_another_trace() {
    let traces: std::collections::BTreeSet<u64> =
        (0..100).map(|seed| Plan::random(seed, FaultProfile::ALL).run().trace).collect();
    assert_eq!(traces.len(), 100);
}
