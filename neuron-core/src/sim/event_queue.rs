//! The events of a run, ordered by time.

use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use crate::{command::Report, hosts::HostMessage, neuron::Input, tag::Time, transport::Envelope};

/// A message to a neuron or to a host. Both are given by their index.
#[derive(Clone, Debug)]
pub(super) enum Message {
    ToNeuron { to: usize, input: Input },
    ToHost { to: usize, from: usize, message: HostMessage },
}

/// Something that will happen. Neurons, hosts and actions are given by their index.
#[derive(Debug)]
pub(super) enum QueuedEvent {
    /// A message arrives at its host.
    Arrival {
        /// The epoch of the host when the message was sent: it is lost if the host has crashed
        /// since.
        epoch: u32,
        message: Message,
    },
    /// A host that takes time for each message gets to one that was waiting.
    Processing {
        /// The epoch of the host when the message arrived.
        epoch: u32,
        message: Message,
    },
    /// A report arrives at the controller.
    Report { from: usize, report: Report },
    /// A neuron's wake-up time has come.
    Wake(usize),
    /// The links of a host have something to do.
    WakeHost(usize),
    /// The controller has to poll its watches.
    PollWatches,
    /// An action of the plan is due.
    Action(usize),
    /// The clock of a host that was frozen is set.
    SetClock { host: usize, offset: i64 },
    /// The faults end.
    Quiesce,
    /// The hostile machine tells a burst of lies.
    Lie,
    /// The hostile machine sends a lie that it has kept.
    LateLie(Box<Envelope>),
    /// The hostile machine ends its lies.
    EndLies,
    /// The hostile machine comes back as an honest one.
    ComeBack,
}

/// A priority queue of events. Events of the same time come out in the order in which they went in.
#[derive(Default)]
pub(super) struct EventQueue {
    heap: BinaryHeap<Reverse<Entry>>,
    pushed: u64,
}

impl EventQueue {
    pub(super) fn push(&mut self, at: Time, event: QueuedEvent) {
        self.pushed += 1;
        self.heap.push(Reverse(Entry { at, number: self.pushed, event }));
    }

    /// Removes the earliest event and returns it with its time; `None` if the queue is empty.
    pub(super) fn pop(&mut self) -> Option<(Time, QueuedEvent)> {
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

struct Entry {
    at: Time,
    number: u64,
    event: QueuedEvent,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}
