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
pub(super) const RENEWAL: Duration = Duration::from_millis(500);

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
    /// The tag that the reader was told last. No later one is below it.
    last_tag: Tag,
    /// When the last question was asked that has been answered.
    heard: Time,
    /// The reader has been told that the neuron cannot be heard.
    is_silent: bool,
    /// The reader is also told of a neuron that has never been heard.
    tells_unheard: bool,
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
}

impl WatchLink {
    /// Returns the link of a watch that begins with the request of this number, sent now.
    /// `patience` is that of the network.
    pub(crate) fn new(neuron: NeuronId, patience: Duration, request: u64, now: Time) -> Self {
        Self {
            neuron,
            lease: Config::LEASE + patience,
            told: None,
            last_tag: Tag::ORIGIN,
            heard: now,
            is_silent: false,
            tells_unheard: false,
            due: next_multiple(now),
            was_stalled: false,
            asked: [(request, now)].into(),
        }
    }

    /// Returns the link of a neuron that is watched together with others, and asked when the
    /// [`NetworkLink`](super::NetworkLink) wants so. It is told as missing also if it is not heard
    /// at all.
    pub(super) fn of_network(neuron: NeuronId, patience: Duration, now: Time) -> Self {
        let link = Self::new(neuron, patience, 0, now);
        Self { due: Time::MAX, asked: VecDeque::new(), tells_unheard: true, ..link }
    }

    /// Returns the neuron that is watched.
    pub(crate) fn neuron(&self) -> &NeuronId {
        &self.neuron
    }

    /// Returns whether the neuron has answered, so that there is something to renew.
    pub(super) fn has_begun(&self) -> bool {
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
            self.told = Some(Told { position, value: Value { level, missing } });
            self.last_tag = self.last_tag.max(tag);
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
        // A controller that was stalled finds out when it renews, before it calls the neuron
        // silent.
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
        let request = request();
        self.note_asked(request, now);
        Some(request)
    }

    /// Notes that the neuron is asked with the request of this number, sent now.
    pub(super) fn note_asked(&mut self, request: u64, now: Time) {
        if self.asked.len() == MAX_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((request, now));
    }

    /// Notes that the host has said that there is no later change than the last one, when it was
    /// asked at `asked`. Returns what the reader is to be told.
    pub(super) fn on_host_answer(&mut self, asked: Time, now: Time) -> Option<Change> {
        self.note_heard(asked);
        if self.is_overdue(now) || !self.has_begun() || !std::mem::take(&mut self.is_silent) {
            return None;
        }
        tracing::info!(neuron = %self.neuron, "a watched neuron is heard again");
        let Told { value, .. } = self.told.as_ref()?;
        let Value { level, missing } = value.clone();
        Some(Change { level, tag: self.last_tag, missing, missed: 0 })
    }

    /// Notes that the neuron was heard as of `at`, if that is later than before.
    pub(super) fn note_heard(&mut self, at: Time) {
        self.heard = self.heard.max(at);
    }

    /// Returns the position of the last change; `None` before the first answer.
    pub(super) fn position(&self) -> Option<WatchPosition> {
        self.told.as_ref().map(|told| told.position)
    }

    /// Returns whether the reader has been told that the neuron cannot be heard.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Returns when the neuron counts as missing; `None` if it does already.
    pub(crate) fn silent_at(&self) -> Option<Time> {
        (!self.is_silent).then(|| self.heard.after(self.lease))
    }

    /// Returns whether only an answer can tell what holds, since the last call.
    pub(super) fn take_doubt(&mut self) -> bool {
        std::mem::replace(&mut self.due, Time::MAX) == Time::ZERO
    }

    /// Returns what the reader is to be told if the neuron cannot be heard any more; `None` if it
    /// can be, or the reader knows already.
    pub(crate) fn check(&mut self, now: Time) -> Option<Change> {
        if self.is_silent || !self.is_overdue(now) || !(self.has_begun() || self.tells_unheard) {
            return None;
        }
        self.is_silent = true;
        tracing::warn!(neuron = %self.neuron, "a watched neuron cannot be heard");
        // The local time says nothing of the neuron's tags: its clock may be behind.
        let missing = Missing::from_iter([self.neuron.clone()]);
        Some(Change { level: 0.0, tag: self.last_tag, missing, missed: 0 })
    }

    fn is_overdue(&self, now: Time) -> bool {
        now >= self.heard.after(self.lease)
    }

    /// Returns what the reader is told when the neuron is heard again: also what it knows already.
    fn resume(&mut self, position: WatchPosition, sample: Sample) -> Change {
        if let Some(change) = self.advance(position, sample, false) {
            return change;
        }
        let Value { level, missing } = self.told.as_ref().map(|told| told.value.clone()).unwrap_or_default();
        Change { level, tag: self.last_tag, missing, missed: 0 }
    }

    /// Goes on to a later change. `is_report` means that the sample is the change at this position;
    /// else it is the present state, which may have come about by several changes or by none.
    fn advance(&mut self, position: WatchPosition, sample: Sample, is_report: bool) -> Option<Change> {
        let Sample { level, tag, missing } = sample;
        let value = Value { level, missing };
        let Some(told) = &mut self.told else {
            self.told = Some(Told { position, value: value.clone() });
            let tag = tag.max(self.last_tag);
            self.last_tag = tag;
            return Some(Change { level, tag, missing: value.missing, missed: 0 });
        };
        let is_same = position.incarnation == told.position.incarnation;
        let is_later = match (is_same, is_report) {
            (true, _) => position.number > told.position.number,
            // Incarnations of a neuron without a store all have number 1: they are not ordered.
            (false, true) => position.incarnation.number > told.position.incarnation.number,
            // The request was sent after the other incarnation was heard, so this one is the younger
            // one.
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
        if !is_same {
            // The older incarnation may have answered these, and its answers may still be on their
            // way.
            self.asked.clear();
        }
        let tag = tag.max(self.last_tag);
        self.last_tag = tag;
        *told = Told { position, value: value.clone() };
        Some(Change { level, tag, missing: value.missing, missed })
    }
}

/// Returns the next time that is a multiple of [`RENEWAL`].
pub(super) fn next_multiple(now: Time) -> Time {
    let period = RENEWAL.as_micros() as u64;
    Time::from_micros((now.as_micros() / period).saturating_add(1).saturating_mul(period))
}
