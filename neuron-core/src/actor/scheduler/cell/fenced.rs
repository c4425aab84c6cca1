//! A neuron of which another incarnation has been heard: it falls silent, or goes on if its host
//! prevails over the one that ran the other.
//!
//! Why: docs/decisions/0052-a-host-claims-its-neurons.md

use super::NeuronCell;
use crate::{
    actor::{error::HostError, scheduler::cell_context::CellContext},
    hosts::CONTESTED_FOR,
    id::NeuronId,
    neuron::Input,
    signal::Incarnation,
};

impl NeuronCell {
    /// Logs, counts and passes on that the neuron is fenced, once.
    pub(super) fn report_fencing(&mut self, ctx: &CellContext) {
        let Some(known) = self.neuron.fenced_by().filter(|_| !self.is_fencing_reported) else { return };
        self.is_fencing_reported = true;
        self.owes_down = true;
        ctx.host.counters.count_fenced();
        ctx.host.claims.with(|claims| claims.on_fenced(ctx.steady));
        let neuron = self.neuron.id().clone();
        let ours = self.neuron.incarnation().number;
        let known = known.number;
        tracing::error!(%neuron, ours, known, "fenced: others have heard of another incarnation of this neuron");
        if let Some(startup) = self.startup.take() {
            startup.fail(HostError::Fenced { neuron, ours, known });
        }
    }

    /// Ends a turn of a neuron that is fenced: it goes on in its next incarnation, or is silent.
    #[cold]
    pub(super) fn end_fenced_turn(&mut self, ctx: &mut CellContext) {
        self.saving.iter_mut().for_each(|saving| saving.discard_signals());
        if !self.is_fencing_reported && self.may_go_on(ctx) {
            self.went_on = Some(ctx.steady);
            self.neuron.restart_fenced(ctx.now, &mut ctx.outbox);
            self.take_turn(Input::Wake, ctx);
        } else {
            self.report_fencing(ctx);
        }
    }

    /// Returns whether the neuron may go on although another incarnation has been heard: that belongs
    /// to a host which has given way to this one, or is about to. It does so once in a contest, so
    /// that a neighbour cannot drive the number of its incarnation up.
    fn may_go_on(&self, ctx: &CellContext) -> bool {
        let has_gone_on = self.went_on.is_some_and(|at| ctx.steady.since(at) < CONTESTED_FOR);
        !has_gone_on && ctx.host.claims.with(|claims| claims.prevails_over_rival(ctx.steady))
    }

    /// Returns whether a neuron that has heard a later incarnation of this one is believed although it
    /// has not subscribed: it may listen to this one, but has heard the other host, over which this one
    /// prevails.
    pub(super) fn may_outlive(&self, from: &NeuronId, ctx: &CellContext) -> bool {
        self.neuron.fenced_by().is_none()
            && self.may_go_on(ctx)
            && ctx.host.listeners.may_listen(self.neuron.id(), from)
    }

    /// Begins the incarnation after `known`, if that is later and the message with it answers one of
    /// this incarnation.
    pub(super) fn outlive(&mut self, answered: Incarnation, known: Incarnation, ctx: &mut CellContext) {
        self.supervise(ctx, |cell, ctx| {
            let before = cell.neuron.incarnation();
            cell.neuron.outlive(answered, known, ctx.now, &mut ctx.outbox);
            if cell.neuron.incarnation() != before {
                cell.went_on = Some(ctx.steady);
            }
            cell.take_turn(Input::Wake, ctx);
        });
    }

    /// Returns whether the neuron is fenced, and how many inputs it has and expects to hear.
    pub(in crate::actor::scheduler) fn fenced(&self) -> Option<(usize, usize)> {
        self.neuron.fenced_by().map(|_| (self.neuron.connection_count(), self.neuron.expected_inputs()))
    }

    /// Lets the neuron go on in its next incarnation, if it is fenced.
    pub(in crate::actor::scheduler) fn restart_fenced(&mut self, ctx: &mut CellContext) {
        self.supervise(ctx, |cell, ctx| {
            cell.neuron.restart_fenced(ctx.now, &mut ctx.outbox);
            cell.take_turn(Input::Wake, ctx);
        });
    }

    /// Returns a cell for the same neuron and inbox in another slot, in which the neuron can go on
    /// after it was fenced.
    pub(in crate::actor::scheduler) fn into_unfenced(
        mut self: Box<Self>,
        slot: u32,
        ctx: &mut CellContext,
    ) -> Box<Self> {
        ctx.timers.clear(self.slot, self.deadline.take());
        Box::new(Self { went_on: Some(ctx.steady), ..Self::with_neuron(slot, self.neuron, self.inbox) })
    }
}
