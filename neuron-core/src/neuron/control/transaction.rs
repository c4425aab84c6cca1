//! Transactions: waves of stimuli, and changes of the configuration, that take effect at one tag at
//! several neurons. Also single connections, whose answers have to wait.
//!
//! Why: docs/decisions/0006-reservations-do-not-exclude-each-other.md

use std::time::Duration;

use super::{
    Control, Ctx, Evaluation, Inputs, Targets,
    connection::Connecting,
    dispatch::{DispatchResult, check_numbers, check_room},
    stimulate::check_not_far,
};
use crate::{
    command::{Answer, ConfigChange, Refusal, Stamp, Stimulus, TransactionId},
    id::NeuronId,
    neuron::{deadlines::latest_statable, inputs::LinkState},
    record::Event,
    tag::{Tag, Time},
};

/// How many patiences prepared changes wait for the commit.
///
/// Meanwhile nothing from their floor on is answered, so it must be over before an input is marked
/// down that never answers.
const HELD_PATIENCES: u32 = 10;

/// How many stimuli a reserved wave may bring although too many events wait for their tag.
pub(super) const WAVE_ROOM: usize = 16;

/// A promise to evaluate and promise nothing from a tag on while a transaction is being prepared.
#[derive(Clone, Debug)]
pub(super) struct Reservation {
    pub(super) id: TransactionId,
    /// Nothing at or after this tag is evaluated or promised.
    floor: Tag,
    /// When it began.
    pub(super) since: Time,
    /// When it ends by itself.
    expires: Time,
    /// What is to happen at the agreed tag; `None` for a wave, whose stimuli come with the commit.
    pub(super) prepared: Option<Prepared>,
}

/// Changes that are to be made at one tag, and what enters with them.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) changes: Vec<ConfigChange>,
    pub(super) stimuli: Vec<Stimulus>,
}

/// Changes that wait for the sources which they connect to be heard.
#[derive(Clone, Debug)]
pub(super) struct Preparation {
    pub(super) id: TransactionId,
    pub(super) prepared: Prepared,
    /// When it ends by itself.
    expires: Time,
}

impl Reservation {
    /// Moves the times on: the clock was set forward by `by`.
    pub(super) fn shift(&mut self, by: Duration) {
        self.since = self.since.after(by);
        self.expires = self.expires.after(by);
    }
}

impl Preparation {
    /// Moves the times on: the clock was set forward by `by`.
    pub(super) fn shift(&mut self, by: Duration) {
        self.expires = self.expires.after(by);
    }
}

impl Control {
    pub(super) fn reservations(&self) -> &[Reservation] {
        self.state.as_ref().map_or(&[], |state| &state.reservations)
    }

    pub(super) fn preparations(&self) -> &[Preparation] {
        self.state.as_ref().map_or(&[], |state| &state.preparations)
    }

    /// Returns whether tags are reserved.
    #[inline]
    pub(crate) fn has_reservations(&self) -> bool {
        !self.reservations().is_empty()
    }

    /// Returns the lowest reserved tag; `None` if no tags are reserved.
    #[inline]
    pub(crate) fn floor(&self) -> Option<Tag> {
        self.reservations().iter().map(|reservation| reservation.floor).min()
    }

    /// Returns whether changes are prepared under a ticket, and their tags reserved.
    pub(super) fn holds_changes(&self, ticket: &TransactionId) -> bool {
        self.reservations().iter().any(|reservation| reservation.id == *ticket && reservation.prepared.is_some())
    }

    /// Reserves the tags from a floor on for a wave of stimuli.
    pub(super) fn reserve(
        &mut self,
        id: &TransactionId,
        evaluation: &Evaluation,
        cx: &Ctx<'_>,
    ) -> Result<Answer, Refusal> {
        self.check_share(&id.controller, 0)?;
        // So that the wave, which has room then, is not refused by some of its members only.
        check_room(evaluation, 1)?;
        let floor = evaluation.next_stamp(Tag::at(cx.now), cx.now).ok_or(Refusal::TimeExhausted)?;
        let expires = cx.now.after(cx.params().patience / 2);
        let reservation = Reservation { id: id.clone(), floor, since: cx.now, expires, prepared: None };
        self.state_mut().reservations.push(reservation);
        Ok(Answer::Floor { floor, latest: latest_statable(cx.now) })
    }

    /// Prepares changes. The answer is the floor, once each source to be connected has been heard.
    pub(super) fn prepare(
        &mut self,
        id: &TransactionId,
        prepared: Prepared,
        on: &mut Targets<'_>,
        cx: &mut Ctx<'_>,
    ) -> DispatchResult {
        let Prepared { changes, stimuli } = &prepared;
        let checked = self
            .check_share(&id.controller, changes.len() + stimuli.len())
            .and_then(|()| self.check_not_penalized(&id.controller, cx))
            .and_then(|()| check_room(on.evaluation, changes.len() + stimuli.len()))
            .and_then(|()| on.check_changes(changes, cx))
            .and_then(|()| stimuli.iter().try_for_each(|stimulus| on.check_stimulus(stimulus, changes)));
        if let Err(refusal) = checked {
            return Some(Err(refusal));
        }
        for change in changes {
            if let ConfigChange::Connect { source, delay } = change {
                let state = LinkState::Prepared { transaction: id.clone(), heard: None };
                on.inputs.connect(source, state, *delay, cx);
            }
        }
        let expires = cx.now.after(cx.params().patience * HELD_PATIENCES);
        self.state_mut().preparations.push(Preparation { id: id.clone(), prepared, expires });
        self.reserve_prepared(id, on.inputs, on.evaluation, cx)
    }

    /// Reserves the tags for prepared changes; `None` if a source has not been heard yet.
    fn reserve_prepared(
        &mut self,
        id: &TransactionId,
        inputs: &Inputs,
        evaluation: &Evaluation,
        cx: &Ctx<'_>,
    ) -> DispatchResult {
        let position = self.preparations().iter().position(|preparation| preparation.id == *id)?;
        let floor = inputs.prepared_from(id, Tag::at(cx.now))?;
        let state = self.state_mut();
        let Preparation { id, prepared, expires } = state.preparations.remove(position);
        let Some(floor) = evaluation.next_stamp(floor, cx.now) else { return Some(Err(Refusal::TimeExhausted)) };
        state.reservations.push(Reservation { id, floor, since: cx.now, expires, prepared: Some(prepared) });
        Some(Ok(Answer::Floor { floor, latest: latest_statable(cx.now) }))
    }

    /// Commits a transaction at a tag.
    ///
    /// While the reservation holds, the tag can be used, unless another wave has the same tag by
    /// chance: the two must not mix. A wave of stimuli then moves to a later tag; prepared changes
    /// are never made at another tag, and what enters with them does not enter at another one.
    /// Neither is refused because too many events wait: other members may have committed.
    pub(super) fn commit(
        &mut self,
        id: &TransactionId,
        at: Tag,
        stimuli: Vec<Stimulus>,
        on: &mut Targets<'_>,
        cx: &mut Ctx<'_>,
    ) -> Result<Answer, Refusal> {
        let held = self.reservations().iter().find(|reservation| reservation.id == *id);
        let is_held = held.is_some_and(|held| held.floor <= at);
        let has_room = held.is_some() && stimuli.len() <= WAVE_ROOM;
        let result = match held.and_then(|held| held.prepared.clone()) {
            Some(prepared) if is_held && stimuli.is_empty() => on.commit_changes(prepared, at, cx),
            Some(_) => Err(Refusal::Expired),
            None if stimuli.is_empty() => Err(Refusal::Expired),
            None => on.commit_wave(stimuli, at, has_room, cx),
        };
        self.end_reservation(id, result.is_ok(), cx);
        on.inputs.release(id, cx);
        result
    }

    /// Gives back a reservation, with everything that was prepared under it.
    pub(super) fn release(&mut self, id: &TransactionId, inputs: &mut Inputs, cx: &mut Ctx<'_>) {
        self.end_reservation(id, false, cx);
        inputs.release(id, cx);
    }

    fn end_reservation(&mut self, id: &TransactionId, is_committed: bool, cx: &Ctx<'_>) {
        let Some(state) = &mut self.state else { return };
        if let Some(index) = state.reservations.iter().position(|reservation| reservation.id == *id) {
            let ended = state.reservations.remove(index);
            if !is_committed {
                state.penalize(&ended, cx);
            }
        }
        state.preparations.retain(|preparation| preparation.id != *id);
    }

    /// Gives back what has been held for too long.
    #[cold]
    pub(crate) fn expire_due(&mut self, inputs: &mut Inputs, cx: &mut Ctx<'_>) {
        let expired = self.reservations().iter().filter(|reservation| reservation.expires <= cx.now);
        let expired: Vec<_> = expired.map(|reservation| reservation.id.clone()).collect();
        for id in expired {
            self.release(&id, inputs, cx);
        }
        let unheard = self.preparations().iter().filter(|preparation| preparation.expires <= cx.now);
        let unheard: Vec<_> = unheard.map(|preparation| preparation.id.clone()).collect();
        for id in unheard {
            self.release(&id, inputs, cx);
            self.complete(&id, Err(Refusal::Expired), cx);
        }
        self.give_up_connections(inputs, cx);
        self.expire_questions(cx);
    }

    /// Returns when the first transaction, connection or question expires.
    #[inline]
    pub(crate) fn next_expiry(&self) -> Option<Time> {
        let state = self.state.as_ref()?;
        let reserved = state.reservations.iter().map(|reservation| reservation.expires);
        let prepared = state.preparations.iter().map(|preparation| preparation.expires);
        let connecting = state.connecting.iter().map(Connecting::expires);
        reserved.chain(prepared).chain(connecting).chain(self.next_question_expiry()).min()
    }

    /// Goes on with what the connection at an index was made for: its source has stated something
    /// from the tag `heard` on.
    #[inline(never)]
    pub(crate) fn joined(&mut self, index: usize, heard: Tag, on: &mut Targets<'_>, cx: &mut Ctx<'_>) {
        match on.inputs.link_at(index).state().clone() {
            LinkState::Subscribing(id) => self.activate(index, heard, &id, on, cx),
            LinkState::Prepared { transaction: id, .. } => {
                if let Some(result) = self.reserve_prepared(&id, on.inputs, on.evaluation, cx) {
                    self.complete(&id, result, cx);
                }
            }
            LinkState::Active { .. } => {}
        }
    }

    /// Lets a connection count from a tag on.
    fn activate(&mut self, index: usize, heard: Tag, id: &TransactionId, on: &mut Targets<'_>, cx: &mut Ctx<'_>) {
        let link = on.inputs.link_at(index);
        let source = link.id().clone();
        let delay = link.delay();
        let at_least = if link.reenters() { Tag::at(cx.now) } else { Tag::at(cx.now).max(heard) };
        let Some(tag) = on.evaluation.next_stamp(at_least, cx.now) else { return };
        on.inputs.activate(&source, tag);
        on.evaluation.own_event(tag, Event::Configured(ConfigChange::Connect { source, delay }), cx.now, cx);
        self.end_connecting(id);
        self.complete(id, Ok(Answer::Stamped(Stamp { tag, moved: false })), cx);
    }
}

impl Targets<'_> {
    /// Checks that a source can be connected.
    pub(super) fn check_connection(
        &self,
        source: &NeuronId,
        delay: Option<Duration>,
        cx: &Ctx<'_>,
    ) -> Result<(), Refusal> {
        if delay.is_some_and(|delay| delay < Duration::from_micros(1)) {
            return Err(Refusal::NoDelay);
        }
        if *source == cx.common.id && delay.is_none() {
            return Err(Refusal::SelfConnection(source.clone()));
        }
        if self.inputs.link(source).is_some() {
            return Err(Refusal::AlreadyConnected(source.clone()));
        }
        Ok(())
    }

    /// Checks everything that would be refused one by one, before anything is done.
    fn check_changes(&self, changes: &[ConfigChange], cx: &Ctx<'_>) -> Result<(), Refusal> {
        let mut touched: Vec<&NeuronId> = Vec::new();
        for change in changes {
            check_numbers(change)?;
            match change {
                ConfigChange::Connect { source, delay } => {
                    self.check_connection(source, *delay, cx)?;
                    if touched.contains(&source) {
                        return Err(Refusal::AlreadyConnected(source.clone()));
                    }
                    touched.push(source);
                }
                ConfigChange::Disconnect { source } => {
                    let link = self.inputs.link(source);
                    let is_connected = link.is_some_and(|link| link.is_active() && !link.is_leaving());
                    if !is_connected || touched.contains(&source) {
                        return Err(Refusal::NotConnected(source.clone()));
                    }
                    touched.push(source);
                }
                ConfigChange::SetWeight { .. }
                | ConfigChange::SetThreshold { .. }
                | ConfigChange::DeleteWeight { .. } => {}
            }
        }
        Ok(())
    }

    /// Lets a wave of stimuli enter at a tag, or at a later one if that is taken.
    fn commit_wave(
        &mut self,
        stimuli: Vec<Stimulus>,
        at: Tag,
        has_room: bool,
        cx: &mut Ctx<'_>,
    ) -> Result<Answer, Refusal> {
        stimuli.iter().try_for_each(|stimulus| self.check_stimulus(stimulus, &[]))?;
        check_not_far(at, cx.now)?;
        if !has_room {
            check_room(self.evaluation, stimuli.len())?;
        }
        let tag = self.free_tag_for_wave(at, &stimuli, cx.now).ok_or(Refusal::TimeExhausted)?;
        if tag != at {
            cx.rare_counters().late += 1;
        }
        self.enter_wave(stimuli, tag, cx);
        Ok(Answer::Stamped(Stamp { tag, moved: tag != at }))
    }

    fn enter_wave(&mut self, stimuli: Vec<Stimulus>, tag: Tag, cx: &mut Ctx<'_>) {
        for stimulus in stimuli {
            self.enter(stimulus, tag, cx.now, cx);
        }
        self.evaluation.mark_prepared(tag, cx.now);
    }

    /// Puts prepared changes into effect at a tag, and lets stimuli enter with them.
    fn commit_changes(
        &mut self,
        Prepared { changes, stimuli }: Prepared,
        at: Tag,
        cx: &mut Ctx<'_>,
    ) -> Result<Answer, Refusal> {
        check_not_far(at, cx.now)?;
        if !stimuli.is_empty() && self.free_tag_for_wave(at, &stimuli, cx.now) != Some(at) {
            return Err(Refusal::Expired);
        }
        for change in changes {
            match &change {
                ConfigChange::Connect { source, .. } => {
                    self.inputs.activate(source, at);
                    // What the source has stated since it was heard is evaluated from now on.
                    for tag in self.inputs.pending_tags(source, at) {
                        self.evaluation.add_wave(tag);
                    }
                }
                ConfigChange::Disconnect { source } => self.inputs.schedule_end(source, at, None),
                _ => {}
            }
            self.evaluation.own_event(at, Event::Configured(change), cx.now, cx);
        }
        if !stimuli.is_empty() {
            self.enter_wave(stimuli, at, cx);
        }
        Ok(Answer::Stamped(Stamp { tag: at, moved: false }))
    }
}
