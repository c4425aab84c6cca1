//! Faults of hosts and neurons, and what ends them.

use std::time::Duration;

use super::{World, node::Node};
use crate::sim::event_queue::QueuedEvent;

impl World<'_> {
    /// Starts a neuron that has never been started, if its host is up.
    pub(in crate::sim) fn join(&mut self, index: usize) {
        if !self.nodes[index].was_started() && self.host_of(index).is_up {
            self.start(index, None, false);
        }
    }

    /// Restarts a neuron in place, as after a panic.
    pub(in crate::sim) fn restart_neuron(&mut self, index: usize) {
        if self.is_up(index) {
            let now = self.local_time(index);
            self.nodes[index].restart(now);
            self.carry_out(index);
        }
    }

    /// Sets the clock of a host; no effect while it is down.
    pub(in crate::sim) fn set_clock(&mut self, host: usize, offset: i64) {
        if !self.hosts[host].is_up {
            return;
        }
        if let Some(until) = self.hosts[host].frozen_until(self.now) {
            return self.queue.push(until, QueuedEvent::SetClock { host, offset });
        }
        let by = self.hosts[host].set_clock(offset, self.now);
        if by.is_zero() {
            return;
        }
        self.recorder.clock_steps += 1;
        for index in 0..self.nodes.len() {
            if self.nodes[index].host == host && self.is_up(index) {
                let now = self.local_time(index);
                self.nodes[index].clock_stepped(by, now);
                self.carry_out(index);
                self.check_leases(index);
            }
        }
    }

    /// Crashes a host with all of its neurons; no effect if it is down.
    pub(in crate::sim) fn crash(&mut self, host: usize) {
        if !self.hosts[host].is_up {
            return;
        }
        self.hosts[host].crash(self.now);
        self.nodes.iter_mut().filter(|node| node.host == host).for_each(Node::crash);
    }

    /// Starts a host, without its neurons, and returns whether it was down.
    pub(in crate::sim) fn restart_host(&mut self, host: usize, offset: i64) -> bool {
        let was_down = !self.hosts[host].is_up;
        if was_down {
            let life = self.side_rng.u32(..);
            self.hosts[host].restart(offset, life, self.now);
        }
        was_down
    }

    pub(in crate::sim) fn freeze(&mut self, host: usize, span: Duration) {
        self.hosts[host].freeze(span, self.now);
    }

    pub(in crate::sim) fn partition(&mut self, from: usize, to: usize) {
        self.links.partition(from, to, self.now);
    }

    pub(in crate::sim) fn heal(&mut self, one: usize, other: usize) {
        self.links.heal(one, other, self.now);
    }
}
