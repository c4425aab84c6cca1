//! What a neuron counts, in little room.

use super::rare::Rare;
use crate::counters::Counters;

/// What a neuron has counted, in little room: most neurons never have anything out of the ordinary to count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) kicks: u64,
    pub(crate) firings: u64,
    pub(crate) evaluations: u64,
    rest: Rare<Counters>,
}

impl Tally {
    /// Everything else.
    pub(crate) fn rest(&mut self) -> &mut Counters {
        self.rest.make()
    }

    pub(crate) fn read(&self) -> Counters {
        let Self { kicks, firings, evaluations, .. } = *self;
        Counters { kicks, firings, evaluations, ..self.rest.get().copied().unwrap_or_default() }
    }
}
