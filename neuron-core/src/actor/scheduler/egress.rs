//! How envelopes of a body get to the transport, and what becomes of those that there is no room for.

use std::{
    collections::VecDeque,
    task::{Context as TaskContext, Poll, Waker},
};

use super::{
    cell::Body,
    registry::{Desk, HandedOver},
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

impl Body {
    /// Hands an envelope over, after those that wait for the same receiver.
    pub(in crate::actor) fn hand_over(&mut self, envelope: Envelope, desk: &mut Desk) {
        if !self.waiting.is_empty()
            && let Some(waiting) = self.waiting.get_mut(&envelope.to())
        {
            if waiting.len() < MAX_WAITING {
                waiting.push_back(envelope);
            } else {
                desk.shared.counters.count_left_out();
                self.undelivered.extend(leave_out(envelope, waiting));
            }
            return;
        }
        self.send(envelope, desk);
    }

    /// Tells whether there was room, or nobody.
    fn send(&mut self, envelope: Envelope, desk: &mut Desk) -> bool {
        let to = envelope.to();
        let statement = is_statement(&envelope);
        desk.note_detour(&to);
        let mut sending = desk.shared.transport.send(envelope);
        match poll_once(&mut sending) {
            Poll::Ready(result) => {
                self.handed_over(to, statement, result, desk);
                true
            }
            Poll::Pending => {
                self.waiting.insert(to.clone(), VecDeque::new());
                desk.wait_for_room(self.slot, to, statement, sending);
                false
            }
        }
    }

    /// Hands over what waits for a receiver, as far as there is room.
    pub(in crate::actor) fn there_is_room(&mut self, handed_over: HandedOver, desk: &mut Desk) {
        self.guarded(desk, |body, desk| body.hand_over_what_waits(handed_over, desk));
    }

    fn hand_over_what_waits(&mut self, handed_over: HandedOver, desk: &mut Desk) {
        let HandedOver { to, statement, result, .. } = handed_over;
        let mut waiting = self.waiting.remove(&to).unwrap_or_default();
        if self.gone {
            return;
        }
        // What comes next must not overtake it by hand, even if all else has been read since it began to wait.
        desk.note_detour(&to);
        self.handed_over(to.clone(), statement, result, desk);
        while let Some(next) = waiting.pop_front() {
            if !self.send(next, desk) {
                self.waiting.insert(to, waiting);
                break;
            }
        }
        self.tell_what_was_not_delivered(desk);
    }

    /// Hands over an envelope of an earlier turn that did not reach its receiver by hand.
    pub(in crate::actor) fn hand_over_anew(&mut self, envelope: Envelope, desk: &mut Desk) {
        self.guarded(desk, |body, desk| {
            body.hand_over(envelope, desk);
            body.tell_what_was_not_delivered(desk);
        });
    }

    /// Between turns: tells the neuron at once, and not only when it has its next one.
    fn tell_what_was_not_delivered(&mut self, desk: &mut Desk) {
        if let Some(to) = self.undelivered.pop() {
            self.take_a_turn(Input::Undelivered { to }, desk);
        }
    }

    fn handed_over(&mut self, to: Address, statement: bool, result: Result<(), TransportError>, desk: &Desk) {
        let Err(error) = result else { return };
        desk.shared.counters.count_undelivered();
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
