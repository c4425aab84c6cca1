//! Requests: each is carried out once and answered.

use super::{
    Control, Ctx, Evaluation, Targets,
    carried_out::Repeated,
    questions::{Asked, Subject},
    transaction::Prepared,
};
use crate::{
    command::{Answer, Command, ConfigChange, Refusal, Request, Stamp, TransactionId},
    config::is_finite,
    id::ControllerId,
    record::Event,
    tag::{Tag, Time},
};

/// What a command leads to; `None` if the answer has to wait.
pub(super) type DispatchResult = Option<Result<Answer, Refusal>>;

impl Control {
    /// Carries out a request.
    pub(crate) fn dispatch(&mut self, from: ControllerId, request: Request, on: &mut Targets<'_>, cx: &mut Ctx<'_>) {
        let Request { id: number, deadline, command } = request;
        let id = TransactionId { controller: from, request: number };
        let carried_out = self.state.as_ref().and_then(|state| state.carried_out.get(&id.controller, number));
        if let Some(repeated) = carried_out {
            cx.rare_counters().duplicates += 1;
            if let Repeated::Answered(result) = repeated {
                let result = result.clone();
                cx.repeat_reply(id.controller, number, result);
            }
            return;
        }
        let (tag, subject) = match command {
            Command::OutputAt { tag } => (tag, Subject::LevelAt),
            Command::Output { after } => (after, Subject::Level),
            Command::Config { after } => (after, Subject::Config),
            Command::Log { after } => (after, Subject::Log),
            Command::Watch { watch } => (Tag::ORIGIN, Subject::Watch(watch)),
            Command::LastChange { watch } => (Tag::ORIGIN, Subject::LastChange(watch)),
            Command::Counters => {
                let counters = Box::new(cx.common.counters.read());
                return cx.reply(id.controller, number, Ok(Answer::Counters(counters)));
            }
            // A host answers before its neuron sees the question.
            Command::Host | Command::WatchHost { .. } | Command::Admit { .. } => {
                return cx.reply(id.controller, number, Ok(Answer::Done));
            }
            command if command.has_deadline() && deadline.is_some_and(|deadline| deadline < cx.now) => {
                return cx.reply(id.controller, number, Err(Refusal::TooLate { now: cx.now }));
            }
            command => return self.change(&id, command, deadline, on, cx),
        };
        self.ask(Asked { id, tag, subject }, deadline, on, cx);
    }

    /// Carries out a command that changes something, and remembers that it has.
    fn change(
        &mut self,
        id: &TransactionId,
        command: Command,
        deadline: Option<Time>,
        on: &mut Targets<'_>,
        cx: &mut Ctx<'_>,
    ) {
        let is_configuring = match &command {
            Command::Configure(_) => true,
            Command::Commit { ticket, .. } => self.holds_changes(&TransactionId { request: *ticket, ..id.clone() }),
            _ => false,
        };
        self.state_mut().carried_out.begin(id.clone(), is_configuring);
        let outcome = match command {
            Command::Stimulate { stimulus, at, within } => Some(on.stimulate(stimulus, at, within, cx)),
            Command::Train { levels } => Some(on.train(&levels, cx)),
            Command::Reserve => Some(self.reserve(id, on.evaluation, cx)),
            Command::Prepare { changes, stimuli } => self.prepare(id, Prepared { changes, stimuli }, on, cx),
            Command::Release { ticket } => {
                self.release(&TransactionId { request: ticket, ..id.clone() }, on.inputs, cx);
                Some(Ok(Answer::Done))
            }
            Command::Commit { ticket, at, stimuli } => {
                Some(self.commit(&TransactionId { request: ticket, ..id.clone() }, at, stimuli, on, cx))
            }
            Command::Configure(ConfigChange::Connect { source, delay }) => {
                self.connect(id, source, delay, deadline, on, cx)
            }
            Command::Configure(ConfigChange::Disconnect { source }) => self.disconnect(id, source, on, cx),
            Command::Configure(change) => Some(on.configure(change, cx)),
            Command::Unwatch { watch } => {
                self.unwatch(&id.controller, watch);
                Some(Ok(Answer::Done))
            }
            Command::EmptyLog => {
                on.evaluation.hide_firings();
                Some(Ok(Answer::Done))
            }
            Command::Output { .. }
            | Command::OutputAt { .. }
            | Command::Config { .. }
            | Command::Log { .. }
            | Command::Watch { .. }
            | Command::LastChange { .. }
            | Command::WatchHost { .. }
            | Command::Admit { .. }
            | Command::Counters
            | Command::Host => unreachable!("questions are answered before"),
        };
        if let Some(result) = outcome {
            self.complete(id, result, cx);
        }
    }
}

impl Targets<'_> {
    /// Changes a weight or the threshold.
    fn configure(&mut self, change: ConfigChange, cx: &mut Ctx<'_>) -> Result<Answer, Refusal> {
        check_numbers(&change)?;
        check_room(self.evaluation, 1)?;
        let tag = self.evaluation.next_stamp(Tag::at(cx.now), cx.now).ok_or(Refusal::TimeExhausted)?;
        self.evaluation.own_event(tag, Event::Configured(change), cx.now, cx);
        Ok(Answer::Stamped(Stamp { tag, moved: false }))
    }
}

/// Checks that so many further own events may wait for their tag.
pub(super) fn check_room(evaluation: &Evaluation, events: usize) -> Result<(), Refusal> {
    if !evaluation.has_room_for(events) {
        return Err(Refusal::TooMany("events that wait for their tag".to_owned()));
    }
    Ok(())
}

/// Checks that the numbers of a change are finite.
pub(super) fn check_numbers(change: &ConfigChange) -> Result<(), Refusal> {
    match change {
        ConfigChange::SetWeight { source, weight } if !is_finite(*weight) => {
            Err(Refusal::NotFinite(format!("weight {weight} of {source}")))
        }
        ConfigChange::SetThreshold { threshold } if !is_finite(*threshold) => {
            Err(Refusal::NotFinite(format!("threshold {threshold}")))
        }
        _ => Ok(()),
    }
}
