//! Stimuli and readings.
//!
//! Why: docs/decisions/0020-stimulus-trains.md

use std::time::Duration;

use super::{Ctx, Targets, dispatch::check_room};
use crate::{
    command::{Answer, ConfigChange, Refusal, Stamp, Stimulus},
    config::Rule,
    id::{SensorId, Source},
    neuron::{deadlines::latest_statable, evaluation::TaggedEvents},
    record::{Event, TimedState},
    sensor::Sensor,
    tag::{Tag, Time},
};

/// Events that wait for longer than this leave room for those that do not.
const SOON: Duration = Duration::from_secs(10);

/// The most stimuli in one train.
pub const MAX_TRAIN: usize = 1024;

impl Targets<'_> {
    /// Stimulates the neuron, or gives it a reading. `within` is how long it may wait for `at`.
    pub(super) fn stimulate(
        &mut self,
        stimulus: Stimulus,
        at: Option<Tag>,
        within: Duration,
        cx: &mut Ctx<'_>,
    ) -> Result<Answer, Refusal> {
        self.check_stimulus(&stimulus, &[])?;
        self.check_tag(at.unwrap_or_default(), cx.now)?;
        let tag = self.free_tag(at, stimulus.sensor.as_ref(), cx.now).ok_or(Refusal::TimeExhausted)?;
        let moved = at.is_some_and(|at| at != tag);
        if at.is_some_and(|at| !self.evaluation.progress().is_open(at)) {
            cx.rare_counters().late += 1;
        }
        let release = tag.time().min(cx.now.after(within)).max(cx.now);
        if release > cx.now.after(SOON) && !self.evaluation.has_room_beyond(cx.now.after(SOON)) {
            return Err(Refusal::TooMany("events that wait for a tag far ahead".to_owned()));
        }
        self.enter(stimulus, tag, release, cx);
        Ok(Answer::Stamped(Stamp { tag, moved }))
    }

    /// Stimulates the neuron once with each of these levels, or not at all.
    pub(super) fn train(&mut self, levels: &[f64], cx: &mut Ctx<'_>) -> Result<Answer, Refusal> {
        if levels.is_empty() {
            return Ok(Answer::Done);
        }
        if levels.len() > MAX_TRAIN {
            return Err(Refusal::TooMany(format!("{MAX_TRAIN} stimuli in a train")));
        }
        let stimuli = || levels.iter().map(|level| Stimulus { sensor: None, level: Some(*level), hold: None });
        stimuli().try_for_each(|stimulus| self.check_stimulus(&stimulus, &[]))?;
        check_room(self.evaluation, levels.len())?;
        let first = self.evaluation.next_stamp(Tag::at(cx.now), cx.now).ok_or(Refusal::TimeExhausted)?;
        let is_taken = |own: &TaggedEvents| own.has_event(|event| is_of(event, None));
        let first = self.evaluation.first_free_row(first, levels.len(), is_taken).ok_or(Refusal::TimeExhausted)?;
        let tags = std::iter::successors(Some(first), |tag| Some(tag.next()));
        for (stimulus, tag) in stimuli().zip(tags) {
            self.enter(stimulus, tag, cx.now, cx);
        }
        Ok(Answer::Stamped(Stamp { tag: first, moved: false }))
    }

    /// Checks that the neuron can take a stimulus, once these changes are made.
    pub(super) fn check_stimulus(&self, stimulus: &Stimulus, changes: &[ConfigChange]) -> Result<(), Refusal> {
        match &stimulus.sensor {
            Some(sensor)
                if self.evaluation.sensor(sensor).is_none()
                    && self.attached_at(sensor).is_none()
                    && !changes.iter().any(|change| attaches(change, sensor)) =>
            {
                Err(Refusal::UnknownSensor(sensor.clone()))
            }
            _ => stimulus.check_level(),
        }
    }

    /// Checks that an own event may wait for a tag.
    pub(super) fn check_tag(&self, at: Tag, now: Time) -> Result<(), Refusal> {
        check_not_far(at, now)?;
        check_room(self.evaluation, 1)
    }

    /// Returns the tag at which a sensor will be attached; `None` if that does not wait.
    fn attached_at(&self, sensor: &SensorId) -> Option<Tag> {
        let attaches = |event: &Event| event.config_change().is_some_and(|change| attaches(change, sensor));
        self.evaluation.waiting_events().find(|(_, event)| attaches(event)).map(|(tag, _)| tag)
    }

    /// Returns the tag for a stimulus or a reading: the first one from `at` on, or from now on if
    /// there is no `at` or it is not open any more, that no event of the same kind has, and at
    /// which the sensor is attached; `None` if tags have run out.
    fn free_tag(&self, at: Option<Tag>, sensor: Option<&SensorId>, now: Time) -> Option<Tag> {
        let new = sensor.filter(|sensor| self.evaluation.sensor(sensor).is_none());
        let attached = new.and_then(|sensor| self.attached_at(sensor)).unwrap_or_default();
        let first = self.open_or_next(at, now)?.max(attached);
        self.evaluation.first_free(first, |own| own.has_event(|event| is_of(event, sensor)))
    }

    /// Returns the tag for a prepared wave: the first one from `at` on, or from now on if `at` is
    /// not open any more, that no other prepared wave and no event of the same kind has; `None` if
    /// tags have run out.
    pub(super) fn free_tag_for_wave(&self, at: Tag, stimuli: &[Stimulus], now: Time) -> Option<Tag> {
        let is_same_kind = |event: &Event| stimuli.iter().any(|stimulus| is_of(event, stimulus.sensor.as_ref()));
        let first = self.open_or_next(Some(at), now)?;
        self.evaluation.first_free(first, |own| own.is_prepared() || own.has_event(is_same_kind))
    }

    /// Returns `at` if it is open, else the tag of an event that happens now.
    #[inline]
    fn open_or_next(&self, at: Option<Tag>, now: Time) -> Option<Tag> {
        let open = at.filter(|at| self.evaluation.progress().is_open(*at));
        open.or_else(|| self.evaluation.next_stamp(Tag::at(now), now))
    }

    /// Queues a stimulus or a reading, and schedules its end.
    pub(super) fn enter(&mut self, stimulus: Stimulus, tag: Tag, release: Time, cx: &mut Ctx<'_>) {
        cx.common.counters.kicks += 1;
        let of_neuron = cx.params().hold;
        let (event, what, hold, changes_when_over) = match stimulus.sensor {
            Some(id) => {
                let sensor = self.evaluation.sensor(&id).copied().unwrap_or(Sensor::new(0.0));
                let hold = stimulus.hold.unwrap_or_else(|| sensor.hold_at(of_neuron));
                let event = Event::Reading { sensor: id.clone(), level: stimulus.level, hold };
                (event, TimedState::Reading(id), hold, stimulus.level != sensor.silent_level())
            }
            None => {
                let hold = stimulus.hold.unwrap_or(of_neuron);
                let level = stimulus.level.unwrap_or(0.0);
                let is_pulse = matches!(cx.params().rule, Rule::Pulse { .. });
                (Event::Stimulus { level, hold }, TimedState::Stimulus, hold, level != 0.0 && !is_pulse)
            }
        };
        if !changes_when_over {
            self.evaluation.cancel_expiry(&what, tag);
        } else {
            self.evaluation.schedule_expiry(what, tag, hold, release);
        }
        self.evaluation.own_event(tag, event, release, cx);
    }
}

/// Checks that a tag is not too far ahead of the clock.
pub(super) fn check_not_far(at: Tag, now: Time) -> Result<(), Refusal> {
    if at > latest_statable(now) { Err(Refusal::TooFarAhead(at)) } else { Ok(()) }
}

/// Returns whether a change attaches a sensor.
fn attaches(change: &ConfigChange, sensor: &SensorId) -> bool {
    matches!(change, ConfigChange::SetWeight { source: Source::Sensor(attached), .. } if attached == sensor)
}

/// Returns whether an event is a reading of this sensor, or a stimulus if there is none.
fn is_of(event: &Event, sensor: Option<&SensorId>) -> bool {
    match (event, sensor) {
        (Event::Stimulus { .. }, None) => true,
        (Event::Reading { sensor: read, .. }, Some(sensor)) => read == sensor,
        _ => false,
    }
}
