//! The meaning of a network: its levels as a function of the record of stamped events, computed in
//! one pass.
//!
//! This is what the documentation of [`Rule`], [`Event`] and [`Config`] promises, section by
//! section, written to be read and not to be fast. It shares with the neuron only value types, and
//! how a change is applied to a configuration. It judges the neuron: [`Verdict::of`] compares what
//! neurons have claimed, at each tag of each claim, with the levels of [`Oracle::run`].
//!
//! Why: docs/decisions/0040-what-is-due-at-one-tag-shares-it.md

mod cell;
mod run;
mod verdict;

#[cfg(doc)]
use crate::{
    neuron::{Config, Rule},
    record::Event,
};
pub use run::Oracle;
pub use verdict::{Mistake, Verdict};
