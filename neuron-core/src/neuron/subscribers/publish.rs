//! Statements and null messages to the subscribers.

use super::{Subscriber, Subscribers, Subscription};
use crate::{
    neuron::{Ctx, stream::Statement},
    record::Claim,
    signal::SignalBody,
    tag::Tag,
};

impl Subscribers {
    /// States a new value to all subscribers.
    pub(crate) fn publish(&mut self, claim: &Claim, cx: &mut Ctx<'_>) {
        for index in 0..self.list.len() {
            self.publish_to(index, claim, cx);
        }
    }

    /// States a value to one subscriber. The first statement of a stream knows nothing of what was
    /// before.
    pub(super) fn publish_to(&mut self, index: usize, claim: &Claim, cx: &mut Ctx<'_>) {
        let subscriber = &mut self.list[index];
        let (sender, slot) = match &mut subscriber.subscription {
            Subscription::Open { sender, slot, .. } => (sender, *slot),
            Subscription::Lost(timer) => {
                self.may_retransmit = true;
                return timer.extend(cx.now);
            }
        };
        let seq = sender.on_statement(claim.at);
        let stream = sender.stream();
        let known = if seq == 1 { Tag::ORIGIN } else { claim.known };
        let at = claim.at;
        if cx.may_lose() {
            self.may_retransmit = true;
            let statement = Statement { known, at, value: claim.value.clone() };
            sender.on_sent(seq, statement, cx.params().retry(), cx.now);
        }
        let body = SignalBody::Changed { stream, seq, known, at, value: claim.value.clone() };
        cx.send_to_slot(&subscriber.id, slot, body);
    }

    /// Passes on that a wave with a promised tag has reached the neuron and changed nothing, so
    /// that the subscribers need not probe.
    #[inline(never)]
    pub(crate) fn publish_wave(&mut self, wave: Tag, cx: &mut Ctx<'_>) {
        for subscriber in &mut self.list {
            if subscriber.sender().is_some_and(|sender| sender.told_through() < wave) {
                subscriber.send_null(wave, true, cx);
            }
        }
    }

    /// Returns whether a subscriber has not been told about a tag.
    pub(crate) fn has_untold(&self, tag: Tag) -> bool {
        self.list.iter().filter_map(Subscriber::sender).any(|sender| sender.told_through() < tag)
    }

    /// Returns the highest tag that subscribers which probe can be told through, if `promisable`
    /// can be promised; `None` if none can be told anything new.
    pub(crate) fn tellable(&self, promisable: Tag) -> Option<Tag> {
        self.list.iter().filter_map(|subscriber| subscriber.tellable(promisable)).max()
    }

    /// Tells the subscribers which probe what is promised.
    pub(crate) fn publish_promise(&mut self, promisable: Tag, cx: &mut Ctx<'_>) {
        for subscriber in &mut self.list {
            if let Some(upto) = subscriber.tellable(promisable) {
                subscriber.send_null(upto, false, cx);
            }
        }
    }

    /// Returns whether a subscriber may wait for an answer.
    #[inline]
    pub(crate) fn may_owe_reply(&self) -> bool {
        self.may_owe_reply
    }

    /// Repeats what was said last to those that have asked and can be told nothing new: a sign of
    /// life.
    pub(crate) fn reassure(&mut self, cx: &mut Ctx<'_>) {
        self.may_owe_reply = false;
        for subscriber in &mut self.list {
            if subscriber.sender().is_some_and(|sender| sender.owes_reply()) {
                subscriber.repeat(cx);
            }
            self.may_owe_reply |= subscriber.sender().is_some_and(|sender| sender.probe_tag().is_some());
        }
    }
}

impl Subscriber {
    /// Returns the tag through which it can be told something new that it has probed for.
    fn tellable(&self, promisable: Tag) -> Option<Tag> {
        let sender = self.sender()?;
        let probe = sender.probe_tag()?;
        let upto = probe.min(promisable);
        (upto > sender.told_through() || upto == probe).then_some(upto)
    }

    /// Says nothing that has not been said before.
    pub(super) fn repeat(&mut self, cx: &mut Ctx<'_>) {
        if let Some(told_through) = self.sender().map(|sender| sender.told_through()) {
            self.send_null(told_through, false, cx);
        }
    }

    fn send_null(&mut self, upto: Tag, wave: bool, cx: &mut Ctx<'_>) {
        let Subscription::Open { sender, slot, .. } = &mut self.subscription else { return };
        sender.on_told(upto);
        let body = SignalBody::Nothing { stream: sender.stream(), after: sender.seq(), upto, wave };
        cx.send_to_slot(&self.id, *slot, body);
    }
}
