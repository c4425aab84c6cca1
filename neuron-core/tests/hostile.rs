//! Random networks with a machine that lies in its own name: it harms no other.
//!
//! The suite always uses the same seeds. `SEEDS=100000 FROM=7 cargo test --release -p neuron-core
//! --features sim --test hostile` runs more of them, or others. `cargo run --release --features sim
//! --example torture -- --hostile` shrinks a failure.

use neuron_core::sim::{Failure, Plan, Totals, Weakness};

/// Returns the number in an environment variable; `default` if it is not set.
fn env_number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number is wanted"))
}

#[test]
fn a_hostile_machine_harms_no_other() {
    let first = env_number("FROM", 0);
    let mut totals = Totals::default();
    for seed in first..first + env_number("SEEDS", 400) {
        let outcome = Plan::random_hostile(seed).run();
        assert_eq!(
            outcome.failures,
            [],
            "seed {seed}; see `cargo run --features sim --example torture -- --hostile --from {seed} --seeds 1`"
        );
        totals.add(&outcome.totals);
    }
    assert_eq!(totals.wrong, 0);
    for (what, count) in [
        ("lies", totals.lies),
        ("refused lies", totals.lies_refused),
        ("reports that were not believed", totals.forged),
        ("neurons fenced by a neighbour", totals.fenced_by_lies),
        ("evaluations", totals.evaluations),
    ] {
        assert!(count > 0, "there were no {what}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..20 {
        let trace = || Plan::random_hostile(seed).run().trace;
        assert_eq!(trace(), trace(), "seed {seed}");
    }
}

/// Returns whether some run that leaves out a rule fails as `expected`.
fn is_found(weakness: Weakness, expected: impl Fn(&Failure) -> bool) -> bool {
    (0..200).any(|seed| {
        let mut plan = Plan::random_hostile(seed);
        plan.hostile.as_mut().expect("it is hostile").weakness = Some(weakness);
        plan.run().failures.iter().any(&expected)
    })
}

#[test]
fn a_controller_that_takes_replies_from_anyone_is_found() {
    assert!(is_found(Weakness::AnyReply, |failure| matches!(failure, Failure::Wrong(_))));
}

#[test]
fn a_broker_that_does_not_check_who_sends_is_found() {
    assert!(is_found(Weakness::AnySender, |failure| matches!(failure, Failure::Wrong(_))));
}

#[test]
fn a_host_that_lets_anyone_listen_is_found() {
    assert!(is_found(Weakness::AnyListener, |failure| matches!(failure, Failure::Overheard { .. })));
    let is_grown = |failure: &Failure| matches!(failure, Failure::Oversized { what: "subscribers", .. });
    assert!(is_found(Weakness::AnyListener, is_grown));
}

#[test]
fn a_host_that_counts_nothing_is_found() {
    assert!(is_found(Weakness::Uncounted, |failure| matches!(failure, Failure::Uncounted { .. })));
}

#[test]
fn a_failure_shrinks() {
    let mut plan = Plan::random_hostile(1);
    plan.hostile.as_mut().expect("it is hostile").weakness = Some(Weakness::Uncounted);
    let fails = |plan: &Plan| plan.run().failures.iter().any(|failure| matches!(failure, Failure::Uncounted { .. }));
    let small = plan.shrink(fails);
    assert!(fails(&small));
    assert!(small.network.len() <= 3, "{small}");
}
