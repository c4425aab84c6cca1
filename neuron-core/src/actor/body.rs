//! The actor that gives one neuron its body: feeds inputs, carries out outputs.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, SpawnHandle, StreamHandler,
    WrapFuture,
};
use tokio::sync::oneshot;

use super::{HostError, crew::Shared, launch::Launch};
use crate::{
    command::Report,
    id::NeuronId,
    neuron::{Input, Neuron, Output},
    signal::SignalBody,
    store::StoreError,
    tag::Time,
    transport::{Address, Envelope, Inbox, Sending, TransportError, TransportErrorKind},
};

/// The most envelopes that wait for room at one receiver. Of what comes on top, signals and answers are left out: a
/// statement that is left out ends its stream, and the receiver subscribes again and gets the newest level; other signals
/// are repeated when they are missed. A report to a watch takes the place of its oldest.
///
/// A thousand changes in a row are more than anybody who reads at all is behind.
const MAX_WAITING: usize = 1024;

pub(super) struct Body {
    neuron: Neuron,
    shared: Rc<Shared>,
    inbox: Option<Inbox>,
    /// Nothing once the neuron is ready.
    starting: Option<Box<Starting>>,
    /// The alarm that is set: when, and how to unset it.
    alarm: Option<(Time, SpawnHandle)>,
    /// For each receiver without room, what comes after the envelope that is being handed over to it.
    waiting: BTreeMap<Address, VecDeque<Envelope>>,
    /// Neurons that a statement could not be handed over to, and that the neuron has not been told of yet.
    undelivered: Vec<NeuronId>,
    /// It is said that the neuron has been outlived.
    outlived: bool,
    /// Nothing is said or heard any more.
    gone: bool,
    /// Dropped with the body, so that somebody knows that the inbox is closed.
    _last: Option<oneshot::Sender<()>>,
}

/// What a neuron is waited for that is not ready yet.
pub(super) struct Starting {
    pub(super) launch: Rc<Launch>,
    /// Whom a neuron that has lived before waits to hear from, because they would know of a later life; and how long.
    pub(super) neighbours: BTreeSet<NeuronId>,
    pub(super) patience: Duration,
}

impl Body {
    pub(super) fn new(neuron: Neuron, inbox: Inbox, starting: Starting, shared: Rc<Shared>) -> Self {
        Self {
            neuron,
            shared,
            inbox: Some(inbox),
            starting: Some(Box::new(starting)),
            alarm: None,
            waiting: BTreeMap::new(),
            undelivered: Vec::new(),
            outlived: false,
            gone: false,
            _last: None,
        }
    }

    /// Gives the neuron an input and carries out what it wants.
    fn give(&mut self, input: Input, ctx: &mut Context<Self>) {
        if !self.gone {
            self.guarded(ctx, |body, ctx| body.take_a_turn(input, ctx));
        }
    }

    /// If anything in this panics, the neuron begins a new life; the actor, its inbox and all other neurons go on.
    fn guarded(&mut self, ctx: &mut Context<Self>, attempt: impl FnOnce(&mut Self, &mut Context<Self>)) {
        if catch_unwind(AssertUnwindSafe(|| attempt(self, ctx))).is_ok() {
            return;
        }
        self.shared.counters.count_panic();
        tracing::error!(neuron = %self.neuron.id(), "panicked; it restarts with its configuration");
        let again = AssertUnwindSafe(|| {
            // Answers that wait for room are still true; statements of the old life are not sent any more.
            for waiting in self.waiting.values_mut() {
                waiting.retain(|envelope| !matches!(envelope, Envelope::Signal { .. }));
            }
            self.undelivered.clear();
            self.neuron.restart(self.shared.clock.now());
            self.take_a_turn(Input::Wake, ctx);
        });
        if catch_unwind(again).is_err() {
            self.shared.counters.count_death();
            tracing::error!(neuron = %self.neuron.id(), "panicked again while it restarted; it is gone");
            self.end(ctx);
        }
    }

    fn take_a_turn(&mut self, input: Input, ctx: &mut Context<Self>) {
        let now = self.shared.clock.now();
        self.neuron.handle(input, now);
        self.carry_out(ctx);
        while let Some(to) = self.undelivered.pop() {
            self.neuron.handle(Input::Undelivered { to }, now);
            self.carry_out(ctx);
        }
        if self.gone {
            return;
        }
        if self.neuron.outlived_by().is_some() {
            self.note_that_it_is_outlived();
        }
        self.see_whether_it_is_ready();
        self.set_alarm(ctx);
    }

    fn carry_out(&mut self, ctx: &mut Context<Self>) {
        // The neuron stays as it is while its outputs are carried out, so it need not be saved twice.
        let mut saved = self.shared.store.is_none();
        while !self.gone
            && let Some(output) = self.neuron.poll_output()
        {
            let from = self.neuron.id().clone();
            match output {
                Output::Signal { to, signal } => self.hand_over(Envelope::Signal { from, to, signal }, ctx),
                Output::Report { to, report } => {
                    self.hand_over(Envelope::Report { from, to, report: Box::new(report) }, ctx);
                }
                Output::Record(record) => {
                    if let Some(to) = &self.shared.record {
                        // Whoever wanted to know may have gone.
                        let _ = to.send((self.neuron.id().clone(), record));
                    }
                }
                Output::Save if saved => {}
                Output::Save => {
                    saved = true;
                    if let Err(error) = self.save() {
                        self.must_not_speak(error, ctx);
                    }
                }
            }
        }
    }

    fn save(&self) -> Result<(), StoreError> {
        let Some(store) = &self.shared.store else { return Ok(()) };
        // A panic there is a failure to save: a neuron that restarted would say what is not saved.
        let saving = AssertUnwindSafe(|| store.save(self.neuron.id(), &self.neuron.saved()));
        catch_unwind(saving).unwrap_or_else(|_| Err(StoreError::other("the store panicked")))
    }

    /// What comes after a save that failed must not be said; and there is no telling when one would succeed.
    fn must_not_speak(&mut self, error: StoreError, ctx: &mut Context<Self>) {
        self.shared.counters.count_unsaved();
        let neuron = self.neuron.id().clone();
        tracing::error!(%neuron, error = &error as &dyn std::error::Error, "cannot be saved, so it must not speak; it is gone");
        if let Some(starting) = self.starting.take() {
            starting.launch.fail(HostError::Save { neuron, source: error });
        }
        self.end(ctx);
    }

    fn end(&mut self, ctx: &mut Context<Self>) {
        self.gone = true;
        self.waiting.clear();
        ctx.stop();
    }

    fn note_that_it_is_outlived(&mut self) {
        let Some(known) = self.neuron.outlived_by().filter(|_| !self.outlived) else { return };
        self.outlived = true;
        self.shared.counters.count_outlived();
        let (neuron, ours, known) = (self.neuron.id().clone(), self.neuron.incarnation().number, known.number);
        tracing::error!(%neuron, ours, known, "others have heard of another life of this neuron; it has fallen silent");
        if let Some(starting) = self.starting.take() {
            starting.launch.fail(HostError::Outlived { neuron, ours, known });
        }
    }

    fn see_whether_it_is_ready(&mut self) {
        if self.neuron.is_ready()
            && let Some(starting) = self.starting.take_if(|starting| starting.neighbours.is_empty())
        {
            starting.launch.one_is_ready();
        }
    }

    /// A neighbour has shown what it knows, or that it is not there.
    fn no_need_to_wait_for(&mut self, neighbour: &NeuronId) {
        if let Some(starting) = &mut self.starting {
            starting.neighbours.remove(neighbour);
        }
    }

    /// Hands an envelope over, after those that wait for the same receiver.
    fn hand_over(&mut self, envelope: Envelope, ctx: &mut Context<Self>) {
        if !self.waiting.is_empty()
            && let Some(waiting) = self.waiting.get_mut(&envelope.to())
        {
            if waiting.len() < MAX_WAITING {
                waiting.push_back(envelope);
            } else {
                self.shared.counters.count_left_out();
                self.undelivered.extend(leave_out(envelope, waiting));
            }
            return;
        }
        self.send(envelope, ctx);
    }

    /// Tells whether there was room, or nobody.
    fn send(&mut self, envelope: Envelope, ctx: &mut Context<Self>) -> bool {
        let to = envelope.to();
        let statement = is_statement(&envelope);
        let mut sending = self.shared.transport.send(envelope);
        match poll_once(&mut sending) {
            Poll::Ready(result) => {
                self.handed_over(to, statement, result);
                true
            }
            Poll::Pending => {
                self.waiting.insert(to.clone(), VecDeque::new());
                let then = sending.into_actor(self).map(move |result, body, ctx| {
                    body.guarded(ctx, |body, ctx| body.there_is_room(to, statement, result, ctx));
                });
                ctx.spawn(then);
                false
            }
        }
    }

    /// Hands over what waits for a receiver, as far as there is room.
    fn there_is_room(
        &mut self,
        to: Address,
        statement: bool,
        result: Result<(), TransportError>,
        ctx: &mut Context<Self>,
    ) {
        let mut waiting = self.waiting.remove(&to).unwrap_or_default();
        if self.gone {
            return;
        }
        self.handed_over(to.clone(), statement, result);
        while let Some(next) = waiting.pop_front() {
            if !self.send(next, ctx) {
                self.waiting.insert(to, waiting);
                break;
            }
        }
        if let Some(to) = self.undelivered.pop() {
            self.take_a_turn(Input::Undelivered { to }, ctx);
        }
    }

    fn handed_over(&mut self, to: Address, statement: bool, result: Result<(), TransportError>) {
        let Err(error) = result else { return };
        self.shared.counters.count_undelivered();
        tracing::debug!(neuron = %self.neuron.id(), %error, "an envelope was not delivered");
        // Whoever cannot be reached right now is not gone: what was lost is sent again.
        if let Address::Neuron(to) = to
            && error.kind() == TransportErrorKind::NoInbox
        {
            self.no_need_to_wait_for(&to);
            if statement {
                self.undelivered.push(to);
            }
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

fn is_statement(envelope: &Envelope) -> bool {
    matches!(envelope, Envelope::Signal { signal, .. } if matches!(signal.body, SignalBody::Changed { .. }))
}

/// Leaves an envelope out, or another one for it. Tells the neuron that lacks a statement now.
fn leave_out(envelope: Envelope, waiting: &mut VecDeque<Envelope>) -> Option<NeuronId> {
    let watch_of = |envelope: &Envelope| match envelope {
        Envelope::Report { report, .. } => match **report {
            Report::Changed { watch, .. } => Some(watch),
            Report::Reply { .. } => None,
        },
        _ => None,
    };
    if let Some(watch) = watch_of(&envelope) {
        // They are numbered, so whoever watches notices that one is missing; the newest is what counts.
        let oldest = waiting.iter().position(|waiting| watch_of(waiting) == Some(watch));
        if let Some(oldest) = oldest {
            waiting.remove(oldest);
            waiting.push_back(envelope);
        }
        return None;
    }
    match envelope {
        Envelope::Signal { to, signal, .. } if matches!(signal.body, SignalBody::Changed { .. }) => Some(to),
        _ => None,
    }
}

fn poll_once(sending: &mut Sending) -> Poll<Result<(), TransportError>> {
    std::pin::Pin::new(sending).poll(&mut TaskContext::from_waker(Waker::noop()))
}

impl Actor for Body {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if let Some(inbox) = self.inbox.take() {
            ctx.add_stream(inbox);
        }
        let patience = self.starting.as_ref().filter(|starting| !starting.neighbours.is_empty());
        if let Some(patience) = patience.map(|starting| starting.patience) {
            ctx.run_later(patience, |body, _| {
                if let Some(starting) = &mut body.starting {
                    starting.neighbours.clear();
                }
                body.see_whether_it_is_ready();
            });
        }
        self.give(Input::Wake, ctx);
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        if let Some(starting) = self.starting.take() {
            starting.launch.fail(HostError::Ended { neuron: self.neuron.id().clone() });
        }
    }
}

impl StreamHandler<Envelope> for Body {
    fn handle(&mut self, envelope: Envelope, ctx: &mut Self::Context) {
        match envelope {
            Envelope::Signal { from, signal, .. } => {
                self.no_need_to_wait_for(&from);
                self.give(Input::Signal { from, signal }, ctx);
            }
            Envelope::Request { from, request, .. } => self.give(Input::Request { from, request: *request }, ctx),
            Envelope::Report { .. } => self.shared.counters.count_undelivered(),
        }
    }
}

/// To a body: end. What it is given is dropped once its inbox is closed. The answer is the number of the neuron's life.
pub(super) struct Leave(pub(super) oneshot::Sender<()>);

impl Message for Leave {
    type Result = u32;
}

impl Handler<Leave> for Body {
    type Result = u32;

    fn handle(&mut self, Leave(last): Leave, ctx: &mut Self::Context) -> u32 {
        self._last = Some(last);
        self.end(ctx);
        self.neuron.incarnation().number
    }
}
