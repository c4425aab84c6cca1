//! Keeping alive what was stated: retransmission, renewal and calls.

use std::time::Duration;

use super::{ResubscribeTimer, Subscriber, Subscribers, Subscription};
use crate::{
    neuron::{
        Ctx,
        deadlines::earliest,
        stream::{Retransmit, Sender, Statement},
    },
    signal::SignalBody,
    tag::{Tag, Time},
};

/// The shortest time between two renewals, whatever the lease: what a timer can do.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);
/// A level is renewed so often within a lease: two renewals may be lost.
const RENEWALS_PER_LEASE: u32 = 3;

impl Subscribers {
    /// Does what is due. Returns the next deadline; `None` if there is none.
    ///
    /// `is_at_rest` means that the present value is the one that every neuron starts from, which
    /// need not be renewed.
    #[inline]
    pub(crate) fn poll_deadlines(&mut self, is_at_rest: bool, cx: &mut Ctx<'_>) -> Option<Time> {
        let retransmit = if self.may_retransmit { self.retransmit_due(cx) } else { None };
        if is_at_rest || !self.may_renew {
            self.renew_at = None;
            return retransmit;
        }
        earliest(retransmit, self.renew_due(cx))
    }

    /// Tells subscribers on other hosts at once what is known up to now, because the clock was set
    /// forward: they may have given the neuron up while it did not believe the tags that they asked
    /// for.
    #[cold]
    pub(crate) fn shift(&mut self, now: Time) {
        for subscriber in &mut self.list {
            let is_remote = subscriber.is_remote();
            match &mut subscriber.subscription {
                Subscription::Open { sender, .. } => sender.on_clock_step(is_remote, Tag::at(now)),
                Subscription::Lost(timer) => *timer = ResubscribeTimer::new(timer.dead, now),
            }
        }
        self.renew_at = None;
        self.mark_all();
    }

    /// Renews the present level to remote subscribers that have been told nothing else for a while.
    #[inline(never)]
    fn renew_due(&mut self, cx: &mut Ctx<'_>) -> Option<Time> {
        self.may_renew = self.list.iter().any(Subscriber::is_remote);
        if !self.may_renew {
            self.renew_at = None;
            return None;
        }
        let interval = (cx.params().lease / RENEWALS_PER_LEASE).max(SHORTEST_INTERVAL);
        let mut at = *self.renew_at.get_or_insert_with(|| cx.now.after(interval));
        if at <= cx.now {
            for subscriber in &mut self.list {
                let is_remote = subscriber.is_remote();
                if is_remote && subscriber.sender().is_some_and(Sender::is_idle) {
                    subscriber.repeat(cx);
                }
                if let Some(sender) = subscriber.sender_mut() {
                    sender.on_renewal();
                }
            }
            at = cx.now.after(interval);
        }
        self.renew_at = Some(at);
        Some(at)
    }

    /// Retransmits what was not acknowledged, and calls those that have to subscribe again.
    #[inline(never)]
    fn retransmit_due(&mut self, cx: &mut Ctx<'_>) -> Option<Time> {
        let retry = cx.params().retry();
        let mut next = None;
        for index in 0..self.list.len() {
            let mut due = None;
            if let Some(sender) = self.list[index].sender_mut() {
                match sender.poll_retransmit(retry, cx.now) {
                    Retransmit::At(at) => due = at,
                    Retransmit::Now { statements, again } => {
                        due = Some(again);
                        self.list[index].retransmit(statements, cx);
                    }
                    Retransmit::GiveUp => self.give_up(index, cx),
                }
            }
            let subscriber = &mut self.list[index];
            if let Subscription::Lost(timer) = &mut subscriber.subscription {
                let call = timer.poll(retry, cx.now);
                due = timer.due();
                if let Some(body) = call {
                    cx.send(subscriber.id.clone(), body);
                }
            }
            next = earliest(next, due);
        }
        self.may_retransmit = next.is_some();
        next
    }
}

impl Subscriber {
    fn retransmit(&self, statements: Vec<(u64, Statement)>, cx: &mut Ctx<'_>) {
        let Some(stream) = self.stream() else { return };
        for (seq, Statement { known, at, value }) in statements {
            cx.rare_counters().resent += 1;
            cx.send(self.id.clone(), SignalBody::Changed { stream, seq, known, at, value });
        }
    }
}
