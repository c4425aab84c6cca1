//! What other neurons say.

use super::{
    MAX_WAVES, Neuron,
    delivery::{Delivered, Promise, Receiver, Sender, Statement, Taken},
    input::State,
    lasting::{Returning, due},
};
use crate::{
    command::{Answer, Stamp},
    id::NeuronId,
    record::{Claim, Event},
    signal::{Signal, SignalBody, StreamId},
    tag::{Tag, Time},
};

impl Neuron {
    pub(super) fn hear(&mut self, from: &NeuronId, signal: Signal, now: Time) {
        if !self.speaks_in_its_present_life(from, &signal) {
            self.counters.duplicates += 1;
            return;
        }
        if names_the_end_of_time(&signal.body) {
            self.counters.refused += 1;
            return;
        }
        match signal.body {
            SignalBody::Hello => {}
            SignalBody::Subscribe { stream } => self.add_subscriber(from, stream),
            SignalBody::Unsubscribe { stream } => {
                if let Ok(index) = self.find_subscriber(from)
                    && self.subscribers[index].1.as_ref().is_some_and(|sender| sender.stream <= stream)
                {
                    self.subscribers.remove(index);
                }
            }
            SignalBody::Probe { stream, upto } => {
                if let Ok(index) = self.find_subscriber(from)
                    && let Some(sender) = self.subscribers[index].1.as_mut().filter(|sender| sender.stream == stream)
                {
                    sender.want = sender.want.max(Some(upto));
                    self.settle(upto, now);
                }
            }
            SignalBody::Changed { stream, seq, known, at, level } => {
                let Some(index) = self.link_of(from, stream) else { return };
                if !super::is_finite(level) {
                    self.counters.refused += 1;
                    return;
                }
                let Some(link) = &mut self.sources[index].link else { return };
                match link.receiver.changed(seq, Statement { known, at, level }) {
                    Taken::Yes => self.deliver(index, now),
                    Taken::Duplicate => self.counters.duplicates += 1,
                    Taken::NoRoom => self.counters.refused += 1,
                }
            }
            SignalBody::Nothing { stream, after, upto, wave } => {
                let Some(index) = self.link_of(from, stream) else { return };
                let Some(link) = &mut self.sources[index].link else { return };
                link.receiver.nothing(Promise { after, upto, wave });
                self.deliver(index, now);
            }
        }
    }

    /// Whether a message comes from the life of its sender that we know of. A new life of an input is asked for its
    /// statements anew; what it said in the old one stays true as far as it went.
    fn speaks_in_its_present_life(&mut self, from: &NeuronId, signal: &Signal) -> bool {
        let Ok(index) = self.find_source(from) else { return true };
        let next = StreamId { incarnation: self.incarnation, counter: self.streams + 1 };
        let Some(link) = &mut self.sources[index].link else { return true };
        if signal.incarnation <= link.receiver.source {
            return signal.incarnation == link.receiver.source;
        }
        let never_heard = link.receiver.source.0 == 0;
        if never_heard && answers(&signal.body, link.receiver.stream) {
            link.receiver.source = signal.incarnation;
        } else if !never_heard || signal.body == SignalBody::Hello {
            link.receiver = Receiver::new(next, signal.incarnation);
            link.asking = Default::default();
            self.streams += 1;
            self.send(from.clone(), SignalBody::Subscribe { stream: next });
        }
        true
    }

    /// The input that a statement belongs to. One that is no input is told to stop.
    fn link_of(&mut self, from: &NeuronId, stream: StreamId) -> Option<usize> {
        let index = self.find_source(from).ok().filter(|index| self.sources[*index].link.is_some());
        let Some(index) = index else {
            self.counters.unknown += 1;
            self.send(from.clone(), SignalBody::Unsubscribe { stream });
            return None;
        };
        let current = self.sources[index].link.as_ref()?.receiver.stream == stream;
        self.counters.duplicates += u64::from(!current);
        current.then_some(index)
    }

    fn add_subscriber(&mut self, from: &NeuronId, stream: StreamId) {
        let index = match self.find_subscriber(from) {
            Ok(index) => index,
            Err(index) => {
                self.subscribers.insert(index, (from.clone(), None));
                index
            }
        };
        let sender = &mut self.subscribers[index].1;
        if sender.as_ref().is_some_and(|sender| sender.stream >= stream) {
            self.counters.duplicates += 1;
            return;
        }
        *sender = Some(Sender::new(stream));
        if let Some(at) = self.spoken.evaluated {
            self.state_to(index, Claim { known: Tag::ORIGIN, at, level: self.level });
        }
    }

    pub(super) fn find_subscriber(&self, id: &NeuronId) -> Result<usize, usize> {
        self.subscribers.binary_search_by(|(subscriber, _)| subscriber.cmp(id))
    }

    /// Takes in what an input has said, as far as it is complete.
    fn deliver(&mut self, index: usize, now: Time) {
        while let Some(link) = &mut self.sources[index].link
            && let Some(delivered) = link.receiver.next()
        {
            match delivered {
                Delivered::Nothing(_) if link.reentry.is_some() => {}
                Delivered::Nothing(promise) => {
                    if promise.upto > link.history.frontier {
                        link.history.promised(promise.upto);
                        link.asking.reset();
                    }
                    if promise.wave && self.spoken.is_open(promise.upto) {
                        self.remember_wave(promise.upto);
                    }
                }
                Delivered::Changed(statement) => {
                    self.counters.kicks += 1;
                    self.take_in(index, statement, now);
                }
            }
        }
    }

    fn remember_wave(&mut self, tag: Tag) {
        if let Err(index) = self.waves.binary_search(&tag) {
            self.waves.insert(index, tag);
        }
        if self.waves.len() > MAX_WAVES {
            self.waves.pop_front();
        }
    }

    fn take_in(&mut self, index: usize, statement: Statement, now: Time) {
        let Some(link) = &mut self.sources[index].link else { return };
        let joining = matches!(link.state, State::Joining(..));
        let leaving = matches!(link.state, State::Counts { until, .. } if until != Tag::MAX);
        if let Some(reentry) = &mut link.reentry {
            if leaving {
                return;
            }
            let delay = link.delay.unwrap_or_default();
            let at = statement.at.after(delay);
            let superseded = reentry.push(Returning { at, due: due(statement.at, delay, now), level: statement.level });
            self.counters.superseded += u64::from(superseded);
        } else {
            let fresh = link.history.changed(statement);
            link.asking.reset();
            if !fresh || (link.limits() && !self.spoken.is_open(statement.at)) {
                self.counters.late += 1;
                return;
            }
            if !joining && self.spoken.is_open(statement.at) {
                self.agenda.wave(statement.at);
            }
        }
        if joining {
            self.join(index, statement.at, now);
        }
    }

    /// A source that is being connected has been heard: from a tag on it counts.
    fn join(&mut self, index: usize, heard_from: Tag, now: Time) {
        let source = &self.sources[index];
        let Some(link) = &source.link else { return };
        let State::Joining(controller, request) = link.state.clone() else { return };
        let reenters = link.reentry.is_some();
        let event = Event::Connect { source: source.id.clone(), delay: link.delay };
        let at_least = if reenters { Tag::at(now) } else { Tag::at(now).max(heard_from) };
        let Some(tag) = self.stamp(at_least) else { return };
        if let Some(link) = &mut self.sources[index].link {
            link.state = State::Counts { from: tag, until: Tag::MAX };
        }
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

/// No event carries [`Tag::MAX`], so nobody has anything to say or to ask about it.
fn names_the_end_of_time(body: &SignalBody) -> bool {
    match body {
        SignalBody::Changed { at: tag, .. }
        | SignalBody::Nothing { upto: tag, .. }
        | SignalBody::Probe { upto: tag, .. } => *tag == Tag::MAX,
        SignalBody::Subscribe { .. } | SignalBody::Unsubscribe { .. } | SignalBody::Hello => false,
    }
}
