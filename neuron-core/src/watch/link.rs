//! What a controller knows of one watched neuron.

use std::{collections::VecDeque, time::Duration};

use super::Change;
use crate::{
    command::{Sample, WatchPosition},
    config::Config,
    id::NeuronId,
    tag::{Tag, Time},
    value::{Missing, Value},
};

/// How often a watch is renewed. All watches are renewed at the same multiples of it, so that
/// renewals travel together.
const RENEWAL: Duration = Duration::from_millis(500);

/// How many renewals may be without an answer before the oldest is not waited for any more.
const MAX_ASKED: usize = 16;

/// The controller's end of a watch.
#[derive(Debug)]
pub(crate) struct WatchLink {
    neuron: NeuronId,
    /// How long the neuron counts as alive after it was asked and has answered.
    lease: Duration,
    /// The last change that the reader was told of; `None` before the first.
    told: Option<Told>,
    /// When the last question was asked that has been answered.
    heard: Time,
    /// The reader has been told that the neuron cannot be heard.
    is_silent: bool,
    /// When the watch is to be renewed.
    due: Time,
    /// The controller has been stalled since the last answer, and answers may wait to be read.
    was_stalled: bool,
    /// The renewals that have no answer yet, each with its request number and when it was sent.
    asked: VecDeque<(u64, Time)>,
}

/// What [`WatchLink::poll`] wants done.
#[derive(Debug)]
pub(crate) struct Polled {
    /// The number of the request that renews the watch; `None` if that is not due.
    pub(crate) renewal: Option<u64>,
    /// What the reader is to be told; `None` if there is nothing new.
    pub(crate) change: Option<Change>,
}

/// What the reader of a watch was told last.
#[derive(Debug)]
struct Told {
    position: WatchPosition,
    /// What the neuron has said, also while it cannot be heard.
    value: Value,
    tag: Tag,
}

impl WatchLink {
    /// Returns the link of a watch that begins with the request of this number, sent now.
    /// `patience` is that of the network.
    pub(crate) fn new(neuron: NeuronId, patience: Duration, request: u64, now: Time) -> Self {
        Self {
            neuron,
            lease: Config::LEASE + patience,
            told: None,
            heard: now,
            is_silent: false,
            due: next_multiple(now),
            was_stalled: false,
            asked: [(request, now)].into(),
        }
    }

    /// Returns the neuron that is watched.
    pub(crate) fn neuron(&self) -> &NeuronId {
        &self.neuron
    }

    /// Returns whether the neuron has answered, so that there is something to renew.
    fn has_begun(&self) -> bool {
        self.told.is_some()
    }

    /// Takes in a report of a change, and returns what the reader is to be told; `None` if it is
    /// not new.
    ///
    /// A report does not show that the neuron is alive now: a broker may have kept it. While the
    /// neuron cannot be heard, only an answer counts, which is asked for when the watch is polled
    /// next. So it is if the report comes from another incarnation that may be the older one.
    pub(crate) fn on_report(&mut self, position: WatchPosition, sample: Sample) -> Option<Change> {
        if self.is_silent {
            self.due = Time::ZERO;
            return None;
        }
        self.advance(position, sample, true)
    }

    /// Takes in the answer to a request, and returns what the reader is to be told.
    pub(crate) fn on_answer(
        &mut self,
        request: u64,
        position: WatchPosition,
        sample: Sample,
        now: Time,
    ) -> Option<Change> {
        let index = self.asked.iter().position(|(asked, _)| *asked == request)?;
        let (_, sent) = self.asked[index];
        self.asked.drain(..=index);
        self.heard = self.heard.max(sent);
        self.was_stalled = false;
        if self.is_overdue(now) {
            // The neuron was slow to answer, as one that has just started is.
            self.due = Time::ZERO;
            if self.has_begun() {
                return None;
            }
            let Sample { level, tag, missing } = sample;
            self.told = Some(Told { position, value: Value { level, missing }, tag });
            return self.check(now);
        }
        if std::mem::take(&mut self.is_silent) {
            tracing::info!(neuron = %self.neuron, "a watched neuron is heard again");
            return Some(self.resume(position, sample));
        }
        self.advance(position, sample, false)
    }

    /// Returns when [`poll`](Self::poll) has something to do.
    pub(crate) fn wake_at(&self) -> Time {
        if self.is_silent || !self.has_begun() { self.due } else { self.due.min(self.heard.after(self.lease)) }
    }

    /// Does what is due: renews the watch, with a request of the number that `request` returns, and
    /// tells the reader if the neuron cannot be heard any more.
    pub(crate) fn poll(&mut self, now: Time, request: impl FnOnce() -> u64) -> Polled {
        // A controller that was stalled finds out when it renews, before it calls the neuron silent.
        let renewal = self.renew(now, request);
        Polled { renewal, change: self.check(now) }
    }

    /// Renews the watch if that is due, and returns the number of the request.
    fn renew(&mut self, now: Time, request: impl FnOnce() -> u64) -> Option<u64> {
        if self.due > now {
            return None;
        }
        if now > self.due.after(RENEWAL) && self.due > Time::ZERO && !self.was_stalled {
            // It was not asked in time, so it could not answer in time.
            self.was_stalled = true;
            self.heard = self.heard.max(now.before(self.lease).after(RENEWAL));
        }
        self.due = next_multiple(now);
        if !self.has_begun() && !self.asked.is_empty() {
            return None;
        }
        if self.asked.len() == MAX_ASKED {
            self.asked.pop_front();
        }
        let request = request();
        self.asked.push_back((request, now));
        Some(request)
    }

    /// Returns what the reader is to be told if the neuron cannot be heard any more; `None` if it
    /// can be, or the reader knows already.
    fn check(&mut self, now: Time) -> Option<Change> {
        if self.is_silent || !self.is_overdue(now) {
            return None;
        }
        let told = self.told.as_ref()?;
        self.is_silent = true;
        tracing::warn!(neuron = %self.neuron, "a watched neuron cannot be heard");
        // The local time says nothing of the neuron's tags: its clock may be behind.
        let missing = Missing::from_iter([self.neuron.clone()]);
        Some(Change { level: 0.0, tag: told.tag, missing, missed: 0 })
    }

    fn is_overdue(&self, now: Time) -> bool {
        now >= self.heard.after(self.lease)
    }

    /// Returns what the reader is told when the neuron is heard again: also what it knows already.
    fn resume(&mut self, position: WatchPosition, sample: Sample) -> Change {
        let known = self.told.as_ref().map(|told| (told.tag, told.value.clone()));
        if let Some(change) = self.advance(position, sample, false) {
            return change;
        }
        let (tag, value) = known.unwrap_or_default();
        Change { level: value.level, tag, missing: value.missing, missed: 0 }
    }

    /// Goes on to a later change. `is_report` means that the sample is the change at this position;
    /// else it is the present state, which may have come about by several changes or by none.
    fn advance(&mut self, position: WatchPosition, sample: Sample, is_report: bool) -> Option<Change> {
        let Sample { level, tag, missing } = sample;
        let value = Value { level, missing };
        let Some(told) = &mut self.told else {
            self.told = Some(Told { position, value: value.clone(), tag });
            return Some(Change { level, tag, missing: value.missing, missed: 0 });
        };
        let is_same = position.incarnation == told.position.incarnation;
        let is_later = match (is_same, is_report) {
            (true, _) => position.number > told.position.number,
            // Incarnations of a neuron without a store all have number 1: they are not ordered.
            (false, true) => position.incarnation.number > told.position.incarnation.number,
            // An answer to this controller's own request is younger than what was told.
            (false, false) => true,
        };
        if !is_later {
            if !is_same {
                self.due = Time::ZERO;
            }
            return None;
        }
        let is_told = u64::from(is_report || value != told.value);
        let missed = if is_same {
            (position.number - told.position.number).saturating_sub(is_told)
        } else {
            // Between two incarnations lies a stretch of which nothing is known. The neuron may
            // have counted it, too.
            position.number.saturating_sub(is_told).max(1)
        };
        let tag = tag.max(told.tag);
        *told = Told { position, value: value.clone(), tag };
        Some(Change { level, tag, missing: value.missing, missed })
    }
}

/// Returns the next time that is a multiple of [`RENEWAL`].
fn next_multiple(now: Time) -> Time {
    let period = RENEWAL.as_micros() as u64;
    Time::from_micros((now.as_micros() / period).saturating_add(1).saturating_mul(period))
}
