//! What a controller has written, so that it reads its own writes.

use std::{collections::HashMap, time::Duration};

use crate::{
    id::NeuronId,
    tag::{Tag, Time},
};

/// How far ahead of the local clock a tag may be for every question to wait for it. Clocks that are
/// set by the network differ by less.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The highest tags that a controller was answered with. What it asks afterwards is answered with
/// everything up to them.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// The highest tag of any neuron, without those that were too far ahead.
    latest: Tag,
    /// Tags above `latest`, of neurons whose clocks are far ahead. They concern no one else: others
    /// would wait for that time.
    ahead: HashMap<NeuronId, Tag>,
}

impl Written {
    /// Returns whether every question waits for this tag already, so that noting it changes nothing.
    pub(super) fn covers(&self, tag: Tag) -> bool {
        tag <= self.latest
    }

    /// Notes that a neuron has answered a command with this tag.
    pub(super) fn note(&mut self, neuron: &NeuronId, tag: Tag, now: Time) {
        if tag.time() <= now.after(MAX_WAIT) {
            self.latest = self.latest.max(tag);
            return;
        }
        let latest = self.latest;
        self.ahead.retain(|_, tag| *tag > latest);
        let known = self.ahead.entry(neuron.clone()).or_default();
        *known = tag.max(*known);
    }

    /// Returns the tag up to which a neuron has to know everything before it answers a question.
    pub(super) fn after(&self, neuron: &NeuronId) -> Tag {
        self.ahead.get(neuron).map_or(self.latest, |tag| self.latest.max(*tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_far_ahead_of_the_clock_concerns_its_neuron_alone() {
        let id = |name: &str| name.parse::<NeuronId>().expect("a name");
        let at = |seconds: u64| Tag::at(Time::from_micros(seconds * 1_000_000));
        let now = Time::from_micros(10_000_000);
        let mut written = Written::default();
        assert_eq!(written.after(&id("a")), Tag::ORIGIN);
        written.note(&id("a"), at(11), now);
        written.note(&id("b"), at(3600), now);
        written.note(&id("c"), at(9), now);
        assert_eq!((written.after(&id("a")), written.after(&id("b"))), (at(11), at(3600)));
        assert_eq!(written.after(&id("c")), at(11));
        // Time passes, and others write later tags.
        let later = Time::from_micros(4_000_000_000);
        written.note(&id("a"), at(4000), later);
        assert_eq!(written.after(&id("b")), at(4000));
        written.note(&id("a"), at(5000), later);
        assert_eq!(written.ahead.len(), 1);
    }
}
