//! Neurons of one host, which knows who is there.
//!
//! Nothing they say to each other is lost, and none of them is silent without the host's telling. So they need not renew their
//! levels, need not ask twice, and are not given up for being slow: a host with too much to do would take its own neurons
//! for dead, and have more to do.

use std::sync::Arc;

use super::{Input, LocalSlot, Mode, Neuron, Outbox, Params, cares::Cares};
use crate::{
    id::NeuronId,
    signal::{Signal, SignalBody},
    tag::Time,
};

impl Neuron {
    /// Takes in an input, and queues in `out` what the neuron wants done.
    pub(crate) fn handle_with(&mut self, input: Input, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.handle(input, now));
    }

    /// Begins the next incarnation: see [`restart`](Self::restart).
    pub(crate) fn restart_with(&mut self, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.restart(now));
    }

    /// Begins a turn that takes in signals of neurons of the same host: one or more times
    /// [`receive_local`](Self::receive_local), then [`end_batch`](Self::end_batch).
    pub(crate) fn begin_batch(&mut self, now: Time, out: &mut Outbox) {
        self.lend(out, |neuron| neuron.begin_turn(now));
    }

    /// Takes in a signal of a neuron that the same host runs, or, if that one is not registered any more, has run. From now on
    /// the host has to [tell](Self::peer_down) when it is gone.
    #[inline]
    pub(crate) fn receive_local(
        &mut self,
        from: &NeuronId,
        signal: Signal,
        is_registered: bool,
        now: Time,
        out: &mut Outbox,
    ) {
        if self.fenced.is_some() {
            return;
        }
        self.beside = is_registered;
        if !signal.body.is_plain() {
            self.cares = Cares::EVERYTHING;
        }
        self.lend(out, |neuron| neuron.hear(from, signal, now));
    }

    /// Evaluates within a batch. With one input, nothing else has to be waited for, so nothing has to be kept; and an asap neuron
    /// evaluates each signal by itself.
    #[inline]
    pub(crate) fn evaluate_early(&mut self, now: Time, out: &mut Outbox) {
        if (self.sources.len() == 1 || self.settings.mode == Mode::Asap) && self.fenced.is_none() {
            self.lend(out, |neuron| neuron.evaluate_meanwhile(now));
        }
    }

    /// Ends a batch: goes as far as what has been received in it allows.
    pub(crate) fn end_batch(&mut self, now: Time, out: &mut Outbox) {
        self.beside = false;
        self.lend(out, |neuron| neuron.end_turn(now));
    }

    /// Runs something with this outbox in the place of the neuron's own, which is put back whatever happens.
    fn lend(&mut self, out: &mut Outbox, run: impl FnOnce(&mut Self)) {
        struct Lent<'a> {
            neuron: &'a mut Neuron,
            out: &'a mut Outbox,
            own: Option<Box<Outbox>>,
        }
        impl Drop for Lent<'_> {
            fn drop(&mut self) {
                if let Some(lent) = std::mem::replace(&mut self.neuron.outputs, self.own.take()) {
                    *self.out = *lent;
                }
            }
        }
        let own = self.outputs.replace(Box::new(std::mem::take(out)));
        let lent = Lent { neuron: self, out, own };
        run(lent.neuron);
    }

    /// How many inputs it hears before it can usually answer.
    pub(crate) fn expected_inputs(&self) -> usize {
        let links = self.sources.iter().filter_map(|source| source.link.as_ref());
        links.filter(|link| link.reentry.is_none()).count()
    }

    /// A neuron has gone, or is not run by the same host any more. What it said last has to be renewed from now on.
    pub(crate) fn peer_down(&mut self, other: &NeuronId, now: Time, out: &mut Outbox) {
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
        self.handle_with(Input::Wake, now, out);
    }

    /// The host tells where it keeps one of those who hear this neuron, so that it need not look for it again.
    pub(crate) fn note_slot(&mut self, of: &NeuronId, slot: LocalSlot) {
        if let Ok(index) = self.find_subscriber(of)
            && let Some(sender) = self.subscribers[index].sender_mut().filter(|sender| sender.beside)
        {
            sender.place = slot;
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
    pub(crate) fn intern_params(&mut self, with: &mut Option<Arc<Params>>) {
        let others = with.get_or_insert_with(|| self.settings.clone());
        Params::intern(&mut self.settings, others);
        self.integrator.share_settings(others);
        others.clone_from(&self.settings);
    }
}
