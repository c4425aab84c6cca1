//! Questions about the level, the configuration and the log.

use std::time::Duration;

use super::{Control, Ctx, Targets};
use crate::{
    collections::Holders,
    command::{Answer, ConfigView, Refusal, TransactionId},
    id::ControllerId,
    neuron::deadlines::is_far_ahead,
    tag::{Tag, Time},
};

/// The most questions that may wait.
pub(super) const MAX_QUESTIONS: usize = 4096;

/// How long a question waits after its tag at the most, whatever its deadline is.
const MAX_QUESTION_WAIT: Duration = Duration::from_secs(600);

/// A question.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) id: TransactionId,
    /// It is answered with everything up to this tag.
    pub(super) tag: Tag,
    pub(super) subject: Subject,
}

/// A question that waits until nothing new can come up to its tag.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) asked: Asked,
    /// When it is refused if it has not been answered.
    expires: Time,
}

impl Question {
    /// Moves the times on: the clock was set forward by `by`.
    pub(super) fn shift(&mut self, by: Duration) {
        self.expires = self.expires.after(by);
    }
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
    /// Answers a question, or lets it wait until everything up to its tag is known, at most until
    /// the deadline.
    pub(super) fn ask(&mut self, asked: Asked, deadline: Option<Time>, on: &mut Targets<'_>, cx: &mut Ctx<'_>) {
        let Asked { id, tag, .. } = &asked;
        let result = if on.evaluation.is_ready() && *tag <= on.evaluation.progress().promised() {
            self.answer(&asked, on, cx)
        } else if self.questions().iter().any(|question| question.asked.id == *id) {
            return;
        } else if is_far_ahead(*tag, cx.now) {
            Err(Refusal::TooFarAhead(*tag))
        } else if deadline.is_some_and(|deadline| deadline < cx.now) {
            Err(Refusal::TooLate { now: cx.now })
        } else if self.make_room_for(&id.controller, cx) {
            let latest = tag.time().max(cx.now).after(MAX_QUESTION_WAIT);
            let expires = deadline.map_or(latest, |deadline| deadline.after(Duration::from_micros(1)).min(latest));
            return self.state_mut().questions.push(Question { asked, expires });
        } else {
            Err(Refusal::TooMany("waiting questions".to_owned()))
        };
        cx.reply(asked.id.controller, asked.id.request, result);
    }

    /// Returns whether there is room for another question of a controller. If there is none, the
    /// controller that has the most of them gives way: its question for the latest tag is refused.
    fn make_room_for(&mut self, controller: &ControllerId, cx: &mut Ctx<'_>) -> bool {
        if self.questions().len() < MAX_QUESTIONS {
            return true;
        }
        let holders: Holders<_> = self.questions().iter().map(|question| &question.asked.id.controller).collect();
        let Some(largest) = holders.gives_way_to(controller) else { return false };
        let of_largest = |(_, question): &(usize, &Question)| question.asked.id.controller == *largest;
        let last =
            self.questions().iter().enumerate().filter(of_largest).max_by_key(|(_, question)| question.asked.tag);
        if let Some(index) = last.map(|(index, _)| index) {
            self.refuse_question(index, Refusal::TooMany("waiting questions".to_owned()), cx);
        }
        true
    }

    fn refuse_question(&mut self, index: usize, refusal: Refusal, cx: &mut Ctx<'_>) {
        let id = self.state_mut().questions.swap_remove(index).asked.id;
        cx.reply(id.controller, id.request, Err(refusal));
    }

    /// Refuses the questions that have waited for too long.
    pub(super) fn expire_questions(&mut self, cx: &mut Ctx<'_>) {
        while let Some(index) = self.questions().iter().position(|question| question.expires <= cx.now) {
            self.refuse_question(index, Refusal::TooLate { now: cx.now }, cx);
        }
    }

    /// Returns when the first question is refused if it has not been answered; `None` if none
    /// waits.
    pub(super) fn next_question_expiry(&self) -> Option<Time> {
        self.questions().iter().map(|question| question.expires).min()
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
        self.questions().iter().map(|question| question.asked.tag).filter(move |tag| tag.time() <= now)
    }

    /// Returns when the time of the next question comes.
    pub(crate) fn next_question(&self, now: Time) -> Option<Time> {
        self.questions().iter().map(|question| question.asked.tag.time()).filter(|time| *time > now).min()
    }

    /// Answers the questions whose time has come, up to the tag that can be promised, and those for
    /// tags of the future that have been promised already.
    pub(crate) fn answer_questions(&mut self, promisable: Tag, on: &mut Targets<'_>, cx: &mut Ctx<'_>) {
        let mut index = 0;
        while let Some(tag) = self.questions().get(index).map(|question| question.asked.tag) {
            // A tag of the future may have been evaluated already: with a wave from a clock ahead.
            let is_promised = tag <= on.evaluation.progress().promised();
            if !is_promised && (tag > promisable || tag.time() > cx.now) {
                index += 1;
                continue;
            }
            let Question { asked, .. } = self.state_mut().questions.swap_remove(index);
            on.evaluation.promise(tag, cx);
            let result = self.answer(&asked, on, cx);
            cx.reply(asked.id.controller, asked.id.request, result);
        }
    }

    fn answer(&mut self, asked: &Asked, on: &Targets<'_>, cx: &Ctx<'_>) -> Result<Answer, Refusal> {
        match asked.subject {
            Subject::LevelAt => on.evaluation.answer_at(asked.tag),
            Subject::Level => Ok(Answer::Output(on.evaluation.sample())),
            Subject::Config => Ok(Answer::Config(Box::new(on.config(cx)))),
            Subject::Log => Ok(Answer::Log(on.evaluation.firings())),
            Subject::LastChange(watch) => Ok(self.last_change(watch, on.evaluation, cx)),
            Subject::Watch(watch) => self.watch(&asked.id.controller, watch, on.evaluation, cx),
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
