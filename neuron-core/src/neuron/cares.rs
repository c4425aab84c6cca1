//! What a neuron may have to look after besides the next tag.
//!
//! Most messages change a level and nothing else. Looking through all inputs and subscribers each time, for questions to ask and
//! dates to keep, would cost more than the level itself.

#[cfg(debug_assertions)]
use super::{Neuron, input::Link, subscriber::Line};
use crate::tag::{Tag, Time};

/// Each says "perhaps": it is set wherever it may have become so, and taken back where a look has shown that it is not.
///
/// What other neurons usually say, a level, a promise, an acknowledgement, sets what it affects. Everything else sets all of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cares {
    /// A subscriber waits for an answer.
    pub(crate) asked: bool,
    /// A subscriber has not acknowledged something, or has to subscribe again.
    pub(crate) insists: bool,
    /// An input has to be called, because it has not answered the subscription.
    pub(crate) calls: bool,
    /// An input is down.
    pub(crate) silent: bool,
    /// An input is waited for.
    pub(crate) waits: bool,
    /// A level is on its way over an edge that nobody waits for.
    pub(crate) returns: bool,
    /// How many inputs have stated what must be renewed; nothing if they have to be counted.
    pub(crate) active: Option<u32>,
    /// A subscriber is to have levels renewed that last.
    pub(crate) renews: bool,
    /// No input is given up before this.
    pub(crate) gives_up: Option<Time>,
    /// How the inputs that are waited for have been asked; nothing if that has to be looked at.
    pub(crate) inquiry: Option<Inquiry>,
}

/// All inputs have been asked that keep the neuron from a tag. Whoever answers needs no more; the others wait for `again`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inquiry {
    pub(crate) target: Option<Tag>,
    pub(crate) urgent: bool,
    pub(crate) again: Option<Time>,
}

impl Cares {
    /// It all has to be looked at.
    pub(crate) const EVERYTHING: Self = Self {
        asked: true,
        insists: true,
        calls: true,
        silent: true,
        waits: true,
        returns: true,
        active: None,
        renews: true,
        gives_up: Some(Time::ZERO),
        inquiry: None,
    };

    /// An input may have to be given up at this time.
    pub(crate) fn may_give_up_at(&mut self, at: Time) {
        self.gives_up = earliest(self.gives_up, Some(at));
    }

    /// An input that was active, or was not, is it now, or is not. It is given up at a time then, if it is not heard; if there is one.
    pub(crate) fn activity(&mut self, was: bool, is: bool, lapses: Option<Time>) {
        if let Some(active) = &mut self.active {
            *active = *active + u32::from(is) - u32::from(was);
        }
        if is && !was {
            self.gives_up = earliest(self.gives_up, lapses);
        }
    }
}

/// The earlier of two times, where none is later than any.
pub(crate) fn earliest(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, None) => one,
        (None, other) => other,
    }
}

#[cfg(debug_assertions)]
impl Neuron {
    /// Nothing that has to be looked after is overlooked.
    pub(super) fn check_cares(&self) {
        let cares = &self.cares;
        let links = || self.sources.iter().filter_map(|source| source.link.as_ref());
        let any = |what: &dyn Fn(&Link) -> bool| links().any(what);
        let senders = || self.subscribers.iter().filter_map(|subscriber| subscriber.sender());
        let id = &self.id;
        assert!(cares.asked || !senders().any(|sender| sender.want.is_some() || sender.owes), "{id}: asked");
        assert!(cares.insists || !senders().any(|sender| sender.is_unacknowledged()), "{id}: insists");
        let calling = |line: &Line| matches!(line, Line::Broken(calling) if calling.due().is_some());
        assert!(
            cares.insists || !self.subscribers.iter().any(|subscriber| calling(&subscriber.line)),
            "{id}: calls back"
        );
        assert!(cares.calls || !any(&|link| link.receiver.applied == 0), "{id}: calls");
        let owes = self.settings.carrier.may_lose() && any(&|link| link.receiver.owes() > 0);
        assert!(!owes || self.acknowledges_at.is_some(), "{id}: acknowledges");
        assert!(cares.silent || !any(&|link| link.down), "{id}: silent");
        assert!(cares.waits || !any(&|link| link.waited_for_since().is_some()), "{id}: waits");
        assert!(cares.returns || !any(&|link| link.returning().is_some()), "{id}: returns");
        assert!(cares.renews || !senders().any(|sender| !sender.beside), "{id}: renews");
        if let Some(active) = cares.active {
            assert_eq!(active as usize, links().filter(|link| link.is_active()).count(), "{id}: active");
        }
        let exact = self.next_to_give_up();
        assert!(exact.is_none() || cares.gives_up.is_some_and(|at| Some(at) <= exact), "{id}: gives up");
    }
}
