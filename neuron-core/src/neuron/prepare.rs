//! Several changes that take effect as one, here and at other neurons: all at the same tag, or none.

use std::time::Duration;

use super::{Neuron, Reservation, cares::Cares, hear::latest, input::State, is_finite};
use crate::{
    command::{Answer, ConfigChange, Refusal, Stamp},
    id::{ControllerId, NeuronId},
    record::Event,
    signal::SignalBody,
    tag::{Tag, Time},
};

/// How many patiences a prepared set of changes waits to be committed. Meanwhile nothing later than its floor is answered,
/// so it must be over before an input is given up that never has an answer.
const HELD: u32 = 10;

/// A set of changes that waits for the sources it connects to be heard.
#[derive(Clone, Debug)]
pub(super) struct Preparation {
    ticket: (ControllerId, u64),
    changes: Vec<ConfigChange>,
    expires: Time,
}

impl Neuron {
    /// Prepares a set of changes; the answer is the floor, once every source to be connected has been heard. Nothing if it
    /// has to wait for that.
    pub(super) fn prepare(
        &mut self,
        from: &ControllerId,
        id: u64,
        changes: Vec<ConfigChange>,
        now: Time,
    ) -> Option<Result<Answer, Refusal>> {
        if self.reservations().len() + self.preparations().len() >= super::obey::MAX_RESERVATIONS {
            return Some(Err(Refusal::TooMany("waves being prepared".to_owned())));
        }
        if let Err(refusal) = self.check_room().and_then(|()| self.check_changes(&changes)) {
            return Some(Err(refusal));
        }
        let ticket = (from.clone(), id);
        for change in &changes {
            if let ConfigChange::Connect { source, delay } = change {
                let state = State::Awaited { ticket: Box::new(ticket.clone()), heard: None };
                self.subscribe(source, state, *delay, now);
            }
        }
        let preparation = Preparation { ticket: ticket.clone(), changes, expires: now.after(self.held()) };
        self.wishes.make().preparations.push(preparation);
        self.is_prepared(&ticket, now)
    }

    fn held(&self) -> Duration {
        self.settings.patience * HELD
    }

    /// Everything that would be refused one by one, before anything is done.
    fn check_changes(&self, changes: &[ConfigChange]) -> Result<(), Refusal> {
        let mut touched: Vec<&NeuronId> = Vec::new();
        for change in changes {
            match change {
                ConfigChange::SetWeight { source, weight } if !is_finite(*weight) => {
                    return Err(Refusal::NotFinite(format!("weight {weight} of {source}")));
                }
                ConfigChange::SetThreshold { threshold } if !is_finite(*threshold) => {
                    return Err(Refusal::NotFinite(format!("threshold {threshold}")));
                }
                ConfigChange::Connect { source, delay } => {
                    self.check_connection(source, *delay)?;
                    if touched.contains(&source) {
                        return Err(Refusal::AlreadyConnected(source.clone()));
                    }
                    touched.push(source);
                }
                ConfigChange::Disconnect { source } => {
                    let link = self.find_source(source).ok().and_then(|index| self.sources[index].link.as_ref());
                    let counts = link
                        .is_some_and(|link| matches!(link.state(), State::Counts { until, .. } if *until == Tag::MAX));
                    if !counts || touched.contains(&source) {
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

    /// If every source of a prepared set has been heard, nothing later than the floor is answered from now on.
    pub(super) fn is_prepared(&mut self, ticket: &(ControllerId, u64), now: Time) -> Option<Result<Answer, Refusal>> {
        let position = self.preparations().iter().position(|preparation| preparation.ticket == *ticket)?;
        let mut floor = Tag::at(now);
        for source in &self.sources {
            if let Some(State::Awaited { ticket: awaits, heard }) = source.link.as_ref().map(|link| link.state())
                && **awaits == *ticket
            {
                floor = floor.max((*heard)?);
            }
        }
        let Preparation { ticket, changes, expires } = self.wishes.make().preparations.remove(position);
        let Some(floor) = self.stamp(floor) else { return Some(Err(Refusal::TimeExhausted)) };
        self.wishes.make().reservations.push(Reservation { ticket, floor, expires, changes: Some(changes) });
        Some(Ok(Answer::Floor { floor, latest: latest(now) }))
    }

    /// A source of a prepared set has been heard.
    pub(super) fn awaited_is_heard(&mut self, index: usize, from: Tag, now: Time) {
        let Some(link) = &mut self.sources[index].link else { return };
        let Some((ticket, heard)) = link.awaited() else { return };
        if heard.is_none() {
            *heard = Some(from);
            let ticket = ticket.clone();
            if let Some(result) = self.is_prepared(&ticket, now) {
                self.carried_out(&ticket.0, ticket.1, result);
            }
        }
    }

    /// Puts a prepared set into effect at a tag.
    pub(super) fn commit_changes(&mut self, changes: Vec<ConfigChange>, at: Tag, now: Time) -> Result<Answer, Refusal> {
        for change in changes {
            let event = match change {
                ConfigChange::SetWeight { source, weight } => {
                    Event::Configured(ConfigChange::SetWeight { source, weight })
                }
                ConfigChange::DeleteWeight { source } => Event::Configured(ConfigChange::DeleteWeight { source }),
                ConfigChange::SetThreshold { threshold } => Event::Configured(ConfigChange::SetThreshold { threshold }),
                ConfigChange::Connect { source, delay } => {
                    self.set_state(&source, |_| State::Counts { from: at, until: Tag::MAX, leaves_for: None });
                    self.catch_up(&source, at);
                    Event::Configured(ConfigChange::Connect { source, delay })
                }
                ConfigChange::Disconnect { source } => {
                    self.set_state(&source, |state| match state {
                        State::Counts { from, leaves_for, .. } => {
                            State::Counts { from: *from, until: at, leaves_for: leaves_for.clone() }
                        }
                        other => other.clone(),
                    });
                    Event::Configured(ConfigChange::Disconnect { source })
                }
            };
            self.own_event(at, event, now);
        }
        Ok(Answer::Stamped(Stamp { tag: at, moved: false }))
    }

    /// What a source has said since it was heard, and while the set was held, is evaluated from now on.
    fn catch_up(&mut self, source: &NeuronId, at: Tag) {
        let index = self.find_source(source).ok();
        let link = index.and_then(|index| self.sources[index].link.as_ref());
        let tags = link.filter(|link| link.reentry.is_none()).map(|link| link.history.tags_after(at));
        tags.into_iter().flatten().for_each(|tag| self.agenda.wave(tag));
    }

    fn set_state(&mut self, source: &NeuronId, state: impl FnOnce(&State) -> State) {
        let index = self.find_source(source).ok();
        let link = index.and_then(|index| self.sources[index].link.as_mut());
        if let Some(link) = link {
            link.set_state(state(link.state()));
        }
    }

    /// Gives back a reservation, with everything that was prepared under it.
    pub(super) fn release(&mut self, ticket: &(ControllerId, u64)) {
        if let Some(wishes) = self.wishes.get_mut() {
            wishes.reservations.retain(|reservation| reservation.ticket != *ticket);
            wishes.preparations.retain(|preparation| preparation.ticket != *ticket);
        }
        let awaited = |source: &super::Source| {
            let state = source.link.as_ref().map(|link| link.state());
            matches!(state, Some(State::Awaited { ticket: awaits, .. }) if **awaits == *ticket)
        };
        let sources: Vec<NeuronId> =
            self.sources.iter().filter(|source| awaited(source)).map(|source| source.id.clone()).collect();
        for source in sources {
            self.cares = Cares::EVERYTHING;
            if let Some(link) = self.source_mut(&source).link.take() {
                self.send(source.clone(), SignalBody::Unsubscribe { stream: link.receiver.stream });
            }
            self.forget_if_empty(&source);
        }
    }

    /// Gives back what has been held for too long.
    #[cold]
    pub(super) fn expire(&mut self, now: Time) {
        let expired = self.reservations().iter().filter(|reservation| reservation.expires <= now);
        let expired: Vec<_> = expired.map(|reservation| reservation.ticket.clone()).collect();
        for ticket in expired {
            self.release(&ticket);
        }
        let unheard = self.preparations().iter().filter(|preparation| preparation.expires <= now);
        let unheard: Vec<_> = unheard.map(|preparation| preparation.ticket.clone()).collect();
        for ticket in unheard {
            self.release(&ticket);
            self.carried_out(&ticket.0, ticket.1, Err(Refusal::Expired));
        }
    }

    /// When the first thing expires that is being prepared.
    #[inline]
    pub(super) fn next_expiry(&self) -> Option<Time> {
        let reserved = self.reservations().iter().map(|reservation| reservation.expires);
        reserved.chain(self.preparations().iter().map(|preparation| preparation.expires)).min()
    }
}
