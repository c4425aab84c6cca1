//! How the clocks of neurons differ from the controller's.

use std::{collections::HashMap, time::Duration};

use crate::{id::NeuronId, tag::Time};

/// For how long a difference is believed: the clock may be set right.
const KEPT_FOR: Duration = Duration::from_secs(60);

/// The clocks of neurons, as far as they are known to differ from the controller's. A neuron is
/// entered here for a minute when it has refused a request as too late.
#[derive(Debug, Default)]
pub(super) struct ClockOffsets(HashMap<NeuronId, (Offset, Time)>);

#[derive(Clone, Copy, Debug)]
enum Offset {
    Ahead(Duration),
    Behind(Duration),
}

impl ClockOffsets {
    /// Notes what the clock of a neuron showed when the controller's showed `ours`, or a little
    /// earlier.
    pub(super) fn note(&mut self, neuron: &NeuronId, theirs: Time, ours: Time) {
        let offset =
            if theirs >= ours { Offset::Ahead(theirs.since(ours)) } else { Offset::Behind(ours.since(theirs)) };
        self.0.insert(neuron.clone(), (offset, ours));
    }

    /// Returns what the clock of a neuron shows at a time of the controller's: the same, unless it
    /// is known to differ `now`.
    pub(super) fn at(&self, neuron: &NeuronId, ours: Time, now: Time) -> Time {
        match self.0.get(neuron).filter(|(_, noted)| now.since(*noted) < KEPT_FOR) {
            Some((Offset::Ahead(span), _)) => ours.after(*span),
            Some((Offset::Behind(span), _)) => ours.before(*span),
            None => ours,
        }
    }

    /// Forgets a neuron that has left.
    pub(super) fn forget(&mut self, neuron: &NeuronId) {
        self.0.remove(neuron);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_translated_by_the_last_known_difference() {
        let neuron: NeuronId = "z".parse().expect("a name");
        let second = |second: u64| Time::from_micros(second * 1_000_000);
        let mut clocks = ClockOffsets::default();
        assert_eq!(clocks.at(&neuron, second(100), second(100)), second(100));
        clocks.note(&neuron, second(1_000), second(100));
        assert_eq!(clocks.at(&neuron, second(110), second(101)), second(1_010));
        clocks.note(&neuron, second(50), second(100));
        assert_eq!(clocks.at(&neuron, second(110), second(159)), second(60));
        assert_eq!(clocks.at(&neuron, second(170), second(160)), second(170), "it may have been set right");
        clocks.forget(&neuron);
        assert_eq!(clocks.at(&neuron, second(110), second(101)), second(110));
    }
}
