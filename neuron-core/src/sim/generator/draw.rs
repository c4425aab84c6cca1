//! Draws the values that random plans are made of.

use std::time::Duration;

use crate::{
    id::SensorId,
    sim::{Delay, FaultProfile, LinkCondition, Machine, clock::HOUR},
};

/// A source of random values for one plan.
pub(super) struct Draw {
    pub(super) rng: fastrand::Rng,
    pub(super) profile: FaultProfile,
    /// The transport loses only messages that are under way to a host when it crashes.
    pub(super) reliable: bool,
}

impl Draw {
    /// Returns true with a probability of 1 in `n`.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(0..n) == 0
    }

    /// Returns the index of a neuron.
    pub(super) fn neuron(&mut self, count: usize) -> usize {
        self.rng.usize(0..count)
    }

    /// Returns 0 or 1.
    pub(super) fn level(&mut self) -> f64 {
        f64::from(self.rng.u8(0..=1))
    }

    /// Returns a time at which an action may happen: well before the faults end.
    pub(super) fn moment(&mut self) -> Duration {
        Duration::from_micros(self.rng.u64(500_000..11_000_000))
    }

    /// Returns a multiple of an eighth. Sums of these are exact, in any order.
    pub(super) fn eighths(&mut self, from: i8, to: i8) -> f64 {
        f64::from(self.rng.i8(from..=to)) / 8.0
    }

    pub(super) fn link(&mut self) -> LinkCondition {
        if !self.profile.loss || self.reliable {
            let longest = Duration::from_micros(self.rng.u64(200..60_000));
            return LinkCondition {
                delay: Delay::UpTo(longest),
                loss: 0,
                duplicates: 0,
                reorders: !self.reliable && self.one_in(2),
            };
        }
        let usual = Duration::from_micros(self.rng.u64(800..8_000));
        LinkCondition {
            delay: Delay::Around(usual),
            loss: if self.one_in(4) { 0 } else { self.rng.u8(0..=30) },
            duplicates: if self.one_in(4) { 0 } else { self.rng.u8(0..=30) },
            reorders: !self.one_in(3),
        }
    }

    pub(super) fn machine(&mut self) -> Machine {
        let mut machine = Machine::default();
        if self.profile.clocks {
            machine.offset = self.offset();
            machine.drift = if self.one_in(2) { self.rng.i32(-200..=200) } else { 0 };
        }
        if self.profile.slow_hosts && self.one_in(6) {
            machine.service = Duration::from_micros(self.rng.u64(50..3_000));
            machine.inbox = if !self.reliable && self.one_in(2) { self.rng.usize(4..64) } else { 0 };
        }
        machine
    }

    /// Returns the error of a clock in microseconds: mostly small, sometimes an hour, rarely
    /// several.
    pub(super) fn offset(&mut self) -> i64 {
        if self.one_in(40) {
            // Beyond what a clock an hour ahead believes, also when the run ends.
            let far = self.rng.i64(4 * HOUR + HOUR / 30..=10 * HOUR);
            return if self.rng.bool() { far } else { -far };
        }
        match self.rng.u8(0..8) {
            0 => HOUR,
            1 => -HOUR,
            2 => self.rng.i64(-HOUR..=HOUR),
            3..=5 => self.rng.i64(-20_000..=20_000),
            _ => 0,
        }
    }
}

/// Returns the name with this letter and number, such as `n07`.
pub(super) fn name<T: std::str::FromStr<Err = crate::NameError>>(letter: char, index: usize) -> T {
    format!("{letter}{index:02}").parse().expect("it is a name")
}

/// Returns the name of a sensor of a neuron.
pub(super) fn sensor_name(neuron: usize, index: usize) -> SensorId {
    format!("s{neuron:02}_{index}").parse().expect("it is a name")
}
