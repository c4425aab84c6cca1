//! Who stimulates, asks and reconfigures in a run.

use std::collections::BTreeMap;

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
    /// The lowest and the highest tag of each member that has answered.
    floors: BTreeMap<usize, (Tag, Tag)>,
    since: Time,
}

/// A set of changes that was put into effect.
pub(super) struct Together {
    pub(super) at: Tag,
    pub(super) members: Vec<usize>,
}

/// After how many patiences a set of changes is not put into effect any more: its members hold it for twice as long.
const PREPARING: u32 = 5;

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
        self.preparing.insert(ticket, Preparing { members, floors: BTreeMap::new(), since: self.now });
    }

    pub(super) fn reported(&mut self, from: usize, report: Report) {
        let Report::Reply { request, result } = report else { return };
        match result {
            Ok(Answer::Floor { floor, latest }) => {
                let Some(preparing) = self.preparing.get_mut(&request) else { return };
                preparing.floors.insert(from, (floor, latest));
                if preparing.floors.len() < preparing.members.len() {
                    return;
                }
                let Some(Preparing { members, floors, since }) = self.preparing.remove(&request) else { return };
                let at = floors.values().map(|(floor, _)| *floor).max().unwrap_or_default();
                let clocks_agree = floors.values().all(|(_, latest)| at <= *latest);
                let in_time = self.now.since(since) <= self.plan.network.settings().patience * PREPARING;
                if !clocks_agree {
                    return;
                }
                if members.iter().all(|(_, stimuli)| stimuli.is_empty()) {
                    if !in_time {
                        return;
                    }
                    let members = members.iter().map(|(member, _)| *member).collect();
                    self.together.push(Together { at, members });
                }
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
    matches!(request.command, Command::Reserve | Command::Prepare { .. })
}
