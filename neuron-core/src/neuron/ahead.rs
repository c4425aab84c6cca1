//! Tags that are ahead of the clock: they wait until this neuron may state them.

use super::{
    Ctx,
    deadlines::{first_unstatable, is_far_ahead, latest_statable, statable_at},
    turn::Parts,
};
use crate::{
    id::NeuronId,
    signal::SignalBody,
    tag::{Tag, Time},
};

impl Parts {
    /// Takes in that a signal has a tag which this neuron must not state yet. Returns `false` if it
    /// is not believed.
    ///
    /// A probe counts for what may be stated; it is repeated. A statement waits, but not one that
    /// re-enters, which does not wait for its tag, and not one of a source that is being connected:
    /// its connection would be stamped with that tag.
    #[cold]
    pub(super) fn accept_ahead(&mut self, from: &NeuronId, body: &mut SignalBody, cx: &mut Ctx<'_>) -> bool {
        let is_far_ahead = body.latest_tag().is_some_and(|tag| is_far_ahead(tag, cx.now));
        if is_far_ahead || self.inputs.cannot_wait(from) {
            self.inputs.reject_future_tag(from, body, cx);
            return false;
        }
        match body {
            SignalBody::Probe { upto, .. } => *upto = latest_statable(cx.now),
            _ => self.has_tags_ahead = true,
        }
        true
    }

    /// Returns the first tag that must be neither evaluated nor promised: because it is reserved,
    /// or too far ahead of the clock.
    #[inline]
    pub(super) fn floor(&self, now: Time) -> Option<Tag> {
        self.control.floor().into_iter().chain(self.first_ahead(now)).min()
    }

    /// Returns when the first queued tag may be stated; `None` if it may be now, or there is none.
    #[cold]
    pub(super) fn next_statable(&mut self, now: Time) -> Option<Time> {
        let limit = self.first_ahead(now);
        let is_ahead = |tag: &Tag| limit.is_some_and(|limit| *tag >= limit);
        self.has_tags_ahead = self.evaluation.last_queued().as_ref().is_some_and(is_ahead);
        self.evaluation.first_queued().filter(is_ahead).map(statable_at)
    }

    /// Returns the first tag that is too far ahead; `None` if none is. It is counted from the clock, or
    /// from where this neuron is already if its clock has been set back since.
    fn first_ahead(&self, now: Time) -> Option<Tag> {
        let limit = first_unstatable(now)?;
        let progress = self.evaluation.progress();
        Some(match progress.evaluated() {
            None => limit.max(progress.stamp_bound().next()),
            Some(evaluated) if evaluated < limit => limit,
            Some(evaluated) => latest_statable(evaluated.time()).next(),
        })
    }
}
