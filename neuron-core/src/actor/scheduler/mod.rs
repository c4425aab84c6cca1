//! The scheduler: runs all neurons of a host on one thread, as one actor.
//!
//! Start with [`Scheduler::step`](scheduler::Scheduler::step), then read [`cell`].
//!
//! Why: docs/decisions/0015-local-signals-bypass-the-transport.md

mod backlog;
mod cell;
mod cell_context;
mod context;
mod egress;
mod host_events;
mod host_watch;
mod listeners;
mod mailboxes;
mod pending_saves;
mod pending_sends;
mod readiness;
mod ready_set;
mod registry;
mod respawn;
mod run_loop;
mod scheduler;
mod startup;
#[cfg(test)]
mod tests;
mod timers;

pub(super) use context::{HostContext, RunningSet};
pub(super) use listeners::Listeners;
pub(super) use readiness::ReadinessBarrier;
pub(super) use run_loop::{ClockStepped, Halt, LinkEvents, Spawn, Stop, Unfence};
pub(super) use scheduler::Scheduler;
pub(super) use startup::{NewCell, Startup};
