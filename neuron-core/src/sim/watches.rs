//! The watches of the simulated controller, and what their readers are told.

use std::time::Duration;

use super::controller::Outgoing;
use crate::{
    command::{Command, Request, Sample, WatchPosition},
    id::{ControllerId, NeuronId},
    neuron::Input,
    tag::{Tag, Time},
    watch::{Change, Polled, WatchLink},
};

/// How often the request that begins a watch is sent again until it is answered.
const RETRY: Duration = Duration::from_millis(500);

/// Something that the reader of a watch is told.
#[derive(Debug)]
pub(super) struct Telling {
    /// The true time.
    pub(super) at: Time,
    pub(super) change: Change,
    /// The tag that the neuron gave with it; `None` if the neuron cannot be heard.
    pub(super) stated: Option<Tag>,
}

/// A watch, with all that its reader was told.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) neuron: usize,
    /// When it began.
    pub(super) since: Time,
    /// When it ended; `None` if it lasts.
    pub(super) until: Option<Time>,
    pub(super) tellings: Vec<Telling>,
    /// The number of the watch, which is that of the request that begins it.
    number: u64,
    link: WatchLink,
}

/// All watches of a run. Polled by the controller's clock, which shows the true time.
#[derive(Debug, Default)]
pub(super) struct Watches {
    list: Vec<Watched>,
    /// When they are polled next; `None` while nothing is watched.
    pub(super) wake_at: Option<Time>,
}

impl Watches {
    /// Returns all watches, in the order in which they began.
    pub(super) fn all(&self) -> &[Watched] {
        &self.list
    }

    /// Begins a watch of a neuron, with this number.
    pub(super) fn begin(&mut self, neuron: usize, id: &NeuronId, patience: Duration, number: u64, now: Time) {
        let link = WatchLink::new(id.clone(), patience, number, now);
        let watched = Watched { neuron, since: now, until: None, tellings: Vec::new(), number, link };
        self.list.push(watched);
        // The task of the controller runs from the first watch on, and begins with a poll.
        self.wake_at = self.wake_at.or(Some(now));
    }

    /// Ends all watches of a neuron, and returns their numbers.
    pub(super) fn end(&mut self, neuron: usize, now: Time) -> Vec<u64> {
        let of_neuron = self.list.iter_mut().filter(|watched| watched.neuron == neuron && watched.until.is_none());
        let end = |watched: &mut Watched| {
            watched.until = Some(now);
            watched.number
        };
        of_neuron.map(end).collect()
    }

    /// Takes in a report of a change.
    pub(super) fn on_report(&mut self, from: usize, number: u64, position: WatchPosition, sample: Sample, now: Time) {
        if let Some(watched) = self.find(from, number) {
            let tag = sample.tag;
            let change = watched.link.on_report(position, sample);
            watched.tell(change, Some(tag), now);
        }
    }

    /// Takes in the answer to a request. It names the watch and the request.
    pub(super) fn on_answer(
        &mut self,
        from: usize,
        (number, request): (u64, u64),
        position: WatchPosition,
        sample: Sample,
        now: Time,
    ) {
        if let Some(watched) = self.find(from, number) {
            let tag = sample.tag;
            let change = watched.link.on_answer(request, position, sample, now);
            watched.tell(change, Some(tag), now);
            // The task is woken if it would be late otherwise.
            let silent_at = watched.link.silent_at().map(|at| at.max(now));
            self.wake_at = silent_at.into_iter().chain(self.wake_at).min();
        }
    }

    /// Does what is due, as the controller's task does, and returns the requests.
    pub(super) fn poll(
        &mut self,
        from: &ControllerId,
        now: Time,
        mut next_request: impl FnMut() -> u64,
    ) -> Vec<Outgoing> {
        let mut requests = Vec::new();
        let mut next: Option<Time> = None;
        for watched in self.list.iter_mut().filter(|watched| watched.until.is_none()) {
            let Polled { renewal, change } = watched.link.poll(now, &mut next_request);
            let has_begun = !watched.tellings.is_empty();
            // A call is repeated until it is answered.
            if let Some(id) = renewal.or_else(|| (!has_begun).then_some(watched.number)) {
                let request = Request::new(id, Command::Watch { watch: watched.number });
                requests.push((watched.neuron, Input::Request { from: from.clone(), request }));
            }
            watched.tell(change, None, now);
            let wake = watched.link.wake_at();
            let wake = if has_begun { wake } else { wake.min(now.after(RETRY)) };
            next = Some(next.map_or(wake, |next| next.min(wake)));
        }
        self.wake_at = next.map(|next| next.max(now));
        requests
    }

    /// Returns whether a watch with this number is one of another neuron.
    pub(super) fn is_of_another(&self, neuron: usize, number: u64) -> bool {
        self.list.iter().any(|watched| watched.number == number && watched.neuron != neuron)
    }

    fn find(&mut self, neuron: usize, number: u64) -> Option<&mut Watched> {
        let is_it = |watched: &&mut Watched| watched.number == number && watched.neuron == neuron;
        self.list.iter_mut().find(is_it).filter(|watched| watched.until.is_none())
    }
}

impl Watched {
    fn tell(&mut self, change: Option<Change>, stated: Option<Tag>, now: Time) {
        let Some(change) = change else { return };
        // After a silence an answer from before the last change repeats that change.
        let last = self.tellings.iter().rfind(|telling| telling.stated.is_some());
        let repeated = last.filter(|last| last.change.tag == change.tag && last.change.level == change.level);
        let stated = stated.map(|stated| repeated.and_then(|last| last.stated).unwrap_or(stated).max(stated));
        self.tellings.push(Telling { at: now, change, stated });
    }
}
