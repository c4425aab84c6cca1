//! Questions about the output and the configuration, and watches.

use super::{Control, Ctx, Targets, dispatch::DispatchResult};
use crate::{
    command::{Answer, ConfigView, Refusal, Report, Sample, TransactionId},
    neuron::{Output, evaluation::Evaluation},
    tag::{Tag, Time},
};

/// The most questions for a tag that may wait.
const MAX_QUESTIONS: usize = 4096;
/// The most watches on one neuron.
const MAX_WATCHERS: usize = 256;

/// A controller that waits for the level at a tag.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) id: TransactionId,
    tag: Tag,
}

/// A controller that is told each change of the level.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    id: TransactionId,
    /// The number of the last change.
    reported: u64,
}

impl Control {
    /// Returns the level at `tag`; `None` if the answer has to wait.
    pub(super) fn output_at(&mut self, id: &TransactionId, tag: Tag, evaluation: &Evaluation) -> DispatchResult {
        if evaluation.is_ready() && tag <= evaluation.progress().promised() {
            return Some(evaluation.answer_at(tag));
        }
        let questions = &mut self.state_mut().questions;
        if questions.len() == MAX_QUESTIONS {
            return Some(Err(Refusal::TooMany("waiting questions".to_owned())));
        }
        questions.push(Question { id: id.clone(), tag });
        None
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
    pub(crate) fn answer_questions(&mut self, promisable: Tag, evaluation: &mut Evaluation, cx: &mut Ctx<'_>) {
        let Some(state) = &mut self.state else { return };
        let mut index = 0;
        while let Some(tag) = state.questions.get(index).map(|question| question.tag) {
            if tag > promisable || tag.time() > cx.now {
                index += 1;
                continue;
            }
            let question = state.questions.swap_remove(index);
            evaluation.promise(tag, cx);
            cx.reply(question.id.controller, question.id.request, evaluation.answer_at(tag));
        }
    }

    pub(super) fn watch(&mut self, id: &TransactionId, evaluation: &Evaluation) -> Result<Answer, Refusal> {
        let watchers = &mut self.state_mut().watchers;
        if watchers.len() == MAX_WATCHERS {
            return Err(Refusal::TooMany("watches".to_owned()));
        }
        watchers.push(Watcher { id: id.clone(), reported: 0 });
        Ok(Answer::Output(evaluation.sample()))
    }

    pub(super) fn unwatch(&mut self, id: &TransactionId, watch: u64) {
        let is_ended = |watcher: &Watcher| watcher.id.request == watch && watcher.id.controller == id.controller;
        self.state_mut().watchers.retain(|watcher| !is_ended(watcher));
    }

    /// Returns whether the level is watched.
    #[inline]
    pub(crate) fn has_watchers(&self) -> bool {
        self.state.as_ref().is_some_and(|state| !state.watchers.is_empty())
    }

    /// Notes that nothing is known of a stretch of tags. A watcher may have missed a change there,
    /// which the number of the next one tells.
    #[cold]
    pub(crate) fn count_gap(&mut self) {
        for watcher in self.state.iter_mut().flat_map(|state| &mut state.watchers) {
            watcher.reported += 1;
        }
    }

    /// Reports a change of the level to the watchers.
    #[inline(never)]
    pub(crate) fn report_change(&mut self, sample: &Sample, cx: &mut Ctx<'_>) {
        for watcher in self.state.iter_mut().flat_map(|state| &mut state.watchers) {
            watcher.reported += 1;
            let watch = watcher.id.request;
            let report = Report::Changed { watch, number: watcher.reported, sample: sample.clone() };
            cx.out.push(Output::Report { to: watcher.id.controller.clone(), report });
        }
    }
}

impl Targets<'_> {
    /// Returns the configuration as it stands.
    pub(super) fn config(&self, cx: &Ctx<'_>) -> ConfigView {
        let params = cx.params();
        ConfigView {
            output: self.evaluation.sample(),
            threshold: self.evaluation.threshold(),
            weights: self.inputs.weights(),
            sensors: self.evaluation.sensors().map(|(sensor, weight)| (sensor.clone(), weight)).collect(),
            inputs: self.inputs.connections(|link| link.is_active()),
            connections: self.subscribers.ids().cloned().collect(),
            hold: params.hold,
            linger: params.linger,
            mode: params.mode,
            rule: params.rule,
        }
    }
}
