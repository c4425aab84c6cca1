//! What a host tells its neurons of the hosts of their inputs.
//!
//! Why: docs/decisions/0043-hosts-tell-each-other-that-they-live.md

use super::{Ctx, Input, Neuron, Outbox};
use crate::{id::NeuronId, tag::Time};

impl Neuron {
    /// Notes that the host of some inputs is gone: they are silent from now on, also if they are at
    /// rest, until they are heard again.
    pub(crate) fn inputs_lost<'a>(
        &mut self,
        sources: impl IntoIterator<Item = &'a NeuronId>,
        now: Time,
        out: &mut Outbox,
    ) {
        if self.common.fenced_by.is_none() {
            self.parts.mark_all();
            let cx = &mut Ctx::new(now, &mut self.common, out);
            sources.into_iter().for_each(|source| self.parts.lose_input(source, cx));
        }
        self.parts.handle(Input::Wake, &mut Ctx::new(now, &mut self.common, out));
    }

    /// Notes that the host of an input is heard again, and asks the input whether it is back.
    pub(crate) fn input_back(&mut self, source: &NeuronId, now: Time, out: &mut Outbox) {
        if self.common.fenced_by.is_none() {
            self.parts.inputs.call(source, &mut Ctx::new(now, &mut self.common, out));
        }
    }
}
