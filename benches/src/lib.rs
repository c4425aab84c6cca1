//! What the benchmarks have in common; see the README beside this file.

pub mod cores;
pub mod plan;
pub mod process;
pub mod report;
pub mod statistics;

/// Whether the bench is only asked whether it starts, as `cargo test --benches` does.
pub fn is_test() -> bool {
    has("--test")
}

/// Whether the bench may take longer than the quick form.
pub fn is_full() -> bool {
    has("--full")
}

fn has(wanted: &str) -> bool {
    std::env::args().any(|argument| argument == wanted)
}
