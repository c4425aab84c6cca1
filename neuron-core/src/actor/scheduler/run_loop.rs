//! The scheduler as an actor: runs it whenever there is something to do, and yields to the rest of
//! the thread.
//!
//! One actor for all neurons of a host, so that a signal between two of them needs no actor's
//! mailbox and no wake-up.
//!
//! Why: docs/decisions/0036-actix-stays-behind-the-scheduler.md

use std::{
    pin::{Pin, pin},
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use actix::{Actor, AsyncContext as _, Context, Handler, Message, fut::ActorFuture};

use super::{
    scheduler::{CLOCK_INTERVAL, Scheduler},
    startup::NewCell,
};
use crate::{hosts::LinkOutput, id::NeuronId};

/// After how much work the thread's other tasks run.
const RUN_LIMIT: usize = 512;

/// After how much time the thread's other tasks run.
const RUN_TIME: Duration = Duration::from_millis(2);

impl Actor for Scheduler {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.spawn(RunLoop);
    }
}

/// Takes in new neurons; none of them starts while `awaits_more`.
pub(in crate::actor) struct Spawn {
    pub(in crate::actor) cells: Vec<NewCell>,
    /// More neurons come after these, to which these may want to send.
    pub(in crate::actor) awaits_more: bool,
}

impl Message for Spawn {
    type Result = ();
}

impl Handler<Spawn> for Scheduler {
    type Result = ();

    fn handle(&mut self, Spawn { cells, awaits_more }: Spawn, _: &mut Self::Context) {
        self.spawn(cells, awaits_more);
    }
}

/// Stops a neuron. Its inbox is closed when this is answered, with the number of its incarnation;
/// `None` if it was not running.
pub(in crate::actor) struct Stop(pub(in crate::actor) NeuronId);

impl Message for Stop {
    type Result = Option<u32>;
}

impl Handler<Stop> for Scheduler {
    type Result = Option<u32>;

    fn handle(&mut self, Stop(id): Stop, _: &mut Self::Context) -> Option<u32> {
        self.stop(&id)
    }
}

/// Stops all neurons: when this is answered they say nothing any more.
pub(in crate::actor) struct Halt;

impl Message for Halt {
    type Result = ();
}

impl Handler<Halt> for Scheduler {
    type Result = ();

    fn handle(&mut self, Halt: Halt, _: &mut Self::Context) {
        self.halt();
    }
}

/// Lets all neurons go on that were fenced: the host that has run others of their names gives way to
/// this one.
pub(in crate::actor) struct Unfence;

impl Message for Unfence {
    type Result = ();
}

impl Handler<Unfence> for Scheduler {
    type Result = ();

    fn handle(&mut self, Unfence: Unfence, _: &mut Self::Context) {
        self.unfence();
    }
}

/// The host's clock was set forward.
pub(in crate::actor) struct ClockStepped;

impl Message for ClockStepped {
    type Result = ();
}

impl Handler<ClockStepped> for Scheduler {
    type Result = ();

    fn handle(&mut self, ClockStepped: ClockStepped, _: &mut Self::Context) {
        self.on_clock_step();
    }
}

/// What has become of inputs whose hosts are gone or back, and neurons to be asked where they run.
pub(in crate::actor) struct LinkEvents(pub(in crate::actor) Vec<LinkOutput>);

impl Message for LinkEvents {
    type Result = ();
}

impl Handler<LinkEvents> for Scheduler {
    type Result = ();

    fn handle(&mut self, LinkEvents(events): LinkEvents, _: &mut Self::Context) {
        self.on_link_events(events);
    }
}

/// Steps the scheduler until it has nothing to do, until the actor stops.
struct RunLoop;

impl ActorFuture<Scheduler> for RunLoop {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        scheduler: &mut Scheduler,
        _: &mut Context<Scheduler>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        scheduler.context().inboxes.register_task(task.waker());
        let clock = scheduler.context().host.clock.clone();
        let start = clock.steady();
        let mut work = 0;
        let mut checked = 0;
        while work < RUN_LIMIT {
            if work - checked >= CLOCK_INTERVAL {
                checked = work;
                if clock.steady().since(start) >= RUN_TIME {
                    break;
                }
            }
            match scheduler.step(task) {
                0 if scheduler.context().inboxes.park() => {
                    scheduler.context().shrink();
                    return Poll::Pending;
                }
                done => work += done,
            }
        }
        // Others on the thread first: woken at once, this task would run many times more before
        // them.
        let others = pin!(tokio::task::yield_now());
        if others.poll(task).is_ready() {
            task.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
