//! What controllers ask of a neuron.
//!
//! [`Control`] owns the requests that are not settled. It acts on the inputs and the evaluation,
//! and answers each request once.

mod carried_out;
mod connection;
mod dispatch;
mod questions;
mod shares;
#[cfg(feature = "sim")]
mod sizes;
mod stimulate;
mod transaction;
mod watchers;

use std::time::Duration;

use thin_vec::ThinVec;

use super::{
    CompletedChange, Ctx, deadlines::earliest, evaluation::Evaluation, inputs::Inputs, subscribers::Subscribers,
};
use carried_out::{CarriedOut, CommandLog};
use connection::Connecting;
use questions::Question;
use shares::Penalty;
pub use stimulate::MAX_TRAIN;
use transaction::{Preparation, Reservation};
pub use watchers::WATCH_LEASE;
use watchers::Watchers;

use crate::{
    collections::Holders,
    command::{Answer, Refusal, Stamp, TransactionId},
    tag::{Tag, Time},
};

/// How many changes are saved that have been made.
const MAX_SAVED: usize = 64;

/// What controllers have asked of a neuron. Few neurons of a large network are ever asked anything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Control {
    /// `None` until something is asked that must be remembered.
    state: Option<Box<ControlState>>,
}

#[derive(Clone, Debug, Default)]
struct ControlState {
    reservations: ThinVec<Reservation>,
    preparations: ThinVec<Preparation>,
    /// The controllers that may not prepare changes for a while.
    penalties: ThinVec<Penalty>,
    connecting: ThinVec<Connecting>,
    questions: ThinVec<Question>,
    watchers: Watchers,
    carried_out: CommandLog,
}

/// What commands act on.
pub(crate) struct Targets<'a> {
    pub(crate) inputs: &'a mut Inputs,
    pub(crate) evaluation: &'a mut Evaluation,
    pub(crate) subscribers: &'a Subscribers,
}

impl Control {
    /// Returns the control of a neuron that has been asked for nothing yet in this incarnation.
    /// `changes` are those that earlier ones have made.
    pub(crate) fn new(changes: Vec<CompletedChange>) -> Self {
        if changes.is_empty() {
            return Self::default();
        }
        let mut carried_out = CommandLog::default();
        for CompletedChange { controller, request, tag } in changes {
            let id = TransactionId { controller, request };
            let result = Ok(Answer::Stamped(Stamp { tag, moved: false }));
            carried_out.push(CarriedOut { id, result, is_configuring: true });
        }
        Self { state: Some(Box::new(ControlState { carried_out, ..ControlState::default() })) }
    }

    /// Returns the last changes of the configuration that have been made, oldest first. `leaving` are
    /// requests for connections whose end has been stamped.
    ///
    /// Of too many, the oldest ones of the controller that has the most are left out, so that a busy
    /// controller cannot make the neuron forget what another one may repeat after a crash.
    pub(crate) fn completed_changes(
        &self,
        leaving: impl Iterator<Item = (TransactionId, Tag)>,
    ) -> Vec<CompletedChange> {
        let Some(state) = &self.state else { return Vec::new() };
        let leaving = leaving.map(|(id, tag)| id.completed_at(tag));
        let mut made: Vec<CompletedChange> = state.carried_out.completed_changes().chain(leaving).collect();
        let mut holders: Holders<_> = made.iter().map(|change| &change.controller).collect();
        while made.len() > MAX_SAVED
            && let Some(largest) = holders.largest().cloned()
            && let Some(oldest) = made.iter().position(|change| change.controller == largest)
        {
            made.remove(oldest);
            holders.remove(&largest);
        }
        made
    }

    fn state_mut(&mut self) -> &mut ControlState {
        self.state.get_or_insert_default()
    }

    /// Answers a command, and remembers the answer in case the command is repeated.
    pub(crate) fn complete(&mut self, id: &TransactionId, result: Result<Answer, Refusal>, cx: &mut Ctx<'_>) {
        if let Some(state) = &mut self.state {
            state.carried_out.complete(id, &result);
        }
        cx.reply(id.controller.clone(), id.request, result);
    }

    /// Answers the requests whose connections have ended, each with the tag of the end.
    #[cold]
    pub(crate) fn complete_ended(&mut self, ended: ThinVec<(TransactionId, Tag)>, cx: &mut Ctx<'_>) {
        for (id, tag) in ended {
            self.complete(&id, Ok(Answer::Stamped(Stamp { tag, moved: false })), cx);
        }
    }

    /// Refuses all requests that have not been answered.
    pub(crate) fn refuse_all(&mut self, refusal: &Refusal, cx: &mut Ctx<'_>) {
        let Some(state) = &mut self.state else { return };
        let questions = std::mem::take(&mut state.questions);
        let unanswered: Vec<_> = state.carried_out.unanswered().cloned().collect();
        for question in questions {
            cx.reply(question.asked.id.controller, question.asked.id.request, Err(refusal.clone()));
        }
        for id in unanswered {
            self.complete(&id, Err(refusal.clone()), cx);
        }
    }

    /// Remembers that an earlier incarnation has refused a request, in case it is repeated.
    #[cfg(feature = "actor")]
    pub(crate) fn remember_refused(&mut self, id: TransactionId, refusal: &Refusal) {
        let refused = CarriedOut { id, result: Err(refusal.clone()), is_configuring: false };
        self.state_mut().carried_out.push(refused);
    }

    /// Returns the next deadline; `None` if there is none.
    #[inline]
    pub(crate) fn next_deadline(&self, now: Time) -> Option<Time> {
        self.state.as_ref()?;
        earliest(self.next_expiry(), self.next_question(now))
    }

    /// Lets everything wait on as before, although the clock was set forward by `by`.
    #[cold]
    pub(crate) fn shift(&mut self, by: Duration) {
        let Some(state) = &mut self.state else { return };
        state.reservations.iter_mut().for_each(|reservation| reservation.shift(by));
        state.preparations.iter_mut().for_each(|preparation| preparation.shift(by));
        state.penalties.iter_mut().for_each(|penalty| penalty.shift(by));
        state.connecting.iter_mut().for_each(|connecting| connecting.shift(by));
        state.questions.iter_mut().for_each(|question| question.shift(by));
        state.watchers.shift(by);
    }

    /// Begins the next incarnation: drops everything that is being prepared, and counts the changes
    /// for the watches anew.
    pub(crate) fn restart(&mut self, cx: &mut Ctx<'_>) {
        if let Some(state) = &mut self.state {
            state.reservations.clear();
            state.preparations.clear();
            state.penalties.clear();
            state.connecting.clear();
            state.watchers.restart(cx);
        }
    }
}
