//! What controllers want.

use std::time::Duration;

use super::{
    CarriedOut, Neuron, Question, Reservation, Watcher, hear::latest, input::State, is_finite, lasting::Loop,
    wishes::Wishes,
};
use crate::{
    command::{Answer, Command, ConfigChange, ConfigView, Refusal, Request, Sample, Stamp, Stimulus},
    id::{ControllerId, NeuronId, SensorId, Source},
    record::{Event, TimedState},
    tag::{Tag, Time},
};

/// How many commands a neuron remembers in order not to carry them out twice.
const MAX_CARRIED_OUT: usize = 256;
/// The most waves that may be prepared at one neuron at a time.
pub(super) const MAX_RESERVATIONS: usize = 64;
/// The most questions for a tag that may wait.
const MAX_QUESTIONS: usize = 4096;
/// The most stimuli in one train.
pub const MAX_TRAIN: usize = 1024;
/// The most watches on one neuron.
const MAX_WATCHERS: usize = 256;

impl Neuron {
    pub(super) fn obey(&mut self, from: ControllerId, request: Request, now: Time) {
        let Request { id, command } = request;
        // Each controller counts its requests, so a repeated one is seldom the highest.
        if let Some(wishes) = self.wishes.get().filter(|wishes| id <= wishes.highest_request)
            && let Some(done) = wishes.carried_out.iter().find(|done| done.request == id && done.from == from)
        {
            let result = done.result.clone();
            self.counters.rest().duplicates += 1;
            if let Some(result) = result {
                self.reply_again(from, id, result);
            }
            return;
        }
        let result = match command {
            Command::Output => Ok(Answer::Output(self.sample())),
            Command::Config => Ok(Answer::Config(Box::new(self.config()))),
            Command::Log => Ok(Answer::Log(self.memory.firings())),
            Command::Counters => Ok(Answer::Counters(Box::new(self.counters()))),
            Command::OutputAt { tag } => match self.output_at(&from, id, tag) {
                Some(result) => result,
                None => return,
            },
            command => return self.change(from, id, command, now),
        };
        self.reply(from, id, result);
    }

    /// Carries out a command that changes something, and remembers that it has.
    fn change(&mut self, from: ControllerId, id: u64, command: Command, now: Time) {
        let Wishes { carried_out, highest_request, .. } = self.wishes.make();
        if carried_out.len() >= MAX_CARRIED_OUT
            && let Some(oldest) = carried_out.iter().position(|done| done.result.is_some())
        {
            carried_out.remove(oldest);
        }
        *highest_request = id.max(*highest_request);
        carried_out.push_back(CarriedOut { from: from.clone(), request: id, result: None });
        let result = match command {
            Command::Stimulate { stimulus, at, within } => self.stimulate(stimulus, at, within, now),
            Command::Train { levels } => self.train(&levels, now),
            Command::Reserve => self.reserve(&from, id, now),
            Command::Prepare { changes } => match self.prepare(&from, id, changes, now) {
                Some(result) => result,
                None => return,
            },
            Command::Release { ticket } => {
                self.release(&(from.clone(), ticket));
                Ok(Answer::Done)
            }
            Command::Commit { ticket, at, stimuli } => self.commit(&(from.clone(), ticket), at, stimuli, now),
            Command::Configure(ConfigChange::SetWeight { source, weight }) => self.set_weight(source, weight, now),
            Command::Configure(ConfigChange::DeleteWeight { source }) => {
                self.stamped(Event::Configured(ConfigChange::DeleteWeight { source }), now)
            }
            Command::Configure(ConfigChange::SetThreshold { threshold }) if is_finite(threshold) => {
                self.stamped(Event::Configured(ConfigChange::SetThreshold { threshold }), now)
            }
            Command::Configure(ConfigChange::SetThreshold { threshold }) => {
                Err(Refusal::NotFinite(format!("threshold {threshold}")))
            }
            Command::Configure(ConfigChange::Connect { source, delay }) => {
                match self.connect(&from, id, source, delay, now) {
                    Ok(()) => return,
                    Err(refusal) => Err(refusal),
                }
            }
            Command::Configure(ConfigChange::Disconnect { source }) => match self.disconnect(&from, id, source, now) {
                Some(result) => result,
                None => return,
            },
            Command::Watch => self.watch(&from, id),
            Command::Unwatch { watch } => {
                self.wishes.make().watchers.retain(|watcher| watcher.from != from || watcher.request != watch);
                Ok(Answer::Done)
            }
            Command::EmptyLog => {
                self.memory.empty_log();
                Ok(Answer::Done)
            }
            Command::Output | Command::OutputAt { .. } | Command::Config | Command::Log | Command::Counters => {
                unreachable!("questions are answered before")
            }
        };
        self.carried_out(&from, id, result);
    }

    /// Replies, and remembers the reply for the case that the command comes again.
    pub(super) fn carried_out(&mut self, from: &ControllerId, id: u64, result: Result<Answer, Refusal>) {
        // It is usually the last one.
        let mut latest_first = self.wishes.get_mut().into_iter().flat_map(|wishes| wishes.carried_out.iter_mut().rev());
        let remembered = latest_first.find(|done| done.request == id && done.from == *from);
        if let Some(done) = remembered {
            done.result = Some(result.clone());
        }
        self.reply(from.clone(), id, result);
    }

    fn stamped(&mut self, event: Event, now: Time) -> Result<Answer, Refusal> {
        self.check_room()?;
        let tag = self.stamp(Tag::at(now)).ok_or(Refusal::TimeExhausted)?;
        self.own_event(tag, event, now);
        Ok(Answer::Stamped(Stamp { tag, moved: false }))
    }

    fn set_weight(&mut self, source: Source, weight: f64, now: Time) -> Result<Answer, Refusal> {
        if !is_finite(weight) {
            return Err(Refusal::NotFinite(format!("weight {weight} of {source}")));
        }
        self.stamped(Event::Configured(ConfigChange::SetWeight { source, weight }), now)
    }

    fn stimulate(
        &mut self,
        stimulus: Stimulus,
        at: Option<Tag>,
        within: Duration,
        now: Time,
    ) -> Result<Answer, Refusal> {
        self.check(&stimulus)?;
        self.check_tag(at.unwrap_or_default(), now)?;
        let tag = match at {
            Some(at) => self.free_tag(at, stimulus.sensor.as_ref(), now),
            None => self.stamp(Tag::at(now)),
        };
        let tag = tag.ok_or(Refusal::TimeExhausted)?;
        let moved = at.is_some_and(|at| at != tag);
        if at.is_some_and(|at| !self.spoken.is_open(at)) {
            self.counters.rest().late += 1;
        }
        let release = tag.time().min(now.after(within)).max(now);
        self.enter(stimulus, tag, release);
        Ok(Answer::Stamped(Stamp { tag, moved }))
    }

    /// Stimulates it once with each of these levels, or not at all.
    fn train(&mut self, levels: &[f64], now: Time) -> Result<Answer, Refusal> {
        if levels.is_empty() {
            return Ok(Answer::Done);
        }
        if levels.len() > MAX_TRAIN {
            return Err(Refusal::TooMany(format!("{MAX_TRAIN} stimuli in a train")));
        }
        let stimuli = || levels.iter().map(|level| Stimulus { sensor: None, level: *level, hold: None });
        stimuli().try_for_each(|stimulus| self.check(&stimulus))?;
        self.check_room_for(levels.len())?;
        let first = self.stamp(Tag::at(now)).ok_or(Refusal::TimeExhausted)?;
        let tags = || std::iter::successors(Some(first), |tag| Some(tag.next()));
        if tags().nth(levels.len() - 1) == Some(Tag::MAX) {
            return Err(Refusal::TimeExhausted);
        }
        for (stimulus, tag) in stimuli().zip(tags()) {
            self.enter(stimulus, tag, now);
        }
        Ok(Answer::Stamped(Stamp { tag: first, moved: false }))
    }

    fn check(&self, stimulus: &Stimulus) -> Result<(), Refusal> {
        match &stimulus.sensor {
            Some(sensor) if !self.integrator.has_sensor(sensor) && self.will_attach(sensor).is_none() => {
                Err(Refusal::UnknownSensor(sensor.clone()))
            }
            Some(sensor) if !is_finite(stimulus.level) => {
                Err(Refusal::NotFinite(format!("reading {} of {sensor}", stimulus.level)))
            }
            None if stimulus.level != 0.0 && stimulus.level != 1.0 => Err(Refusal::NotALevel),
            _ => Ok(()),
        }
    }

    /// Whether an event may wait for a tag.
    fn check_tag(&self, at: Tag, now: Time) -> Result<(), Refusal> {
        if at > latest(now) {
            return Err(Refusal::TooFarAhead(at));
        }
        self.check_room()
    }

    /// Whether another event of its own may wait.
    pub(super) fn check_room(&self) -> Result<(), Refusal> {
        self.check_room_for(1)
    }

    fn check_room_for(&self, events: usize) -> Result<(), Refusal> {
        if !self.agenda.has_room_for(events) {
            return Err(Refusal::TooMany("events that wait for their tag".to_owned()));
        }
        Ok(())
    }

    /// The tag at which a sensor is attached that is not attached yet.
    fn will_attach(&self, sensor: &SensorId) -> Option<Tag> {
        let mut attaching = self.agenda.events().filter(|(_, event)| {
            matches!(event, Event::Configured(ConfigChange::SetWeight { source: Source::Sensor(attached), .. }) if attached == sensor)
        });
        attaching.next().map(|(tag, _)| tag)
    }

    /// The first tag from `at` on that can still be used and has nothing of the same kind yet.
    fn free_tag(&self, at: Tag, sensor: Option<&SensorId>, now: Time) -> Option<Tag> {
        if !self.spoken.is_open(at) {
            return self.stamp(Tag::at(now));
        }
        let new = sensor.filter(|sensor| !self.integrator.has_sensor(sensor));
        let mut tag = new.and_then(|sensor| self.will_attach(sensor)).map_or(at, |attached| attached.max(at));
        while self.agenda.get(tag).is_some_and(|slot| slot.events.iter().any(|event| is_of(event, sensor))) {
            tag = tag.next();
        }
        (tag < Tag::MAX).then_some(tag)
    }

    /// Puts a stimulus or a reading on the agenda, and its end among what ends by itself.
    fn enter(&mut self, stimulus: Stimulus, tag: Tag, release: Time) {
        self.counters.kicks += 1;
        let hold = stimulus.hold.unwrap_or(self.settings.hold);
        let pulse = matches!(self.settings.rule, super::Rule::Pulse { .. });
        let (event, what) = match stimulus.sensor {
            Some(sensor) => {
                (Event::Reading { sensor: sensor.clone(), level: stimulus.level }, TimedState::Reading(sensor))
            }
            None => (Event::Stimulus { level: stimulus.level }, TimedState::Stimulus),
        };
        if stimulus.level == 0.0 || (pulse && what == TimedState::Stimulus) {
            self.endings.retain(|ending| ending.what != what || ending.of > tag);
        } else {
            self.ends(what, tag, hold, release);
        }
        self.own_event(tag, event, release);
    }

    fn reserve(&mut self, from: &ControllerId, id: u64, now: Time) -> Result<Answer, Refusal> {
        if self.reservations().len() + self.preparations().len() >= MAX_RESERVATIONS {
            return Err(Refusal::TooMany("waves being prepared".to_owned()));
        }
        let floor = self.stamp(Tag::at(now)).ok_or(Refusal::TimeExhausted)?;
        let expires = now.after(self.settings.patience / 2);
        let reservation = Reservation { ticket: (from.clone(), id), floor, expires, changes: None };
        self.wishes.make().reservations.push(reservation);
        Ok(Answer::Floor { floor, latest: latest(now) })
    }

    /// Stamps with the tag of the wave if it can still be used. While the reservation holds it can, unless another wave
    /// has the same tag by chance: then the two must not mix.
    fn commit(
        &mut self,
        ticket: &(ControllerId, u64),
        at: Tag,
        stimuli: Vec<Stimulus>,
        now: Time,
    ) -> Result<Answer, Refusal> {
        let valid = stimuli.iter().try_for_each(|stimulus| self.check(stimulus)).and_then(|()| self.check_tag(at, now));
        let mut reservations = self.wishes.get_mut().into_iter().flat_map(|wishes| &mut wishes.reservations);
        let held = reservations.find(|reservation| reservation.ticket == *ticket);
        let floor = held.as_ref().map(|held| held.floor);
        let changes = held.and_then(|held| held.changes.take());
        if valid.is_ok() && stimuli.is_empty() && floor.is_some_and(|floor| floor <= at) {
            let made = changes.map(|changes| self.commit_changes(changes, at, now));
            self.release(ticket);
            return made.unwrap_or(Err(Refusal::Expired));
        }
        self.release(ticket);
        valid?;
        if stimuli.is_empty() || changes.is_some() {
            return Err(Refusal::Expired);
        }
        let usable = self.spoken.is_open(at) && self.agenda.get(at).is_none_or(|slot| !slot.prepared);
        let tag = if usable { at } else { self.stamp(Tag::at(now)).ok_or(Refusal::TimeExhausted)? };
        if !usable {
            self.counters.rest().late += 1;
        }
        for stimulus in stimuli {
            self.enter(stimulus, tag, now);
        }
        self.agenda.slot(tag, now).prepared = true;
        Ok(Answer::Stamped(Stamp { tag, moved: tag != at }))
    }

    fn connect(
        &mut self,
        from: &ControllerId,
        id: u64,
        source: NeuronId,
        delay: Option<Duration>,
        now: Time,
    ) -> Result<(), Refusal> {
        self.check_connection(&source, delay)?;
        self.subscribe(&source, State::Joining(Box::new((from.clone(), id))), delay, now);
        Ok(())
    }

    /// Whether this neuron can be connected to a source.
    pub(super) fn check_connection(&self, source: &NeuronId, delay: Option<Duration>) -> Result<(), Refusal> {
        if delay.is_some_and(|delay| delay < Duration::from_micros(1)) {
            return Err(Refusal::NoDelay);
        }
        if *source == self.id && delay.is_none() {
            return Err(Refusal::SelfConnection(source.clone()));
        }
        if self.find_source(source).is_ok_and(|index| self.sources[index].link.is_some()) {
            return Err(Refusal::AlreadyConnected(source.clone()));
        }
        Ok(())
    }

    /// Ends a connection; nothing if the answer has to wait until it has ended.
    fn disconnect(
        &mut self,
        from: &ControllerId,
        id: u64,
        source: NeuronId,
        now: Time,
    ) -> Option<Result<Answer, Refusal>> {
        let index = self.find_source(&source).ok();
        let link = index.and_then(|index| Some((index, self.sources[index].link.as_ref()?)));
        let Some((index, link)) = link else { return Some(Err(Refusal::NotConnected(source))) };
        match link.state().clone() {
            State::Joining(ticket) => {
                let (controller, request) = *ticket;
                // It never counted: whoever wanted it is told that it will not.
                self.apply(&Event::Configured(ConfigChange::Disconnect { source: source.clone() }), Tag::ORIGIN);
                self.carried_out(&controller, request, Err(Refusal::NotConnected(source)));
                Some(Ok(Answer::Done))
            }
            State::Awaited { .. } => Some(Err(Refusal::NotConnected(source))),
            State::Counts { until, .. } if until != Tag::MAX => Some(Err(Refusal::NotConnected(source))),
            State::Counts { from: since, .. } => {
                let Some(until) = self.stamp(Tag::at(now)) else { return Some(Err(Refusal::TimeExhausted)) };
                self.own_event(until, Event::Configured(ConfigChange::Disconnect { source }), now);
                if let Some(link) = &mut self.sources[index].link {
                    let leaves_for = Some(Box::new((from.clone(), id)));
                    link.set_state(State::Counts { from: since, until, leaves_for });
                    link.reentry = link.reentry.take().map(|old| Box::new(Loop::over(old.delay)));
                }
                None
            }
        }
    }

    fn sample(&self) -> Sample {
        Sample {
            level: self.value.level,
            tag: self.spoken.evaluated.unwrap_or_default(),
            missing: self.value.missing.clone(),
        }
    }

    fn watch(&mut self, from: &ControllerId, id: u64) -> Result<Answer, Refusal> {
        let watchers = &mut self.wishes.make().watchers;
        if watchers.len() == MAX_WATCHERS {
            return Err(Refusal::TooMany("watches".to_owned()));
        }
        watchers.push(Watcher { from: from.clone(), request: id, reported: 0 });
        Ok(Answer::Output(self.sample()))
    }

    /// The level at `tag`; nothing if the answer has to wait.
    fn output_at(&mut self, from: &ControllerId, request: u64, tag: Tag) -> Option<Result<Answer, Refusal>> {
        if self.spoken.evaluated.is_some() && tag <= self.spoken.firm {
            return Some(self.answer_at(tag));
        }
        let questions = &mut self.wishes.make().questions;
        if questions.len() == MAX_QUESTIONS {
            return Some(Err(Refusal::TooMany("waiting questions".to_owned())));
        }
        questions.push(Question { from: from.clone(), request, tag });
        None
    }

    /// The configuration as it stands.
    fn config(&self) -> ConfigView {
        ConfigView {
            output: self.sample(),
            threshold: self.integrator.threshold(),
            weights: self.weights(),
            sensors: self.integrator.sensors().map(|(sensor, weight)| (sensor.clone(), weight)).collect(),
            inputs: self.connections(|link| matches!(link.state(), State::Counts { .. })),
            connections: self.subscribers.iter().map(|subscriber| subscriber.id.clone()).collect(),
            hold: self.settings.hold,
            linger: self.settings.linger,
            mode: self.settings.mode,
            rule: self.settings.rule,
        }
    }
}

/// Whether an event is a reading of this sensor, or a stimulus if there is none.
fn is_of(event: &Event, sensor: Option<&SensorId>) -> bool {
    match (event, sensor) {
        (Event::Stimulus { .. }, None) => true,
        (Event::Reading { sensor: read, .. }, Some(sensor)) => read == sensor,
        _ => false,
    }
}
