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

pub(super) use cell::{FencingCheck, Startup};
pub(super) use context::{HostContext, RunningSet};
pub(crate) use mailboxes::LocalMailboxes;
pub(super) use readiness::ReadinessBarrier;
pub(super) use scheduler::{NewCell, Scheduler, Spawn, Stop};
