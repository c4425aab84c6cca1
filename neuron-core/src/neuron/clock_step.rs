//! What a neuron does when its clock is set forward.
//!
//! Why: docs/decisions/0051-a-clock-that-is-set-forward-is-followed.md

use std::time::Duration;

use super::{Neuron, turn::Parts};
use crate::tag::Time;

impl Neuron {
    /// Notes that the local clock was set forward by `by` and shows `now`: a clock that was wrong
    /// has been set right, or the machine has slept. To be followed by a turn with
    /// [`Input::Wake`](super::Input::Wake) at that time.
    ///
    /// Nothing that is waited for becomes overdue by that: silence, reservations and watches are
    /// measured by the time that has passed. What has a tag, such as the end of a hold, happens at
    /// that tag. Inputs and subscribers, which may have believed none of the tags of a wrong clock,
    /// or sent some that were not believed here, are called in the next turn.
    ///
    /// A caller that only passes a later `now` to the next turn loses no more than time: the neuron
    /// takes it for a turn that comes late.
    #[cold]
    pub fn clock_stepped(&mut self, by: Duration, now: Time) {
        if self.common.started {
            self.parts.shift(by, now);
        }
    }
}

impl Parts {
    /// Moves all times by which something is waited for.
    fn shift(&mut self, by: Duration, now: Time) {
        self.control.shift(by);
        self.inputs.shift(by, now);
        self.subscribers.shift(now);
        self.wake_at = self.wake_at.map(|at| at.after(by));
    }
}
