//! What other neurons say.

use std::time::Duration;

use super::{
    MAX_WAVES, Neuron, Output,
    cares::Cares,
    delivery::{Delivered, Promise, Receiver, Statement, Taken},
    input::{Asking, State},
    lasting::{Returning, due},
    subscriber::LONGEST_PAUSE,
};
use crate::{
    command::{Answer, ConfigChange, Stamp},
    id::NeuronId,
    record::Event,
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::{Tag, Time},
};

/// How far ahead of the clock here a tag may lie that is believed.
///
/// Believing it drags the neuron's own tags there. An hour is what clocks are often off, with a wrong time zone or without
/// daylight saving, and must do no harm; a clock further ahead is wrong, and must not take all others with it.
const MAX_AHEAD: Duration = Duration::from_secs(2 * 3600);

/// How far behind the clock here a level may re-enter, if its delay is not longer. One that comes from further back, because
/// its source starts or was cut off, re-enters no further back than this: a loop need not live through what it missed.
const MAX_LAG: Duration = Duration::from_secs(1);

impl Neuron {
    pub(super) fn hear(&mut self, from: &NeuronId, signal: Signal, now: Time) {
        let Signal { incarnation, body } = signal;
        if let SignalBody::Fenced { incarnation } = body {
            return self.told_of_another_life(incarnation);
        }
        if latest_tag(&body).is_some_and(|tag| is_far_ahead(tag, now)) {
            self.counters.rest().ahead += 1;
            return self.disbelieve(from, &body, now);
        }
        let index = self.find_speaker(from, &body);
        if !self.is_known(index, incarnation) && !self.speaks_in_its_present_life(from, incarnation, &body, now) {
            self.counters.rest().duplicates += 1;
            return;
        }
        match body {
            SignalBody::Hello | SignalBody::NoStream { .. } | SignalBody::Fenced { .. } => {}
            SignalBody::Subscribe { stream } => return self.add_subscriber(from, stream, now),
            SignalBody::Unsubscribe { stream } => return self.remove_subscriber(from, stream),
            SignalBody::Probe { stream, upto } => return self.asked(from, stream, upto, now),
            SignalBody::Ack { stream, upto } => {
                let retry = self.retry();
                if let Some(sender) = self.sender_of(from, stream) {
                    sender.acknowledged(upto, retry, now);
                }
                return;
            }
            SignalBody::Changed { .. } | SignalBody::Nothing { .. } => {}
        }
        let Some(index) = self.link_of(from, index, &body, now) else { return };
        self.heard(index, now);
        match body {
            SignalBody::Changed { seq, known, at, value, .. } => {
                if !super::is_finite(value.level) {
                    self.counters.rest().refused += 1;
                    return;
                }
                let Some(link) = &mut self.sources[index].link else { return };
                match link.receiver.changed(seq, Statement { known, at, value }) {
                    Taken::Now(statement) => {
                        let others_wait = link.receiver.is_ahead();
                        self.hand_on(index, statement, now);
                        if others_wait {
                            self.deliver(index, now);
                        }
                        self.acknowledge_soon(index, now);
                    }
                    Taken::Early => self.acknowledge(index),
                    Taken::Duplicate => {
                        self.counters.rest().duplicates += 1;
                        self.acknowledge(index);
                    }
                    Taken::NoRoom => {
                        self.counters.rest().refused += 1;
                        self.acknowledge(index);
                    }
                }
            }
            SignalBody::Nothing { after, upto, wave, .. } => {
                let Some(link) = &mut self.sources[index].link else { return };
                if let Some(promise) = link.receiver.nothing(Promise { after, upto, wave }) {
                    self.take_promise_in(index, promise);
                }
            }
            _ => {}
        }
        self.look_whether_it_suffices(index);
    }

    #[inline(never)]
    fn told_of_another_life(&mut self, incarnation: Incarnation) {
        let ours = self.incarnation;
        if incarnation.number > ours.number || (incarnation.number == ours.number && incarnation.nonce != ours.nonce) {
            self.fall_silent(incarnation);
        }
    }

    /// Whether an input speaks in the life that it has spoken in before; whatever is heard of another one is noted there.
    fn is_known(&self, index: Option<usize>, incarnation: Incarnation) -> bool {
        let link = index.and_then(|index| self.sources[index].link.as_ref());
        link.is_some_and(|link| link.receiver.source == incarnation && incarnation.number > 0)
    }

    /// Whether a message comes from the life of its sender that we know of. A new life of an input is asked for its
    /// statements anew; what it said in the old one stays true as far as it went. One that is over is told so.
    #[inline(never)]
    fn speaks_in_its_present_life(
        &mut self,
        from: &NeuronId,
        incarnation: Incarnation,
        body: &SignalBody,
        now: Time,
    ) -> bool {
        let known = self.latest_life(from);
        let over = incarnation.number < known.number
            || (incarnation.number == known.number && incarnation.nonce != known.nonce);
        if over {
            self.send(from.clone(), SignalBody::Fenced { incarnation: known });
            return false;
        }
        let Ok(index) = self.find_source(from) else { return true };
        let Some(link) = &mut self.sources[index].link else { return true };
        let never_heard = link.receiver.source.number == 0;
        if never_heard && answers(body, link.receiver.stream) {
            link.receiver.source = incarnation;
            self.outputs.get_or_insert_default().push(Output::Save);
        } else if !never_heard && incarnation != link.receiver.source || never_heard && *body == SignalBody::Hello {
            link.receiver.source = incarnation;
            self.outputs.get_or_insert_default().push(Output::Save);
            self.subscribe_anew(index, now);
        }
        true
    }

    /// The latest life of a neuron that was heard of; number 0 if none was.
    fn latest_life(&self, of: &NeuronId) -> Incarnation {
        let link = self.find_source(of).ok().and_then(|index| self.sources[index].link.as_ref());
        let source = link.map(|link| link.receiver.source);
        let subscriber = self.find_subscriber(of).ok().map(|index| self.subscribers[index].life);
        source.into_iter().chain(subscriber).max().unwrap_or_default()
    }

    /// Asks an input for its statements as another stream.
    #[inline(never)]
    fn subscribe_anew(&mut self, index: usize, now: Time) {
        let stream = self.next_stream();
        let call = self.call_of_subscription(now);
        let Some(link) = &mut self.sources[index].link else { return };
        if std::mem::take(&mut link.beside) {
            // A life that begins again and again, and never has an answer, must not keep its level for ever.
            link.heard = link.heard.map(|_| now);
        }
        link.receiver = Receiver::new(stream, link.receiver.source);
        let unusual = link.unusual.make();
        (unusual.asking, unusual.call) = (Asking::default(), call);
        let to = self.sources[index].id.clone();
        self.cares = Cares::EVERYTHING;
        self.send(to, SignalBody::Subscribe { stream });
    }

    /// The clock of the sender is wrong, or ours is. A stream in which a statement was left out cannot go on; it is asked for
    /// another one, after a while.
    #[inline(never)]
    fn disbelieve(&mut self, from: &NeuronId, body: &SignalBody, now: Time) {
        let SignalBody::Changed { stream, .. } = body else { return };
        let next = StreamId { incarnation: self.incarnation, counter: self.streams + 1 };
        if let Ok(index) = self.find_source(from)
            && let Some(link) = self.sources[index].link.as_mut().filter(|link| link.receiver.stream == *stream)
        {
            link.receiver = Receiver::new(next, link.receiver.source);
            link.unusual.make().call.longer(LONGEST_PAUSE, now);
            link.has_stated = true;
            self.streams += 1;
            self.cares = Cares::EVERYTHING;
        }
    }

    /// The input that a statement belongs to. One that is no input is told to stop.
    fn link_of(&mut self, from: &NeuronId, index: Option<usize>, body: &SignalBody, now: Time) -> Option<usize> {
        let index = index.filter(|index| self.sources[*index].link.is_some());
        let Some(index) = index else {
            self.counters.rest().unknown += 1;
            let last = StreamId { incarnation: self.incarnation, counter: self.streams };
            let stream = match body {
                SignalBody::Changed { stream, .. }
                | SignalBody::Nothing { stream, .. }
                | SignalBody::NoStream { stream } => *stream,
                _ => last,
            };
            self.send(from.clone(), SignalBody::Unsubscribe { stream });
            return None;
        };
        let current = self.sources[index].link.as_ref()?.receiver.stream;
        match body {
            SignalBody::NoStream { stream } if *stream == current => {
                self.subscribe_anew(index, now);
                None
            }
            SignalBody::Changed { stream, .. } | SignalBody::Nothing { stream, .. } if *stream == current => {
                Some(index)
            }
            SignalBody::Changed { .. } | SignalBody::Nothing { .. } => {
                self.counters.rest().duplicates += 1;
                None
            }
            _ => None,
        }
    }

    /// Takes in what an input has said before, and had come too early.
    #[cold]
    fn deliver(&mut self, index: usize, now: Time) {
        while let Some(link) = &mut self.sources[index].link
            && let Some(delivered) = link.receiver.next()
        {
            match delivered {
                Delivered::Nothing(promise) => self.take_promise_in(index, promise),
                Delivered::Changed(statement) => self.hand_on(index, statement, now),
            }
        }
    }

    fn take_promise_in(&mut self, index: usize, promise: Promise) {
        let Some(link) = &mut self.sources[index].link else { return };
        if link.reentry.is_some() {
            self.look |= link.is_up_to_date();
            return;
        }
        if promise.upto > link.history.frontier {
            link.history.promised(promise.upto);
            link.is_not_waited_for();
        }
        if promise.wave && self.spoken.is_open(promise.upto) {
            self.remember_wave(promise.upto);
        }
    }

    fn hand_on(&mut self, index: usize, statement: Statement, now: Time) {
        self.counters.kicks += 1;
        self.take_in(index, statement, now);
    }

    #[inline(never)]
    fn remember_wave(&mut self, tag: Tag) {
        if let Err(index) = self.waves.find(&tag, |tag| *tag) {
            self.waves.insert(index, tag);
            if self.waves.len() > MAX_WAVES {
                self.waves.pop_front_if(|_| true);
            }
        }
    }

    fn take_in(&mut self, index: usize, statement: Statement, now: Time) {
        let Some(link) = &mut self.sources[index].link else { return };
        let was_active = link.is_active();
        self.take_in_at(index, statement, now);
        let Some(link) = &self.sources[index].link else { return };
        let is_active = link.is_active();
        let lapses = (!link.beside).then(|| now.after(self.settings.lapse));
        self.cares.activity(was_active, is_active, lapses);
    }

    fn take_in_at(&mut self, index: usize, statement: Statement, now: Time) {
        let Some(link) = &mut self.sources[index].link else { return };
        link.has_stated = true;
        let heard_from = statement.at;
        let joining = matches!(link.state(), State::Joining(..));
        let counts = matches!(link.state(), State::Counts { .. });
        let leaving = matches!(link.state(), State::Counts { until, .. } if *until != Tag::MAX);
        if let Some(reentry) = &mut link.reentry {
            if leaving {
                return;
            }
            let (at, due) = match reentry.delay {
                None => (statement.at.max(Tag::at(now.before(MAX_LAG))), now),
                Some(delay) => {
                    let at = statement.at.after(delay).max(Tag::at(now.before(delay.max(MAX_LAG))));
                    (at, due(statement.at, delay, now))
                }
            };
            self.cares.returns_from(index);
            let superseded = reentry.push(Returning { at, due, value: statement.value });
            if superseded {
                self.counters.rest().superseded += 1;
            }
            self.look |= link.is_up_to_date();
        } else {
            link.is_not_waited_for();
            let replaced = link.history.make_room();
            let known = replaced.as_ref().map_or(statement.known, |replaced| replaced.known);
            let new = link.history.changed(Statement { known, ..statement });
            if let Some(replaced) = replaced {
                self.cares = Cares::EVERYTHING;
                self.counters.rest().superseded += 1;
                self.agenda.forget(replaced.at);
            }
            let Some(at) = new else { return };
            if link.limits() && !self.spoken.is_open(at) {
                self.counters.rest().late += 1;
                self.look = true;
                return;
            }
            if counts && self.spoken.is_open(at) {
                self.agenda.wave(at);
            }
        }
        if joining {
            self.join(index, heard_from, now);
        } else {
            self.awaited_is_heard(index, heard_from, now);
        }
    }

    /// A source that is being connected has been heard: from a tag on it counts.
    #[inline(never)]
    fn join(&mut self, index: usize, heard_from: Tag, now: Time) {
        let source = &self.sources[index];
        let Some(link) = &source.link else { return };
        let State::Joining(ticket) = link.state().clone() else { return };
        let (controller, request) = *ticket;
        let reenters = link.reentry.is_some();
        let event = Event::Configured(ConfigChange::Connect { source: source.id.clone(), delay: link.delay() });
        let at_least = if reenters { Tag::at(now) } else { Tag::at(now).max(heard_from) };
        let Some(tag) = self.stamp(at_least) else { return };
        if let Some(link) = &mut self.sources[index].link {
            link.set_state(State::Counts { from: tag, until: Tag::MAX, leaves_for: None });
        }
        self.cares = Cares::EVERYTHING;
        self.own_event(tag, event, now);
        self.carried_out(&controller, request, Ok(Answer::Stamped(Stamp { tag, moved: false })));
    }
}

/// Whether a source says this to a stream: then it knows the stream.
fn answers(body: &SignalBody, stream: StreamId) -> bool {
    match body {
        SignalBody::Changed { stream: said, .. } | SignalBody::Nothing { stream: said, .. } => *said == stream,
        _ => false,
    }
}

/// The highest tag that is believed at a time.
pub(super) fn latest(now: Time) -> Tag {
    Tag::at(now.after(MAX_AHEAD))
}

/// Whether a tag is not believed. [`Tag::MAX`] never is: no event carries it.
fn is_far_ahead(tag: Tag, now: Time) -> bool {
    tag == Tag::MAX || (now.after(MAX_AHEAD) < Time::MAX && tag > latest(now))
}

/// The latest tag that a message is about.
fn latest_tag(body: &SignalBody) -> Option<Tag> {
    match body {
        SignalBody::Changed { at: tag, .. }
        | SignalBody::Nothing { upto: tag, .. }
        | SignalBody::Probe { upto: tag, .. } => Some(*tag),
        _ => None,
    }
}
