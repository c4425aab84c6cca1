//! How envelopes of a body get to the transport, and what becomes of those that there is no room for.

use std::{
    collections::VecDeque,
    task::{Context as TaskContext, Poll, Waker},
};

use super::{
    cell::NeuronCell,
    registry::{CellContext, SendCompletion},
};
use crate::{
    command::Report,
    id::NeuronId,
    neuron::Input,
    signal::SignalBody,
    transport::{Address, Envelope, Sending, TransportError, TransportErrorKind},
};

/// The most envelopes that wait for room at one receiver. Of what comes on top, signals and answers are left out: a
/// statement that is left out ends its stream, and the receiver subscribes again and gets the newest level; other signals
/// are repeated when they are missed. A report to a watch takes the place of its oldest.
///
/// A thousand changes in a row are more than anybody who reads at all is behind.
const MAX_WAITING: usize = 1024;

impl NeuronCell {
    /// Hands an envelope over, after those that wait for the same receiver.
    pub(in crate::actor) fn send_in_order(&mut self, envelope: Envelope, ctx: &mut CellContext) {
        if !self.backlog.is_empty()
            && let Some(backlog) = self.backlog.get_mut(&envelope.to())
        {
            if backlog.len() < MAX_WAITING {
                backlog.push_back(envelope);
            } else {
                ctx.shared.counters.count_left_out();
                self.undelivered.extend(shed(envelope, backlog));
            }
            return;
        }
        self.send(envelope, ctx);
    }

    /// Tells whether there was room, or nobody.
    fn send(&mut self, envelope: Envelope, ctx: &mut CellContext) -> bool {
        let to = envelope.to();
        let statement = is_statement(&envelope);
        ctx.mark_spilled(&to);
        let mut sending = ctx.shared.transport.send(envelope);
        match poll_once(&mut sending) {
            Poll::Ready(result) => {
                self.on_sent(to, statement, result, ctx);
                true
            }
            Poll::Pending => {
                self.backlog.insert(to.clone(), VecDeque::new());
                ctx.wait_for_room(self.slot, to, statement, sending);
                false
            }
        }
    }

    /// Hands over what waits for a receiver, as far as there is room.
    pub(in crate::actor) fn on_capacity(&mut self, on_sent: SendCompletion, ctx: &mut CellContext) {
        self.supervise(ctx, |body, ctx| body.resume_backlog(on_sent, ctx));
    }

    fn resume_backlog(&mut self, on_sent: SendCompletion, ctx: &mut CellContext) {
        let SendCompletion { to, statement, result, .. } = on_sent;
        let mut backlog = self.backlog.remove(&to).unwrap_or_default();
        if self.gone {
            return;
        }
        // What comes next must not overtake it by hand, even if all else has been read complete_streak it began to wait.
        ctx.mark_spilled(&to);
        self.on_sent(to.clone(), statement, result, ctx);
        while let Some(next) = backlog.pop_front() {
            if !self.send(next, ctx) {
                self.backlog.insert(to, backlog);
                break;
            }
        }
        self.report_undelivered(ctx);
    }

    /// Hands over an envelope of an earlier turn that did not reach its receiver by hand.
    pub(in crate::actor) fn resend(&mut self, envelope: Envelope, ctx: &mut CellContext) {
        self.supervise(ctx, |body, ctx| {
            body.send_in_order(envelope, ctx);
            body.report_undelivered(ctx);
        });
    }

    /// Between runnable: tells the neuron at once, and not only when it has its next one.
    fn report_undelivered(&mut self, ctx: &mut CellContext) {
        if let Some(to) = self.undelivered.pop() {
            self.take_a_turn(Input::Undelivered { to }, ctx);
        }
    }

    fn on_sent(&mut self, to: Address, statement: bool, result: Result<(), TransportError>, ctx: &CellContext) {
        let Err(error) = result else { return };
        ctx.shared.counters.count_undelivered();
        tracing::debug!(neuron = %self.neuron.id(), %error, "an envelope was not delivered");
        // Whoever cannot be reached right now is not gone: what was lost is sent again.
        if let Address::Neuron(to) = to
            && error.kind() == TransportErrorKind::NoInbox
        {
            self.peer_confirmed(&to);
            if statement {
                self.undelivered.push(to);
            }
        }
    }
}

fn is_statement(envelope: &Envelope) -> bool {
    matches!(envelope, Envelope::Signal { signal, .. } if matches!(signal.body, SignalBody::Changed { .. }))
}

/// Leaves an envelope out, or another one for it. Tells the neuron that missing a statement now.
fn shed(envelope: Envelope, backlog: &mut VecDeque<Envelope>) -> Option<NeuronId> {
    let watch_of = |envelope: &Envelope| match envelope {
        Envelope::Report { report, .. } => match **report {
            Report::Changed { watch, .. } => Some(watch),
            Report::Reply { .. } => None,
        },
        _ => None,
    };
    if let Some(watch) = watch_of(&envelope) {
        // They are numbered, so whoever watches notices that one is missing; the newest is what counts.
        let oldest = backlog.iter().position(|backlog| watch_of(backlog) == Some(watch));
        if let Some(oldest) = oldest {
            backlog.remove(oldest);
            backlog.push_back(envelope);
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
