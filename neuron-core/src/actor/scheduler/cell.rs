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

use super::{backlog::Waiting, readiness::Launch, registry::Desk};
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

pub(in crate::actor) struct Body {
    pub(super) slot: u32,
    pub(super) neuron: Neuron,
    inbox: Inbox,
    /// Nothing once the neuron is ready.
    starting: Option<Starting>,
    /// When the alarm rings, if one is set.
    alarm: Option<Time>,
    /// For each receiver without room, what comes after the envelope that is being handed over to it.
    pub(super) waiting: Waiting,
    /// Neurons that a statement could not be handed over to, and that the neuron has not been told of yet.
    pub(super) undelivered: ThinVec<NeuronId>,
    /// It is said that the neuron has been fenced,
    fenced: bool,
    /// and its neighbours here are to be told.
    fell_silent: bool,
    /// Nothing is said or heard any more.
    pub(super) gone: bool,
}

/// What a neuron is waited for that is not ready yet.
pub(in crate::actor) struct Starting {
    pub(in crate::actor) launch: Arc<Launch>,
    /// Nothing if it has not lived before, or has heard enough.
    pub(in crate::actor) neighbours: Option<Box<Neighbours>>,
}

/// Whom a neuron that has lived before waits to hear from, because they would know of a later life.
pub(in crate::actor) struct Neighbours {
    /// At least one.
    silent: BTreeSet<NeuronId>,
    /// For how long it waits, from its first turn on;
    patience: Duration,
    /// which is until when.
    until: Option<Time>,
}

impl Neighbours {
    /// Nothing if there are none.
    pub(in crate::actor) fn new(silent: BTreeSet<NeuronId>, patience: Duration) -> Option<Box<Self>> {
        (!silent.is_empty()).then(|| Box::new(Self { silent, patience, until: None }))
    }
}

impl Body {
    pub(in crate::actor) fn new(slot: u32, neuron: Neuron, inbox: Inbox, starting: Starting) -> Self {
        Self {
            slot,
            neuron,
            inbox,
            starting: Some(starting),
            alarm: None,
            waiting: Waiting::default(),
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

    /// Whether the neuron has fallen silent since that was asked last.
    pub(in crate::actor) fn take_silence(&mut self) -> bool {
        std::mem::take(&mut self.fell_silent)
    }

    /// The number of the neuron's life.
    pub(in crate::actor) fn life(&self) -> u32 {
        self.neuron.incarnation().number
    }

    /// The next envelope in the inbox; the end when nothing ever comes any more. The bell rings when there is another one.
    pub(in crate::actor) fn next(&mut self, desk: &Desk) -> Poll<Option<Envelope>> {
        let bell = desk.bell(self.slot);
        bell.is_heard();
        let waker = Waker::from(bell.clone());
        let next = AssertUnwindSafe(|| self.inbox.poll_next_unpin(&mut TaskContext::from_waker(&waker)));
        catch_unwind(next).unwrap_or_else(|_| {
            desk.shared.counters.count_panic();
            desk.shared.counters.count_death();
            tracing::error!(neuron = %self.neuron.id(), "its inbox panicked; it is gone");
            Poll::Ready(None)
        })
    }

    /// Takes in what came with the inbox.
    pub(in crate::actor) fn take(&mut self, envelope: Envelope, desk: &mut Desk) {
        match envelope {
            Envelope::Signal { from, signal, .. } => match desk.find_here(&from) {
                Some(from_slot) => self.give_from_beside(from_slot, signal, desk),
                None => self.give(Input::Signal { from, signal }, desk),
            },
            Envelope::Request { from, request, .. } => self.give(Input::Request { from, request: *request }, desk),
            Envelope::Report { .. } => desk.shared.counters.count_undelivered(),
        }
    }

    /// The alarm has rung.
    pub(in crate::actor) fn wake(&mut self, desk: &mut Desk) {
        self.alarm = None;
        if let Some(starting) = &mut self.starting {
            starting.neighbours.take_if(|neighbours| neighbours.until.is_some_and(|until| until <= desk.now));
        }
        self.give(Input::Wake, desk);
    }

    /// Gives the neuron an input and carries out what it wants.
    pub(in crate::actor) fn give(&mut self, input: Input, desk: &mut Desk) {
        if let Input::Signal { from, .. } = &input {
            self.no_need_to_wait_for(from);
        }
        if !self.gone {
            self.guarded(desk, |body, desk| body.take_a_turn(input, desk));
        }
    }

    /// Gives the neuron what others of this host say to it: in one turn, as long as that is possible. Tells how much that was.
    pub(in crate::actor) fn hear_from_beside(&mut self, desk: &mut Desk) -> usize {
        let mut count = 0;
        if self.gone {
            return count;
        }
        self.guarded(desk, |body, desk| {
            body.have_turn(desk, |body, desk| {
                let slot = body.slot;
                body.neuron.begin_to_hear(desk.now);
                while count < IN_A_TURN
                    && let Some((from_slot, signal)) = body.neuron.outbox().hand().next_for(slot)
                {
                    count += 1;
                    body.hear_one(from_slot, signal, desk);
                    if body.neuron.outbox().hand().is_something_for(slot) {
                        body.neuron.answer_meanwhile(desk.now);
                    }
                }
                body.neuron.has_heard(desk.now);
            });
        });
        count
    }

    /// Gives the neuron what another one of this host has said that came with the inbox.
    fn give_from_beside(&mut self, from_slot: u32, signal: Signal, desk: &mut Desk) {
        if self.gone {
            return;
        }
        self.guarded(desk, |body, desk| {
            body.have_turn(desk, |body, desk| {
                body.neuron.begin_to_hear(desk.now);
                body.hear_one(from_slot, signal, desk);
                body.neuron.has_heard(desk.now);
            });
        });
    }

    #[inline]
    fn hear_one(&mut self, from_slot: u32, signal: Signal, desk: &Desk) {
        let from = desk.name(from_slot);
        self.no_need_to_wait_for(from);
        self.neuron.hear_beside(from, signal, desk.is_still_here(from_slot), desk.now);
    }

    /// Another one has left this host.
    pub(in crate::actor) fn is_left_by(&mut self, other: &NeuronId, desk: &mut Desk) {
        if !self.gone {
            self.guarded(desk, |body, desk| {
                body.have_turn(desk, |body, desk| body.neuron.is_left_by(other, desk.now));
            });
        }
    }

    /// Whom the neuron hears, and who hears it.
    pub(in crate::actor) fn acquaintances(&self) -> Vec<NeuronId> {
        self.neuron.acquaintances().cloned().collect()
    }

    /// Looks at what a signal will be heard with.
    pub(in crate::actor) fn glance(&self, signal: &Signal) -> u64 {
        self.neuron.glance(signal) ^ u64::from(self.gone)
    }

    /// The name of the neuron.
    pub(in crate::actor) fn id(&self) -> &NeuronId {
        self.neuron.id()
    }

    /// Ends. Whoever waits for it to be ready is told.
    pub(in crate::actor) fn leave(self, desk: &mut Desk) {
        desk.unset_alarm(self.slot, self.alarm);
        if let Some(starting) = self.starting {
            starting.launch.fail(HostError::Ended { neuron: self.neuron.id().clone() });
        }
    }

    /// If anything in this panics, the neuron begins a new life; the actor, its inbox and all other neurons go on.
    pub(super) fn guarded(&mut self, desk: &mut Desk, attempt: impl FnOnce(&mut Self, &mut Desk)) {
        if catch_unwind(AssertUnwindSafe(|| attempt(self, desk))).is_ok() {
            return;
        }
        desk.shared.counters.count_panic();
        tracing::error!(neuron = %self.neuron.id(), "panicked; it restarts with its configuration");
        let again = AssertUnwindSafe(|| {
            // Answers that wait for room are still true; statements of the old life are not sent any more.
            for waiting in self.waiting.values_mut() {
                waiting.retain(|envelope| !matches!(envelope, Envelope::Signal { .. }));
            }
            self.undelivered.clear();
            self.neuron.restart(desk.now);
            self.take_a_turn(Input::Wake, desk);
        });
        if catch_unwind(again).is_err() {
            desk.shared.counters.count_death();
            tracing::error!(neuron = %self.neuron.id(), "panicked again while it restarted; it is gone");
            self.end();
            self.neuron.return_outbox(&mut desk.outbox);
        }
    }

    pub(super) fn take_a_turn(&mut self, input: Input, desk: &mut Desk) {
        self.have_turn(desk, |body, desk| body.neuron.handle(input, desk.now));
    }

    fn have_turn(&mut self, desk: &mut Desk, turn: impl FnOnce(&mut Self, &mut Desk)) {
        let now = desk.now;
        if let Some(neighbours) = self.starting.as_mut().and_then(|starting| starting.neighbours.as_mut()) {
            neighbours.until.get_or_insert_with(|| now.after(neighbours.patience));
        }
        let most = if self.waiting.is_empty() { desk.room_by_hand() } else { 0 };
        self.neuron.borrow_outbox(&mut desk.outbox, Place::of(self.slot), most);
        turn(self, desk);
        self.carry_out(desk);
        while let Some(to) = self.undelivered.pop() {
            self.neuron.handle(Input::Undelivered { to }, now);
            self.carry_out(desk);
        }
        self.neuron.return_outbox(&mut desk.outbox);
        if self.gone {
            return;
        }
        if self.neuron.fenced_by().is_some() {
            self.note_that_it_is_fenced(desk);
        }
        if self.starting.is_some() {
            self.see_whether_it_is_ready();
        }
        self.set_alarm(desk);
    }

    fn carry_out(&mut self, desk: &mut Desk) {
        // The neuron stays as it is while its outputs are carried out, so it need not be saved twice.
        let mut saved = false;
        while !self.gone
            && let Some(output) = self.neuron.poll_output()
        {
            match output {
                Output::Signal { to, signal } => self.say(to, signal, desk),
                Output::Report { to, report } => {
                    let from = self.neuron.id().clone();
                    self.hand_over(Envelope::Report { from, to, report: Box::new(report) }, desk);
                }
                Output::Record(record) => {
                    if let Some(to) = &desk.shared.record {
                        // Whoever wanted to know may have gone.
                        let _ = to.send((self.neuron.id().clone(), record));
                    }
                }
                Output::Save if saved || desk.shared.store.is_none() => {}
                Output::Save => {
                    saved = true;
                    desk.has_saved = true;
                    if let Err(error) = self.save(desk) {
                        self.must_not_speak(error, desk);
                    }
                }
            }
        }
        while !self.gone
            && let Some((place, signal)) = self.neuron.outbox().next_held()
        {
            self.give_to(place.slot(), true, signal, desk);
        }
    }

    /// To a neuron here, or with the transport.
    fn say(&mut self, to: NeuronId, signal: Signal, desk: &mut Desk) {
        match desk.find_at_hand(&to) {
            Some(slot) => {
                self.neuron.note_place(&to, Place::of(slot));
                self.give_to(slot, false, signal, desk);
            }
            None => {
                let from = self.neuron.id().clone();
                self.hand_over(Envelope::Signal { from, to, signal }, desk);
            }
        }
    }

    /// To a neuron here: from hand to hand if that is possible now.
    fn give_to(&mut self, slot: u32, known: bool, signal: Signal, desk: &mut Desk) {
        let outbox = self.neuron.outbox();
        if self.waiting.is_empty() && desk.may_give(slot, known, outbox.hand().len()) {
            return outbox.give_now(Place::of(slot), signal);
        }
        let (from, to) = (self.neuron.id().clone(), desk.name(slot).clone());
        self.hand_over(Envelope::Signal { from, to, signal }, desk);
    }

    fn save(&self, desk: &Desk) -> Result<(), StoreError> {
        let Some(store) = &desk.shared.store else { return Ok(()) };
        // A panic there is a failure to save: a neuron that restarted would say what is not saved.
        let saving = AssertUnwindSafe(|| store.save(self.neuron.id(), &self.neuron.saved()));
        catch_unwind(saving).unwrap_or_else(|_| Err(StoreError::other("the store panicked")))
    }

    /// What comes after a save that failed must not be said; and there is no telling when one would succeed.
    fn must_not_speak(&mut self, error: StoreError, desk: &mut Desk) {
        desk.shared.counters.count_unsaved();
        let neuron = self.neuron.id().clone();
        tracing::error!(%neuron, error = &error as &dyn std::error::Error, "cannot be saved, so it must not speak; it is gone");
        if let Some(starting) = self.starting.take() {
            starting.launch.fail(HostError::Save { neuron, source: error });
        }
        self.end();
    }

    fn end(&mut self) {
        self.gone = true;
        self.waiting.clear();
        self.neuron.outbox().say_nothing();
    }

    fn note_that_it_is_fenced(&mut self, desk: &Desk) {
        let Some(known) = self.neuron.fenced_by().filter(|_| !self.fenced) else { return };
        (self.fenced, self.fell_silent) = (true, true);
        desk.shared.counters.count_fenced();
        let (neuron, ours, known) = (self.neuron.id().clone(), self.neuron.incarnation().number, known.number);
        tracing::error!(%neuron, ours, known, "others have heard of another life of this neuron; it has fallen silent");
        if let Some(starting) = self.starting.take() {
            starting.launch.fail(HostError::Fenced { neuron, ours, known });
        }
    }

    fn see_whether_it_is_ready(&mut self) {
        if self.neuron.is_ready()
            && let Some(starting) = self.starting.take_if(|starting| starting.neighbours.is_none())
        {
            starting.launch.one_is_ready();
        }
    }

    /// A neighbour has shown what it knows, or that it is not there.
    pub(super) fn no_need_to_wait_for(&mut self, neighbour: &NeuronId) {
        if let Some(starting) = &mut self.starting {
            starting.neighbours.take_if(|neighbours| {
                neighbours.silent.remove(neighbour);
                neighbours.silent.is_empty()
            });
        }
    }

    /// Sets the alarm for when the neuron wants to be woken. One that is set too early is left: waking for nothing is
    /// cheaper than setting it anew with each message.
    fn set_alarm(&mut self, desk: &mut Desk) {
        let until = self.starting.as_ref().and_then(|starting| starting.neighbours.as_ref()?.until);
        let Some(at) = self.neuron.wake_at().into_iter().chain(until).min() else { return };
        if self.alarm.is_none_or(|set| at < set) {
            desk.set_alarm(self.slot, self.alarm, at);
            self.alarm = Some(at);
        }
    }
}
