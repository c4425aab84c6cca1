//! One source as its subscriber sees it.

use std::time::Duration;

use super::{
    config::Pace,
    delivery::Receiver,
    frontier::{Gap, History},
    lasting::Loop,
};
use crate::{
    id::{ControllerId, NeuronId},
    signal::{Incarnation, StreamId},
    tag::{Tag, Time},
};

/// A source that has a weight, or a connection, or both.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) id: NeuronId,
    pub(crate) weight: Option<f64>,
    pub(crate) link: Option<Link>,
}

/// From when to when a connection counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// Subscribed, but not heard of yet; whoever asked for it waits.
    Joining(ControllerId, u64),
    /// It counts from the first tag on, and up to the one before the second.
    Counts { from: Tag, until: Tag },
}

impl State {
    /// It has counted since the neuron started.
    pub(crate) const ALWAYS: Self = Self::Counts { from: Tag::ORIGIN, until: Tag::MAX };
}

/// A connection from a source.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) state: State,
    /// Who wants it to end, and waits until it has.
    pub(crate) leaves_for: Option<(ControllerId, u64)>,
    /// It counts at the last evaluated tag.
    pub(crate) counts: bool,
    /// As configured.
    pub(crate) delay: Option<Duration>,
    pub(crate) receiver: Receiver,
    pub(crate) history: History,
    pub(crate) asking: Asking,
    /// Present where nobody waits for the source: its levels re-enter as events of the subscriber.
    pub(crate) reentry: Option<Box<Loop>>,
}

impl Link {
    /// A connection over which levels re-enter if it has a delay, or if its subscriber waits for nobody.
    pub(crate) fn new(state: State, delay: Option<Duration>, asap: bool, stream: StreamId) -> Self {
        let reentry = (delay.is_some() || asap).then(Box::default);
        let receiver = Receiver::new(stream, Incarnation::default());
        let counts = state == State::ALWAYS;
        Self {
            state,
            leaves_for: None,
            counts,
            delay,
            receiver,
            history: History::new(),
            asking: Asking::default(),
            reentry,
        }
    }

    /// How far this source must be known before `tag` may be evaluated.
    pub(crate) fn needed_for(&self, tag: Tag) -> Option<Tag> {
        if self.reentry.is_some() {
            return None;
        }
        match self.state {
            State::Joining(..) => None,
            State::Counts { from, until } => (tag >= from).then(|| tag.min(until.prev())),
        }
    }

    /// How far nothing from this source can change what the subscriber says: before it counts, it never does.
    pub(crate) fn horizon(&self) -> Tag {
        let State::Counts { from, .. } = self.state else { return Tag::MAX };
        self.history.horizon().max(from.prev())
    }

    /// The gaps up to `tag` that matter to the subscriber, as one: those after the connection began to count.
    pub(crate) fn gap_at(&self, tag: Tag) -> Option<Gap> {
        let State::Counts { from, .. } = self.state else { return None };
        let gap = self.history.gap_at(tag).filter(|gap| self.counts || !gap.closed)?;
        Some(Gap { from: gap.from.max(from.prev()), ..gap })
    }

    /// Whether what the source says bears on what the subscriber may promise.
    pub(crate) fn limits(&self) -> bool {
        self.reentry.is_none() && self.counts
    }
}

/// When a silent source is asked.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    /// Since when it is waited for, without its having told anything new.
    since: Option<Time>,
    /// The highest tag it has been asked for.
    asked: Tag,
    /// When it is asked again.
    again: Time,
    pause: Duration,
}

/// What [`Asking::step`] wants done.
pub(crate) enum Step {
    AskNow,
    At(Time),
}

impl Asking {
    /// The source has told something new, or is not waited for any more.
    pub(crate) fn reset(&mut self) {
        self.since = None;
    }

    /// The source is waited for, up to `target`.
    pub(crate) fn step(&mut self, target: Tag, urgent: bool, now: Time, pace: Pace) -> Step {
        let since = *self.since.get_or_insert(now);
        let first = self.asked < target;
        let due = match (first, urgent) {
            (true, true) => now,
            (true, false) => since.after(pace.grace),
            (false, _) => self.again,
        };
        if due > now {
            return Step::At(due);
        }
        self.pause = if first { pace.retry } else { (self.pause * 2).min(pace.retry * 4) };
        self.asked = target;
        self.again = now.after(self.pause);
        Step::AskNow
    }
}
