//! What is said to others, and what keeps it alive: sending again, renewing, calling.

use std::time::Duration;

use super::{
    LocalSlot, Neuron, Output,
    cares::earliest,
    delivery::{Resend, Statement},
    subscriber::{Calling, Line, Subscriber},
};
use crate::{
    command::{Report, Sample},
    id::NeuronId,
    record::Claim,
    signal::{Signal, SignalBody},
    tag::{Tag, Time},
};

/// The shortest time between two renewals, whatever the lease: what a timer can do.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

impl Neuron {
    pub(super) fn send(&mut self, to: NeuronId, body: SignalBody) {
        self.outputs
            .get_or_insert_default()
            .push(Output::Signal { to, signal: Signal { incarnation: self.incarnation, body } });
    }

    /// Sends something to the subscriber with this number, which the host keeps at this place, if that is known.
    // What is sent is made where it is to be: to copy it takes longer than to make it.
    #[inline(always)]
    pub(super) fn send_to(&mut self, index: usize, place: LocalSlot, body: SignalBody) {
        match place {
            LocalSlot::UNKNOWN => self.send(self.subscribers[index].id.clone(), body),
            place => {
                let signal = Signal { incarnation: self.incarnation, body };
                self.outputs.get_or_insert_default().send_local(place, signal);
            }
        }
    }

    /// Sees to it that the store allows what is about to be said.
    pub(super) fn respect_ceiling(&mut self) {
        if self.spoken.needs_ceiling() {
            self.outputs.get_or_insert_default().push(Output::Save);
        }
    }

    pub(super) fn report_change(&mut self, tag: Tag) {
        if self.wishes.get().is_some_and(|wishes| !wishes.watchers.is_empty()) {
            self.report_to_watchers(tag);
        }
    }

    /// Nothing is known of a stretch of tags. Whoever watches may have missed a change there, and is told so with the next one.
    #[cold]
    pub(super) fn count_a_gap(&mut self) {
        for watcher in self.wishes.get_mut().into_iter().flat_map(|wishes| &mut wishes.watchers) {
            watcher.reported += 1;
        }
    }

    #[inline(never)]
    fn report_to_watchers(&mut self, tag: Tag) {
        let sample = Sample { level: self.value.level, tag, missing: self.value.missing.clone() };
        for watcher in self.wishes.get_mut().into_iter().flat_map(|wishes| &mut wishes.watchers) {
            watcher.reported += 1;
            let report = Report::Changed { watch: watcher.request, number: watcher.reported, sample: sample.clone() };
            self.outputs.get_or_insert_default().push(Output::Report { to: watcher.from.clone(), report });
        }
    }

    /// States a new value to all subscribers.
    pub(super) fn state(&mut self, claim: &Claim, now: Time) {
        self.respect_ceiling();
        for index in 0..self.subscribers.len() {
            self.state_to(index, claim, now);
        }
    }

    /// States a value to one subscriber. The first statement of a stream knows nothing of what was before.
    pub(super) fn state_to(&mut self, index: usize, claim: &Claim, now: Time) {
        let retry = self.retry();
        let subscriber = &mut self.subscribers[index];
        let sender = match &mut subscriber.line {
            Line::Open(sender) => sender,
            Line::Broken(calling) => {
                self.cares.insists = true;
                return calling.once_more(now);
            }
        };
        sender.seq += 1;
        sender.say(claim.at);
        let known = if sender.seq == 1 { Tag::ORIGIN } else { claim.known };
        let (stream, seq, at) = (sender.stream, sender.seq, claim.at);
        if self.settings.carrier.may_lose() {
            self.cares.insists = true;
            sender.keep(seq, Statement { known, at, value: claim.value.clone() }, retry, now);
        }
        let place = sender.place;
        self.send_to(index, place, SignalBody::Changed { stream, seq, known, at, value: claim.value.clone() });
    }

    /// A wave with this tag reached the neuron and changed nothing: its subscribers need not ask.
    #[inline(never)]
    pub(super) fn pass_on(&mut self, wave: Tag) {
        for index in 0..self.subscribers.len() {
            if self.subscribers[index].sender().is_some_and(|sender| sender.said < wave) {
                self.promise_to(index, wave, true);
            }
        }
    }

    pub(super) fn promise_to(&mut self, index: usize, upto: Tag, wave: bool) {
        self.spoken.promise(upto);
        self.respect_ceiling();
        self.say_nothing(index, upto, wave);
    }

    /// Says nothing that has not been said before: a sign of life.
    fn say_again(&mut self, index: usize) {
        let said = self.subscribers[index].sender().map(|sender| sender.said);
        if let Some(said) = said {
            self.say_nothing(index, said, false);
        }
    }

    fn say_nothing(&mut self, index: usize, upto: Tag, wave: bool) {
        let subscriber = &mut self.subscribers[index];
        let Line::Open(sender) = &mut subscriber.line else { return };
        sender.say(upto);
        let (place, stream, after) = (sender.place, sender.stream, sender.seq);
        self.send_to(index, place, SignalBody::Nothing { stream, after, upto, wave });
    }

    /// Answers those who have asked and can be told nothing new.
    pub(super) fn show_life(&mut self) {
        for index in 0..self.subscribers.len() {
            if self.subscribers[index].sender().is_some_and(|sender| sender.owes) {
                self.say_again(index);
            }
        }
    }

    /// Renews a level that lasts, to those who have heard nothing else for a while. Tells when to do it again.
    #[inline]
    pub(super) fn renew(&mut self, now: Time) -> Option<Time> {
        if self.value.is_rest() || !self.cares.renews {
            self.renew_at = None;
            return None;
        }
        self.renew_what_lasts(now)
    }

    #[inline(never)]
    fn renew_what_lasts(&mut self, now: Time) -> Option<Time> {
        let mut senders = self.subscribers.iter().filter_map(Subscriber::sender);
        self.cares.renews = senders.any(|sender| !sender.beside);
        if !self.cares.renews {
            self.renew_at = None;
            return None;
        }
        let interval = (self.settings.lease / 3).max(SHORTEST_INTERVAL);
        let mut at = *self.renew_at.get_or_insert_with(|| now.after(interval));
        if at <= now {
            for index in 0..self.subscribers.len() {
                if self.subscribers[index]
                    .sender()
                    .is_some_and(|sender| sender.quiet && sender.seq > 0 && !sender.beside)
                {
                    self.say_again(index);
                }
                if let Some(sender) = self.subscribers[index].sender_mut() {
                    sender.quiet = true;
                }
            }
            at = now.after(interval);
        }
        self.renew_at = Some(at);
        Some(at)
    }

    /// Sends again what was not acknowledged, and calls those who have to subscribe again. Tells when there is more to do.
    #[inline]
    pub(super) fn insist(&mut self, now: Time) -> Option<Time> {
        if self.cares.insists { self.insist_now(now) } else { None }
    }

    #[inline(never)]
    fn insist_now(&mut self, now: Time) -> Option<Time> {
        let retry = self.retry();
        let mut next = None;
        for index in 0..self.subscribers.len() {
            let mut due = None;
            match self.subscribers[index].sender_mut().map(|sender| sender.resend(retry, now)) {
                Some(Resend::At(at)) => due = at,
                Some(Resend::Now { statements, again }) => {
                    due = Some(again);
                    self.send_again(index, statements);
                }
                Some(Resend::GiveUp) => self.give_up_line(index, now),
                None => {}
            }
            let subscriber = &mut self.subscribers[index];
            if let Line::Broken(calling) = &mut subscriber.line {
                let call = calling.call(retry, now);
                due = calling.due();
                if let Some(body) = call {
                    let to = subscriber.id.clone();
                    self.send(to, body);
                }
            }
            next = earliest(next, due);
        }
        self.cares.insists = next.is_some();
        next
    }

    fn send_again(&mut self, index: usize, statements: Vec<(u64, Statement)>) {
        let Some(stream) = self.subscribers[index].stream() else { return };
        let to = self.subscribers[index].id.clone();
        for (seq, Statement { known, at, value }) in statements {
            self.counters.rest().resent += 1;
            self.send(to.clone(), SignalBody::Changed { stream, seq, known, at, value });
        }
    }

    /// What was stated to this subscriber may be lost: its stream is never continued.
    pub(super) fn give_up(&mut self, to: &NeuronId, now: Time) {
        if let Ok(index) = self.find_subscriber(to)
            && self.subscribers[index].sender().is_some()
        {
            self.give_up_line(index, now);
        }
    }

    fn give_up_line(&mut self, index: usize, now: Time) {
        self.counters.rest().given_up += 1;
        let dead = self.subscribers[index].stream();
        self.cares.insists = true;
        self.subscribers[index].line = Line::Broken(Calling::begin(dead, now));
    }
}
