//! The actor that gives one neuron its body: feeds inputs, carries out outputs.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    task::{Context as TaskContext, Poll, Waker},
};

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, SpawnHandle, StreamHandler, WrapFuture};

use super::host::Shared;
use crate::{
    neuron::{Input, Neuron, Output},
    tag::Time,
    transport::{Envelope, Inbox, Sending},
};

/// The most envelopes that wait to be handed over before questions and promises among them are left out. They are
/// repeated when they are missed; new levels are never left out.
const MAX_WAITING: usize = 4096;

pub(super) struct Body {
    neuron: Neuron,
    shared: Rc<Shared>,
    inbox: Option<Inbox>,
    ready: bool,
    /// The alarm that is set: when, and how to unset it.
    alarm: Option<(Time, SpawnHandle)>,
    waiting: VecDeque<Envelope>,
    /// An envelope is waiting for room at its receiver.
    blocked: bool,
}

impl Body {
    pub(super) fn new(neuron: Neuron, inbox: Inbox, shared: Rc<Shared>) -> Self {
        Self { neuron, shared, inbox: Some(inbox), ready: false, alarm: None, waiting: VecDeque::new(), blocked: false }
    }

    /// Gives the neuron an input and carries out what it wants. If anything in this panics, the neuron begins a new
    /// life; the actor, its inbox and all other neurons go on.
    fn give(&mut self, input: Input, ctx: &mut Context<Self>) {
        let attempt = AssertUnwindSafe(|| {
            let now = self.shared.clock.now();
            self.neuron.handle(input, now);
            self.carry_out(ctx);
        });
        if catch_unwind(attempt).is_ok() {
            return;
        }
        self.shared.counters.count_panic();
        tracing::error!(neuron = %self.neuron.id(), "panicked; it restarts with its configuration");
        let again = AssertUnwindSafe(|| {
            // Answers that wait for room are still true; statements of the old life are not sent any more.
            self.waiting.retain(|envelope| !matches!(envelope, Envelope::Signal { .. }));
            let now = self.shared.clock.now();
            self.neuron.restart(now);
            self.neuron.handle(Input::Wake, now);
            self.carry_out(ctx);
        });
        if catch_unwind(again).is_err() {
            self.shared.counters.count_death();
            tracing::error!(neuron = %self.neuron.id(), "panicked again while it restarted; it is gone");
            ctx.stop();
        }
    }

    fn carry_out(&mut self, ctx: &mut Context<Self>) {
        while let Some(output) = self.neuron.poll_output() {
            let from = self.neuron.id().clone();
            let envelope = match output {
                Output::Signal { to, signal } => Envelope::Signal { from, to, signal },
                Output::Report { to, report } => Envelope::Report { from, to, report: Box::new(report) },
                Output::Record(_) | Output::Save => continue,
            };
            self.hand_over(envelope, ctx);
        }
        if !self.ready && self.neuron.is_ready() {
            self.ready = true;
            self.shared.one_is_ready();
        }
        self.set_alarm(ctx);
    }

    fn hand_over(&mut self, envelope: Envelope, ctx: &mut Context<Self>) {
        if self.blocked {
            if self.waiting.len() >= MAX_WAITING && can_be_repeated(&envelope) {
                self.shared.counters.count_left_out();
            } else {
                self.waiting.push_back(envelope);
            }
            return;
        }
        let mut sending = self.shared.transport.send(envelope);
        match poll_once(&mut sending) {
            Poll::Ready(result) => self.handed_over(result),
            Poll::Pending => {
                self.blocked = true;
                let then = sending.into_actor(self).map(|result, body, ctx| {
                    body.blocked = false;
                    body.handed_over(result);
                    while !body.blocked
                        && let Some(next) = body.waiting.pop_front()
                    {
                        body.hand_over(next, ctx);
                    }
                });
                ctx.spawn(then);
            }
        }
    }

    fn handed_over(&self, result: Result<(), crate::transport::TransportError>) {
        if let Err(error) = result {
            self.shared.counters.count_undelivered();
            tracing::debug!(neuron = %self.neuron.id(), %error, "an envelope was not delivered");
        }
    }

    /// Sets the alarm for when the neuron wants to be woken. One that is set too early is left: waking for nothing is
    /// cheaper than setting it anew with each message.
    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        let Some(at) = self.neuron.wake_at() else { return };
        if let Some((set, handle)) = self.alarm {
            if set <= at {
                return;
            }
            ctx.cancel_future(handle);
        }
        let span = at.since(self.shared.clock.now());
        let handle = ctx.run_later(span, |body, ctx| {
            body.alarm = None;
            body.give(Input::Wake, ctx);
        });
        self.alarm = Some((at, handle));
    }
}

/// Whether the protocol makes up for a signal that is left out.
fn can_be_repeated(envelope: &Envelope) -> bool {
    use crate::signal::SignalBody::{Nothing, Probe};
    matches!(envelope, Envelope::Signal { signal, .. } if matches!(signal.body, Nothing { .. } | Probe { .. }))
}

fn poll_once(sending: &mut Sending) -> Poll<Result<(), crate::transport::TransportError>> {
    std::pin::Pin::new(sending).poll(&mut TaskContext::from_waker(Waker::noop()))
}

impl Actor for Body {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(inbox) = self.inbox.take() {
            ctx.add_stream(inbox);
        }
        self.give(Input::Wake, ctx);
    }
}

impl StreamHandler<Envelope> for Body {
    fn handle(&mut self, envelope: Envelope, ctx: &mut Self::Context) {
        match envelope {
            Envelope::Signal { from, signal, .. } => self.give(Input::Signal { from, signal }, ctx),
            Envelope::Request { from, request, .. } => self.give(Input::Request { from, request: *request }, ctx),
            Envelope::Report { .. } => self.shared.counters.count_undelivered(),
        }
    }
}
