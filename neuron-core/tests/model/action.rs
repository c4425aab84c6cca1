//! The actions that can happen to the two neurons.

use std::{fmt, time::Duration};

use neuron_core::{
    Tag,
    command::{Command, Request, Stimulus},
    neuron::Input,
};

use crate::{
    node::Power,
    world::{A, B, Message, World},
};

/// How far a clock may be behind after a restart: further than a neuron promises without a save.
const BEHIND: Duration = Duration::from_secs(3);
/// The length of an outage: longer than a lease and a patience together, and than a statement is
/// sent again.
const OUTAGE: Duration = Duration::from_secs(5);

/// One action.
#[derive(Clone)]
pub(crate) enum Action {
    /// A message arrives, in any order.
    Arrive(Message),
    /// A message is lost.
    Lose(Message),
    /// A message is lost, and its sender is notified.
    Return(Message),
    /// A message will arrive twice.
    Duplicate(Message),
    /// Time passes until the wake-up time of a neuron.
    Wake(usize),
    /// `a` is stimulated.
    Stimulate(f64),
    /// `b` is asked for its level at the present time.
    Query,
    /// A neuron crashes.
    Crash(usize),
    /// A neuron starts, or comes back, with a clock that is this far behind.
    Start(usize, Duration),
    /// All messages are lost for the time of an outage.
    Cut,
    /// All messages are delayed for the time of an outage.
    Jam,
}

/// An action, and whether the power fails before the neuron has carried out all outputs that
/// follow.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) power: Power,
}

impl Step {
    /// Returns a step without a power failure.
    pub(crate) fn complete(action: Action) -> Self {
        Self { action, power: Power::Stays }
    }

    /// Returns the same step with a power failure after this many outputs.
    pub(crate) fn interrupted(&self, after: usize) -> Self {
        Self { action: self.action.clone(), power: Power::FailsAfter(after) }
    }
}

impl World {
    /// Returns all actions that can happen next.
    pub(crate) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for (index, message) in self.under_way.iter().enumerate() {
            if self.under_way[..index].contains(message) {
                continue;
            }
            actions.push(Action::Arrive(message.clone()));
            if self.left.losses > 0 {
                actions.extend([Action::Lose(message.clone()), Action::Return(message.clone())]);
            }
            if self.left.duplicates > 0 {
                actions.push(Action::Duplicate(message.clone()));
            }
        }
        for who in [A, B] {
            let node = &self.nodes[who];
            if !node.is_up() {
                actions.extend([Duration::ZERO, BEHIND].map(|behind| Action::Start(who, behind)));
                continue;
            }
            if let (Some(at), Some((first, _))) = (node.wakes_at(), self.next_to_wake())
                && at <= first
            {
                actions.push(Action::Wake(who));
            }
            if self.left.crashes > 0 {
                actions.push(Action::Crash(who));
            }
        }
        if self.left.stimuli > 0 && self.nodes[A].is_up() {
            actions.extend([1.0, 0.0].map(Action::Stimulate));
        }
        if self.left.queries > 0 && self.nodes[B].is_up() {
            actions.push(Action::Query);
        }
        if self.left.outages > 0 {
            actions.extend([Action::Cut, Action::Jam]);
        }
        actions
    }

    /// Returns whether the power may fail.
    pub(crate) fn may_crash(&self) -> bool {
        self.left.crashes > 0
    }

    /// Returns the world after a step, and the number of outputs that were carried out in it.
    pub(crate) fn after(&self, step: &Step) -> (Self, usize) {
        let mut world = self.clone();
        let done = match world.act(&step.action) {
            Some(who) => world.carry_out(who, step.power),
            None => 0,
        };
        world.left.crashes -= u8::from(step.power != Power::Stays);
        world.update_prints(self);
        (world, done)
    }

    /// Performs an action, and returns the neuron whose outputs are to be carried out; `None` if
    /// there is none.
    fn act(&mut self, action: &Action) -> Option<usize> {
        match action {
            Action::Arrive(message) => {
                self.arrive(message);
                Some(message.to)
            }
            Action::Lose(message) => {
                self.left.losses -= 1;
                self.take(message);
                None
            }
            Action::Return(message) => {
                self.left.losses -= 1;
                self.take(message);
                let to = self.nodes[message.to].id.clone();
                self.give(message.from(), Input::Undelivered { to });
                Some(message.from())
            }
            Action::Duplicate(message) => {
                self.left.duplicates -= 1;
                self.under_way.push(message.clone());
                None
            }
            Action::Wake(who) => {
                self.wake(*who);
                Some(*who)
            }
            Action::Stimulate(level) => {
                self.left.stimuli -= 1;
                let stimulus = Stimulus { sensor: None, level: Some(*level), hold: None };
                let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
                self.request(A, self.left.stimuli, command);
                Some(A)
            }
            Action::Query => {
                self.left.queries -= 1;
                self.query(self.left.queries);
                Some(B)
            }
            Action::Crash(who) => {
                self.left.crashes -= 1;
                self.node(*who).crash();
                None
            }
            Action::Start(who, behind) => {
                self.start(*who, *behind);
                Some(*who)
            }
            Action::Cut => {
                self.left.outages -= 1;
                self.pass(OUTAGE, |world| world.under_way.clear());
                None
            }
            Action::Jam => {
                self.left.outages -= 1;
                self.pass(OUTAGE, |_| ());
                None
            }
        }
    }

    /// Asks `b` for its level at the present time.
    pub(crate) fn query(&mut self, id: u8) {
        let tag = Tag::at(self.nodes[B].shows(self.now));
        self.node(B).count_query();
        self.request(B, id, Command::OutputAt { tag });
    }

    /// Sends a request. The rest of a budget serves as its number: no other request to the same
    /// neuron has it.
    fn request(&mut self, to: usize, left: u8, command: Command) {
        let from = "me".parse().expect("it is a name");
        self.give(to, Input::Request { from, request: Request::new(left.into(), command) });
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: &usize| ["a", "b"][*who];
        match &self.action {
            Action::Arrive(message) => write!(f, "{message} arrives")?,
            Action::Lose(message) => write!(f, "{message} is lost")?,
            Action::Return(message) => write!(f, "{message} is lost, and its sender is told")?,
            Action::Duplicate(message) => write!(f, "{message} is doubled")?,
            Action::Wake(who) => write!(f, "{} is woken", name(who))?,
            Action::Stimulate(level) => write!(f, "a is stimulated with {level}")?,
            Action::Query => write!(f, "b is asked for its level at the present time")?,
            Action::Crash(who) => write!(f, "{} crashes", name(who))?,
            Action::Start(who, behind) => write!(f, "{} starts with its clock {behind:?} behind", name(who))?,
            Action::Cut => write!(f, "for {OUTAGE:?} everything is lost")?,
            Action::Jam => write!(f, "for {OUTAGE:?} nothing arrives")?,
        }
        match self.power {
            Power::Stays => Ok(()),
            Power::FailsAfter(done) => write!(f, "; the power fails after {done} outputs"),
        }
    }
}
