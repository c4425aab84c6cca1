//! One connection as its subscriber sees it.

use std::time::Duration;

use super::{History, PendingReentry, ReentryQueue, probe::ProbeTimer};
use crate::{
    collections::OptionalF64,
    command::TransactionId,
    id::NeuronId,
    neuron::stream::{Backoff, Receiver},
    signal::{Incarnation, StreamId},
    tag::{Tag, Time},
};

/// From when to when a connection counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LinkState {
    /// The source has not answered the subscription; the request that asked for it is unanswered.
    Subscribing(TransactionId),
    /// It is subscribed for a transaction that is being prepared.
    Prepared {
        transaction: TransactionId,
        /// The tag of the first statement of the source; `None` if it has not made any.
        heard: Option<Tag>,
    },
    /// It counts from the tag `from` on and before the tag `until`.
    Active {
        from: Tag,
        /// [`Tag::MAX`] unless the end has been decided.
        until: Tag,
        /// The request that asked for the end and is answered then.
        leaving: Option<TransactionId>,
    },
}

impl LinkState {
    /// It has counted since the neuron started.
    pub(crate) const ALWAYS: Self = Self::Active { from: Tag::ORIGIN, until: Tag::MAX, leaving: None };
}

/// [`LinkState::ALWAYS`] as something to refer to.
static ALWAYS: LinkState = LinkState::ALWAYS;

/// What most connections do not have.
#[derive(Clone, Debug, Default)]
pub(super) struct LinkExtras {
    /// `None` means [`LinkState::ALWAYS`].
    state: Option<LinkState>,
    pub(super) probe: ProbeTimer,
    /// When the source is called again: to subscribe, until that is answered, and to find out
    /// whether it is back, while it is down.
    pub(super) reconnect: Backoff,
}

/// A connection from a source.
#[derive(Clone, Debug)]
pub(crate) struct InputLink {
    pub(super) id: NeuronId,
    /// The weight of the source; absent counts as 0.
    pub(super) weight: OptionalF64,
    pub(super) receiver: Receiver,
    /// The last known incarnation of the source; number 0 if none is known.
    pub(super) incarnation: Incarnation,
    pub(super) history: History,
    /// When the source was heard last; `None` if it was not in this incarnation of the subscriber.
    pub(super) heard: Option<Time>,
    /// The connection counts at the last evaluated tag.
    pub(super) is_applied: bool,
    /// The subscriber itself was late since the source was heard last, and the time of the silence
    /// was restarted for that, which happens once.
    pub(super) stall_forgiven: bool,
    /// The host of the subscriber runs the source as well and reports when it is gone.
    pub(super) colocated: bool,
    /// The source has made a statement in this incarnation of the subscriber.
    pub(super) has_stated: bool,
    /// The source was silent for too long: it is not waited for until it is heard again.
    pub(super) is_down: bool,
    /// What the edge shows is from before the source went down. Only where levels re-enter.
    pub(super) is_stale: bool,
    /// At the last evaluation its level was unknown, or its value degraded; the answer allows for
    /// that, or names it as missing.
    pub(super) is_uncertain: bool,
    pub(super) extras: Option<Box<LinkExtras>>,
    /// Present where the source is not waited for: its levels re-enter as own events.
    pub(super) reentry: Option<Box<ReentryQueue>>,
}

impl InputLink {
    /// Makes a connection; `reentry` is its queue if levels re-enter over it.
    pub(super) fn new(
        id: NeuronId,
        weight: OptionalF64,
        state: LinkState,
        reentry: Option<Box<ReentryQueue>>,
        stream: StreamId,
    ) -> Self {
        let is_applied = state == LinkState::ALWAYS;
        Self {
            id,
            weight,
            receiver: Receiver::new(stream),
            incarnation: Incarnation::default(),
            history: History::new(),
            heard: None,
            is_applied,
            stall_forgiven: false,
            colocated: false,
            has_stated: false,
            is_down: false,
            is_stale: false,
            is_uncertain: false,
            extras: (!is_applied).then(|| Box::new(LinkExtras { state: Some(state), ..LinkExtras::default() })),
            reentry,
        }
    }

    /// Returns the name of the source.
    pub(crate) fn id(&self) -> &NeuronId {
        &self.id
    }

    /// Returns whether it counts at the last evaluated tag.
    pub(crate) fn is_applied(&self) -> bool {
        self.is_applied
    }

    /// Returns whether levels re-enter over it: its source is not waited for.
    pub(crate) fn reenters(&self) -> bool {
        self.reentry.is_some()
    }

    /// Returns from when to when it counts.
    pub(crate) fn state(&self) -> &LinkState {
        self.extra_state().unwrap_or(&ALWAYS)
    }

    fn extra_state(&self) -> Option<&LinkState> {
        self.extras.as_ref()?.state.as_ref()
    }

    pub(super) fn set_state(&mut self, state: LinkState) {
        self.extras_mut().state = Some(state);
    }

    /// Returns the extras, made if they are absent.
    pub(super) fn extras_mut(&mut self) -> &mut LinkExtras {
        self.extras.get_or_insert_default()
    }

    /// Returns whether the connection has been made; its end may have been decided.
    pub(crate) fn is_active(&self) -> bool {
        matches!(self.state(), LinkState::Active { .. })
    }

    /// Returns the tag from which on it counts; [`Tag::MAX`] if it does not yet.
    pub(super) fn active_from(&self) -> Tag {
        match self.state() {
            LinkState::Active { from, .. } => *from,
            LinkState::Subscribing(_) | LinkState::Prepared { .. } => Tag::MAX,
        }
    }

    /// Returns whether the end of the connection has been decided.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.state(), LinkState::Active { until, .. } if *until != Tag::MAX)
    }

    /// Notes that the source of a connection that is being made states something from a tag on.
    ///
    /// Returns whether that was awaited.
    pub(super) fn note_first_statement(&mut self, at: Tag) -> bool {
        match self.extras.as_mut().and_then(|extras| extras.state.as_mut()) {
            Some(LinkState::Subscribing(_)) => true,
            Some(LinkState::Prepared { heard: heard @ None, .. }) => {
                *heard = Some(at);
                true
            }
            _ => false,
        }
    }

    /// Takes the request that is answered when the connection has ended, and the tag of the end.
    pub(super) fn take_leaving(&mut self) -> Option<(TransactionId, Tag)> {
        match self.extras.as_mut()?.state.as_mut()? {
            LinkState::Active { leaving, until, .. } => Some((leaving.take()?, *until)),
            _ => None,
        }
    }

    /// Returns the configured delay.
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.reentry.as_ref()?.delay
    }

    /// Returns since when the source is waited for without having told anything new; `None` if it
    /// is not waited for.
    pub(super) fn awaited_since(&self) -> Option<Time> {
        self.extras.as_ref()?.probe.awaited_since()
    }

    /// Notes that the source has told something new, or is not waited for any more.
    #[inline]
    pub(super) fn stop_awaiting(&mut self) {
        let is_missing = self.is_down || self.awaits_refresh();
        let Some(extras) = &mut self.extras else { return };
        extras.probe.stop();
        let is_probed = extras.probe.probed_through() > self.history.complete_through;
        if self.receiver.is_subscribed() && !is_missing && !is_probed {
            if extras.state.is_none() {
                self.extras = None;
            } else {
                extras.probe = ProbeTimer::default();
                extras.reconnect = Backoff::default();
            }
        }
    }

    /// Returns how far the source must be known before `tag` may be evaluated; `None` if it is not
    /// waited for.
    #[inline]
    pub(super) fn needed_for(&self, tag: Tag) -> Option<Tag> {
        if self.reentry.is_some() {
            return None;
        }
        match self.extra_state() {
            None => Some(tag.min(Tag::MAX.prev())),
            Some(LinkState::Subscribing(..) | LinkState::Prepared { .. }) => None,
            Some(LinkState::Active { from, until, .. }) => (tag >= *from).then(|| tag.min(until.prev())),
        }
    }

    /// Returns whether the level at `tag`, which is being evaluated, is unknown or degraded.
    #[inline]
    pub(super) fn is_uncertain_at(&self, tag: Tag) -> bool {
        self.is_unknown_at(tag) || self.history.value.is_degraded()
    }

    /// Returns whether the level at `tag`, which is being evaluated, is unknown.
    #[inline]
    pub(super) fn is_unknown_at(&self, tag: Tag) -> bool {
        if self.reentry.is_some() { self.is_down || self.is_stale } else { self.history.is_unknown_at(tag) }
    }

    /// Returns the tag through which nothing that the source states can change what was said after
    /// `evaluated`.
    pub(super) fn certain_through(&self, evaluated: Tag, promised: Tag) -> Tag {
        if self.is_down && self.is_uncertain { Tag::MAX } else { self.history.certain_through(evaluated, promised) }
    }

    /// Returns whether what the edge shows is from before the source went down, and nothing newer
    /// is on its way.
    pub(super) fn awaits_refresh(&self) -> bool {
        self.is_stale && self.reentry.as_ref().is_none_or(|reentry| reentry.first().is_none())
    }

    /// Clears `is_stale` if nothing is on its way: the edge shows what the source states.
    ///
    /// Returns whether it was set.
    pub(super) fn refresh(&mut self) -> bool {
        let is_on_its_way = self.reentry.as_ref().is_some_and(|reentry| reentry.first().is_some());
        !is_on_its_way && std::mem::take(&mut self.is_stale)
    }

    /// Returns the next level that re-enters, once the connection has been made.
    pub(super) fn next_reentry(&self) -> Option<&PendingReentry> {
        self.reentry.as_ref().filter(|_| self.is_active())?.first()
    }

    /// Returns whether the source has stated a level, or a mark, that must be renewed.
    #[inline]
    pub(super) fn needs_renewal(&self) -> bool {
        !self.reentry.as_ref().map_or_else(|| self.history.ends_at_rest(), |reentry| reentry.last.is_rest())
    }

    /// Returns whether what the source states limits what the subscriber may promise.
    #[inline]
    pub(super) fn limits(&self) -> bool {
        self.reentry.is_none() && self.is_applied
    }
}
