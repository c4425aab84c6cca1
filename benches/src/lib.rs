//! What the benchmarks have in common; see the README beside this file.

pub mod cores;
pub mod report;
