//! The scheduler: one actor that runs all neurons of a host.

mod backlog;
mod cell;
mod context;
mod egress;
mod mailboxes;
mod readiness;
mod ready_set;
mod registry;
mod scheduler;

pub(super) use cell::{Neighbours, Starting};
pub(super) use context::{Register, Shared};
pub(crate) use mailboxes::Hand;
pub(super) use readiness::Launch;
pub(super) use scheduler::{Crew, Dismiss, Embody, Newcomer};
