//! A host of the simulated network.

use std::{collections::BTreeSet, time::Duration};

use super::span::Span;
use crate::{
    hosts::HostLinks,
    id::HostId,
    sim::{
        Machine,
        clock::{Clock, HOUR},
    },
    tag::Time,
};

pub(in crate::sim) struct Host {
    pub(in crate::sim) id: HostId,
    pub(in crate::sim) machine: Machine,
    /// What neurons go by.
    pub(super) clock: Clock,
    /// What the links to other hosts go by: it is not moved when the clock is set.
    pub(super) steady: Clock,
    /// The clock was more than an hour ahead at any time.
    was_far_ahead: bool,
    pub(in crate::sim) is_up: bool,
    /// Whether it has ever crashed.
    pub(in crate::sim) has_crashed: bool,
    /// Counts its crashes. A message of an earlier epoch is lost.
    pub(super) epoch: u32,
    /// The links to other hosts.
    pub(in crate::sim) links: HostLinks,
    /// The true time at which the links have something to do; `None` if they wait for messages
    /// only.
    pub(super) wake_at: Option<Time>,
    /// The hosts that it takes for lost.
    pub(super) lost: BTreeSet<usize>,
    /// When it was up, until now.
    pub(in crate::sim) ups: Vec<Span>,
    /// When it was started last.
    started: Time,
    /// The end of the processing of all messages in the inbox.
    busy_until: Time,
    /// The number of messages in the inbox.
    queued: usize,
    /// The end of the last freeze.
    frozen_until: Time,
}

/// When a host processes a message that arrives.
pub(super) enum Admission {
    Immediately,
    At(Time),
    /// The inbox is full: the message is lost.
    Rejected,
}

impl Host {
    pub(super) fn new(id: HostId, machine: Machine, life: u32, now: Time) -> Self {
        Self {
            links: HostLinks::new(id.clone(), life),
            wake_at: None,
            lost: BTreeSet::new(),
            ups: Vec::new(),
            started: now,
            id,
            machine,
            clock: Clock::new(now, machine.offset, machine.drift),
            steady: Clock::new(now, machine.offset, machine.drift),
            was_far_ahead: machine.offset > HOUR,
            is_up: true,
            has_crashed: false,
            epoch: 0,
            busy_until: Time::ZERO,
            queued: 0,
            frozen_until: Time::ZERO,
        }
    }

    /// Admits a message to the inbox, and returns when it will be processed.
    pub(super) fn admit(&mut self, now: Time) -> Admission {
        if self.machine.service.is_zero() && self.frozen_until <= now {
            return Admission::Immediately;
        }
        if self.machine.inbox > 0 && self.queued >= self.machine.inbox {
            return Admission::Rejected;
        }
        self.queued += 1;
        self.busy_until = self.busy_until.max(now).max(self.frozen_until).after(self.machine.service);
        Admission::At(self.busy_until)
    }

    /// Takes a message out of the inbox; false if the host has crashed since the message was
    /// admitted.
    pub(super) fn take(&mut self, epoch: u32) -> bool {
        if self.epoch != epoch {
            return false;
        }
        self.queued -= 1;
        true
    }

    /// Returns the end of a freeze; `None` if the host is not frozen.
    pub(super) fn frozen_until(&self, now: Time) -> Option<Time> {
        Some(self.frozen_until).filter(|until| *until > now)
    }

    pub(super) fn freeze(&mut self, span: Duration, now: Time) {
        self.frozen_until = now.after(span);
    }

    /// Ends the faults of the machine.
    pub(super) fn quiesce(&mut self) {
        self.machine.service = Duration::ZERO;
        self.machine.inbox = 0;
    }

    /// Sets its clock to this error, if that is forward, and returns by how much that is.
    pub(super) fn set_clock(&mut self, offset: i64, now: Time) -> Duration {
        let clock = Clock::new(now, offset, self.machine.drift);
        let by = clock.read(now).since(self.clock.read(now));
        if !by.is_zero() {
            self.clock = clock;
            self.was_far_ahead |= offset > HOUR;
        }
        by
    }

    /// Returns whether its clock was ever more than an hour ahead, or is as much behind now.
    pub(in crate::sim) fn has_wrong_clock(&self, now: Time) -> bool {
        // A clock that is an hour behind may also run too slow.
        let hour = Duration::from_micros(HOUR.unsigned_abs()) + Duration::from_secs(1);
        self.was_far_ahead || now.since(self.clock.read(now)) > hour
    }

    /// Notes that it has been up until now, if it is.
    pub(super) fn end_up(&mut self, now: Time) {
        if self.is_up {
            self.ups.push(Span { from: self.started, until: now });
        }
    }

    pub(super) fn crash(&mut self, now: Time) {
        self.end_up(now);
        self.is_up = false;
        self.wake_at = None;
        self.lost.clear();
        self.has_crashed = true;
        self.epoch += 1;
        self.queued = 0;
        self.busy_until = Time::ZERO;
        self.frozen_until = Time::ZERO;
    }

    /// Starts the host with a clock of this error. `life` is another number each time.
    pub(super) fn restart(&mut self, offset: i64, life: u32, now: Time) {
        self.is_up = true;
        self.started = now;
        self.links = HostLinks::new(self.id.clone(), life);
        self.clock = Clock::new(now, offset, self.machine.drift);
        self.steady = self.clock;
        self.was_far_ahead |= offset > HOUR;
    }
}
