//! What can happen to the two neurons.

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

/// How far a clock may be behind after a restart: further than a neuron speaks without writing to its disk.
const BEHIND: Duration = Duration::from_secs(3);
/// Longer than a lease and a patience together, and than a statement is sent again.
const OUTAGE: Duration = Duration::from_secs(5);

/// Something that can happen.
#[derive(Clone)]
pub(crate) enum Action {
    /// A message arrives, whichever was sent first.
    Arrive(Message),
    /// A message is lost.
    Lose(Message),
    /// A message is lost, and its sender is told.
    Return(Message),
    /// A message will arrive twice.
    Double(Message),
    /// Time passes until a neuron wants to be woken.
    Wake(usize),
    /// `a` is stimulated.
    Stimulate(f64),
    /// `b` is asked for its level at the present time.
    Ask,
    /// A neuron crashes.
    Crash(usize),
    /// A neuron starts, or comes back, with a clock that is this far behind.
    Start(usize, Duration),
    /// For a while everything is lost.
    Cut,
    /// For a while nothing arrives, but it is not lost.
    Jam,
}

/// Something happens, and perhaps the power fails before a neuron has done everything that follows from it.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) action: Action,
    pub(crate) power: Power,
}

impl Step {
    /// Something happens, and what follows from it is done.
    pub(crate) fn complete(action: Action) -> Self {
        Self { action, power: Power::Stays }
    }

    /// The same, but the power fails when this many outputs have been carried out.
    pub(crate) fn interrupted(&self, after: usize) -> Self {
        Self { action: self.action.clone(), power: Power::FailsAfter(after) }
    }
}

impl World {
    /// Everything that can happen next.
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
            if self.left.doubles > 0 {
                actions.push(Action::Double(message.clone()));
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
        if self.left.questions > 0 && self.nodes[B].is_up() {
            actions.push(Action::Ask);
        }
        if self.left.outages > 0 {
            actions.extend([Action::Cut, Action::Jam]);
        }
        actions
    }

    /// Whether the power may fail.
    pub(crate) fn may_crash(&self) -> bool {
        self.left.crashes > 0
    }

    /// The world after a step, and how many outputs of a neuron were carried out in it.
    pub(crate) fn after(&self, step: &Step) -> (Self, usize) {
        let mut world = self.clone();
        let done = match world.act(&step.action) {
            Some(who) => world.carry_out(who, step.power),
            None => 0,
        };
        world.left.crashes -= u8::from(step.power != Power::Stays);
        world.compare(self);
        (world, done)
    }

    /// Something happens. Tells whose outputs are to be carried out now, if anybody's.
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
            Action::Double(message) => {
                self.left.doubles -= 1;
                self.under_way.push(message.clone());
                None
            }
            Action::Wake(who) => {
                self.wake(*who);
                Some(*who)
            }
            Action::Stimulate(level) => {
                self.left.stimuli -= 1;
                let stimulus = Stimulus { sensor: None, level: *level, hold: None };
                let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
                self.request(A, self.left.stimuli, command);
                Some(A)
            }
            Action::Ask => {
                self.left.questions -= 1;
                self.ask(self.left.questions);
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
    pub(crate) fn ask(&mut self, id: u8) {
        let tag = Tag::at(self.nodes[B].shows(self.now));
        self.node(B).asked();
        self.request(B, id, Command::OutputAt { tag });
    }

    /// What is left of a budget is a number that no other request to the same neuron has.
    fn request(&mut self, to: usize, left: u8, command: Command) {
        let from = "me".parse().expect("it is a name");
        self.give(to, Input::Request { from, request: Request { id: left.into(), command } });
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |who: &usize| ["a", "b"][*who];
        match &self.action {
            Action::Arrive(message) => write!(f, "{message} arrives")?,
            Action::Lose(message) => write!(f, "{message} is lost")?,
            Action::Return(message) => write!(f, "{message} is lost, and its sender is told")?,
            Action::Double(message) => write!(f, "{message} is doubled")?,
            Action::Wake(who) => write!(f, "{} is woken", name(who))?,
            Action::Stimulate(level) => write!(f, "a is stimulated with {level}")?,
            Action::Ask => write!(f, "b is asked for its level at the present time")?,
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
