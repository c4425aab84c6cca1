//! What a host calls for its neurons.
//!
//! A host lends its own outbox, and reports when one of its neurons is gone. So nothing that
//! colocated neurons send to each other is lost, and none is silent unnoticed: they need not renew
//! their levels, probe once, and are not marked down for being slow. A host with too much to do
//! would otherwise take its own neurons for dead, and have more to do.
//!
//! Why: docs/decisions/0021-colocated-neurons-rely-on-their-host.md

use std::sync::Arc;

use super::{Ctx, Input, LocalSlot, Neuron, Outbox, Params};
use crate::{
    command::{Refusal, TransactionId, WatchPosition},
    id::NeuronId,
    signal::{Incarnation, Signal, SignalBody},
    tag::Time,
};

impl Neuron {
    /// Takes in an input, and queues in `out` what the neuron wants done.
    pub(crate) fn handle_with(&mut self, input: Input, now: Time, out: &mut Outbox) {
        self.parts.handle(input, &mut Ctx::new(now, &mut self.common, out));
    }

    /// Begins the next incarnation: see [`restart`](Self::restart).
    pub(crate) fn restart_with(&mut self, now: Time, out: &mut Outbox) {
        self.parts.restart(&mut Ctx::new(now, &mut self.common, out));
    }

    /// Begins the incarnation after `known`, which a neuron that may listen to this one has heard: the
    /// host of that incarnation has given way. Nothing happens unless `answered` is this incarnation,
    /// and the other is later.
    pub(crate) fn outlive(&mut self, answered: Incarnation, known: Incarnation, now: Time, out: &mut Outbox) {
        self.parts.outlive(answered, known, &mut Ctx::new(now, &mut self.common, out));
    }

    /// Lets a fenced neuron go on, because the host of the incarnation that has fenced it has given
    /// way. Nothing happens if it is not fenced.
    pub(crate) fn restart_fenced(&mut self, now: Time, out: &mut Outbox) {
        self.parts.restart_fenced(&mut Ctx::new(now, &mut self.common, out));
    }

    /// Refuses all requests that wait for an answer.
    pub(crate) fn refuse_all(&mut self, refusal: &Refusal, now: Time, out: &mut Outbox) {
        self.parts.control.refuse_all(refusal, &mut Ctx::new(now, &mut self.common, out));
    }

    /// Remembers that an earlier incarnation has refused a request, in case it is repeated.
    pub(crate) fn remember_refused(&mut self, request: TransactionId, refusal: &Refusal) {
        self.parts.control.remember_refused(request, refusal);
    }

    /// Begins a turn in which several signals are received: any number of
    /// [`receive_in_batch`](Self::receive_in_batch), then [`end_batch`](Self::end_batch).
    pub(crate) fn begin_batch(&mut self, now: Time, out: &mut Outbox) {
        self.parts.begin(&mut Ctx::new(now, &mut self.common, out));
    }

    /// Receives a signal within a turn. With `colocated`, the same host runs its sender, and has to
    /// [report](Self::peer_down) when it is gone.
    #[inline]
    pub(crate) fn receive_in_batch(
        &mut self,
        from: &NeuronId,
        signal: Signal,
        colocated: bool,
        now: Time,
        out: &mut Outbox,
    ) {
        if self.common.fenced_by.is_some() {
            return;
        }
        if !signal.body.is_frequent() {
            self.parts.mark_all();
        }
        let cx = &mut Ctx { colocated, ..Ctx::new(now, &mut self.common, out) };
        self.parts.receive(from, signal, cx);
    }

    /// Evaluates between two signals of a batch, if nothing else has to be waited for.
    #[inline]
    pub(crate) fn evaluate_early(&mut self, now: Time, out: &mut Outbox) {
        self.parts.evaluate_early(&mut Ctx::new(now, &mut self.common, out));
    }

    /// Ends a batch: goes as far as what has been received allows.
    pub(crate) fn end_batch(&mut self, now: Time, out: &mut Outbox) {
        self.parts.end(&mut Ctx::new(now, &mut self.common, out));
    }

    /// Notes that a colocated neuron is gone, or runs elsewhere: what it stated last has to be
    /// renewed from now on.
    pub(crate) fn peer_down(&mut self, peer: &NeuronId, now: Time, out: &mut Outbox) {
        self.parts.inputs.peer_down(peer, now);
        self.parts.subscribers.peer_down(peer);
        self.handle_with(Input::Wake, now, out);
    }

    /// Queues an [`Output::Counted`](super::Output::Counted) for each change from now on, or none
    /// any more. Returns the position of the last change.
    pub(crate) fn set_host_watched(&mut self, is_watched: bool) -> WatchPosition {
        self.parts.control.set_host_watched(is_watched, self.common.incarnation)
    }

    /// Notes where the host keeps a subscriber, so that it need not look it up again.
    pub(crate) fn note_slot(&mut self, of: &NeuronId, slot: LocalSlot) {
        self.parts.subscribers.note_slot(of, slot);
    }

    /// Reads some of what receiving a signal reads, so that it is in the cache. Returns a number
    /// made of it, so that the reads are not optimised away.
    pub(crate) fn prefetch(&self, signal: &Signal) -> u64 {
        let counter = match &signal.body {
            SignalBody::Changed { stream, .. } | SignalBody::Nothing { stream, .. } => Some(stream.counter),
            _ => None,
        };
        let parts = &self.parts;
        parts.inputs.prefetch(counter, parts.evaluation.progress().promised())
            ^ parts.evaluation.prefetch()
            ^ u64::from(parts.wake_at.is_some())
            ^ parts.subscribers.prefetch()
    }

    /// Returns its sources and its subscribers.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &NeuronId> {
        self.parts.inputs.sources().chain(self.parts.subscribers.ids())
    }

    /// Returns how many inputs it hears before it can usually answer.
    pub(crate) fn expected_inputs(&self) -> usize {
        self.parts.inputs.waited_for_count()
    }

    /// Returns how many inputs it has.
    pub(crate) fn connection_count(&self) -> usize {
        self.parts.inputs.count()
    }

    /// Takes memory for so many subscribers at once: there will be as many.
    pub(crate) fn reserve_subscribers(&mut self, count: usize) {
        self.parts.subscribers.reserve(count);
    }

    /// Shares the parameters with other neurons, if they are equal.
    pub(crate) fn intern_params(&mut self, known: &mut Option<Arc<Params>>) {
        let others = known.get_or_insert_with(|| self.common.params.clone());
        Params::intern(&mut self.common.params, others);
        others.clone_from(&self.common.params);
    }
}
