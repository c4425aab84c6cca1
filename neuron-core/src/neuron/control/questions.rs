//! Questions about the level, the configuration and the log.

use super::{Control, Ctx, Targets};
use crate::{
    command::{Answer, ConfigView, Refusal, TransactionId},
    neuron::deadlines::is_far_ahead,
    tag::{Tag, Time},
};

/// The most questions that may wait.
const MAX_QUESTIONS: usize = 4096;

/// A question that waits until nothing new can come up to a tag.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) id: TransactionId,
    tag: Tag,
    subject: Subject,
}

/// What a question is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject {
    /// The level at the tag.
    LevelAt,
    /// The present level, with everything up to the tag.
    Level,
    /// The configuration, with everything up to the tag.
    Config,
    /// The firings, with everything up to the tag.
    Log,
    /// The present level, and all that follow: the watch with this number.
    Watch(u64),
    /// The last change, for the watch with this number.
    LastChange(u64),
}

impl Control {
    /// Answers a question, or lets it wait until everything up to `tag` is known.
    pub(super) fn ask(
        &mut self,
        id: TransactionId,
        tag: Tag,
        subject: Subject,
        on: &mut Targets<'_>,
        cx: &mut Ctx<'_>,
    ) {
        let result = if on.evaluation.is_ready() && tag <= on.evaluation.progress().promised() {
            self.answer(&id, tag, subject, on, cx)
        } else {
            let questions = &mut self.state_mut().questions;
            if questions.iter().any(|question| question.id == id) {
                return;
            }
            if is_far_ahead(tag, cx.now) {
                return cx.reply(id.controller, id.request, Err(Refusal::TooFarAhead(tag)));
            }
            if questions.len() < MAX_QUESTIONS {
                return questions.push(Question { id, tag, subject });
            }
            Err(Refusal::TooMany("waiting questions".to_owned()))
        };
        cx.reply(id.controller, id.request, result);
    }

    fn questions(&self) -> &[Question] {
        self.state.as_ref().map_or(&[], |state| &state.questions)
    }

    /// Returns whether a question waits.
    #[inline]
    pub(crate) fn has_questions(&self) -> bool {
        !self.questions().is_empty()
    }

    /// Returns the tags of the questions whose time has come. A question for a tag in the future
    /// waits until then.
    #[inline]
    pub(crate) fn questioned_tags(&self, now: Time) -> impl Iterator<Item = Tag> {
        self.questions().iter().map(|question| question.tag).filter(move |tag| tag.time() <= now)
    }

    /// Returns when the time of the next question comes.
    pub(crate) fn next_question(&self, now: Time) -> Option<Time> {
        self.questions().iter().map(|question| question.tag.time()).filter(|time| *time > now).min()
    }

    /// Answers the questions whose time has come, up to the tag that can be promised.
    pub(crate) fn answer_questions(&mut self, promisable: Tag, on: &mut Targets<'_>, cx: &mut Ctx<'_>) {
        let mut index = 0;
        while let Some(tag) = self.questions().get(index).map(|question| question.tag) {
            if tag > promisable || tag.time() > cx.now {
                index += 1;
                continue;
            }
            let Question { id, tag, subject } = self.state_mut().questions.swap_remove(index);
            on.evaluation.promise(tag, cx);
            let result = self.answer(&id, tag, subject, on, cx);
            cx.reply(id.controller, id.request, result);
        }
    }

    fn answer(
        &mut self,
        id: &TransactionId,
        tag: Tag,
        subject: Subject,
        on: &Targets<'_>,
        cx: &Ctx<'_>,
    ) -> Result<Answer, Refusal> {
        match subject {
            Subject::LevelAt => on.evaluation.answer_at(tag),
            Subject::Level => Ok(Answer::Output(on.evaluation.sample())),
            Subject::Config => Ok(Answer::Config(Box::new(on.config(cx)))),
            Subject::Log => Ok(Answer::Log(on.evaluation.firings())),
            Subject::LastChange(watch) => Ok(self.last_change(watch, on.evaluation, cx)),
            Subject::Watch(watch) => self.watch(&id.controller, watch, on.evaluation, cx),
        }
    }
}

impl Targets<'_> {
    /// Returns the configuration as it stands.
    fn config(&self, cx: &Ctx<'_>) -> ConfigView {
        let params = cx.params();
        ConfigView {
            output: self.evaluation.sample(),
            threshold: self.evaluation.threshold(),
            weights: self.inputs.weights(),
            sensors: self.evaluation.sensors(),
            inputs: self.inputs.connections(|link| link.is_active()),
            connections: self.subscribers.ids().cloned().collect(),
            hold: params.hold,
            linger: params.linger,
            mode: params.mode,
            rule: params.rule,
        }
    }
}
