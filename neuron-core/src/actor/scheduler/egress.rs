//! How a neuron's envelopes get to the transport, and what happens while a receiver has no
//! capacity.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context as TaskContext, Poll, Waker},
};

use thin_vec::ThinVec;

use super::{backlog::Backlog, cell_context::CellContext, pending_sends::SendCompletion};
use crate::{
    command::{Refusal, Report},
    id::NeuronId,
    signal::SignalBody,
    transport::{Address, Envelope, Sending, TransportError, TransportErrorKind},
};

/// The most envelopes that wait for capacity at one receiver; see [`shed`] for what happens beyond.
///
/// A receiver that reads at all is not a thousand changes behind.
const MAX_BACKLOG: usize = 1024;

/// The outgoing envelopes of one neuron. They are sent in order for each receiver.
#[derive(Debug, Default)]
pub(super) struct Egress {
    /// For each receiver without capacity: what follows the envelope whose send is pending.
    backlog: Backlog,
    /// Failed sends that have not been passed to the neuron yet.
    failures: ThinVec<SendFailure>,
}

/// An envelope to a neuron has not been delivered, in a way that the sender has to know of.
#[derive(Debug)]
pub(super) struct SendFailure {
    /// The receiver.
    pub(super) peer: NeuronId,
    /// The receiver has no inbox; `false` means that it was only too slow.
    pub(super) has_no_inbox: bool,
    /// The envelope held a statement, so the receiver's stream has a gap.
    pub(super) is_statement: bool,
}

impl Egress {
    /// Returns whether envelopes wait for capacity at any receiver.
    pub(super) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Sends an envelope of the neuron in this slot, after those that wait for the same receiver.
    pub(super) fn send(&mut self, slot: u32, envelope: Envelope, ctx: &mut CellContext) {
        if !self.backlog.is_empty()
            && let Some(queue) = self.backlog.get_mut(&envelope.to())
        {
            if queue.len() < MAX_BACKLOG {
                queue.push_back(envelope);
            } else {
                ctx.host.counters.count_shed();
                let cut_off = shed(envelope, queue);
                let failure = |peer| SendFailure { peer, has_no_inbox: false, is_statement: true };
                self.failures.extend(cut_off.map(failure));
            }
            return;
        }
        self.send_now(slot, envelope, ctx);
    }

    /// Goes on after a send that has waited for capacity: sends what follows it, as far as there is
    /// capacity.
    pub(super) fn on_capacity(&mut self, completion: SendCompletion, ctx: &mut CellContext) {
        let SendCompletion { slot, to, is_statement, result } = completion;
        let mut queue = self.backlog.remove(&to).unwrap_or_default();
        // The inbox may have been drained since the send began to wait. What comes next goes there
        // as well, and no local signal must overtake it.
        ctx.mark_spilled(&to);
        self.on_sent(slot, to.clone(), is_statement, result, ctx);
        while let Some(next) = queue.pop_front() {
            if !self.send_now(slot, next, ctx) {
                self.backlog.insert(to, queue);
                break;
            }
        }
    }

    /// Takes the latest failed send that has not been passed to the neuron yet; `None` if there is
    /// none.
    pub(super) fn pop_failure(&mut self) -> Option<SendFailure> {
        let failure = self.failures.pop()?;
        if self.failures.is_empty() {
            // Failures are rare, and a host may have a million neurons.
            self.failures = ThinVec::new();
        }
        Some(failure)
    }

    /// Discards all signals that have not been sent; reports stay.
    pub(super) fn discard_signals(&mut self) {
        self.backlog.discard_signals();
    }

    /// Discards everything that has not been sent.
    pub(super) fn clear(&mut self) {
        self.backlog.clear();
    }

    /// Sends an envelope; `false` means that it waits for capacity, and that its receiver has a
    /// queue from now on.
    fn send_now(&mut self, slot: u32, envelope: Envelope, ctx: &mut CellContext) -> bool {
        let to = envelope.to();
        let is_statement = is_statement(&envelope);
        let refusal = refusal_of_too_large(&envelope);
        ctx.mark_spilled(&to);
        let mut sending = ctx.host.transport.send(envelope);
        match poll_once(&mut sending) {
            Poll::Ready(result) => {
                let is_unsendable = result.as_ref().is_err_and(|error| error.kind() == TransportErrorKind::Unsendable);
                self.on_sent(slot, to, is_statement, result, ctx);
                match refusal.filter(|_| is_unsendable) {
                    Some(refusal) => self.send_now(slot, refusal, ctx),
                    None => true,
                }
            }
            Poll::Pending => {
                self.backlog.insert(to.clone(), VecDeque::new());
                ctx.wait_for_capacity(slot, to, is_statement, sending);
                false
            }
        }
    }

    /// Notes the result of a send. A receiver that is unreachable right now still has an inbox:
    /// what was lost on the way there is sent again.
    fn on_sent(
        &mut self,
        slot: u32,
        to: Address,
        is_statement: bool,
        result: Result<(), TransportError>,
        ctx: &CellContext,
    ) {
        let Err(error) = result else { return };
        ctx.host.counters.count_undelivered();
        tracing::debug!(neuron = %ctx.registry.name(slot), %error, "an envelope was not delivered");
        if let Address::Neuron(peer) = to
            && error.kind() == TransportErrorKind::NoInbox
        {
            self.failures.push(SendFailure { peer, has_no_inbox: true, is_statement });
        }
    }
}

fn is_statement(envelope: &Envelope) -> bool {
    matches!(envelope, Envelope::Signal { signal, .. } if matches!(signal.body, SignalBody::Changed { .. }))
}

/// Returns what a controller is told if a reply to it does not fit into a message; `None` for other
/// envelopes, and for refusals.
fn refusal_of_too_large(envelope: &Envelope) -> Option<Envelope> {
    let Envelope::Report { from, to, report } = envelope else { return None };
    let Report::Reply { request, result: Ok(_) } = **report else { return None };
    let refusal = Report::Reply { request, result: Err(Refusal::TooLarge) };
    Some(Envelope::Report { from: from.clone(), to: to.clone(), report: Box::new(refusal) })
}

/// Discards an envelope for which the queue of its receiver has no room, or an older one in its
/// place. Returns the receiver if that loses a statement.
///
/// - A change that a watch reports takes the place of the oldest one of that watch: the newest is
///   what counts, and changes are numbered, so the controller sees that one is missing.
/// - A lost statement ends its stream; its receiver subscribes again and gets the newest level.
/// - Other signals, and replies, are repeated by the protocol when they are missed.
fn shed(envelope: Envelope, queue: &mut VecDeque<Envelope>) -> Option<NeuronId> {
    let watch_of = |envelope: &Envelope| match envelope {
        Envelope::Report { report, .. } => match **report {
            Report::Changed { watch, .. } => Some(watch),
            Report::Reply { .. } => None,
        },
        _ => None,
    };
    if let Some(watch) = watch_of(&envelope) {
        let oldest = queue.iter().position(|queued| watch_of(queued) == Some(watch));
        if let Some(oldest) = oldest {
            queue.remove(oldest);
            queue.push_back(envelope);
        }
        return None;
    }
    match envelope {
        Envelope::Signal { to, signal, .. } if matches!(signal.body, SignalBody::Changed { .. }) => Some(to),
        _ => None,
    }
}

fn poll_once(sending: &mut Sending) -> Poll<Result<(), TransportError>> {
    Pin::new(sending).poll(&mut TaskContext::from_waker(Waker::noop()))
}
