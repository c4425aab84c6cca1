//! A turn: what a neuron does with an input, in which order.
//!
//! This is the only file that knows the order. A turn has three phases: [`Parts::begin`],
//! [`Parts::take`] for each input, and [`Parts::end`], which goes as far as the inputs allow:
//! evaluate, publish, and find the next deadline.

use super::{
    Ctx, Input, Mode,
    control::{Control, Targets},
    deadlines::{earliest, latest_statable},
    evaluation::{Committed, Evaluation, NextStep},
    inputs::{Inputs, Received},
    restart::fenced,
    subscribers::Subscribers,
};
use crate::{
    id::NeuronId,
    signal::{Signal, SignalBody},
    tag::{Tag, Time},
};

/// The parts of a neuron. Each owns its fields; what one leads to in another is returned and passed
/// on here.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(super) control: Control,
    pub(super) evaluation: Evaluation,
    pub(super) inputs: Inputs,
    pub(super) subscribers: Subscribers,
    /// When the next deadline is; `None` if there is none.
    pub(super) wake_at: Option<Time>,
    /// `false` means that no queued tag is later than what may be stated.
    pub(super) has_tags_ahead: bool,
}

impl Parts {
    /// Runs a whole turn with one input.
    // An input is large: each call that passes it on copies it.
    #[inline(always)]
    pub(super) fn handle(&mut self, input: Input, cx: &mut Ctx<'_>) {
        self.begin(cx);
        self.take(input, cx);
        self.end(cx);
    }

    /// Begins a turn.
    pub(super) fn begin(&mut self, cx: &mut Ctx<'_>) {
        if cx.common.fenced_by.is_some() {
            return;
        }
        if !cx.common.started {
            self.start(cx);
        } else if self.is_late(cx) {
            self.inputs.forgive_local_stall(cx.now);
        }
    }

    #[cold]
    fn start(&mut self, cx: &mut Ctx<'_>) {
        cx.common.started = true;
        cx.save();
        self.evaluation.begin(cx);
    }

    /// Returns whether the neuron should have been woken more than a patience ago.
    #[inline]
    pub(super) fn is_late(&self, cx: &Ctx<'_>) -> bool {
        self.wake_at.is_some_and(|due| cx.now.since(due) > cx.params().patience)
    }

    /// Takes in an input.
    #[inline(always)]
    pub(super) fn take(&mut self, input: Input, cx: &mut Ctx<'_>) {
        if let Some(known) = cx.common.fenced_by {
            if let Input::Request { from, request } = input {
                cx.reply(from, request.id, Err(fenced(known, cx)));
            }
            return;
        }
        if !input.is_frequent() {
            self.mark_all();
        }
        match input {
            Input::Signal { from, signal } => self.receive(&from, signal, cx),
            Input::Request { from, request } => {
                let (control, mut on) = self.control_and_targets();
                control.dispatch(from, request, &mut on, cx);
            }
            Input::Undelivered { to } => self.subscribers.on_undelivered(&to, cx),
            Input::Wake => {}
        }
    }

    /// Ends a turn: goes as far as all that it has brought allows.
    pub(super) fn end(&mut self, cx: &mut Ctx<'_>) {
        if cx.common.fenced_by.is_none() {
            self.run(cx);
        }
    }

    /// Lets each check look at everything once: all but the frequent signals may affect any of
    /// them.
    pub(super) fn mark_all(&mut self) {
        self.inputs.mark_all();
        self.subscribers.mark_all();
    }

    /// Receives a signal of another neuron.
    pub(super) fn receive(&mut self, from: &NeuronId, signal: Signal, cx: &mut Ctx<'_>) {
        let Signal { incarnation, mut body } = signal;
        if let SignalBody::Fenced { answered, known } = body {
            return self.receive_fenced(from, answered, known, cx);
        }
        if body.latest_tag().is_some_and(|tag| tag > latest_statable(cx.now)) && !self.accept_ahead(from, &mut body, cx)
        {
            return;
        }
        let index = self.inputs.find_sender(from, &body, cx.colocated);
        if !self.inputs.is_current(index, incarnation) && !self.check_incarnation(from, incarnation, &body, cx) {
            return;
        }
        match body {
            SignalBody::Subscribe { stream } => {
                let snapshot = self.evaluation.snapshot();
                self.subscribers.subscribe(from, stream, snapshot.as_ref(), cx);
            }
            SignalBody::Unsubscribe { stream } => self.subscribers.unsubscribe(from, stream, cx),
            SignalBody::Probe { stream, upto } => self.subscribers.probe(from, stream, upto, cx),
            SignalBody::Ack { stream, upto } => self.subscribers.acknowledge(from, stream, upto, cx),
            // These are between hosts. The incarnation of the sender has been noted.
            SignalBody::Where | SignalBody::Home { .. } => {}
            body => {
                if let Some((index, received)) = self.inputs.receive(from, index, body, cx) {
                    self.note_received(index, &received, cx);
                    if received.has_early {
                        self.receive_early(index, cx);
                    }
                }
            }
        }
    }

    #[cold]
    fn receive_early(&mut self, index: usize, cx: &mut Ctx<'_>) {
        while let Some(received) = self.inputs.receive_early(index, cx) {
            self.note_received(index, &received, cx);
            // What has waited for an earlier statement may be ahead of the clock, too.
            self.has_tags_ahead |= received.wave.is_some_and(|tag| tag > latest_statable(cx.now));
        }
    }

    /// Returns the requests, and what they act on.
    fn control_and_targets(&mut self) -> (&mut Control, Targets<'_>) {
        let Self { control, inputs, evaluation, subscribers, .. } = self;
        (control, Targets { inputs, evaluation, subscribers })
    }

    /// Passes on what a message of an input means for the other parts.
    #[inline(always)]
    fn note_received(&mut self, index: usize, received: &Received, cx: &mut Ctx<'_>) {
        if received.recovered {
            self.evaluation.note_recovered();
        }
        if let Some(tag) = received.displaced {
            self.evaluation.remove_wave(tag);
        }
        if let Some(tag) = received.wave {
            if received.is_moved {
                self.has_tags_ahead |= tag > latest_statable(cx.now);
            }
            self.evaluation.note_wave(tag, received.is_applied, cx);
        }
        if let Some(tag) = received.null_wave {
            self.evaluation.note_null_wave(tag);
        }
        if let Some(heard) = received.joined {
            let (control, mut on) = self.control_and_targets();
            control.joined(index, heard, &mut on, cx);
        }
    }

    /// Goes as far as what is known allows.
    fn run(&mut self, cx: &mut Ctx<'_>) {
        if self.control.next_expiry().is_some_and(|due| due <= cx.now) {
            self.control.expire_due(&mut self.inputs, cx);
        }
        if self.inputs.may_expire(cx.now) {
            self.expire_inputs(cx);
        }
        self.evaluation.recheck_degraded(&self.inputs, cx);
        self.evaluate(cx);
        self.publish_progress(cx);
        cx.save_owed();
        // At the end of time no deadline can come.
        self.wake_at = if cx.now < Time::MAX { self.poll_deadlines(cx) } else { None };
        #[cfg(debug_assertions)]
        {
            self.inputs.check(cx);
            self.subscribers.check(&cx.common.id);
        }
    }

    /// Marks an input down whose host is gone.
    #[cfg(any(feature = "actor", feature = "sim"))]
    pub(super) fn lose_input(&mut self, source: &NeuronId, cx: &mut Ctx<'_>) {
        if let Some(tag) = self.inputs.lose(source, cx) {
            self.note_unrenewed(tag, cx);
        }
    }

    #[inline(never)]
    fn expire_inputs(&mut self, cx: &mut Ctx<'_>) {
        for tag in self.inputs.expire_inputs(cx) {
            self.note_unrenewed(tag, cx);
        }
    }

    fn note_unrenewed(&mut self, at_least: Tag, cx: &mut Ctx<'_>) {
        self.has_tags_ahead |= at_least > latest_statable(cx.now);
        self.evaluation.note_unrenewed(at_least, cx);
    }

    /// Evaluates within a turn, if nothing else has to be waited for: if there is one input, or for
    /// an asap neuron, which evaluates each signal by itself.
    #[cfg(feature = "actor")]
    #[inline]
    pub(super) fn evaluate_early(&mut self, cx: &mut Ctx<'_>) {
        if (self.inputs.is_single() || cx.params().mode == Mode::Asap) && cx.common.fenced_by.is_none() {
            self.evaluate_outlined(cx);
        }
    }

    #[inline(never)]
    fn evaluate_outlined(&mut self, cx: &mut Ctx<'_>) {
        self.evaluate(cx);
    }

    /// Evaluates one tag after the other, as far as what is known allows, and publishes the
    /// results.
    #[inline(always)]
    fn evaluate(&mut self, cx: &mut Ctx<'_>) {
        loop {
            let mode: Mode = cx.params().mode;
            let is_bounded = self.control.has_reservations() || self.has_tags_ahead;
            let committed = match self.evaluation.next_step(&self.inputs, is_bounded, mode) {
                NextStep::Idle => break,
                NextStep::SoleWave(tag) => {
                    let Some(committed) = self.evaluation.evaluate_sole_wave(tag, &mut self.inputs, cx) else { break };
                    committed
                }
                NextStep::SoleReentry(index) => {
                    match self.evaluation.evaluate_sole_reentry(index, &mut self.inputs, cx) {
                        Some(committed) => committed,
                        None if self.evaluate_next(cx) => continue,
                        None => break,
                    }
                }
                NextStep::General if self.evaluate_next(cx) => continue,
                NextStep::General => break,
            };
            self.publish(committed, cx);
        }
    }

    /// Evaluates the first queued tag, if it can be, and publishes the result. Returns whether to
    /// go on.
    #[inline(never)]
    fn evaluate_next(&mut self, cx: &mut Ctx<'_>) -> bool {
        self.evaluation.stamp_due(&mut self.inputs, cx);
        if self.inputs.may_have_down() && self.evaluation.is_ready() {
            self.answer_without_missing(cx);
        }
        let wanted = self.wanted(cx.now);
        if let Some(wanted) = wanted {
            self.evaluation.expire_through(wanted, cx);
        }
        let floor = self.floor(cx.now);
        let Some(advance) = self.evaluation.evaluate_next(wanted, floor, &mut self.inputs, cx) else { return false };
        if !advance.ended.is_empty() {
            self.control.complete_ended(advance.ended, cx);
        }
        if let Some(committed) = advance.committed {
            self.publish(committed, cx);
        }
        true
    }

    /// If an answer is waited for that an input which is down keeps back, lets the tag be evaluated
    /// without it.
    #[cold]
    fn answer_without_missing(&mut self, cx: &Ctx<'_>) {
        let Some(known) = self.inputs.known_before_down() else { return };
        let probed = self.subscribers.probed_tags().chain(self.control.questioned_tags(cx.now));
        self.evaluation.answer_without_missing(known, probed, cx.now);
    }

    /// Returns the highest tag that is waited for.
    #[inline]
    fn wanted(&self, now: Time) -> Option<Tag> {
        let probed = self.subscribers.highest_probe();
        if self.control.has_questions() { probed.max(self.control.questioned_tags(now).max()) } else { probed }
    }

    /// Publishes an evaluated tag.
    #[inline]
    fn publish(&mut self, committed: Committed, cx: &mut Ctx<'_>) {
        if committed.is_published {
            if let Some(claim) = self.evaluation.last_claim() {
                self.subscribers.publish(claim, cx);
            }
        } else if committed.wave {
            self.subscribers.publish_wave(committed.at, cx);
        }
        if committed.has_gap {
            self.control.count_gap(cx);
        }
        if committed.has_changed && self.control.counts_changes() {
            self.control.report_change(&self.evaluation.sample_at(committed.at), cx);
        }
    }

    /// Tells what can be promised now to those that wait for it.
    fn publish_progress(&mut self, cx: &mut Ctx<'_>) {
        let is_asked = self.evaluation.has_null_waves()
            || self.control.has_questions()
            || self.subscribers.highest_probe().is_some();
        if self.evaluation.has_null_waves() && self.evaluation.has_expiries() {
            self.end_before_waves(cx);
        }
        if is_asked && let Some(promisable) = self.evaluation.promisable(&self.inputs, self.floor(cx.now)) {
            self.publish_promisable(promisable, cx);
            if self.wanted(cx.now) > Some(promisable) {
                self.answer_in_gap(cx);
            }
        }
        if self.subscribers.may_owe_reply() {
            self.subscribers.reassure(cx);
        }
    }

    /// If an answer is waited for that lies in a gap of an input, and the gap ends far ahead of the
    /// clock, evaluates that tag without the input.
    ///
    /// The tag at which the gap ends may have to wait for hours, and the answer with it.
    #[inline(never)]
    fn answer_in_gap(&mut self, cx: &mut Ctx<'_>) {
        let progress = *self.evaluation.progress();
        let Some(evaluated) = progress.evaluated() else { return };
        let soon = Tag::at(cx.now.after(cx.params().patience));
        let Some(known) = self.inputs.known_before_gap(evaluated, progress.promised(), soon) else { return };
        let probed = self.subscribers.probed_tags().chain(self.control.questioned_tags(cx.now));
        self.evaluation.answer_without_missing(known, probed, cx.now);
        self.evaluate_outlined(cx);
        if let Some(promisable) = self.evaluation.promisable(&self.inputs, self.floor(cx.now)) {
            self.publish_promisable(promisable, cx);
        }
    }

    /// Evaluates what ends before a wave that can be passed on, because that promises its tag.
    #[inline(never)]
    fn end_before_waves(&mut self, cx: &mut Ctx<'_>) {
        let Some(promisable) = self.evaluation.promisable(&self.inputs, self.floor(cx.now)) else { return };
        let wave = self.evaluation.last_null_wave(promisable);
        if wave.is_some_and(|wave| self.evaluation.expire_through(wave, cx)) {
            self.evaluate_outlined(cx);
        }
    }

    #[inline(never)]
    fn publish_promisable(&mut self, promisable: Tag, cx: &mut Ctx<'_>) {
        while let Some(wave) = self.evaluation.take_null_wave(promisable) {
            if self.subscribers.has_untold(wave) {
                self.evaluation.promise(wave, cx);
                self.subscribers.publish_wave(wave, cx);
            }
        }
        if let Some(upto) = self.subscribers.tellable(promisable) {
            self.evaluation.promise(upto, cx);
            self.subscribers.publish_promise(promisable, cx);
        }
        let (control, mut on) = self.control_and_targets();
        control.answer_questions(promisable, &mut on, cx);
    }

    /// Does what is due, and returns when to be woken.
    fn poll_deadlines(&mut self, cx: &mut Ctx<'_>) -> Option<Time> {
        let wanted = self.wanted(cx.now);
        let target = wanted.max(self.evaluation.released(cx.now));
        let mut wake = self.evaluation.poll_deadlines(&mut self.inputs, cx.now);
        wake = earliest(wake, self.control.next_deadline(cx.now));
        let is_degraded = self.evaluation.is_degraded();
        wake = earliest(wake, self.inputs.poll_deadlines(target, wanted.is_some(), is_degraded, cx));
        if self.has_tags_ahead {
            wake = earliest(wake, self.next_statable(cx.now));
        }
        wake = earliest(wake, cx.next_owed_save());
        let is_at_rest = self.evaluation.value().is_rest();
        earliest(wake, self.subscribers.poll_deadlines(is_at_rest, cx))
    }
}
