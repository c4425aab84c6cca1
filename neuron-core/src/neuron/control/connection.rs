//! Single connections that are made and ended. Their answers wait.

use std::time::Duration;

use super::{Control, Ctx, Inputs, Targets, dispatch::DispatchResult};
use crate::{
    command::{Answer, ConfigChange, Refusal, TransactionId},
    id::{ControllerId, NeuronId},
    neuron::inputs::LinkState,
    record::Event,
    tag::{Tag, Time},
};

/// The most connections of one neuron that wait for their sources.
pub(super) const MAX_CONNECTING: usize = 4096;
/// How many of them one controller may have asked for.
const MAX_CONNECTING_OF_ONE: usize = MAX_CONNECTING / 4;

/// How long a connection waits for its source at the most, whatever its deadline is.
const MAX_CONNECTION_WAIT: Duration = Duration::from_secs(600);

/// A connection that is made unless its source is silent for too long.
#[derive(Clone, Debug)]
pub(super) struct Connecting {
    id: TransactionId,
    source: NeuronId,
    deadline: Time,
}

impl Connecting {
    /// Returns when it is given up.
    pub(super) fn expires(&self) -> Time {
        self.deadline.after(Duration::from_micros(1))
    }

    /// Moves the times on: the clock was set forward by `by`.
    pub(super) fn shift(&mut self, by: Duration) {
        self.deadline = self.deadline.after(by);
    }
}

impl Control {
    /// Makes a connection. The answer waits until the source has been heard, at most until the
    /// deadline.
    pub(super) fn connect(
        &mut self,
        id: &TransactionId,
        source: NeuronId,
        delay: Option<Duration>,
        deadline: Option<Time>,
        on: &mut Targets<'_>,
        cx: &mut Ctx<'_>,
    ) -> DispatchResult {
        let checked = on.check_connection(&source, delay, cx).and_then(|()| self.check_room_to_connect(&id.controller));
        if let Err(refusal) = checked {
            return Some(Err(refusal));
        }
        on.inputs.connect(&source, LinkState::Subscribing(id.clone()), delay, cx);
        let latest = cx.now.after(MAX_CONNECTION_WAIT);
        let deadline = deadline.map_or(latest, |deadline| deadline.min(latest));
        self.state_mut().connecting.push(Connecting { id: id.clone(), source, deadline });
        None
    }

    fn check_room_to_connect(&self, controller: &ControllerId) -> Result<(), Refusal> {
        let waiting = self.state.as_ref().map_or(&[][..], |state| &state.connecting);
        let of_one = waiting.iter().filter(|connecting| connecting.id.controller == *controller).count();
        if waiting.len() >= MAX_CONNECTING || of_one >= MAX_CONNECTING_OF_ONE {
            return Err(Refusal::TooMany("connections that wait for their sources".to_owned()));
        }
        Ok(())
    }

    /// Notes that a connection does not wait any more.
    pub(super) fn end_connecting(&mut self, id: &TransactionId) {
        if let Some(state) = &mut self.state {
            state.connecting.retain(|connecting| connecting.id != *id);
        }
    }

    /// Ends a connection. The answer waits until it has ended.
    pub(super) fn disconnect(
        &mut self,
        id: &TransactionId,
        source: NeuronId,
        on: &mut Targets<'_>,
        cx: &mut Ctx<'_>,
    ) -> DispatchResult {
        match on.inputs.link(&source).map(|link| link.state().clone()) {
            Some(LinkState::Subscribing(connecting)) => {
                // It never counted: the request for it is refused.
                on.inputs.disconnect(&source, cx);
                self.end_connecting(&connecting);
                self.complete(&connecting, Err(Refusal::NotConnected(source)), cx);
                Some(Ok(Answer::Done))
            }
            Some(LinkState::Active { until: Tag::MAX, .. }) => {
                let Some(until) = on.evaluation.next_stamp(Tag::at(cx.now), cx.now) else {
                    return Some(Err(Refusal::TimeExhausted));
                };
                on.inputs.schedule_end(&source, until, Some(id.clone()));
                on.inputs.drop_reentries(&source);
                on.evaluation.own_event(until, Event::Configured(ConfigChange::Disconnect { source }), cx.now, cx);
                None
            }
            _ => Some(Err(Refusal::NotConnected(source))),
        }
    }

    /// Gives up connections whose sources have not been heard before the deadline.
    pub(super) fn give_up_connections(&mut self, inputs: &mut Inputs, cx: &mut Ctx<'_>) {
        let Some(state) = &mut self.state else { return };
        let is_overdue = |connecting: &Connecting| connecting.deadline < cx.now;
        let overdue: Vec<Connecting> = state.connecting.iter().filter(|one| is_overdue(one)).cloned().collect();
        state.connecting.retain(|connecting| !is_overdue(connecting));
        for Connecting { id, source, .. } in overdue {
            let is_waiting = |link: LinkState| matches!(link, LinkState::Subscribing(waiting) if waiting == id);
            if inputs.link(&source).map(|link| link.state().clone()).is_some_and(is_waiting) {
                inputs.disconnect(&source, cx);
                self.complete(&id, Err(Refusal::TooLate { now: cx.now }), cx);
            }
        }
    }
}
