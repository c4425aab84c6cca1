//! What the examples share: the answer to `--help`, how an error is printed, and the transport at
//! an address.

#[cfg(not(all(feature = "redis", feature = "nats")))]
mod missing_feature;
mod transport;

use std::error::Error;

pub use transport::open;

/// Answers `--help` with the comment at the head of `source`, and refuses every other argument.
///
/// For examples without options: `examples::help(include_str!("hello_neuron.rs"))`.
pub fn help(source: &str) {
    let head = source.lines().map_while(|line| line.strip_prefix("//!"));
    let about: Vec<&str> = head.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    clap::Command::new("example").about(about.join("\n")).get_matches();
}

/// Prints an error and its causes, one a line.
pub fn print_error(error: &dyn Error) {
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
