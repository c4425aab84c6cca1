//! What watches send and receive.
//!
//! The program that watches stands beside the first host: a partition between that one and the host
//! of a watched neuron stops the reports, and a freeze of the first host delays the program, too.
//! It does not crash.

use super::{START, World, links::Route};
use crate::{
    command::Report,
    neuron::Input,
    sim::{
        controller::is_of_watch,
        event_queue::{Message, QueuedEvent},
    },
};

/// The host that the program which watches stands beside.
pub(in crate::sim) const WATCHER: usize = 0;

/// The receiver of reports, in the order of a link.
const CONTROLLER: usize = usize::MAX;

impl World<'_> {
    /// Begins to watch a neuron.
    pub(in crate::sim) fn watch(&mut self, index: usize) {
        let patience = self.plan.network.settings().patience;
        self.controller.watch(index, &self.nodes[index].id, patience, self.now);
        self.schedule_poll();
    }

    /// Ends the watches of a neuron.
    pub(in crate::sim) fn unwatch(&mut self, index: usize) {
        for (to, request) in self.controller.unwatch(index, self.now) {
            self.send(None, to, request);
        }
    }

    /// Renews the watches, and tells their readers what cannot be heard.
    pub(in crate::sim) fn poll_watches(&mut self) {
        if self.controller.watches().wake_at != Some(self.now) {
            return;
        }
        if let Some(until) = self.hosts[WATCHER].frozen_until(self.now) {
            self.controller.delay_poll(until);
        } else {
            for (to, request) in self.controller.poll_watches(self.now) {
                self.send_renewal(to, request);
            }
        }
        self.schedule_poll();
    }

    /// Takes in a report. Those for watches wait while the program is frozen.
    pub(in crate::sim) fn receive_report(&mut self, from: usize, report: Report) {
        if is_of_watch(&report)
            && let Some(until) = self.hosts[WATCHER].frozen_until(self.now)
        {
            return self.queue.push(until, QueuedEvent::Report { from, report });
        }
        let since_start = self.now.since(START).as_secs_f64();
        self.recorder.trace(since_start, || format!("the controller <- {}: {report:?}", self.nodes[from].id));
        self.recorder.fingerprint.add_number(self.now.as_micros());
        self.recorder.fingerprint.add_number(from as u64);
        let wake_at = self.controller.watches().wake_at;
        for (to, request) in self.controller.on_report(from, report, self.now) {
            self.send(None, to, request);
        }
        if self.controller.watches().wake_at != wake_at {
            self.schedule_poll();
        }
    }

    fn schedule_poll(&mut self) {
        if let Some(at) = self.controller.watches().wake_at {
            self.queue.push(at, QueuedEvent::PollWatches);
        }
    }

    /// Sends a request of a watch, which is not repeated.
    fn send_renewal(&mut self, to: usize, request: Input) {
        let (copies, delay) = self.links.draw(Route::Controller, &mut self.side_rng);
        let host = self.nodes[to].host;
        if self.links.is_partitioned(WATCHER, host) || copies == 0 {
            self.recorder.lost += 1;
            return;
        }
        let epoch = self.hosts[host].epoch;
        let copies = (copies, delay);
        for at in self.links.arrivals((None, to), Route::Controller, copies, self.now, &mut self.side_rng) {
            let message = Message::ToNeuron { to, input: request.clone() };
            self.queue.push(at, QueuedEvent::Arrival { epoch, message });
        }
    }

    /// Sends a report of a watch, which is not repeated.
    pub(super) fn send_watch_report(&mut self, from: usize, report: Report) {
        let (copies, delay) = self.links.draw(Route::Controller, &mut self.side_rng);
        if self.links.is_partitioned(self.nodes[from].host, WATCHER) || copies == 0 {
            self.recorder.lost += 1;
            return;
        }
        let edge = (Some(from), CONTROLLER);
        for at in self.links.arrivals(edge, Route::Controller, (copies, delay), self.now, &mut self.side_rng) {
            self.queue.push(at, QueuedEvent::Report { from, report: report.clone() });
        }
    }
}
