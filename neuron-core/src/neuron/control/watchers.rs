//! Watches: controllers that are told each change of the level.
//!
//! Why: docs/decisions/0041-a-watch-is-renewed-by-its-reader.md

use std::time::Duration;

use thin_vec::ThinVec;

use super::{Control, Ctx};
#[cfg(feature = "actor")]
use crate::signal::Incarnation;
use crate::{
    collections::Holders,
    command::{Answer, Refusal, Report, Sample, WatchPosition},
    id::ControllerId,
    neuron::{Output, evaluation::Evaluation},
    tag::Time,
};

/// How long a neuron keeps a watch that is not renewed. Long enough that a controller whose
/// connection is lost for a while learns exactly what it has missed.
pub const WATCH_LEASE: Duration = Duration::from_secs(10);

/// The most watches on one neuron.
pub(super) const MAX_WATCHERS: usize = 256;

/// The watches of a neuron, and how many changes there were.
#[derive(Clone, Debug, Default)]
pub(super) struct Watchers {
    list: ThinVec<Watcher>,
    /// The changes in this incarnation since it was first watched.
    changes: u64,
    /// The neuron has been watched, so changes are counted.
    is_counting: bool,
    /// Its host is watched as a whole, and notes each change.
    is_host_watched: bool,
}

/// A controller that is told each change of the level.
#[derive(Clone, Debug)]
struct Watcher {
    controller: ControllerId,
    /// The number of the watch.
    watch: u64,
    expires: Time,
}

impl Watchers {
    /// Returns how many watches there are.
    #[cfg(feature = "sim")]
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Renews a watch, or begins it.
    fn renew(&mut self, controller: &ControllerId, watch: u64, now: Time) -> Result<(), Refusal> {
        let expires = now.after(WATCH_LEASE);
        if let Some(known) = self.list.iter_mut().find(|known| known.watch == watch && known.controller == *controller)
        {
            known.expires = expires;
            return Ok(());
        }
        self.list.retain(|known| known.expires > now);
        if self.list.len() >= MAX_WATCHERS && !self.make_room_for(controller) {
            return Err(Refusal::TooMany("watches".to_owned()));
        }
        self.list.push(Watcher { controller: controller.clone(), watch, expires });
        self.is_counting = true;
        Ok(())
    }

    /// Ends the newest watch of the controller that has the most, if that has more than this one.
    /// Returns whether there is room now.
    fn make_room_for(&mut self, controller: &ControllerId) -> bool {
        let holders: Holders<_> = self.list.iter().map(|watcher| &watcher.controller).collect();
        let Some(largest) = holders.gives_way_to(controller) else { return false };
        let newest = self.list.iter().rposition(|watcher| watcher.controller == *largest);
        newest.map(|index| self.list.remove(index)).is_some()
    }

    /// Moves the ends of the leases on: the clock was set forward by `by`.
    pub(super) fn shift(&mut self, by: Duration) {
        self.list.iter_mut().for_each(|watcher| watcher.expires = watcher.expires.after(by));
    }

    fn position(&self, cx: &Ctx<'_>) -> WatchPosition {
        WatchPosition { incarnation: cx.common.incarnation, number: self.changes }
    }

    /// Begins to count anew: the incarnation is another one.
    pub(super) fn restart(&mut self, cx: &mut Ctx<'_>) {
        self.changes = 0;
        self.note(None, cx);
    }

    /// Lets the host note the position, if it is watched.
    fn note(&self, sample: Option<Sample>, cx: &mut Ctx<'_>) {
        if self.is_host_watched {
            cx.out.push(Output::Counted { position: self.position(cx), sample });
        }
    }
}

impl Control {
    /// Begins or renews a watch, and returns what it starts from.
    pub(super) fn watch(
        &mut self,
        controller: &ControllerId,
        watch: u64,
        evaluation: &Evaluation,
        cx: &Ctx<'_>,
    ) -> Result<Answer, Refusal> {
        let watchers = &mut self.state_mut().watchers;
        watchers.renew(controller, watch, cx.now)?;
        Ok(Answer::Watched { watch, position: watchers.position(cx), sample: evaluation.last_change() })
    }

    /// Returns the last change, and counts from now on.
    pub(super) fn last_change(&mut self, watch: u64, evaluation: &Evaluation, cx: &Ctx<'_>) -> Answer {
        let watchers = &mut self.state_mut().watchers;
        watchers.is_counting = true;
        Answer::Watched { watch, position: watchers.position(cx), sample: evaluation.last_change() }
    }

    /// Lets the host note each change from now on, or not any more. Returns the position of the
    /// last change.
    #[cfg(feature = "actor")]
    pub(crate) fn set_host_watched(&mut self, is_watched: bool, incarnation: Incarnation) -> WatchPosition {
        let watchers = &mut self.state_mut().watchers;
        watchers.is_host_watched = is_watched;
        watchers.is_counting |= is_watched;
        WatchPosition { incarnation, number: watchers.changes }
    }

    /// Ends a watch; nothing happens if there is none.
    pub(super) fn unwatch(&mut self, controller: &ControllerId, watch: u64) {
        let is_ended = |watcher: &Watcher| watcher.watch == watch && watcher.controller == *controller;
        self.state_mut().watchers.list.retain(|watcher| !is_ended(watcher));
    }

    /// Returns whether changes of the level have to be counted, because it is or was watched.
    #[inline]
    pub(crate) fn counts_changes(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.watchers.is_counting)
    }

    /// Notes that nothing is known of a stretch of tags. A watcher may have missed a change there,
    /// which the number of the next one tells.
    #[cold]
    pub(crate) fn count_gap(&mut self, cx: &mut Ctx<'_>) {
        if let Some(state) = &mut self.state {
            state.watchers.changes += 1;
            state.watchers.note(None, cx);
        }
    }

    /// Counts a change of the level, and reports it to the watchers.
    #[inline(never)]
    pub(crate) fn report_change(&mut self, sample: &Sample, cx: &mut Ctx<'_>) {
        let Some(state) = &mut self.state else { return };
        let watchers = &mut state.watchers;
        watchers.changes += 1;
        watchers.list.retain(|watcher| watcher.expires > cx.now);
        let position = watchers.position(cx);
        for Watcher { controller, watch, .. } in &watchers.list {
            let report = Report::Changed { watch: *watch, position, sample: sample.clone() };
            cx.out.push(Output::Report { to: controller.clone(), report });
        }
        if watchers.is_host_watched {
            watchers.note(Some(sample.clone()), cx);
        }
    }
}
