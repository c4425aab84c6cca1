//! Draws reports to controllers.

use std::{collections::BTreeMap, time::Duration};

use super::liar::{Liar, Victims};
use crate::{
    command::{
        Answer, ConfigView, Firing, HostChange, HostChanges, HostPosition, Refusal, Report, Sample, Stamp,
        WatchPosition,
    },
    counters::Counters,
    neuron::{Mode, Rule},
    tag::Time,
};

impl Liar {
    /// Returns a report for a controller.
    pub(super) fn report(&mut self, victims: &Victims, now: Time) -> Report {
        let number = self.number();
        if self.one_in(4) {
            return Report::Changed { watch: number, position: self.position(), sample: self.sample(victims, now) };
        }
        let result = if self.one_in(5) { Err(self.refusal(victims, now)) } else { Ok(self.answer(victims, now)) };
        Report::Reply { request: number, result }
    }

    fn answer(&mut self, victims: &Victims, now: Time) -> Answer {
        match self.rng.u8(0..12) {
            0 => Answer::Done,
            1 | 2 => Answer::Stamped(Stamp { tag: self.tag(now), moved: self.rng.bool() }),
            3 | 4 => Answer::Floor { floor: self.tag(now), latest: self.tag(now) },
            5 | 6 => Answer::Output(self.sample(victims, now)),
            7 => Answer::Watched { watch: self.number(), position: self.position(), sample: self.sample(victims, now) },
            8 => Answer::Config(Box::new(self.config(victims, now))),
            9 => Answer::Log((0..self.rng.u8(0..4)).map(|_| Firing { tag: self.tag(now) }).collect()),
            10 if self.one_in(2) => {
                Answer::Counters(Box::new(Counters { unknown: self.number(), ..Counters::default() }))
            }
            10 => {
                let host = victims.hosts[self.rng.usize(0..victims.hosts.len())].clone();
                Answer::Host { host, version: "0.0.0".to_owned(), life: self.number() }
            }
            _ => Answer::WatchedHost(Box::new(self.host_changes(victims))),
        }
    }

    fn host_changes(&mut self, victims: &Victims) -> HostChanges {
        let host = victims.hosts[self.rng.usize(0..victims.hosts.len())].clone();
        let counter = self.number();
        let changes = (0..self.rng.usize(0..4)).map(|_| {
            let neuron = victims.neurons[self.rng.usize(0..victims.neurons.len())].clone();
            let position = (!self.one_in(3)).then(|| self.position());
            HostChange { neuron, position }
        });
        let changed = changes.collect();
        let latest = (!self.one_in(4)).then(|| counter.wrapping_add(self.rng.u64(0..2)));
        let position = HostPosition { life: self.number(), counter };
        HostChanges { watch: self.number(), host, position, latest, changed }
    }

    fn config(&mut self, victims: &Victims, now: Time) -> ConfigView {
        ConfigView {
            output: self.sample(victims, now),
            threshold: self.rng.bool().then_some(0.5),
            weights: BTreeMap::new(),
            sensors: BTreeMap::new(),
            inputs: BTreeMap::new(),
            connections: victims.neurons.iter().take(self.rng.usize(0..3)).cloned().collect(),
            hold: Duration::from_micros(self.rng.u64(1..10_000_000)),
            linger: Duration::ZERO,
            mode: Mode::Coherent,
            rule: Rule::Level,
        }
    }

    fn refusal(&mut self, victims: &Victims, now: Time) -> Refusal {
        let other = victims.neurons[self.rng.usize(0..victims.neurons.len())].clone();
        let past = self.rng.u64(0..10_000_000);
        match self.rng.u8(0..8) {
            0 => Refusal::NotALevel,
            1 => Refusal::NotConnected(other),
            2 => Refusal::AlreadyConnected(other),
            3 => Refusal::Unknown(self.tag(now)),
            4 => Refusal::Expired,
            5 => Refusal::TooLate {
                now: [Time::ZERO, now, now.after(Duration::from_micros(past))][self.rng.usize(0..3)],
            },
            6 => Refusal::Restarted,
            _ => Refusal::Fenced { ours: self.rng.u32(..), known: self.rng.u32(..) },
        }
    }

    /// Returns a sample, often for a tag that was asked for.
    fn sample(&mut self, victims: &Victims, now: Time) -> Sample {
        let value = self.value(victims);
        let asked = self.questioned.draw(&mut self.rng).filter(|_| self.one_in(2));
        let tag = asked.unwrap_or_else(|| self.tag(now));
        Sample { level: value.level, tag, missing: value.missing }
    }

    fn position(&mut self) -> WatchPosition {
        WatchPosition { incarnation: self.incarnation(), number: self.number() }
    }
}
