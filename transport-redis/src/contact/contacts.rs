//! Which receivers are known to hear this process, and the messages that wait for the others.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::BuildHasherDefault,
    time::Duration,
};

use neuron_core::transport::Address;
use rustc_hash::FxHasher;
use tokio::time::Instant;
use transport_broker::{OutgoingMessage, Route};

use crate::streams::is_kept;

/// How long messages wait for a receiver that has been called. Then they are published in any case:
/// the server's answer says whether they reached it.
pub(crate) const HOLD: Duration = Duration::from_millis(250);

/// After what time without a message a receiver is called again. It must be well below what a
/// receiver waits before it ends the subscription to a controller's requests.
const FORGET: Duration = Duration::from_secs(30);

/// How many envelopes wait for receivers, at most.
const MAX_HELD: usize = 65_536;

/// A message that was published, until the server has answered.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) message: OutgoingMessage,
    /// Messages of a route are numbered in the order in which they were handed over.
    number: u64,
    /// It has waited for its receiver already, and does not wait again.
    is_last_attempt: bool,
}

/// What to do with a message.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Publish it.
    Publish(Sent),
    /// It waits for its receiver.
    Held,
    /// Too many messages wait, and it is lost.
    Dropped(OutgoingMessage),
}

/// What follows from the server's answer to a message.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    /// The messages to publish now, in order.
    pub(crate) publish: Vec<Sent>,
    /// How many envelopes are lost, because their receiver is not there.
    pub(crate) unheard: usize,
}

/// What is known of the receiver of a route. Without a contact nothing is known.
#[derive(Debug)]
enum Contact {
    /// It has been called, and has not answered yet.
    Called {
        /// When it was called.
        since: Instant,
        /// The messages that wait for its answer, by number.
        waiting: BTreeMap<u64, OutgoingMessage>,
    },
    /// It hears the route.
    Heard {
        /// When a message was sent to it last.
        used: Instant,
    },
    /// It has not answered, or nothing was sent to it for long. If the server keeps messages, it is
    /// called when it opens its inbox, and with the next message in any case.
    Away {
        /// When the last message was sent to it, or it was called last.
        since: Instant,
    },
}

type ByRoute = HashMap<Route, Contact, BuildHasherDefault<FxHasher>>;

/// The receivers of this process's messages. Pure: time comes in as an argument.
///
/// After each change, [`take_calls`](Self::take_calls) returns the routes whose receivers are to be
/// called.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    /// For how long the server keeps a message whose receiver is not there; zero if it does not. A
    /// message that is kept is published at once; any other one waits for its receiver.
    kept: Duration,
    by_target: HashMap<Address, ByRoute, BuildHasherDefault<FxHasher>>,
    /// When a call runs out, in order. An entry has no meaning if its route was called again since.
    deadlines: VecDeque<(Instant, Route)>,
    calls: Vec<Route>,
    last_number: u64,
    /// The number of the last message that was handed over before an inbox of this process was
    /// opened, by address. The ones up to it are not for that inbox.
    barriers: HashMap<Address, u64>,
    /// How many envelopes wait.
    held: usize,
}

impl Contacts {
    /// Creates contacts for a server that keeps messages for as long as `kept`; zero if it does not.
    pub(crate) fn new(kept: Duration) -> Self {
        Self { kept, ..Self::default() }
    }

    /// Returns whether a message waits until its receiver is known to hear it.
    pub(crate) fn holds(&self, route: &Route) -> bool {
        self.kept.is_zero() || !is_kept(route.kind())
    }

    /// Takes a message that was handed over, and calls its receiver if that is not known to hear it.
    pub(crate) fn admit(&mut self, message: OutgoingMessage, now: Instant) -> Admission {
        self.last_number += 1;
        let number = self.last_number;
        match self.contact(&message.route) {
            Some(Contact::Heard { used }) => {
                *used = now;
                return Admission::Publish(Sent { message, number, is_last_attempt: false });
            }
            Some(Contact::Called { .. }) => {}
            Some(Contact::Away { .. }) | None => self.call(&message.route, now),
        }
        if self.holds(&message.route) {
            return self.hold(number, message);
        }
        Admission::Publish(Sent { message, number, is_last_attempt: false })
    }

    /// Handles the server's answer to a message: how many connections it went to.
    pub(crate) fn on_answer(&mut self, sent: Sent, receivers: i64, now: Instant) -> Answered {
        let Sent { message, number, is_last_attempt } = sent;
        let holds = self.holds(&message.route);
        let is_called = match self.contact(&message.route) {
            Some(Contact::Heard { .. }) if receivers > 0 => return Answered::default(),
            contact => matches!(contact, Some(Contact::Called { .. })),
        };
        if receivers > 0 {
            // The server keeps it, so nothing is lost if that was the connection of an earlier
            // process: the receiver's answer is waited for.
            if is_called && !holds {
                return Answered::default();
            }
            // What was handed over before this message must not arrive after it.
            let waiting = self.set_heard(&message.route, now);
            let (overtaken, publish): (Vec<Sent>, Vec<Sent>) =
                waiting.into_iter().partition(|waiting| waiting.number < number);
            return Answered { publish, unheard: overtaken.iter().map(|sent| sent.message.envelopes).sum() };
        }
        let is_too_early = self.barriers.get(&message.route.target()).is_some_and(|barrier| number <= *barrier);
        if holds && (is_last_attempt || is_too_early) {
            return Answered { unheard: message.envelopes, ..Answered::default() };
        }
        if matches!(self.contact(&message.route), None | Some(Contact::Heard { .. })) {
            self.call(&message.route, now);
        }
        let envelopes = message.envelopes;
        match holds.then(|| self.hold(number, message)) {
            Some(Admission::Dropped(_)) => Answered { unheard: envelopes, ..Answered::default() },
            _ => Answered::default(),
        }
    }

    /// Notes that the receiver of a route hears it, and returns the messages that have waited for
    /// that, in order.
    pub(crate) fn set_heard(&mut self, route: &Route, now: Instant) -> Vec<Sent> {
        let heard = Contact::Heard { used: now };
        let before = self.by_target.entry(route.target()).or_default().insert(route.clone(), heard);
        self.released(before, false)
    }

    /// Notes that the receiver of a route is ready, and returns the messages that have waited for
    /// that, in order. If it was not called, nothing changes: the note may be a lie.
    pub(crate) fn on_ready(&mut self, route: &Route, now: Instant) -> Vec<Sent> {
        match self.contact(route) {
            Some(Contact::Called { .. } | Contact::Away { .. }) => self.set_heard(route, now),
            _ => Vec::new(),
        }
    }

    /// Notes that the inbox of an address has been opened: what is known of its receivers belongs to
    /// an earlier one. It is called on the routes that have messages for it.
    pub(crate) fn on_opened(&mut self, at: &Address, now: Instant) {
        let is_lossless = !self.kept.is_zero();
        let Some(routes) = self.by_target.get_mut(at) else { return };
        routes
            .retain(|route, contact| !matches!(contact, Contact::Heard { .. }) || is_lossless && is_kept(route.kind()));
        for (route, contact) in routes {
            match contact {
                Contact::Called { since, .. } => *since = now,
                _ => *contact = Contact::Called { since: now, waiting: BTreeMap::new() },
            }
            self.deadlines.push_back((now + HOLD, route.clone()));
            self.calls.push(route.clone());
        }
    }

    /// Notes that this process opens an inbox, and returns how many envelopes waited for it: they
    /// were handed over before, and are lost, as are those of which that turns out later.
    pub(crate) fn set_barrier(&mut self, at: &Address) -> usize {
        self.barriers.insert(at.clone(), self.last_number);
        let mut lost = 0;
        for contact in self.by_target.get_mut(at).into_iter().flat_map(HashMap::values_mut) {
            if let Contact::Called { waiting, .. } = contact {
                lost += std::mem::take(waiting).values().map(|message| message.envelopes).sum::<usize>();
            }
        }
        self.held -= lost;
        lost
    }

    /// Returns when [`expire`](Self::expire) has something to do; `None` while nothing waits.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.front().map(|(at, _)| *at)
    }

    /// Returns whether messages wait for their receivers.
    pub(crate) fn has_waiting(&self) -> bool {
        self.held > 0
    }

    /// Gives up the calls that have not been answered, and returns the messages that waited: they
    /// are published in any case.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Sent> {
        let mut publish = Vec::new();
        while self.deadline().is_some_and(|at| at <= now) {
            let Some((_, route)) = self.deadlines.pop_front() else { break };
            let Some(contact) = self.contact(&route) else { continue };
            let Contact::Called { since, .. } = contact else { continue };
            if *since + HOLD <= now {
                let away = Contact::Away { since: *since };
                let before = std::mem::replace(contact, away);
                publish.extend(self.released(Some(before), true));
            }
        }
        publish
    }

    /// Forgets the receivers that nothing was sent to for a while. They are called again.
    ///
    /// `is_quiet` says that all messages have been answered.
    pub(crate) fn forget_idle(&mut self, is_quiet: bool, now: Instant) {
        if is_quiet {
            self.barriers.clear();
        }
        let kept = self.kept;
        let is_of_use = |route: &Route, contact: &mut Contact| {
            if let Contact::Heard { used } = contact
                && *used + FORGET <= now
                && is_kept(route.kind())
            {
                *contact = Contact::Away { since: *used };
            }
            match contact {
                Contact::Called { .. } => true,
                Contact::Heard { used } => *used + FORGET > now,
                Contact::Away { since } => now.saturating_duration_since(*since) < kept,
            }
        };
        self.by_target.retain(|_, routes| {
            routes.retain(is_of_use);
            !routes.is_empty()
        });
    }

    /// Returns whether messages were sent on a route recently.
    pub(crate) fn is_used(&self, route: &Route) -> bool {
        let contact = self.by_target.get(&route.target()).and_then(|routes| routes.get(route));
        contact.is_some_and(|contact| !matches!(contact, Contact::Away { .. }))
    }

    /// Forgets what is known of the receivers, because there is another connection, and calls those
    /// again that messages wait for.
    pub(crate) fn renew(&mut self, now: Instant) {
        let addresses: Vec<Address> = self.by_target.keys().cloned().collect();
        addresses.iter().for_each(|at| self.on_opened(at, now));
    }

    /// Forgets everything, and returns how many envelopes were waiting.
    pub(crate) fn clear(&mut self) -> usize {
        let fresh = Self { last_number: self.last_number, ..Self::new(self.kept) };
        let before = std::mem::replace(self, fresh);
        before.held
    }

    /// Removes and returns the routes whose receivers are to be called.
    pub(crate) fn take_calls(&mut self) -> Vec<Route> {
        std::mem::take(&mut self.calls)
    }

    fn contact(&mut self, route: &Route) -> Option<&mut Contact> {
        self.by_target.get_mut(&route.target())?.get_mut(route)
    }

    /// Calls the receiver of a route that has no waiting messages.
    fn call(&mut self, route: &Route, now: Instant) {
        let called = Contact::Called { since: now, waiting: BTreeMap::new() };
        self.by_target.entry(route.target()).or_default().insert(route.clone(), called);
        self.deadlines.push_back((now + HOLD, route.clone()));
        self.calls.push(route.clone());
    }

    /// Lets a message wait for a receiver that has been called.
    fn hold(&mut self, number: u64, message: OutgoingMessage) -> Admission {
        let held = self.held + message.envelopes;
        match self.contact(&message.route) {
            Some(Contact::Called { waiting, .. }) if held <= MAX_HELD => {
                waiting.insert(number, message);
                self.held = held;
                Admission::Held
            }
            _ => Admission::Dropped(message),
        }
    }

    /// Returns the messages that waited in a contact, in order.
    fn released(&mut self, contact: Option<Contact>, is_last_attempt: bool) -> Vec<Sent> {
        let Some(Contact::Called { waiting, .. }) = contact else { return Vec::new() };
        self.held -= waiting.values().map(|message| message.envelopes).sum::<usize>();
        waiting.into_iter().map(|(number, message)| Sent { message, number, is_last_attempt }).collect()
    }
}

#[cfg(test)]
mod tests;
