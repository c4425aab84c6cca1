//! The body of one neuron: feeds inputs, carries out outputs.

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use futures_util::StreamExt as _;
use thin_vec::ThinVec;

use super::{backlog::Backlog, readiness::ReadinessBarrier, registry::CellContext};
use crate::actor::HostError;
use crate::{
    id::NeuronId,
    neuron::{Input, Neuron, Output, Place},
    signal::Signal,
    store::StoreError,
    tag::Time,
    transport::{Envelope, Inbox},
};

/// How much of what is at hand a neuron hears in one turn.
const IN_A_TURN: usize = 256;

pub(in crate::actor) struct NeuronCell {
    pub(super) slot: u32,
    pub(super) neuron: Neuron,
    inbox: Inbox,
    /// Nothing once the neuron is ready.
    startup: Option<Startup>,
    /// When the deadline rings, if one is set.
    deadline: Option<Time>,
    /// For each receiver without room, what comes after the envelope that is being handed over to it.
    pub(super) backlog: Backlog,
    /// Neurons that a statement could not be handed over to, and that the neuron has not been told of yet.
    pub(super) undelivered: ThinVec<NeuronId>,
    /// It is said that the neuron has been fenced,
    fenced: bool,
    /// and its fencing here are to be told.
    fell_silent: bool,
    /// Nothing is said or heard any more.
    pub(super) gone: bool,
}

/// What a neuron is waited for that is not ready yet.
pub(in crate::actor) struct Startup {
    pub(in crate::actor) barrier: Arc<ReadinessBarrier>,
    /// Nothing if it has not lived before, or has heard enough.
    pub(in crate::actor) fencing: Option<Box<FencingCheck>>,
}

/// Whom a neuron that has lived before waits to hear from, because they would know of a later life.
pub(in crate::actor) struct FencingCheck {
    /// At least one.
    silent: BTreeSet<NeuronId>,
    /// For how long it waits, from its first turn on;
    patience: Duration,
    /// which is until when.
    until: Option<Time>,
}

impl FencingCheck {
    /// Nothing if there are none.
    pub(in crate::actor) fn new(silent: BTreeSet<NeuronId>, patience: Duration) -> Option<Box<Self>> {
        (!silent.is_empty()).then(|| Box::new(Self { silent, patience, until: None }))
    }
}

impl NeuronCell {
    pub(in crate::actor) fn new(slot: u32, neuron: Neuron, inbox: Inbox, startup: Startup) -> Self {
        Self {
            slot,
            neuron,
            inbox,
            startup: Some(startup),
            deadline: None,
            backlog: Backlog::default(),
            undelivered: ThinVec::new(),
            fenced: false,
            fell_silent: false,
            gone: false,
        }
    }

    /// Nothing is said or heard any more: it is to leave.
    pub(in crate::actor) fn is_gone(&self) -> bool {
        self.gone
    }

    /// Whether the neuron has fallen silent complete_streak that was asked last.
    pub(in crate::actor) fn take_silence(&mut self) -> bool {
        std::mem::take(&mut self.fell_silent)
    }

    /// The number of the neuron's life.
    pub(in crate::actor) fn life(&self) -> u32 {
        self.neuron.incarnation().number
    }

    /// The next envelope in the inbox; the end when nothing ever comes any more. The bell rings when there is another one.
    pub(in crate::actor) fn next(&mut self, ctx: &CellContext) -> Poll<Option<Envelope>> {
        let bell = ctx.bell(self.slot);
        bell.rearm();
        let waker = Waker::from(bell.clone());
        let next = AssertUnwindSafe(|| self.inbox.poll_next_unpin(&mut TaskContext::from_waker(&waker)));
        catch_unwind(next).unwrap_or_else(|_| {
            ctx.shared.counters.count_panic();
            ctx.shared.counters.count_death();
            tracing::error!(neuron = %self.neuron.id(), "its inbox panicked; it is gone");
            Poll::Ready(None)
        })
    }

    /// Takes in what came with the inbox.
    pub(in crate::actor) fn take(&mut self, envelope: Envelope, ctx: &mut CellContext) {
        match envelope {
            Envelope::Signal { from, signal, .. } => match ctx.lookup_local_idle(&from) {
                Some(from_slot) => self.receive_local(from_slot, signal, ctx),
                None => self.give(Input::Signal { from, signal }, ctx),
            },
            Envelope::Request { from, request, .. } => self.give(Input::Request { from, request: *request }, ctx),
            Envelope::Report { .. } => ctx.shared.counters.count_undelivered(),
        }
    }

    /// The deadline has ready.
    pub(in crate::actor) fn wake(&mut self, ctx: &mut CellContext) {
        self.deadline = None;
        if let Some(startup) = &mut self.startup {
            startup.fencing.take_if(|fencing| fencing.until.is_some_and(|until| until <= ctx.now));
        }
        self.give(Input::Wake, ctx);
    }

    /// Gives the neuron an input and carries out what it wants.
    pub(in crate::actor) fn give(&mut self, input: Input, ctx: &mut CellContext) {
        if let Input::Signal { from, .. } = &input {
            self.peer_confirmed(from);
        }
        if !self.gone {
            self.supervise(ctx, |body, ctx| body.take_a_turn(input, ctx));
        }
    }

    /// Gives the neuron what partial of this host say to it: in one turn, as long as that is possible. Tells how much that was.
    pub(in crate::actor) fn run_local_batch(&mut self, ctx: &mut CellContext) -> usize {
        let mut count = 0;
        if self.gone {
            return count;
        }
        self.supervise(ctx, |body, ctx| {
            body.with_turn(ctx, |body, ctx| {
                let slot = body.slot;
                body.neuron.begin_to_hear(ctx.now);
                while count < IN_A_TURN
                    && let Some((from_slot, signal)) = body.neuron.outbox().hand().next_for(slot)
                {
                    count += 1;
                    body.receive_one(from_slot, signal, ctx);
                    if body.neuron.outbox().hand().is_something_for(slot) {
                        body.neuron.answer_meanwhile(ctx.now);
                    }
                }
                body.neuron.has_heard(ctx.now);
            });
        });
        count
    }

    /// Gives the neuron what another one of this host has said that came with the inbox.
    fn receive_local(&mut self, from_slot: u32, signal: Signal, ctx: &mut CellContext) {
        if self.gone {
            return;
        }
        self.supervise(ctx, |body, ctx| {
            body.with_turn(ctx, |body, ctx| {
                body.neuron.begin_to_hear(ctx.now);
                body.receive_one(from_slot, signal, ctx);
                body.neuron.has_heard(ctx.now);
            });
        });
    }

    #[inline]
    fn receive_one(&mut self, from_slot: u32, signal: Signal, ctx: &CellContext) {
        let from = ctx.name(from_slot);
        self.peer_confirmed(from);
        self.neuron.hear_beside(from, signal, ctx.is_registered(from_slot), ctx.now);
    }

    /// Another one has left this host.
    pub(in crate::actor) fn peer_down(&mut self, other: &NeuronId, ctx: &mut CellContext) {
        if !self.gone {
            self.supervise(ctx, |body, ctx| {
                body.with_turn(ctx, |body, ctx| body.neuron.is_left_by(other, ctx.now));
            });
        }
    }

    /// Whom the neuron hears, and who hears it.
    pub(in crate::actor) fn peers(&self) -> Vec<NeuronId> {
        self.neuron.acquaintances().cloned().collect()
    }

    /// Looks at what a signal will be heard with.
    pub(in crate::actor) fn prefetch(&self, signal: &Signal) -> u64 {
        self.neuron.glance(signal) ^ u64::from(self.gone)
    }

    /// The name of the neuron.
    pub(in crate::actor) fn id(&self) -> &NeuronId {
        self.neuron.id()
    }

    /// Ends. Whoever waits for it to be ready is told.
    pub(in crate::actor) fn leave(self, ctx: &mut CellContext) {
        ctx.clear_timer(self.slot, self.deadline);
        if let Some(startup) = self.startup {
            startup.barrier.fail(HostError::Ended { neuron: self.neuron.id().clone() });
        }
    }

    /// If anything in this panics, the neuron begins a new life; the actor, its inbox and all other neurons go on.
    pub(super) fn supervise(&mut self, ctx: &mut CellContext, attempt: impl FnOnce(&mut Self, &mut CellContext)) {
        if catch_unwind(AssertUnwindSafe(|| attempt(self, ctx))).is_ok() {
            return;
        }
        ctx.shared.counters.count_panic();
        tracing::error!(neuron = %self.neuron.id(), "panicked; it restarts with its configuration");
        let again = AssertUnwindSafe(|| {
            // Answers that wait for room are still true; statements of the old life are not sent any more.
            for backlog in self.backlog.values_mut() {
                backlog.retain(|envelope| !matches!(envelope, Envelope::Signal { .. }));
            }
            self.undelivered.clear();
            self.neuron.restart(ctx.now);
            self.take_a_turn(Input::Wake, ctx);
        });
        if catch_unwind(again).is_err() {
            ctx.shared.counters.count_death();
            tracing::error!(neuron = %self.neuron.id(), "panicked again while it restarted; it is gone");
            self.end();
            self.neuron.return_outbox(&mut ctx.outbox);
        }
    }

    pub(super) fn take_a_turn(&mut self, input: Input, ctx: &mut CellContext) {
        self.with_turn(ctx, |body, ctx| body.neuron.handle(input, ctx.now));
    }

    fn with_turn(&mut self, ctx: &mut CellContext, turn: impl FnOnce(&mut Self, &mut CellContext)) {
        let now = ctx.now;
        if let Some(fencing) = self.startup.as_mut().and_then(|startup| startup.fencing.as_mut()) {
            fencing.until.get_or_insert_with(|| now.after(fencing.patience));
        }
        let most = if self.backlog.is_empty() { ctx.room_by_hand() } else { 0 };
        self.neuron.borrow_outbox(&mut ctx.outbox, Place::of(self.slot), most);
        turn(self, ctx);
        self.apply_outputs(ctx);
        while let Some(to) = self.undelivered.pop() {
            self.neuron.handle(Input::Undelivered { to }, now);
            self.apply_outputs(ctx);
        }
        self.neuron.return_outbox(&mut ctx.outbox);
        if self.gone {
            return;
        }
        if self.neuron.fenced_by().is_some() {
            self.note_that_it_is_fenced(ctx);
        }
        if self.startup.is_some() {
            self.see_whether_it_is_ready();
        }
        self.set_timer(ctx);
    }

    fn apply_outputs(&mut self, ctx: &mut CellContext) {
        // The neuron stays as it is while its outputs are carried out, so it need not be saved twice.
        let mut saved = false;
        while !self.gone
            && let Some(output) = self.neuron.poll_output()
        {
            match output {
                Output::Signal { to, signal } => self.say(to, signal, ctx),
                Output::Report { to, report } => {
                    let from = self.neuron.id().clone();
                    self.send_in_order(Envelope::Report { from, to, report: Box::new(report) }, ctx);
                }
                Output::Record(record) => {
                    if let Some(to) = &ctx.shared.record {
                        // Whoever wanted to know may have gone.
                        let _ = to.send((self.neuron.id().clone(), record));
                    }
                }
                Output::Save if saved || ctx.shared.store.is_none() => {}
                Output::Save => {
                    saved = true;
                    ctx.has_saved = true;
                    if let Err(error) = self.save(ctx) {
                        self.stop_unsaved(error, ctx);
                    }
                }
            }
        }
        while !self.gone
            && let Some((place, signal)) = self.neuron.outbox().next_held()
        {
            self.give_to(place.slot(), true, signal, ctx);
        }
    }

    /// To a neuron here, or with the transport.
    fn say(&mut self, to: NeuronId, signal: Signal, ctx: &mut CellContext) {
        match ctx.lookup_local(&to) {
            Some(slot) => {
                self.neuron.note_place(&to, Place::of(slot));
                self.give_to(slot, false, signal, ctx);
            }
            None => {
                let from = self.neuron.id().clone();
                self.send_in_order(Envelope::Signal { from, to, signal }, ctx);
            }
        }
    }

    /// To a neuron here: from hand to hand if that is possible now.
    fn give_to(&mut self, slot: u32, known: bool, signal: Signal, ctx: &mut CellContext) {
        let outbox = self.neuron.outbox();
        if self.backlog.is_empty() && ctx.may_give(slot, known, outbox.hand().len()) {
            return outbox.give_now(Place::of(slot), signal);
        }
        let (from, to) = (self.neuron.id().clone(), ctx.name(slot).clone());
        self.send_in_order(Envelope::Signal { from, to, signal }, ctx);
    }

    fn save(&self, ctx: &CellContext) -> Result<(), StoreError> {
        let Some(store) = &ctx.shared.store else { return Ok(()) };
        // A panic there is a failure to save: a neuron that restarted would say what is not saved.
        let saving = AssertUnwindSafe(|| store.save(self.neuron.id(), &self.neuron.saved()));
        catch_unwind(saving).unwrap_or_else(|_| Err(StoreError::other("the store panicked")))
    }

    /// What comes after a save that failed must not be said; and there is no telling when one would succeed.
    fn stop_unsaved(&mut self, error: StoreError, ctx: &mut CellContext) {
        ctx.shared.counters.count_unsaved();
        let neuron = self.neuron.id().clone();
        tracing::error!(%neuron, error = &error as &dyn std::error::Error, "cannot be saved, so it must not speak; it is gone");
        if let Some(startup) = self.startup.take() {
            startup.barrier.fail(HostError::Save { neuron, source: error });
        }
        self.end();
    }

    fn end(&mut self) {
        self.gone = true;
        self.backlog.clear();
        self.neuron.outbox().say_nothing();
    }

    fn note_that_it_is_fenced(&mut self, ctx: &CellContext) {
        let Some(known) = self.neuron.fenced_by().filter(|_| !self.fenced) else { return };
        (self.fenced, self.fell_silent) = (true, true);
        ctx.shared.counters.count_fenced();
        let (neuron, ours, known) = (self.neuron.id().clone(), self.neuron.incarnation().number, known.number);
        tracing::error!(%neuron, ours, known, "partial have heard of another life of this neuron; it has fallen silent");
        if let Some(startup) = self.startup.take() {
            startup.barrier.fail(HostError::Fenced { neuron, ours, known });
        }
    }

    fn see_whether_it_is_ready(&mut self) {
        if self.neuron.is_ready()
            && let Some(startup) = self.startup.take_if(|startup| startup.fencing.is_none())
        {
            startup.barrier.mark_ready();
        }
    }

    /// A neighbour has shown what it knows, or that it is not there.
    pub(super) fn peer_confirmed(&mut self, neighbour: &NeuronId) {
        if let Some(startup) = &mut self.startup {
            startup.fencing.take_if(|fencing| {
                fencing.silent.remove(neighbour);
                fencing.silent.is_empty()
            });
        }
    }

    /// Sets the deadline for when the neuron wants to be woken. One that is set too early is left: waking for nothing is
    /// cheaper than setting it anew with each message.
    fn set_timer(&mut self, ctx: &mut CellContext) {
        let until = self.startup.as_ref().and_then(|startup| startup.fencing.as_ref()?.until);
        let Some(at) = self.neuron.wake_at().into_iter().chain(until).min() else { return };
        if self.deadline.is_none_or(|set| at < set) {
            ctx.set_timer(self.slot, self.deadline, at);
            self.deadline = Some(at);
        }
    }
}
