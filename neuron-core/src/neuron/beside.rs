//! Neurons of one host, which knows who is there.
//!
//! Nothing they say to each other is lost, and none of them is silent without the host's telling. So they need not renew their
//! levels, need not ask twice, and are not given up for being slow: a host with too much to do would take its own neurons
//! for dead, and have more to do.

use std::sync::Arc;

use super::{Input, LocalSlot, Mode, Neuron, Outbox, Settings, cares::Cares};
use crate::{
    id::NeuronId,
    signal::{Signal, SignalBody},
    tag::Time,
};

impl Neuron {
    /// Begins a turn in which others are heard that the same host runs: one or more of them with
    /// [`hear_beside`](Self::hear_beside), then [`has_heard`](Self::has_heard).
    pub(crate) fn begin_to_hear(&mut self, now: Time) {
        self.begin_turn(now);
    }

    /// Takes in what a neuron says that the same host runs, or, if that one is not `here` any more, has run. From now on the host has
    /// to [tell](Self::is_left_by) when it is gone.
    #[inline]
    pub(crate) fn hear_beside(&mut self, from: &NeuronId, signal: Signal, here: bool, now: Time) {
        if self.fenced.is_some() {
            return;
        }
        self.beside = here;
        if !signal.body.is_plain() {
            self.cares = Cares::EVERYTHING;
        }
        self.hear(from, signal, now);
    }

    /// There is more to be heard in this turn. With one input, nothing else has to be waited for, so nothing has to be kept; and a
    /// neuron that waits for nobody evaluates each thing that it hears by itself.
    #[inline]
    pub(crate) fn answer_meanwhile(&mut self, now: Time) {
        if (self.sources.len() == 1 || self.settings.mode == Mode::Asap) && self.fenced.is_none() {
            self.evaluate_meanwhile(now);
        }
    }

    /// Goes as far as what has been heard in this turn allows.
    pub(crate) fn has_heard(&mut self, now: Time) {
        self.beside = false;
        self.end_turn(now);
    }

    /// How many inputs it hears before it can usually answer.
    pub(crate) fn expected_inputs(&self) -> usize {
        let links = self.sources.iter().filter_map(|source| source.link.as_ref());
        links.filter(|link| link.reentry.is_none()).count()
    }

    /// A neuron has gone, or is not run by the same host any more. What it said last has to be renewed from now on.
    pub(crate) fn is_left_by(&mut self, other: &NeuronId, now: Time) {
        if let Ok(index) = self.find_source(other)
            && let Some(link) = self.sources[index].link.as_mut().filter(|link| link.beside)
        {
            link.beside = false;
            link.heard = link.heard.map(|_| now);
            self.cares = Cares::EVERYTHING;
        }
        if let Ok(index) = self.find_subscriber(other)
            && let Some(sender) = self.subscribers[index].sender_mut()
        {
            (sender.beside, sender.place) = (false, LocalSlot::UNKNOWN);
            self.cares = Cares::EVERYTHING;
        }
        self.handle(Input::Wake, now);
    }

    /// The host tells where it keeps one of those who hear this neuron, so that it need not look for it again.
    pub(crate) fn note_slot(&mut self, of: &NeuronId, place: LocalSlot) {
        if let Ok(index) = self.find_subscriber(of)
            && let Some(sender) = self.subscribers[index].sender_mut().filter(|sender| sender.beside)
        {
            sender.place = place;
        }
    }

    /// Reads some of everything that a signal will be heard with, and makes something of it, so that it is read.
    pub(crate) fn prefetch(&self, signal: &Signal) -> u64 {
        let source = match &signal.body {
            SignalBody::Changed { stream, .. } | SignalBody::Nothing { stream, .. } => {
                (stream.counter as usize).wrapping_sub(1)
            }
            _ => self.sources.len() / 2,
        };
        let link = |index: usize| self.sources.get(index)?.link.as_ref();
        let seen = |index: usize| {
            link(index).map_or(0, |link| {
                u64::from(link.down)
                    ^ u64::from(link.receiver.owes())
                    ^ u64::from(link.history.frontier < self.spoken.firm)
            })
        };
        let subscriber = self.subscribers.get(self.subscribers.len() / 2);
        seen(source)
            ^ seen(self.kept_by as usize)
            ^ u64::from(self.agenda.first().is_some())
            ^ self.value.level.to_bits()
            ^ u64::from(self.wake_at.is_some())
            ^ u64::from(self.cares.asked)
            ^ subscriber.map_or(0, |subscriber| u64::from(subscriber.life.number))
    }

    /// Whom it hears, and who hears it.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &NeuronId> {
        let heard = self.sources.iter().filter(|source| source.link.is_some()).map(|source| &source.id);
        heard.chain(self.subscribers.iter().map(|subscriber| &subscriber.id))
    }

    /// How many inputs it has.
    pub(crate) fn connection_count(&self) -> usize {
        self.sources.len()
    }

    /// Takes memory for so many subscribers at once: there will be as many.
    pub(crate) fn reserve_subscribers(&mut self, count: usize) {
        self.subscribers.reserve_exact(count.saturating_sub(self.subscribers.len()));
    }

    /// Shares what stays as it was configured with other neurons, if it is the same.
    pub(crate) fn intern_params(&mut self, with: &mut Option<Arc<Settings>>) {
        let others = with.get_or_insert_with(|| self.settings.clone());
        Settings::share(&mut self.settings, others);
        self.integrator.share_settings(others);
        others.clone_from(&self.settings);
    }

    fn lend<T>(&mut self, out: &mut Outbox, turn: impl FnOnce(&mut Self) -> T) -> T {
        std::mem::swap(&mut self.outputs, out);
        let done = turn(self);
        std::mem::swap(&mut self.outputs, out);
        done
    }

    pub(crate) fn handle_with(&mut self, input: Input, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.handle(input, now));
    }

    pub(crate) fn restart_with(&mut self, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.restart(now));
    }

    pub(crate) fn begin_batch(&mut self, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.begin_to_hear(now));
    }

    pub(crate) fn receive_local(&mut self, from: &NeuronId, signal: Signal, here: bool, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.hear_beside(from, signal, here, now));
    }

    pub(crate) fn evaluate_early(&mut self, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.answer_meanwhile(now));
    }

    pub(crate) fn end_batch(&mut self, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.has_heard(now));
    }

    pub(crate) fn peer_down(&mut self, peer: &NeuronId, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.is_left_by(peer, now));
    }
}
