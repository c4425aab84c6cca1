//! What a controller knows of one neuron of a network that it watches.

use std::time::Duration;

use super::super::link::WatchLink;
use crate::{
    id::{HostId, NeuronId},
    tag::Time,
};

/// How long the answer to a question is waited for before others are asked in its place; also the
/// first pause before the neuron is asked again.
const ANSWER_TIME: Duration = Duration::from_millis(500);

/// The longest pause before a neuron is asked again that has been heard.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The same for a neuron that has never been heard: it may not run anywhere.
const LONGEST_PAUSE_UNHEARD: Duration = Duration::from_secs(8);

/// Where a neuron runs.
///
/// Only the neurons of one host can know its life: see [`Answer::Host`](crate::command::Answer).
/// So a host that lies does not come to speak for the neurons of another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Home {
    pub(crate) host: HostId,
    /// The life in which the host counts changes: another one after each start.
    pub(crate) life: u64,
}

/// A neuron of the network.
#[derive(Debug)]
pub(super) struct NeuronLink {
    pub(super) link: WatchLink,
    /// Where it has said that it runs; `None` while it has to be asked.
    pub(super) home: Option<Home>,
    /// When it has said so.
    pub(super) since: Time,
    /// Its host says whether it has changed, and it has not.
    pub(super) is_covered: bool,
    pub(super) question: Question,
    /// The number of the last question to the neuron; 0 before the first.
    pub(super) request: u64,
    pause: Duration,
    /// When it is to be looked at; `None` if it is covered.
    pub(super) wake: Option<Time>,
}

/// What the neuron itself is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Nothing.
    Nothing,
    /// It is to be asked at this time.
    Due(Time),
    /// It is asked when fewer others are.
    Waits,
    /// It has been asked. Its answer is waited for until a time, and it is asked again at another.
    Asked { until: Time, again: Time },
}

impl NeuronLink {
    /// Returns the link to a neuron of which nothing is known.
    pub(super) fn new(neuron: NeuronId, patience: Duration, now: Time) -> Self {
        Self {
            link: WatchLink::of_network(neuron, patience, now),
            home: None,
            since: now,
            is_covered: false,
            question: Question::Due(now),
            request: 0,
            pause: ANSWER_TIME,
            wake: None,
        }
    }

    /// Returns when the neuron is to be looked at.
    pub(super) fn next_wake(&self) -> Option<Time> {
        if self.is_covered {
            return None;
        }
        let question = match self.question {
            Question::Due(at) => Some(at),
            Question::Asked { until, .. } => Some(until),
            Question::Nothing | Question::Waits => None,
        };
        // One that could not be asked yet could not answer.
        let silent = self.link.silent_at().filter(|_| self.request > 0);
        question.into_iter().chain(silent).min()
    }

    /// Lets the neuron be asked at this time, unless it is asked before. If it has been asked, that
    /// is waited for first.
    pub(super) fn ask_at(&mut self, at: Time) {
        self.question = match self.question {
            Question::Nothing => Question::Due(at),
            Question::Due(before) => Question::Due(before.min(at)),
            Question::Waits => Question::Waits,
            Question::Asked { until, again } => Question::Asked { until, again: again.min(at.max(until)) },
        };
    }

    /// Lets the neuron be asked as soon as few others are, and returns whether it did not wait for
    /// that, or for an answer, already.
    pub(super) fn wait_to_be_asked(&mut self) -> bool {
        match self.question {
            Question::Nothing | Question::Due(_) => {
                self.question = Question::Waits;
                true
            }
            Question::Waits => false,
            Question::Asked { until, .. } => {
                self.question = Question::Asked { until, again: until };
                false
            }
        }
    }

    /// Lets the neuron be asked again after the pause.
    pub(super) fn ask_later(&mut self, now: Time) {
        self.ask_at(now.after(self.pause));
    }

    /// Notes that the neuron is asked with the request of this number.
    pub(super) fn on_asked(&mut self, request: u64, now: Time) {
        if std::mem::replace(&mut self.request, request) == 0 {
            self.link.note_heard(now);
        }
        self.question = Question::Asked { until: now.after(ANSWER_TIME), again: now.after(self.pause) };
        let longest = if self.link.has_begun() { LONGEST_PAUSE } else { LONGEST_PAUSE_UNHEARD };
        self.pause = (self.pause * 2).min(longest);
    }

    /// Lets the next pause be short: the neuron has answered, or has something to answer.
    pub(super) fn reset_pause(&mut self) {
        self.pause = ANSWER_TIME;
    }

    /// Ends the question, and returns whether its answer was waited for.
    pub(super) fn end_question(&mut self) -> bool {
        let question = std::mem::replace(&mut self.question, Question::Nothing);
        matches!(question, Question::Asked { .. })
    }
}
