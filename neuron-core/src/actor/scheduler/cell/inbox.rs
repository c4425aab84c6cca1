//! What comes through the inbox of a neuron.
//!
//! Why: docs/decisions/0016-a-turn-takes-all-queued-signals.md

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context as TaskContext, Poll, Waker},
};

use futures_util::StreamExt as _;

use super::{NeuronCell, home::is_for_host};
use crate::{
    actor::scheduler::cell_context::CellContext,
    id::NeuronId,
    neuron::Input,
    signal::{Signal, SignalBody},
    transport::Envelope,
};

impl NeuronCell {
    /// Takes the next envelope out of the inbox; `Ready(None)` means that it has ended. The inbox
    /// becomes ready when there is another one.
    pub(in crate::actor::scheduler) fn poll_inbox(&mut self, ctx: &CellContext) -> Poll<Option<Envelope>> {
        let waker = ctx.inboxes.waker(self.slot);
        waker.rearm();
        let waker = Waker::from(waker.clone());
        let next = AssertUnwindSafe(|| self.inbox.poll_next_unpin(&mut TaskContext::from_waker(&waker)));
        catch_unwind(next).unwrap_or_else(|_| {
            ctx.host.counters.count_panic();
            ctx.host.counters.count_death();
            tracing::error!(neuron = %self.neuron.id(), "the inbox panicked; the neuron has stopped");
            Poll::Ready(None)
        })
    }

    /// Gives the neuron envelopes that came through the inbox, in order. Signals that follow each
    /// other share a turn: at its end the neuron may look at all its inputs, and a neuron with
    /// thousands of them hears thousands of signals at once.
    pub(in crate::actor::scheduler) fn receive(&mut self, arrived: &mut VecDeque<Envelope>, ctx: &mut CellContext) {
        while let Some(envelope) = arrived.pop_front() {
            match envelope {
                Envelope::Signal { .. } if self.is_silent() => {}
                Envelope::Signal { from, signal, .. } if matches!(signal.body, SignalBody::Where) => {
                    self.answer_where(from, ctx);
                }
                Envelope::Signal {
                    from, signal: Signal { body: SignalBody::Fenced { answered, known }, .. }, ..
                } if self.may_outlive(&from, ctx) => {
                    self.outlive(answered, known, ctx);
                }
                Envelope::Signal { from, signal, .. } => self.receive_signals((from, signal), arrived, ctx),
                Envelope::Request { from, request, .. } if is_for_host(&request.command) => {
                    self.receive_host_request(from, *request, ctx);
                }
                Envelope::Request { from, request, .. } => {
                    self.handle(Input::Request { from, request: *request }, ctx);
                }
                Envelope::Report { .. } | Envelope::Host { .. } => ctx.host.counters.count_undelivered(),
            }
        }
    }

    /// Gives the neuron a signal, and those that follow it, in one turn.
    fn receive_signals(&mut self, first: (NeuronId, Signal), arrived: &mut VecDeque<Envelope>, ctx: &mut CellContext) {
        self.supervise(ctx, |cell, ctx| {
            cell.with_turn(ctx, |cell, ctx| {
                cell.neuron.begin_batch(ctx.now, &mut ctx.outbox);
                let mut next = Some(first);
                while let Some((from, signal)) = next {
                    cell.receive_signal(&from, signal, ctx);
                    next = take_signal(arrived);
                    if next.is_some() {
                        cell.neuron.evaluate_early(ctx.now, &mut ctx.outbox);
                    }
                }
                cell.neuron.end_batch(ctx.now, &mut ctx.outbox);
            });
        });
    }

    /// Gives the neuron a signal within a turn.
    fn receive_signal(&mut self, from: &NeuronId, signal: Signal, ctx: &mut CellContext) {
        if let SignalBody::Home { host } = &signal.body {
            // The source may have been started anew, without knowing who listens to it. Its host has
            // said so, and not the source: that has not seen the incarnation of this neuron.
            if self.note_home(from, host, signal.incarnation.number, ctx) {
                self.neuron.receive_in_batch(from, signal, false, ctx.now, &mut ctx.outbox);
            }
        } else if let Some(from_slot) = ctx.lookup_local_idle(from) {
            self.receive_one(from_slot, signal, ctx);
        } else if self.admits(from, &signal, ctx) {
            self.peer_confirmed(from);
            self.neuron.receive_in_batch(from, signal, false, ctx.now, &mut ctx.outbox);
        }
    }
}

/// Removes and returns the next envelope if it is a signal for the neuron.
fn take_signal(arrived: &mut VecDeque<Envelope>) -> Option<(NeuronId, Signal)> {
    match arrived.pop_front()? {
        Envelope::Signal { from, signal, .. }
            if !matches!(signal.body, SignalBody::Where | SignalBody::Fenced { .. }) =>
        {
            Some((from, signal))
        }
        other => {
            arrived.push_front(other);
            None
        }
    }
}
