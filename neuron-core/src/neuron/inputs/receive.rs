//! Signals of the inputs.

use super::{Inputs, probe::ProbeTimer};
use crate::{
    config::is_level,
    id::NeuronId,
    neuron::{
        Ctx,
        stream::{Accept, LONGEST_PAUSE, NullMessage, Ready, Receiver, Statement},
    },
    signal::{Incarnation, SignalBody, StreamId},
    tag::{Tag, Time},
};

/// What a signal of an input means for the rest of the neuron.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// A new value counts from this tag on, over a connection that has been made.
    pub(crate) wave: Option<Tag>,
    /// A wave with this tag reached the source and changed nothing there.
    pub(crate) null_wave: Option<Tag>,
    /// The statement for this tag was displaced by the new one.
    pub(crate) displaced: Option<Tag>,
    /// The source of a connection that is being made has stated something from this tag on.
    pub(crate) joined: Option<Tag>,
    /// The new value counts from a later tag than was stated, because the tags up to that one are
    /// complete already.
    pub(crate) is_moved: bool,
    /// The connection counted at the last evaluated tag: a `wave` that was evaluated is late.
    pub(crate) is_applied: bool,
    /// An input that was missing may be back.
    pub(crate) recovered: bool,
    /// Messages that arrived early may be next: call [`Inputs::receive_early`].
    pub(crate) has_early: bool,
}

impl Inputs {
    /// Returns the index of the input that sends a message; `None` if the sender is no input.
    ///
    /// Streams are numbered in the order of the inputs unless these have changed. No two inputs
    /// have the same stream, so a colocated one need not be compared by name.
    #[inline]
    pub(crate) fn find_sender(&self, id: &NeuronId, body: &SignalBody, colocated: bool) -> Option<usize> {
        if let SignalBody::Changed { stream, .. } | SignalBody::Nothing { stream, .. } = body {
            let index = (stream.counter as usize).wrapping_sub(1);
            let link = self.links.get(index).filter(|link| colocated || link.id == *id);
            if link.is_some_and(|link| link.receiver.stream() == *stream) {
                return Some(index);
            }
        }
        self.find(id).ok()
    }

    /// Returns whether an input sends in the incarnation in which it sent before.
    #[inline]
    pub(crate) fn is_current(&self, index: Option<usize>, incarnation: Incarnation) -> bool {
        index.is_some_and(|index| self.links[index].incarnation == incarnation && incarnation.number > 0)
    }

    /// Notes the incarnation of a neuron that may be an input, and that it is not outdated.
    ///
    /// A new incarnation of an input is subscribed to; what the old one stated stays true as far as
    /// it goes.
    pub(crate) fn note_incarnation(
        &mut self,
        from: &NeuronId,
        incarnation: Incarnation,
        body: &SignalBody,
        cx: &mut Ctx<'_>,
    ) {
        let Ok(index) = self.find(from) else { return };
        let link = &mut self.links[index];
        let is_first = link.incarnation.number == 0;
        if is_first && answers(body, link.receiver.stream()) {
            link.incarnation = incarnation;
            cx.save_peers();
        } else if !is_first && incarnation != link.incarnation || is_first && *body == SignalBody::Hello {
            link.incarnation = incarnation;
            cx.save_peers();
            self.subscribe_anew(index, cx);
        }
    }

    /// Asks an input for its statements as another stream.
    #[inline(never)]
    fn subscribe_anew(&mut self, index: usize, cx: &mut Ctx<'_>) {
        let stream = self.next_stream(cx.common.incarnation);
        let first_pause = self.subscription_backoff(cx);
        let link = &mut self.links[index];
        if std::mem::take(&mut link.colocated) {
            // A source that restarts again and again and never answers must not keep its level.
            link.heard = link.heard.map(|_| cx.now);
        }
        link.receiver = Receiver::new(stream);
        let extras = link.extras_mut();
        extras.probe = ProbeTimer::default();
        extras.reconnect = first_pause;
        let to = link.id.clone();
        self.mark_all();
        cx.send(to, SignalBody::Subscribe { stream });
    }

    /// Rejects a message with a tag too far in the future: the clock of the sender is wrong, or
    /// ours.
    ///
    /// A stream in which a statement is left out cannot go on. Another one is asked for after a
    /// while.
    #[inline(never)]
    pub(crate) fn reject_future_tag(&mut self, from: &NeuronId, body: &SignalBody, cx: &mut Ctx<'_>) {
        cx.rare_counters().ahead += 1;
        let SignalBody::Changed { stream, .. } = body else { return };
        let Ok(index) = self.find(from) else { return };
        if self.links[index].receiver.stream() == *stream {
            let next = self.next_stream(cx.common.incarnation);
            let link = &mut self.links[index];
            link.receiver = Receiver::new(next);
            link.extras_mut().reconnect.grow(LONGEST_PAUSE, cx.now);
            link.has_stated = true;
            self.mark_all();
        }
    }

    /// Receives a message of the stream of an input, with the index of the sender if it is an
    /// input.
    ///
    /// Returns the index and what follows; `None` if the message is for no present stream. A sender
    /// that is no input is told to stop.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        from: &NeuronId,
        index: Option<usize>,
        body: SignalBody,
        cx: &mut Ctx<'_>,
    ) -> Option<(usize, Received)> {
        let Some(index) = index else {
            self.reject_unknown(from, &body, cx);
            return None;
        };
        let current = self.links[index].receiver.stream();
        match &body {
            SignalBody::Changed { stream, .. } | SignalBody::Nothing { stream, .. } if *stream == current => {}
            SignalBody::Changed { .. } | SignalBody::Nothing { .. } => {
                cx.rare_counters().duplicates += 1;
                return None;
            }
            SignalBody::NoStream { stream } => {
                if *stream == current {
                    self.subscribe_anew(index, cx);
                }
                return None;
            }
            _ => return None,
        }
        let mut received = Received { recovered: self.touch(index, cx), ..Received::default() };
        match body {
            SignalBody::Changed { seq, known, at, value, .. } => {
                if !is_level(value.level) {
                    cx.rare_counters().refused += 1;
                    return Some((index, received));
                }
                self.receive_statement(index, seq, Statement { known, at, value }, &mut received, cx);
            }
            SignalBody::Nothing { after, upto, wave, .. } => {
                if let Some(null) = self.links[index].receiver.accept_null(NullMessage { after, upto, wave }) {
                    self.apply_null(index, null, &mut received, cx.now);
                }
            }
            _ => {}
        }
        if !received.has_early {
            self.update_probe_round(index);
        }
        Some((index, received))
    }

    #[inline(always)]
    fn receive_statement(
        &mut self,
        index: usize,
        seq: u64,
        statement: Statement,
        received: &mut Received,
        cx: &mut Ctx<'_>,
    ) {
        let receiver = &mut self.links[index].receiver;
        match receiver.accept(seq, statement) {
            Accept::Now(statement) => {
                received.has_early = receiver.has_early();
                self.apply_statement(index, statement, received, cx);
                if !received.has_early {
                    self.acknowledge_soon(index, cx);
                }
                return;
            }
            Accept::Early => {}
            Accept::Duplicate => cx.rare_counters().duplicates += 1,
            Accept::NoRoom => cx.rare_counters().refused += 1,
        }
        self.acknowledge(index, cx);
    }

    /// Receives the next message that arrived early and whose turn it is; `None` if there is none.
    #[cold]
    pub(crate) fn receive_early(&mut self, index: usize, cx: &mut Ctx<'_>) -> Option<Received> {
        let mut received = Received::default();
        match self.links[index].receiver.take_ready() {
            Some(Ready::Changed(statement)) => self.apply_statement(index, statement, &mut received, cx),
            Some(Ready::Nothing(null)) => self.apply_null(index, null, &mut received, cx.now),
            None => {
                self.acknowledge_soon(index, cx);
                self.update_probe_round(index);
                return None;
            }
        }
        Some(received)
    }

    #[cold]
    fn reject_unknown(&mut self, from: &NeuronId, body: &SignalBody, cx: &mut Ctx<'_>) {
        cx.rare_counters().unknown += 1;
        let stream = match body {
            SignalBody::Changed { stream, .. }
            | SignalBody::Nothing { stream, .. }
            | SignalBody::NoStream { stream } => *stream,
            _ => StreamId { incarnation: cx.common.incarnation, counter: self.streams },
        };
        cx.send(from.clone(), SignalBody::Unsubscribe { stream });
    }

    #[inline]
    fn apply_null(&mut self, index: usize, null: NullMessage, received: &mut Received, now: Time) {
        let link = &mut self.links[index];
        if link.reentry.is_some() {
            received.recovered |= link.refresh();
            return;
        }
        if null.upto > link.history.complete_through {
            link.history.complete_through = null.upto;
            self.note_answer(index, null.upto, now);
        }
        received.null_wave = null.wave.then_some(null.upto);
    }

    #[inline]
    fn apply_statement(&mut self, index: usize, statement: Statement, received: &mut Received, cx: &mut Ctx<'_>) {
        cx.common.counters.kicks += 1;
        let link = &mut self.links[index];
        let was = link.needs_renewal();
        link.has_stated = true;
        let heard_from = statement.at;
        if link.reentry.is_some() {
            if link.is_leaving() {
                return;
            }
            self.apply_reentering(index, statement, received, cx);
        } else {
            let mut statement = statement;
            if link.history.is_full()
                && let Some(displaced) = link.history.displace_newest()
            {
                received.displaced = Some(displaced.at);
                statement.known = displaced.known;
                cx.rare_counters().superseded += 1;
                self.mark_all();
            }
            self.note_answer(index, heard_from, cx.now);
            let link = &mut self.links[index];
            received.is_applied = link.is_applied;
            if let Some(tag) = link.history.add(statement) {
                received.is_moved = tag != heard_from;
                if link.extras.is_none() {
                    received.wave = Some(tag);
                } else {
                    received.wave = link.is_active().then_some(tag);
                    received.joined = link.note_first_statement(heard_from).then_some(heard_from);
                }
            }
        }
        let link = &self.links[index];
        let is = link.needs_renewal();
        let colocated = link.colocated;
        self.update_renewals(was, is, colocated, cx);
    }

    fn apply_reentering(&mut self, index: usize, statement: Statement, received: &mut Received, cx: &mut Ctx<'_>) {
        self.note_reentry(index);
        let link = &mut self.links[index];
        let Some(reentry) = &mut link.reentry else { return };
        let at = statement.at;
        if reentry.push(at, statement.value, cx.now) {
            cx.rare_counters().superseded += 1;
        }
        received.recovered |= link.refresh();
        received.joined = link.note_first_statement(at).then_some(at);
    }
}

/// Returns whether a source sends this to a stream, which means that it knows the stream.
fn answers(body: &SignalBody, stream: StreamId) -> bool {
    match body {
        SignalBody::Changed { stream: of, .. } | SignalBody::Nothing { stream: of, .. } => *of == stream,
        _ => false,
    }
}
