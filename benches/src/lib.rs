//! What the benches share; the README of this package says what each measures.

pub mod cores;
pub mod plan;
pub mod process;
pub mod report;
pub mod statistics;

/// Returns whether the bench is only to start and end, which is what `--test` asks for.
pub fn is_test() -> bool {
    has("--test")
}

/// Returns whether the bench may take longer, for figures that are to be quoted.
pub fn is_full() -> bool {
    has("--full")
}

fn has(wanted: &str) -> bool {
    std::env::args().any(|argument| argument == wanted)
}

/// The examples in the crates' READMEs compile. They stand here because this package depends on all
/// crates.
#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../../neuron-core/README.md")]
    struct Core;
    #[doc = include_str!("../../transport-local/README.md")]
    struct Local;
    #[doc = include_str!("../../transport-broker/README.md")]
    struct Broker;
    #[doc = include_str!("../../transport-redis/README.md")]
    struct Redis;
    #[doc = include_str!("../../transport-nats/README.md")]
    struct Nats;
    #[doc = include_str!("../../transport-conformance/README.md")]
    struct Conformance;
}
