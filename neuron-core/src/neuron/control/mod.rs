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
use shares::HeldTooLong;
pub use stimulate::MAX_TRAIN;
use transaction::{Preparation, Reservation};
pub use watchers::WATCH_LEASE;
use watchers::Watchers;

use crate::{
    command::{Answer, Refusal, Stamp, TransactionId},
    tag::{Tag, Time},
};

/// For how long a change is saved that has been made: longer than any controller repeats a request.
const KEPT_FOR: Duration = Duration::from_secs(600);

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
    held_too_long: ThinVec<HeldTooLong>,
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
            let result = Some(Ok(Answer::Stamped(Stamp { tag, moved: false })));
            carried_out.push(CarriedOut { id, result, is_configuring: true });
        }
        Self { state: Some(Box::new(ControlState { carried_out, ..ControlState::default() })) }
    }

    /// Returns the last changes of the configuration that have been made, as of the tag `now`,
    /// oldest first. `leaving` are requests for connections whose end has been stamped.
    pub(crate) fn completed_changes(
        &self,
        leaving: impl Iterator<Item = (TransactionId, Tag)>,
        now: Tag,
    ) -> Vec<CompletedChange> {
        let Some(state) = &self.state else { return Vec::new() };
        let made = state.carried_out.iter().filter(|done| done.is_configuring).filter_map(|done| match &done.result {
            Some(Ok(Answer::Stamped(stamp))) => Some((done.id.clone(), stamp.tag)),
            _ => None,
        });
        let recent = made.chain(leaving).filter(|(_, tag)| tag.after(KEPT_FOR) >= now);
        let recent =
            recent.map(|(TransactionId { controller, request }, tag)| CompletedChange { controller, request, tag });
        let mut recent: Vec<CompletedChange> = recent.collect();
        recent.drain(..recent.len().saturating_sub(MAX_SAVED));
        recent
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
        let unanswered = state.carried_out.iter().filter(|done| done.result.is_none());
        let unanswered: Vec<_> = unanswered.map(|done| done.id.clone()).collect();
        for question in questions {
            cx.reply(question.asked.id.controller, question.asked.id.request, Err(refusal.clone()));
        }
        for id in unanswered {
            self.complete(&id, Err(refusal.clone()), cx);
        }
    }

    /// Returns the next deadline; `None` if there is none.
    #[inline]
    pub(crate) fn next_deadline(&self, now: Time) -> Option<Time> {
        self.state.as_ref()?;
        earliest(self.next_expiry(), self.next_question(now))
    }

    /// Begins the next incarnation: drops everything that is being prepared, and counts the changes
    /// for the watches anew.
    pub(crate) fn restart(&mut self, cx: &mut Ctx<'_>) {
        if let Some(state) = &mut self.state {
            state.reservations.clear();
            state.preparations.clear();
            state.held_too_long.clear();
            state.connecting.clear();
            state.watchers.restart(cx);
        }
    }
}
