//! Watching all neurons of a network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt as _;
use tokio::sync::Notify;

use super::{requests::RequestClient, watch::Unwatch, watches::NetworkActions};
use crate::{
    command::{Answer, Command, Request, Sample, WatchPosition},
    id::NeuronId,
    watch::{Home, NetworkLink, NetworkOutput, Unread, WatchEvent},
};

/// The changes of all neurons of a network, each beginning with the level at the time the watch
/// began. Made by [`Controller::watch_all`](super::Controller::watch_all).
///
/// Each neuron is told as a [`Watch`](super::Watch) of it alone tells it: the watch goes on after a
/// lost connection, a restart and a move to another host; [`Change::missed`] counts what it has
/// missed; and a neuron that has not been heard for its lease and patience (2.25 s by default) is
/// told with level 0 and itself as [`missing`](crate::actor::Change::missing). So is one that is
/// never heard at all. The changes of one neuron are in the order of their tags; those of several
/// are in the order in which they were heard.
///
/// A neuron that is [added](crate::actor::Host::add) to the network through a controller of this
/// host appears, and one that is [removed](crate::actor::Host::remove) ends with
/// [`WatchEvent::Removed`].
///
/// At rest, each host is sent one request twice a second, and answers it, whatever the number of
/// its neurons. A host takes part in at most 64 watches of this kind. A further one takes the place
/// of one of the controller that has the most; if none has more than this controller, the
/// neurons of the host are missing.
///
/// The last change of each neuron is kept until it is read, and 4,096 others. If more come, the
/// oldest are lost and counted. Dropping the watch ends it.
///
/// ```
/// # use neuron_core::actor::{ControlError, Controller, WatchEvent};
/// /// Prints each change in the network, until the host stops.
/// async fn print_changes(controller: &Controller) -> Result<(), ControlError> {
///     let mut watch = controller.watch_all().await?;
///     while let Some(event) = watch.next().await {
///         match event {
///             WatchEvent::Changed { neuron, change } if change.is_degraded() => {
///                 println!("{neuron} may be wrong: nothing is known of {}", change.missing);
///             }
///             WatchEvent::Changed { neuron, change } => println!("{neuron}: {}", change.level),
///             WatchEvent::Removed { neuron } => println!("{neuron} has been removed"),
///         }
///     }
///     Ok(())
/// }
/// ```
///
/// [`Change::missed`]: crate::actor::Change::missed
#[derive(Debug)]
pub struct WatchAll {
    unread: Arc<SharedUnread>,
    _unwatch: Unwatch,
}

/// What the reader has not read yet, shared with the sending half.
#[derive(Debug, Default)]
struct SharedUnread {
    state: Mutex<UnreadState>,
    /// Notified when there is something to read, or nothing follows any more.
    changed: Notify,
}

#[derive(Debug, Default)]
struct UnreadState {
    unread: Unread,
    /// Nothing follows any more.
    is_closed: bool,
}

/// The sending half of a watch of all neurons.
#[derive(Debug)]
pub(super) struct NetworkSender {
    link: NetworkLink,
    unread: Arc<SharedUnread>,
}

impl WatchAll {
    /// Waits for the next event; `None` once the host of the controller has stopped.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        loop {
            let changed = self.unread.changed.notified();
            {
                let mut state = self.unread.lock();
                let event = state.unread.pop();
                if event.is_some() || state.is_closed {
                    return event;
                }
            }
            changed.await;
        }
    }

    /// Returns the next event if there is one already; `None` also once the watch has ended.
    pub fn try_next(&mut self) -> Option<WatchEvent> {
        self.unread.lock().unread.pop()
    }
}

impl SharedUnread {
    fn lock(&self) -> MutexGuard<'_, UnreadState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NetworkSender {
    /// Returns the sending half of a watch.
    pub(super) fn new(link: NetworkLink) -> Self {
        Self { link, unread: Arc::default() }
    }

    /// Returns the reading half, which runs `unwatch` when it is dropped.
    pub(super) fn reader(&self, unwatch: Unwatch) -> WatchAll {
        WatchAll { unread: self.unread.clone(), _unwatch: unwatch }
    }

    /// Returns the link to the network.
    pub(super) fn link(&mut self) -> &mut NetworkLink {
        &mut self.link
    }

    /// Removes a neuron, and tells the reader.
    pub(super) fn remove(&mut self, neuron: &NeuronId) {
        if self.link.remove(neuron) {
            self.tell([WatchEvent::Removed { neuron: neuron.clone() }]);
        }
    }

    /// Passes on to the reader what it is to be told, and returns the requests to be sent.
    pub(super) fn flush(&mut self) -> Vec<(NeuronId, Request)> {
        let NetworkOutput { requests, changes } = self.link.take_output();
        if !changes.is_empty() {
            self.tell(changes.into_iter().map(|(neuron, change)| WatchEvent::Changed { neuron, change }));
        }
        requests
    }

    fn tell(&self, events: impl IntoIterator<Item = WatchEvent>) {
        let mut state = self.unread.lock();
        events.into_iter().for_each(|event| state.unread.push(event));
        drop(state);
        self.unread.changed.notify_one();
    }
}

impl Drop for NetworkSender {
    fn drop(&mut self) {
        self.unread.lock().is_closed = true;
        self.unread.changed.notify_one();
    }
}

impl RequestClient {
    /// Begins a watch of all neurons of the network.
    pub(super) fn watch_all(self: &Arc<Self>) -> WatchAll {
        let watch = self.next_request();
        let now = self.steady();
        let unwatch = {
            let client = self.clone();
            Unwatch::new(move || client.unwatch_all(watch))
        };
        let mut sender = NetworkSender::new(NetworkLink::new(watch, self.patience(), now));
        let reader = sender.reader(unwatch);
        // The topology stays locked, so that no neuron comes or goes meanwhile.
        let topology = self.topology();
        topology.neurons().for_each(|neuron| sender.link().add(neuron, now));
        let polls = self.watches().insert_network(watch, sender);
        drop(topology);
        self.wake_watches(polls);
        reader
    }

    /// Notes that a neuron has been added to the network.
    pub(in crate::actor) fn note_added(&self, neuron: &NeuronId) {
        let now = self.steady();
        let actions = self.watches().on_networks(|network| network.link().add(neuron, now));
        self.carry_out(actions);
    }

    /// Passes the answer to a request on to the watch that has asked, if it is one.
    pub(super) fn note_watched(&self, from: &NeuronId, request: u64, answer: &Answer) {
        let now = self.steady();
        let next_request = || self.next_request();
        let mut watches = self.watches();
        let actions = match answer {
            Answer::Watched { watch, position, sample } if watches.has_network(*watch) => {
                watches.on_network(*watch, |network| {
                    network.link().on_answer((from, request), *position, sample.clone(), now, &next_request);
                })
            }
            Answer::Watched { watch, position, sample } => {
                let polls = watches.on_answer(from, (*watch, request), *position, sample.clone(), now);
                NetworkActions { polls, ..NetworkActions::default() }
            }
            Answer::WatchedHost(changes) => watches.on_network(changes.watch, |network| {
                network.link().on_host_answer(from, request, (**changes).clone(), now, &next_request);
            }),
            Answer::Host { host, life, .. } => {
                let home = Home { host: host.clone(), life: *life };
                watches.on_networks(|network| network.link().on_home(from, request, &home, now, &next_request))
            }
            _ => return,
        };
        drop(watches);
        self.carry_out(actions);
    }

    /// Passes a report of a change on to the watch of this number.
    pub(super) fn note_changed(&self, from: &NeuronId, watch: u64, position: WatchPosition, sample: Sample) {
        let now = self.steady();
        let mut watches = self.watches();
        if !watches.has_network(watch) {
            return watches.on_report(from, watch, position, sample);
        }
        let actions = watches.on_network(watch, |network| network.link().on_report(from, position, sample, now));
        drop(watches);
        self.carry_out(actions);
    }

    /// Ends a watch of all neurons, and tells a neuron of each host.
    fn unwatch_all(&self, watch: u64) {
        let Some(mut network) = self.watches().remove_network(watch) else { return };
        let homes: Vec<NeuronId> = network.link().homes().cloned().collect();
        for home in homes {
            let request = Request::new(self.next_request(), Command::Unwatch { watch });
            // If it is lost, the host forgets the watch after a while.
            let _ = self.send(&home, request).now_or_never();
        }
    }

    /// Sends what watches want to be sent, and lets them be polled earlier if they want that.
    fn carry_out(&self, actions: NetworkActions) {
        self.send_watch_requests(actions.requests);
        self.wake_watches(actions.polls);
    }
}
