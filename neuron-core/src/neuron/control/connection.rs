//! Single connections that are made and ended. Their answers wait.

use std::time::Duration;

use super::{Control, Ctx, Inputs, Targets, dispatch::DispatchResult};
use crate::{
    command::{Answer, ConfigChange, Refusal, TransactionId},
    id::NeuronId,
    neuron::inputs::LinkState,
    record::Event,
    tag::{Tag, Time},
};

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
        if let Err(refusal) = on.check_connection(&source, delay, cx) {
            return Some(Err(refusal));
        }
        on.inputs.connect(&source, LinkState::Subscribing(id.clone()), delay, cx);
        if let Some(deadline) = deadline {
            self.state_mut().connecting.push(Connecting { id: id.clone(), source, deadline });
        }
        None
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
