//! A host of the simulated network.

use std::{collections::BTreeSet, time::Duration};

use super::span::Span;
use crate::{
    hosts::HostLinks,
    id::HostId,
    sim::{Machine, clock::Clock},
    tag::Time,
};

pub(in crate::sim) struct Host {
    pub(in crate::sim) id: HostId,
    pub(in crate::sim) machine: Machine,
    pub(super) clock: Clock,
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
    }
}
