//! What a host tells its neurons of the hosts of their inputs.
//!
//! Why: docs/decisions/0043-hosts-tell-each-other-that-they-live.md

use super::{Ctx, Input, Neuron, Outbox};
use crate::{id::NeuronId, tag::Time};

impl Neuron {
    /// Notes that the host of an input is gone: the input is silent from now on, also if it is at
    /// rest, until it is heard again.
    pub(crate) fn input_lost(&mut self, source: &NeuronId, now: Time, out: &mut Outbox) {
        if self.common.fenced_by.is_none() {
            self.parts.mark_all();
            self.parts.lose_input(source, &mut Ctx::new(now, &mut self.common, out));
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
