//! Probes: asking the inputs that keep the neuron from a tag.
//!
//! Why: docs/decisions/0022-probes-wait-for-the-local-queue.md

use std::time::Duration;

use super::{AnswerTime, Inputs, liveness::LAST_PATIENCE};
use crate::{
    neuron::{Ctx, deadlines::earliest},
    signal::SignalBody,
    tag::{Tag, Time},
    transport::Pace,
};

/// When a silent source is probed.
#[derive(Clone, Debug, Default)]
pub(super) struct ProbeTimer {
    /// Since when the source is waited for without having told anything new; `None` while it is
    /// not.
    since: Option<Time>,
    /// The highest tag that it has been probed for.
    probed: Tag,
    /// When it was probed last.
    sent: Time,
    /// When it is probed again.
    again: Time,
    /// The present pause, as a multiple of the first one; 1 means that it has been probed once for
    /// this tag.
    pauses: u8,
}

/// Why not to leave the sources time to speak by themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Urgency {
    /// There is no reason.
    None,
    /// A subscriber or a controller waits for the answer.
    Asked,
    /// So many statements of other inputs are pending that there will soon be no room for more.
    Crowded,
}

/// What [`ProbeTimer::step`] wants done.
struct ProbeAction {
    /// Whether to send a probe now.
    probes: bool,
    /// When to come back.
    again: Time,
}

/// When inputs are probed.
#[derive(Clone, Copy, Debug)]
struct ProbePace {
    /// How long an input may be silent before it is probed, and how long an answer takes at most,
    /// as the transport says.
    transport: Pace,
    answer_time: AnswerTime,
    /// How many inputs there are.
    inputs: usize,
}

impl ProbePace {
    /// Returns the pause before the next probe, after so many multiples of the first pause.
    fn pause(self, pauses: u8, colocated: bool) -> Duration {
        let retry = self.transport.retry;
        if colocated {
            return retry * COLOCATED_PAUSES.into();
        }
        let longest = retry * LONGEST_PAUSES;
        (self.answer_time.pause(retry, self.inputs, longest) * pauses.into()).min(longest)
    }
}

/// A round of probes to all inputs that keep the neuron from a tag.
///
/// An input that answers needs no further one; the others wait for `again`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProbeRound {
    target: Option<Tag>,
    is_urgent: bool,
    again: Option<Time>,
}

/// A colocated source is probed as soon as time advances: the host lets time stand still while
/// local signals are queued.
const NEXT_INSTANT: Duration = Duration::from_micros(1);
/// The pause before a colocated source is probed again, as a multiple of the time for an answer. It
/// is only needed if the probe was shed because an inbox was full.
const COLOCATED_PAUSES: u8 = 40;
/// The longest pause before a source on another host is probed again, as a multiple of the time for
/// an answer. Each probe brings a sign of life at least, without which the source would be marked
/// down after a patience.
const LONGEST_PAUSES: u32 = 4;

impl ProbeTimer {
    /// Returns since when the source is waited for; `None` if it is not.
    pub(super) fn awaited_since(&self) -> Option<Time> {
        self.since
    }

    /// Returns the highest tag that it has been probed for.
    pub(super) fn probed_through(&self) -> Tag {
        self.probed
    }

    /// Begins to wait, or goes on. Returns whether it begins.
    fn begin(&mut self, now: Time) -> bool {
        let begins = self.since.is_none();
        self.since.get_or_insert(now);
        begins
    }

    /// Ends the waiting.
    pub(super) fn stop(&mut self) {
        self.since = None;
    }

    /// Lets the waiting, if there is any, begin anew: the source could not have answered meanwhile.
    pub(super) fn restart(&mut self, now: Time) {
        self.since = self.since.map(|_| now);
    }

    /// Lets the waiting go on as before, although the clock was set forward by `by`.
    pub(super) fn shift(&mut self, by: Duration) {
        self.since = self.since.map(|since| since.after(by));
        self.sent = self.sent.after(by);
        self.again = self.again.after(by);
    }

    /// Returns how long the answer took that is known through a tag now; `None` if it answers no
    /// probe, or one that was repeated.
    fn answered_after(&self, through: Tag, now: Time) -> Option<Duration> {
        (self.since.is_some() && self.pauses == 1 && self.probed <= through).then(|| now.since(self.sent))
    }

    fn step(&mut self, target: Tag, urgency: Urgency, colocated: bool, now: Time, pace: ProbePace) -> ProbeAction {
        let since = *self.since.get_or_insert(now);
        let is_first = self.probed < target;
        let due = match urgency {
            _ if !is_first => self.again,
            Urgency::None => since.after(pace.transport.grace),
            Urgency::Asked if colocated => since.after(NEXT_INSTANT),
            Urgency::Asked | Urgency::Crowded => now,
        };
        if due > now {
            return ProbeAction { probes: false, again: due };
        }
        self.pauses = match is_first {
            _ if colocated => COLOCATED_PAUSES,
            true => 1,
            false => self.pauses.saturating_mul(2),
        };
        self.probed = target;
        self.sent = now;
        self.again = now.after(pace.pause(self.pauses, colocated));
        ProbeAction { probes: true, again: self.again }
    }
}

impl Inputs {
    /// Probes the inputs that are not known as far as `target` needs them, unless it is too early.
    ///
    /// Returns when to come back. It remembers the last round: with a thousand inputs, each of them
    /// brings a message, and must not cost a look at all others.
    #[inline(never)]
    pub(super) fn probe_due(&mut self, target: Option<Tag>, is_urgent: bool, cx: &mut Ctx<'_>) -> Option<Time> {
        if let Some(round) = self.probe_round
            && round.target == target
            && round.is_urgent == is_urgent
            && round.again.is_none_or(|again| again > cx.now)
        {
            return round.again;
        }
        let again = self.probe_all(target, is_urgent, cx);
        // Inputs that have not answered the subscription are probed as soon as they have.
        self.probe_round = (!self.may_need_subscribing).then_some(ProbeRound { target, is_urgent, again });
        again
    }

    /// Notes that an input is known through a tag: it is not waited for any more. Takes the time if
    /// that answers a probe.
    #[inline]
    pub(super) fn note_answer(&mut self, index: usize, through: Tag, now: Time) {
        let link = &mut self.links[index];
        if let Some(extras) = &link.extras {
            if let Some(took) = extras.probe.answered_after(through, now) {
                self.answer_time.note(took);
            }
            link.stop_awaiting();
        }
    }

    fn probe_all(&mut self, target: Option<Tag>, is_urgent: bool, cx: &mut Ctx<'_>) -> Option<Time> {
        let transport = cx.params().guarantees.pace;
        let pace = ProbePace { transport, answer_time: self.answer_time, inputs: self.links.len() };
        let patience = cx.params().patience;
        let mut wake = None;
        self.may_await = false;
        let urgency = match is_urgent {
            _ if self.links.iter().any(|link| link.history.is_crowded()) => Urgency::Crowded,
            true => Urgency::Asked,
            false => Urgency::None,
        };
        for index in 0..self.links.len() {
            let link = &mut self.links[index];
            let needed = target.and_then(|target| link.needed_for(target));
            let Some(needed) = needed.filter(|needed| *needed > link.history.complete_through && !link.is_down) else {
                link.stop_awaiting();
                continue;
            };
            self.may_await = true;
            let colocated = link.colocated;
            let is_subscribed = link.receiver.is_subscribed();
            let probe = &mut link.extras_mut().probe;
            if probe.begin(cx.now) {
                let patiences = if colocated { LAST_PATIENCE } else { 1 };
                self.next_lapse = earliest(self.next_lapse, Some(cx.now.after(patience * patiences)));
            }
            if !is_subscribed {
                // The first statement is on its way, or the subscription is repeated.
                continue;
            }
            let action = probe.step(needed, urgency, colocated, cx.now, pace);
            if action.probes {
                let body = SignalBody::Probe { stream: link.receiver.stream(), upto: needed };
                let to = link.id.clone();
                cx.rare_counters().probes += 1;
                cx.send(to, body);
            }
            wake = earliest(wake, Some(action.again));
        }
        wake
    }

    /// Notes that an input has been heard: if it still is not known as far as the last round of
    /// probes needs it, the next round looks at it anew.
    #[inline]
    pub(super) fn update_probe_round(&mut self, index: usize) {
        let Some(target) = self.probe_round.and_then(|round| round.target) else { return };
        let Some(link) = self.links.get(index) else { return };
        if link.needed_for(target).is_some_and(|needed| link.history.complete_through < needed) {
            self.probe_round = None;
        }
    }
}
