//! The last commands that changed something: a repeated one is answered, and not carried out again.

use std::collections::VecDeque;

use super::CompletedChange;
use crate::{
    collections::Holders,
    command::{Answer, Refusal, TransactionId},
    id::ControllerId,
    tag::Tag,
};

/// How many answered commands a neuron remembers.
pub(super) const MAX_CARRIED_OUT: usize = 256;

/// A command that was carried out, and its answer.
#[derive(Clone, Debug)]
pub(super) struct CarriedOut {
    pub(super) id: TransactionId,
    pub(super) result: Result<Answer, Refusal>,
    /// It changes the configuration.
    pub(super) is_configuring: bool,
}

/// A command whose answer is still to come.
#[derive(Clone, Debug)]
struct Unanswered {
    id: TransactionId,
    is_configuring: bool,
}

/// What is known of a command that is repeated.
#[derive(Clone, Copy, Debug)]
pub(super) enum Repeated<'a> {
    /// Its answer is still to come.
    Unanswered,
    /// This was the answer.
    Answered(&'a Result<Answer, Refusal>),
}

/// The commands that wait for their answer, and the last ones that have been answered.
///
/// A full log forgets the oldest answered command of the controller that has the most, so that a
/// busy controller cannot make the neuron forget what another one may still repeat. Those that
/// wait are bounded where they wait, and are not forgotten.
#[derive(Clone, Debug, Default)]
pub(super) struct CommandLog {
    unanswered: Vec<Unanswered>,
    /// In the order of the answers.
    answered: VecDeque<CarriedOut>,
    /// How many of the answered ones each controller has.
    holders: Holders<ControllerId>,
    /// The highest number of a request that has been in the log, of any controller.
    highest_request: u64,
}

impl CommandLog {
    /// Adds a command that is being carried out.
    pub(super) fn begin(&mut self, id: TransactionId, is_configuring: bool) {
        self.highest_request = self.highest_request.max(id.request);
        self.unanswered.push(Unanswered { id, is_configuring });
    }

    /// Notes the answer to a command; nothing happens if it is not in the log.
    pub(super) fn complete(&mut self, id: &TransactionId, result: &Result<Answer, Refusal>) {
        // It is usually the last one.
        let index = self.unanswered.iter().rposition(|waiting| waiting.id.request == id.request && waiting.id == *id);
        if let Some(index) = index {
            let Unanswered { id, is_configuring } = self.unanswered.remove(index);
            self.push(CarriedOut { id, result: result.clone(), is_configuring });
        }
    }

    /// Adds a command that an earlier incarnation has answered.
    pub(super) fn push(&mut self, command: CarriedOut) {
        let is_full = self.answered.len() >= MAX_CARRIED_OUT;
        let forgotten = if is_full { self.forget_one() } else { None };
        // To count one more and one less of the same controller changes nothing.
        if forgotten.as_ref() != Some(&command.id.controller) {
            self.holders.add(&command.id.controller);
            if let Some(controller) = &forgotten {
                self.holders.remove(controller);
            }
        }
        self.highest_request = self.highest_request.max(command.id.request);
        self.answered.push_back(command);
    }

    /// Forgets the oldest answered command of the controller that has the most. Returns that
    /// controller, which still counts as having it.
    fn forget_one(&mut self) -> Option<ControllerId> {
        let largest = self.holders.largest()?;
        let forgotten = match self.answered.iter().position(|done| done.id.controller == *largest)? {
            0 => self.answered.pop_front(),
            index => self.answered.remove(index),
        };
        forgotten.map(|forgotten| forgotten.id.controller)
    }

    /// Returns what is known of a command; `None` if there is none with this number, or it is
    /// forgotten.
    #[inline]
    pub(super) fn get(&self, controller: &ControllerId, request: u64) -> Option<Repeated<'_>> {
        // A controller counts its requests up, so that a new one is usually the highest.
        if request > self.highest_request {
            return None;
        }
        let is_it = |id: &TransactionId| id.request == request && id.controller == *controller;
        let answered = self.answered.iter().find(|done| is_it(&done.id));
        let answered = answered.map(|done| Repeated::Answered(&done.result));
        answered.or_else(|| self.unanswered.iter().any(|waiting| is_it(&waiting.id)).then_some(Repeated::Unanswered))
    }

    /// Returns the commands that wait for their answer, oldest first.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = &TransactionId> {
        self.unanswered.iter().map(|waiting| &waiting.id)
    }

    /// Returns the answered changes of the configuration, each with its tag, oldest first.
    pub(super) fn completed_changes(&self) -> impl Iterator<Item = CompletedChange> {
        self.answered.iter().filter(|done| done.is_configuring).filter_map(|done| match &done.result {
            Ok(Answer::Stamped(stamp)) => Some(done.id.completed_at(stamp.tag)),
            _ => None,
        })
    }

    /// Returns how many answered commands are remembered.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn len(&self) -> usize {
        self.answered.len()
    }
}

impl TransactionId {
    /// Returns the change that this was the request for, and that was made at a tag.
    pub(super) fn completed_at(&self, tag: Tag) -> CompletedChange {
        CompletedChange { controller: self.controller.clone(), request: self.request, tag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(controller: &str, request: u64) -> TransactionId {
        TransactionId { controller: controller.parse().unwrap(), request }
    }

    fn answered(controller: &str, request: u64) -> CarriedOut {
        CarriedOut { id: id(controller, request), result: Ok(Answer::Done), is_configuring: false }
    }

    #[test]
    fn a_busy_controller_does_not_displace_the_commands_of_others() {
        let mut log = CommandLog::default();
        log.push(answered("quiet", 1));
        for request in 1..=1000 {
            log.push(answered("busy", request));
        }
        let (quiet, busy) = ("quiet".parse().unwrap(), "busy".parse().unwrap());
        assert!(matches!(log.get(&quiet, 1), Some(Repeated::Answered(Ok(Answer::Done)))));
        assert!(log.get(&busy, 1000).is_some() && log.get(&busy, 745).is_none());
        assert_eq!(log.len(), MAX_CARRIED_OUT);
    }

    #[test]
    fn a_command_without_an_answer_is_not_forgotten_and_displaces_nothing() {
        let mut log = CommandLog::default();
        log.push(answered("quiet", 1));
        for request in 1..=1024 {
            log.begin(id("busy", request), true);
        }
        for request in 1..=200 {
            log.push(answered("other", request));
        }
        assert!(matches!(log.get(&"busy".parse().unwrap(), 1), Some(Repeated::Unanswered)));
        assert!(log.get(&"quiet".parse().unwrap(), 1).is_some());
        for request in 1..=1024 {
            log.complete(&id("busy", request), &Ok(Answer::Done));
        }
        assert_eq!(log.len(), MAX_CARRIED_OUT);
        assert!(log.get(&"quiet".parse().unwrap(), 1).is_some());
    }
}
