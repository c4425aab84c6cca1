//! One source as its subscriber sees it.

use std::time::Duration;

use super::{
    delivery::{Backoff, Receiver},
    frontier::History,
    lasting::{Loop, Returning},
    number::Number,
    rare::Rare,
};
use crate::{
    id::{ControllerId, NeuronId},
    signal::{Incarnation, StreamId},
    tag::{Tag, Time},
    transport::Pace,
};

/// A source that has a weight, or a connection, or both.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) id: NeuronId,
    pub(crate) weight: Number,
    pub(crate) link: Option<Link>,
}

/// From when to when a connection counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    /// Subscribed, but not heard of yet; whoever asked for it waits.
    Joining(Box<(ControllerId, u64)>),
    /// Subscribed for a set of changes that is being prepared, and heard from a tag on, if it has been heard.
    Awaited { ticket: Box<(ControllerId, u64)>, heard: Option<Tag> },
    /// It counts from the first tag on, and up to the one before the second. Perhaps somebody wants it to end, and waits until it has.
    Counts { from: Tag, until: Tag, leaves_for: Option<Box<(ControllerId, u64)>> },
}

impl State {
    /// It has counted since the neuron started.
    pub(crate) const ALWAYS: Self = Self::Counts { from: Tag::ORIGIN, until: Tag::MAX, leaves_for: None };
}

/// [`State::ALWAYS`], to be pointed at.
static ALWAYS: State = State::ALWAYS;

/// What most connections do not have: it has not counted since the neuron started, or something is to be done about its source, which
/// has not answered, is waited for, or is to leave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unusual {
    /// Nothing if it has counted since the neuron started.
    state: Rare<State>,
    pub(crate) asking: Asking,
    /// When it is called again: to subscribe, until that is answered, and to see whether it is back, while it is down.
    pub(crate) call: Backoff,
}

/// A connection from a source.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// It counts at the last evaluated tag.
    pub(crate) counts: bool,
    pub(crate) receiver: Receiver,
    pub(crate) history: History,
    /// When it was heard last; never in this life of mine if there is no time.
    pub(crate) heard: Option<Time>,
    /// The subscriber itself was late since it was heard last, which excuses its silence once.
    pub(crate) excused: bool,
    /// The host that runs this neuron runs it as well, and would tell if it left.
    pub(crate) beside: bool,
    /// It has made a statement in this life of mine.
    pub(crate) has_stated: bool,
    /// It was silent for too long: nobody waits for it until it is heard again.
    pub(crate) down: bool,
    /// What it shows is from before it fell silent: only for a connection over which levels re-enter.
    pub(crate) stale: bool,
    /// The last evaluation did not know its level, so what was said then holds whatever it is.
    pub(crate) doubted: bool,
    pub(crate) unusual: Rare<Unusual>,
    /// Present where nobody waits for the source: its levels re-enter as events of the subscriber.
    pub(crate) reentry: Option<Box<Loop>>,
}

impl Link {
    /// A connection over which levels re-enter if it has a delay, or if its subscriber waits for nobody.
    pub(crate) fn new(state: State, delay: Option<Duration>, asap: bool, stream: StreamId) -> Self {
        let reentry = (delay.is_some() || asap).then(|| Box::new(Loop::over(delay)));
        let receiver = Receiver::new(stream, Incarnation::default());
        let always = state == State::ALWAYS;
        Self {
            counts: always,
            receiver,
            history: History::new(),
            heard: None,
            excused: false,
            beside: false,
            has_stated: false,
            down: false,
            stale: false,
            doubted: false,
            unusual: if always {
                Rare::NONE
            } else {
                Rare::of(Unusual { state: Rare::of(state), ..Unusual::default() })
            },
            reentry,
        }
    }

    /// From when to when it counts.
    pub(crate) fn state(&self) -> &State {
        self.unusual_state().unwrap_or(&ALWAYS)
    }

    fn unusual_state(&self) -> Option<&State> {
        self.unusual.get()?.state.get()
    }

    pub(crate) fn set_state(&mut self, state: State) {
        self.unusual.make().state = Rare::of(state);
    }

    /// For which set of changes it has been subscribed, and from when on it has been heard, if that is so.
    pub(crate) fn awaited(&mut self) -> Option<(&(ControllerId, u64), &mut Option<Tag>)> {
        match self.unusual.get_mut()?.state.get_mut() {
            Some(State::Awaited { ticket, heard }) => Some((ticket, heard)),
            _ => None,
        }
    }

    /// Its delay, as configured.
    pub(crate) fn delay(&self) -> Option<Duration> {
        self.reentry.as_ref()?.delay
    }

    /// Since when it is waited for, without its having told anything new.
    pub(crate) fn waited_for_since(&self) -> Option<Time> {
        self.unusual.get()?.asking.since
    }

    /// It has told something new, or is not waited for any more.
    pub(crate) fn is_not_waited_for(&mut self) {
        let Some(unusual) = self.unusual.get_mut() else { return };
        unusual.asking.since = None;
        let asked = unusual.asking.asked > self.history.frontier;
        if self.receiver.applied > 0 && !self.down && !asked {
            match unusual.state.get() {
                None => self.unusual.forget(),
                Some(_) => (unusual.asking, unusual.call) = Default::default(),
            }
        }
    }

    /// Who waits for its end.
    pub(crate) fn take_leave(&mut self) -> Option<Box<(ControllerId, u64)>> {
        match self.unusual.get_mut()?.state.get_mut() {
            Some(State::Counts { leaves_for, .. }) => leaves_for.take(),
            _ => None,
        }
    }

    /// How far this source must be known before `tag` may be evaluated.
    pub(crate) fn needed_for(&self, tag: Tag) -> Option<Tag> {
        if self.reentry.is_some() {
            return None;
        }
        match self.unusual_state() {
            None => Some(tag.min(Tag::MAX.prev())),
            Some(State::Joining(..) | State::Awaited { .. }) => None,
            Some(State::Counts { from, until, .. }) => (tag >= *from).then(|| tag.min(until.prev())),
        }
    }

    /// Whether its level at `tag`, which is being evaluated, is not known, or is degraded.
    pub(crate) fn is_doubtful(&self, tag: Tag) -> bool {
        self.lacks(tag) || self.history.value.is_degraded()
    }

    /// Whether its level at `tag`, which is being evaluated, is not known.
    pub(crate) fn lacks(&self, tag: Tag) -> bool {
        if self.reentry.is_some() { self.down || self.stale } else { self.history.lacks(tag) }
    }

    /// Up to here nothing that the source says can make what was said after `evaluated` untrue.
    pub(crate) fn horizon(&self, evaluated: Tag, firm: Tag) -> Tag {
        if self.down && self.doubted { Tag::MAX } else { self.history.horizon(evaluated, firm) }
    }

    /// The source has spoken. If nothing is on its way, what the edge shows is what it says. Tells whether that was in doubt.
    pub(crate) fn is_up_to_date(&mut self) -> bool {
        let on_its_way = self.reentry.as_ref().is_some_and(|reentry| reentry.first().is_some());
        !on_its_way && std::mem::take(&mut self.stale)
    }

    /// The next level that re-enters, once the connection has been made.
    pub(crate) fn returning(&self) -> Option<&Returning> {
        let made = matches!(self.state(), State::Counts { .. });
        self.reentry.as_ref().filter(|_| made)?.first()
    }

    /// Whether the source has stated a level, or a mark, that must be renewed.
    pub(crate) fn is_active(&self) -> bool {
        !self.reentry.as_ref().map_or_else(|| self.history.ends_at_rest(), |reentry| reentry.last.is_rest())
    }

    /// Whether what the source says bears on what the subscriber may promise.
    pub(crate) fn limits(&self) -> bool {
        self.reentry.is_none() && self.counts
    }
}

/// When a silent source is asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asking {
    /// Since when it is waited for, without its having told anything new.
    since: Option<Time>,
    /// The highest tag it has been asked for.
    asked: Tag,
    /// When it is asked again.
    again: Time,
    /// How long it is waited for after that, as a multiple of what the carrier takes to bring an answer.
    pauses: u8,
}

/// Whether there is a reason not to wait for what may be on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Haste {
    None,
    /// Somebody waits for the answer.
    Urgent,
    /// So many statements of other inputs wait for this one that there will soon be no room for more.
    Crowded,
}

/// What [`Asking::step`] wants done.
pub(crate) struct Step {
    pub(crate) ask: bool,
    /// When to come back.
    pub(crate) again: Time,
}

/// One that is beside is asked as soon as time goes on: the host lets it stand still while there is something to be heard.
const NEXT_MOMENT: Duration = Duration::from_micros(1);
/// And asked again after as many times what the carrier takes, should the question have been left out for want of room.
const MUCH_LATER: u8 = 40;

impl Asking {
    /// The waiting begins, or goes on. Tells whether it begins.
    pub(crate) fn begin(&mut self, now: Time) -> bool {
        let begins = self.since.is_none();
        self.since.get_or_insert(now);
        begins
    }

    /// Nobody could have answered in the meantime: the waiting begins anew.
    pub(crate) fn begin_anew(&mut self, now: Time) {
        self.since = self.since.map(|_| now);
    }

    /// The source is waited for, up to `target`.
    pub(crate) fn step(&mut self, target: Tag, haste: Haste, beside: bool, now: Time, pace: Pace) -> Step {
        let since = *self.since.get_or_insert(now);
        let first = self.asked < target;
        let due = match haste {
            _ if !first => self.again,
            Haste::None => since.after(pace.grace),
            Haste::Urgent if beside => since.after(NEXT_MOMENT),
            Haste::Urgent | Haste::Crowded => now,
        };
        if due > now {
            return Step { ask: false, again: due };
        }
        self.pauses = match first {
            _ if beside => MUCH_LATER,
            true => 1,
            false => (self.pauses * 2).min(4),
        };
        self.asked = target;
        self.again = now.after(pace.retry * self.pauses.into());
        Step { ask: true, again: self.again }
    }
}
