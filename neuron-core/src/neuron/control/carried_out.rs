//! The last commands that changed something: a repeated one is answered, and not carried out again.

use std::collections::VecDeque;

use crate::{
    collections::Holders,
    command::{Answer, Refusal, TransactionId},
    id::ControllerId,
};

/// How many commands a neuron remembers. Those without an answer are not forgotten.
const MAX_CARRIED_OUT: usize = 256;

/// A command that must not be carried out twice.
#[derive(Clone, Debug)]
pub(super) struct CarriedOut {
    pub(super) id: TransactionId,
    /// `None` while the answer is still to come.
    pub(super) result: Option<Result<Answer, Refusal>>,
    /// It changes the configuration.
    pub(super) is_configuring: bool,
}

/// The last commands that changed something, oldest first, with their answers.
///
/// A full log forgets the oldest command of the controller that has the most, so that a busy
/// controller cannot make the neuron forget what another one may still repeat.
#[derive(Clone, Debug, Default)]
pub(super) struct CommandLog {
    commands: VecDeque<CarriedOut>,
    holders: Holders<ControllerId>,
    /// The highest number of a request in the log, of any controller.
    highest_request: u64,
}

impl CommandLog {
    /// Adds a command.
    pub(super) fn push(&mut self, command: CarriedOut) {
        let is_full = self.commands.len() >= MAX_CARRIED_OUT;
        let forgotten = if is_full { self.forget_one() } else { None };
        // One controller that steers alone has as many as before.
        if forgotten.as_ref() != Some(&command.id.controller) {
            self.holders.add(&command.id.controller);
            if let Some(controller) = &forgotten {
                self.holders.remove(controller);
            }
        }
        self.highest_request = self.highest_request.max(command.id.request);
        self.commands.push_back(command);
    }

    /// Forgets the oldest answered command of the controller that has the most; of any controller
    /// if that has none. Returns whose it was, and still counts as that one's.
    fn forget_one(&mut self) -> Option<ControllerId> {
        let largest = self.holders.largest();
        let is_answered = |done: &CarriedOut| done.result.is_some();
        let oldest = self.commands.iter().position(|done| is_answered(done) && Some(&done.id.controller) == largest);
        let oldest = match oldest.or_else(|| self.commands.iter().position(is_answered))? {
            0 => self.commands.pop_front(),
            index => self.commands.remove(index),
        };
        oldest.map(|forgotten| forgotten.id.controller)
    }

    /// Returns a command that was carried out; `None` if there is none with this number, or it is
    /// forgotten.
    #[inline]
    pub(super) fn get(&self, controller: &ControllerId, request: u64) -> Option<&CarriedOut> {
        // Each controller counts its requests, so a repeated one is seldom the highest.
        if request > self.highest_request {
            return None;
        }
        self.commands.iter().find(|done| done.id.request == request && done.id.controller == *controller)
    }

    /// Notes the answer to a command.
    pub(super) fn complete(&mut self, id: &TransactionId, result: &Result<Answer, Refusal>) {
        // It is usually the last one.
        if let Some(done) = self.commands.iter_mut().rev().find(|done| done.id.request == id.request && done.id == *id)
        {
            done.result = Some(result.clone());
        }
    }

    /// Returns all commands, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &CarriedOut> {
        self.commands.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(controller: &str, request: u64) -> CarriedOut {
        let id = TransactionId { controller: controller.parse().unwrap(), request };
        CarriedOut { id, result: Some(Ok(Answer::Done)), is_configuring: false }
    }

    #[test]
    fn a_busy_controller_does_not_displace_the_commands_of_others() {
        let mut log = CommandLog::default();
        log.push(answered("quiet", 1));
        for request in 1..=1000 {
            log.push(answered("busy", request));
        }
        let (quiet, busy) = ("quiet".parse().unwrap(), "busy".parse().unwrap());
        assert!(log.get(&quiet, 1).is_some());
        assert!(log.get(&busy, 1000).is_some() && log.get(&busy, 745).is_none());
        assert_eq!(log.iter().count(), MAX_CARRIED_OUT);
    }

    #[test]
    fn a_command_without_an_answer_is_not_forgotten() {
        let mut log = CommandLog::default();
        log.push(CarriedOut { result: None, ..answered("busy", 1) });
        for request in 2..=1000 {
            log.push(answered("busy", request));
        }
        assert!(log.get(&"busy".parse().unwrap(), 1).is_some());
    }
}
