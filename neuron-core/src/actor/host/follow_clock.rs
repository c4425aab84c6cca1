//! Keeps the clock of a running host with the time of day.
//!
//! Why: docs/decisions/0051-a-clock-that-is-set-forward-is-followed.md

use std::rc::Rc;

use actix::Addr;

use crate::actor::{
    clock::{CHECK_INTERVAL, ClockChange},
    scheduler::{ClockStepped, HostContext, Scheduler},
};

/// Follows the time of day when it is set forward, and tells the neurons. Logs and counts when it
/// is set.
pub(super) async fn follow_clock(context: Rc<HostContext>, scheduler: Addr<Scheduler>) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let Some(change) = context.clock.follow() else { continue };
        note_change(change, &context);
        if let ClockChange::Forward(_) = change {
            scheduler.do_send(ClockStepped);
        }
    }
}

/// Logs and counts that the time of day was set.
pub(super) fn note_change(change: ClockChange, context: &HostContext) {
    let host = context.links.with(|links| links.host().clone());
    match change {
        ClockChange::Forward(by) => {
            context.counters.count_clock_forward();
            tracing::warn!(%host, ?by, "the clock was set forward, or the machine has slept; the host has followed");
        }
        ClockChange::Back { by, behind } => {
            context.counters.count_clock_back();
            tracing::warn!(
                %host, ?by, ahead = ?behind,
                "the clock was set back; the host goes on ahead of it. If that is more than an hour, start it again \
                 (with a store and more than three hours: with `HostBuilder::forget_future`)"
            );
        }
    }
}
