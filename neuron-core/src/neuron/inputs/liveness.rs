//! The failure detector: which inputs are down, and what happens when one is back.
//!
//! Why: docs/decisions/0012-the-first-incarnation-waits-twenty-patiences.md

use std::time::Duration;

use thin_vec::ThinVec;

use super::Inputs;
#[cfg(any(feature = "actor", feature = "sim"))]
use crate::id::NeuronId;
use crate::{
    neuron::{
        Ctx,
        deadlines::earliest,
        log,
        stream::{Backoff, LONGEST_PAUSE, LONGEST_RETRY},
    },
    signal::SignalBody,
    tag::{Tag, Time},
    value::Missing,
};

/// After how many patiences an input is marked down that is alive but never answers.
///
/// The same holds for one that has not stated anything since the first start of the neuron, when
/// all other neurons may just be starting as well.
pub(super) const LAST_PATIENCE: u32 = 20;
/// How soon an input that went down is probed; then after twice the time, up to [`LONGEST_PAUSE`].
const FIRST_RECONNECT: Duration = Duration::from_millis(100);

/// When an input is marked down unless it is heard before.
struct Lapse {
    due: Time,
    /// Its level was not renewed; else it did not answer.
    is_unrenewed: bool,
}

impl Inputs {
    /// Restarts the time for which each input has been silent, because the neuron itself has not
    /// been run for so long that they seem silent: their signals may be queued.
    ///
    /// It is restarted once until the input is heard, or a level could outlive its source on a host
    /// that is always late.
    #[cold]
    pub(crate) fn forgive_local_stall(&mut self, now: Time) {
        for link in &mut self.links {
            if !link.stall_forgiven {
                link.stall_forgiven = true;
                if let Some(extras) = &mut link.extras {
                    extras.probe.restart(now);
                }
                link.heard = link.heard.map(|_| now);
            }
        }
    }

    /// Measures the silence of each input on as before, although the clock was set forward by `by`,
    /// and calls at once those that are down or have not answered.
    #[cold]
    pub(crate) fn shift(&mut self, by: Duration, now: Time) {
        for link in &mut self.links {
            link.heard = link.heard.map(|heard| heard.after(by));
            if let Some(extras) = &mut link.extras {
                extras.probe.shift(by);
                extras.reconnect = Backoff::after(Duration::ZERO, now);
            }
        }
        self.mark_all();
    }

    /// Returns the sources whose levels, or marks, count and which are taken to be alive.
    #[cfg(feature = "sim")]
    pub(crate) fn relied_on(&self) -> impl Iterator<Item = &NeuronId> {
        let relied_on = self.links.iter().filter(|link| !link.is_down && link.needs_renewal() && link.is_active());
        relied_on.map(|link| &link.id)
    }

    /// Notes that an input has been heard on its present stream. Returns whether it was down.
    #[inline]
    pub(super) fn touch(&mut self, index: usize, cx: &Ctx<'_>) -> bool {
        let link = &mut self.links[index];
        link.heard = Some(cx.now);
        link.stall_forgiven = false;
        link.colocated |= cx.colocated;
        if link.is_down {
            log::input_back(&cx.common.id, &link.id);
            self.mark_up(index);
            return true;
        }
        false
    }

    #[cold]
    fn mark_up(&mut self, index: usize) {
        let link = &mut self.links[index];
        link.is_down = false;
        link.stop_awaiting();
        self.mark_all();
    }

    /// Returns whether an input may have to be marked down now.
    #[inline]
    pub(crate) fn may_expire(&self, now: Time) -> bool {
        self.next_lapse.is_some_and(|at| at <= now)
    }

    /// Marks inputs down that have been silent for too long.
    ///
    /// Returns for each whose level was not renewed the lowest tag at which that may be taken into
    /// account.
    #[inline(never)]
    pub(crate) fn expire_inputs(&mut self, cx: &mut Ctx<'_>) -> ThinVec<Tag> {
        let mut unrenewed = ThinVec::new();
        for index in 0..self.links.len() {
            let Some(lapse) = self.lapse(index, cx).filter(|lapse| lapse.due <= cx.now) else { continue };
            let from = self.mark_down(index, cx);
            if lapse.is_unrenewed {
                unrenewed.push(from);
            }
        }
        self.recount_renewals(cx);
        unrenewed
    }

    /// Marks an input down, and returns the lowest tag at which that may be taken into account.
    fn mark_down(&mut self, index: usize, cx: &mut Ctx<'_>) -> Tag {
        let link = &mut self.links[index];
        log::input_silent(&cx.common.id, &link.id);
        link.is_down = true;
        link.is_stale = link.reentry.is_some();
        link.stop_awaiting();
        if link.receiver.is_subscribed() {
            link.extras_mut().reconnect = Backoff::after(FIRST_RECONNECT, cx.now);
        }
        let is_waited_for = link.reentry.is_none();
        let from = if is_waited_for { link.history.complete_through.next() } else { Tag::ORIGIN };
        cx.rare_counters().silences += 1;
        self.may_have_down = true;
        self.may_need_subscribing = true;
        from
    }

    /// Marks an input down whose host is gone, also if it is at rest. Returns the lowest tag at
    /// which that may be taken into account; `None` if it is down already, or does not count.
    #[cfg(any(feature = "actor", feature = "sim"))]
    pub(crate) fn lose(&mut self, source: &NeuronId, cx: &mut Ctx<'_>) -> Option<Tag> {
        let index = self.find(source).ok()?;
        let link = &self.links[index];
        if link.is_down || !link.is_active() || link.colocated {
            return None;
        }
        let from = self.mark_down(index, cx);
        // It is recounted once for all that are lost together.
        self.renewals = None;
        Some(from)
    }

    /// Asks an input that is down whether it is back, because its host is.
    #[cfg(any(feature = "actor", feature = "sim"))]
    pub(crate) fn call(&mut self, source: &NeuronId, cx: &mut Ctx<'_>) {
        let Some(link) = self.find(source).ok().map(|index| &self.links[index]) else { return };
        if link.is_down && link.receiver.is_subscribed() {
            let (stream, upto) = (link.receiver.stream(), link.history.complete_through);
            cx.rare_counters().probes += 1;
            cx.send(source.clone(), SignalBody::Probe { stream, upto });
        }
    }

    /// Returns whether all inputs among these sources are known beyond a tag, and there is one.
    #[cold]
    pub(crate) fn are_known_beyond(&self, tag: Option<Tag>, sources: &Missing) -> bool {
        let indices = sources
            .names()
            .iter()
            .filter_map(|name| self.links.binary_search_by(|link| link.id.as_str().cmp(name.as_str())).ok());
        let mut known = indices
            .map(|index| &self.links[index])
            .map(|link| !link.is_down && link.reentry.is_none() && Some(link.history.complete_through) > tag);
        known.next().is_some_and(|first| first && known.all(|is_known| is_known))
    }

    /// Returns when an input is marked down unless it is heard; `None` if it is not going to be.
    fn lapse(&self, index: usize, cx: &Ctx<'_>) -> Option<Lapse> {
        let link = Some(&self.links[index]).filter(|link| !link.is_down && link.is_active())?;
        let patience = cx.params().patience;
        let unanswered = link.awaited_since().map(|since| {
            let last = since.after(patience * LAST_PATIENCE);
            match link.heard.filter(|_| link.receiver.is_subscribed()) {
                _ if link.colocated => last,
                Some(heard) => last.min(since.max(heard).after(patience)),
                None if cx.common.incarnation.number == 1 && !link.has_stated => last,
                None => since.after(patience),
            }
        });
        let renewed = link.heard.filter(|_| !link.colocated && link.needs_renewal());
        let unrenewed = renewed.map(|heard| heard.after(cx.params().longest_silence));
        match (unanswered, unrenewed) {
            (Some(due), unrenewed) if unrenewed.is_none_or(|other| due <= other) => {
                Some(Lapse { due, is_unrenewed: false })
            }
            (_, unrenewed) => unrenewed.map(|due| Lapse { due, is_unrenewed: true }),
        }
    }

    /// Notes that an input has stated a level: it may have to be renewed, or not any more.
    #[inline]
    pub(super) fn update_renewals(&mut self, was: bool, is: bool, colocated: bool, cx: &Ctx<'_>) {
        if let Some(renewals) = &mut self.renewals {
            *renewals = *renewals + u32::from(is) - u32::from(was);
        }
        if is && !was && !colocated {
            self.next_lapse = earliest(self.next_lapse, Some(cx.now.after(cx.params().longest_silence)));
        }
    }

    /// Contacts the inputs whose time it is: subscribes until that is answered, and probes inputs
    /// that are down, or were and have not said what they state since, while the answer is
    /// degraded. Returns the next deadline; `None` if there is none.
    #[inline]
    pub(super) fn reconnect_due(&mut self, is_degraded: bool, cx: &mut Ctx<'_>) -> Option<Time> {
        if self.may_need_subscribing || self.may_have_down { self.reconnect_all(is_degraded, cx) } else { None }
    }

    #[cold]
    fn reconnect_all(&mut self, is_degraded: bool, cx: &mut Ctx<'_>) -> Option<Time> {
        let first_pause = self.subscription_backoff(cx);
        let mut next = None;
        self.may_need_subscribing = false;
        self.may_have_down = false;
        for link in &mut self.links {
            let is_subscribed = link.receiver.is_subscribed();
            self.may_need_subscribing |= !is_subscribed;
            let is_missing = link.is_down || link.awaits_refresh();
            self.may_have_down |= is_missing;
            if is_subscribed && !(is_missing && is_degraded) {
                continue;
            }
            let reconnect = &mut link.extras_mut().reconnect;
            let is_due = reconnect.due <= cx.now;
            if *reconnect == Backoff::default() {
                *reconnect = first_pause;
            } else if is_due {
                reconnect.grow(LONGEST_PAUSE, cx.now);
            }
            next = earliest(next, Some(reconnect.due));
            if is_due {
                let stream = link.receiver.stream();
                let upto = link.history.complete_through;
                if is_subscribed {
                    cx.rare_counters().probes += 1;
                    cx.send(link.id.clone(), SignalBody::Probe { stream, upto });
                } else {
                    cx.send(link.id.clone(), SignalBody::Subscribe { stream });
                }
            }
        }
        next
    }

    /// Returns when the first input may be marked down, or a little earlier, after recounting if
    /// that is not known.
    #[inline]
    pub(super) fn poll_lapses(&mut self, cx: &Ctx<'_>) -> Option<Time> {
        match self.renewals {
            None => self.recount_renewals(cx),
            Some(0) if !self.may_await => self.next_lapse = None,
            Some(_) => {}
        }
        self.next_lapse
    }

    #[inline(never)]
    fn recount_renewals(&mut self, cx: &Ctx<'_>) {
        self.next_lapse = self.exact_next_lapse(cx);
        self.renewals = u32::try_from(self.links.iter().filter(|link| link.needs_renewal()).count()).ok();
    }

    /// Computes when the first input is marked down.
    pub(super) fn exact_next_lapse(&self, cx: &Ctx<'_>) -> Option<Time> {
        (0..self.links.len()).filter_map(|index| Some(self.lapse(index, cx)?.due)).min()
    }
    /// Returns when to subscribe again, if there is no answer.
    pub(super) fn subscription_backoff(&self, cx: &Ctx<'_>) -> Backoff {
        let params = cx.params();
        let first_pause = if params.guarantees.may_lose() {
            let retry = params.retry();
            self.answer_time.pause(retry, self.links.len(), retry * LONGEST_RETRY)
        } else {
            params.patience
        };
        Backoff::after(first_pause, cx.now)
    }
}
