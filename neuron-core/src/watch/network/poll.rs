//! What a watch of a network does as time goes on.

use super::{Home, NetworkLink, NextRequest, RENEWAL, neuron::Question, next_multiple};
use crate::{config::Config, id::NeuronId, tag::Time};

impl NetworkLink {
    /// Does what is due: asks hosts and neurons, and tells which of them cannot be heard.
    pub(crate) fn poll(&mut self, now: Time, next_request: NextRequest<'_>) {
        if now > self.renewal.after(RENEWAL) && !self.was_stalled {
            self.forgive(now);
        }
        if self.renewal <= now {
            self.renewal = next_multiple(now);
            let hosts: Vec<Home> = self.hosts.keys().cloned().collect();
            for host in &hosts {
                self.ask_host(host, now, next_request);
            }
        }
        self.check_hosts(now);
        while let Some((at, _)) = self.due.first()
            && *at <= now
            && let Some((_, id)) = self.due.pop_first()
        {
            self.check_neuron(&id, now);
        }
        self.ask_waiting(now, next_request);
    }

    /// Returns when [`poll`](Self::poll) has something to do.
    pub(crate) fn wake_at(&self) -> Time {
        let hosts = self.hosts.values().filter_map(|host| host.silent_at());
        let due = self.due.first().map(|(at, _)| *at);
        hosts.chain(due).fold(self.renewal, Time::min)
    }

    /// Notes which hosts do not answer.
    fn check_hosts(&mut self, now: Time) {
        let silent = self.hosts.iter_mut().filter(|(_, host)| host.silent_at().is_some_and(|at| at <= now));
        let silent = silent.map(|(id, host)| {
            host.set_silent();
            tracing::warn!(host = %id.host, "a watched host cannot be heard");
            id.clone()
        });
        let silent: Vec<Home> = silent.collect();
        for host in &silent {
            self.uncover_all(host, now);
        }
    }

    /// Does what is due for a neuron that no host covers.
    fn check_neuron(&mut self, id: &NeuronId, now: Time) {
        let Some(neuron) = self.neurons.get_mut(id) else { return };
        neuron.wake = None;
        if neuron.next_wake().is_none_or(|at| at > now) {
            return self.schedule(id);
        }
        let change = if neuron.request > 0 { neuron.link.check(now) } else { None };
        self.output.changes.extend(change.map(|change| (id.clone(), change)));
        match neuron.question {
            Question::Due(at) if at <= now => {
                neuron.wait_to_be_asked();
                self.waiting.push_back(id.clone());
            }
            Question::Asked { until, again } if until <= now => {
                neuron.question = Question::Due(again);
                self.asked -= 1;
            }
            _ => {}
        }
        self.schedule(id);
    }

    /// Counts hosts and neurons as heard that were not asked in time, once: they could not answer
    /// in time.
    fn forgive(&mut self, now: Time) {
        self.was_stalled = true;
        let heard = now.before(Config::LEASE + self.patience).after(RENEWAL);
        self.hosts.values_mut().for_each(|host| host.forgive(heard));
        let uncovered: Vec<NeuronId> = self.due.iter().map(|(_, id)| id.clone()).collect();
        for id in &uncovered {
            if let Some(neuron) = self.neurons.get_mut(id) {
                neuron.link.note_heard(heard);
            }
            self.schedule(id);
        }
    }
}
