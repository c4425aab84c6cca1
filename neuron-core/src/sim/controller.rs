//! Who stimulates, asks and reconfigures in a run.

use super::world::World;
use crate::{
    command::{Answer, Command, Refusal, Report, Request, Stimulus},
    id::NeuronId,
    neuron::Input,
    tag::{Tag, Time},
    value::Value,
};

/// A wave, or a set of changes, being prepared.
pub(super) struct Preparing {
    members: Vec<(usize, Vec<Stimulus>)>,
    floors: Vec<Tag>,
}

/// A question for the level at a tag, and its answer if there was one.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) neuron: usize,
    pub(super) tag: Tag,
    pub(super) at: Time,
    pub(super) answer: Option<Result<Value, Refusal>>,
    pub(super) answered: Option<Time>,
}

impl World<'_> {
    pub(super) fn request(&mut self, to: usize, command: Command) -> u64 {
        self.requests += 1;
        self.request_as(self.requests, to, command);
        self.requests
    }

    fn request_as(&mut self, id: u64, to: usize, command: Command) {
        let from = self.controller.clone();
        self.carry(None, to, Input::Request { from, request: Request { id, command } });
    }

    pub(super) fn command(&mut self, neuron: &NeuronId, command: Command) {
        if let Some(to) = self.find(neuron) {
            self.request(to, command);
        }
    }

    /// All reservations of a wave carry the same number; each member sees only its own.
    pub(super) fn prepare(&mut self, members: Vec<(usize, Vec<Stimulus>, Command)>) {
        self.requests += 1;
        let ticket = self.requests;
        for (member, _, command) in &members {
            self.request_as(ticket, *member, command.clone());
        }
        let members = members.into_iter().map(|(to, stimuli, _)| (to, stimuli)).collect();
        self.preparing.insert(ticket, Preparing { members, floors: Vec::new() });
    }

    pub(super) fn reported(&mut self, report: Report) {
        let Report::Reply { request, result } = report else { return };
        match result {
            Ok(Answer::Floor(floor)) => {
                let Some(preparing) = self.preparing.get_mut(&request) else { return };
                preparing.floors.push(floor);
                if preparing.floors.len() < preparing.members.len() {
                    return;
                }
                let Some(Preparing { members, floors }) = self.preparing.remove(&request) else { return };
                let at = floors.into_iter().max().unwrap_or_default();
                for (member, stimuli) in members {
                    self.request(member, Command::Commit { ticket: request, at, stimuli });
                }
            }
            Ok(Answer::Output(sample)) => {
                let now = self.now;
                if let Some(asked) = self.asked.get_mut(&request) {
                    asked.answer = Some(Ok(Value { level: sample.level, missing: sample.missing }));
                    asked.answered = Some(now);
                }
            }
            Ok(_) => {}
            Err(refusal) => {
                if let Some(asked) = self.asked.get_mut(&request) {
                    asked.answer = Some(Err(refusal));
                }
            }
        }
    }
}

/// Whether a message belongs to the preparation of a wave or a set of changes, which may fail.
pub(super) fn prepares(input: &Input) -> bool {
    let Input::Request { request, .. } = input else { return false };
    matches!(request.command, Command::Reserve | Command::Prepare { .. } | Command::Commit { .. })
}
