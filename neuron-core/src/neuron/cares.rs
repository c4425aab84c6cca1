//! What a neuron may have to look after besides the next tag.
//!
//! Most messages change a level and nothing else. Looking through all inputs and subscribers each time, for questions to ask and
//! dates to keep, would cost more than the level itself.

#[cfg(debug_assertions)]
use super::{
    Neuron,
    input::{Link, Source},
    subscriber::Line,
};
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
    /// Whether a level is on its way over an edge that nobody waits for.
    pub(crate) returns: Returns,
    /// How many inputs have stated what must be renewed; nothing if they have to be counted.
    pub(crate) active: Option<u32>,
    /// A subscriber is to have levels renewed that last.
    pub(crate) renews: bool,
    /// No input is given up before this.
    pub(crate) gives_up: Option<Time>,
    /// How the inputs that are waited for have been asked; nothing if that has to be looked at.
    pub(crate) inquiry: Option<Inquiry>,
}

/// Over which edges levels may be on their way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Returns {
    Nowhere,
    /// Over the one from the input with this number, which is what an asap neuron usually has.
    From(u32),
    Anywhere,
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
        returns: Returns::Anywhere,
        active: None,
        renews: true,
        gives_up: Some(Time::ZERO),
        inquiry: None,
    };

    /// A level has set out over an edge that nobody waits for, from the input with this number.
    pub(crate) fn returns_from(&mut self, index: usize) {
        let from = u32::try_from(index).map_or(Returns::Anywhere, Returns::From);
        self.returns = if [Returns::Nowhere, from].contains(&self.returns) { from } else { Returns::Anywhere };
    }

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
        assert!(cares.asked || !senders().any(|sender| sender.want().is_some() || sender.owes), "{id}: asked");
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
        let returns = |source: &Source| source.link.as_ref().is_some_and(|link| link.returning().is_some());
        let expected = |index: usize| match cares.returns {
            Returns::Nowhere => false,
            Returns::From(from) => index == from as usize,
            Returns::Anywhere => true,
        };
        let mut sources = self.sources.iter().enumerate();
        assert!(sources.all(|(index, source)| expected(index) || !returns(source)), "{id}: returns");
        assert!(cares.renews || !senders().any(|sender| !sender.beside), "{id}: renews");
        if let Some(active) = cares.active {
            assert_eq!(active as usize, links().filter(|link| link.is_active()).count(), "{id}: active");
        }
        let exact = self.next_to_give_up();
        assert!(exact.is_none() || cares.gives_up.is_some_and(|at| Some(at) <= exact), "{id}: gives up");
    }
}
