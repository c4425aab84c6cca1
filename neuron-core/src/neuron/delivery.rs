//! How surely a statement is heard: the numbers that put the statements of an edge back in order.
//!
//! Nothing here knows what a statement is about. A carrier may deliver late, twice and out of order; behind a
//! [`Receiver`] each statement comes once, in the order it was made.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    time::Duration,
};

use super::{outbox::LocalSlot, rare::Rare};
use crate::{
    signal::{Incarnation, StreamId},
    tag::{Tag, Time},
    value::Value,
};

/// The most statements that one edge keeps because an earlier one is still on its way.
///
/// Far above what a carrier reorders in practice; a bound, so that no peer can make a neuron hoard.
pub(crate) const MAX_EARLY: usize = 4096;

/// A numbered statement: "my old value holds up to `known`, from `at` on it is `value`".
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statement {
    pub(crate) known: Tag,
    pub(crate) at: Tag,
    pub(crate) value: Value,
}

/// An unnumbered one: "after my statement number `after`, nothing new up to `upto`".
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Promise {
    pub(crate) after: u64,
    pub(crate) upto: Tag,
    pub(crate) wave: bool,
}

/// What a [`Receiver`] hands over, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Delivered {
    Changed(Statement),
    Nothing(Promise),
}

/// The receiving end of one edge.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    /// The stream that we asked for. Whatever carries another one is old.
    pub(crate) stream: StreamId,
    /// The life of the source that we know of; number 0 before it has spoken.
    pub(crate) source: Incarnation,
    /// Statements handed over so far.
    pub(crate) applied: u64,
    /// How many of them the source has not been told of.
    owes: u16,
    /// The last statement let others through that had come before it.
    closed_a_hole: bool,
    ahead: Rare<Ahead>,
}

/// What has come before its turn.
#[derive(Clone, Debug, Default)]
struct Ahead {
    statements: BTreeMap<u64, Statement>,
    promise: Option<Promise>,
}

/// What became of a numbered statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Taken {
    /// It is its turn, here it is again. Others may come after it.
    Now(Statement),
    /// It is kept until those before it have come.
    Early,
    /// It had come before.
    Duplicate,
    /// There is no room for it.
    NoRoom,
}

impl Receiver {
    pub(crate) fn new(stream: StreamId, source: Incarnation) -> Self {
        Self { stream, source, applied: 0, owes: 0, closed_a_hole: false, ahead: Rare::NONE }
    }

    /// Takes a numbered statement in. If it is its turn, call [`Receiver::next`] after it until there is nothing more.
    #[inline]
    pub(crate) fn changed(&mut self, seq: u64, statement: Statement) -> Taken {
        if seq == self.applied + 1 {
            self.applied = seq;
            self.owes = self.owes.saturating_add(1);
            self.closed_a_hole = self.ahead.get().is_some_and(|ahead| !ahead.statements.is_empty());
            return Taken::Now(statement);
        }
        if seq <= self.applied {
            return Taken::Duplicate;
        }
        self.keep_early(seq, statement)
    }

    #[cold]
    fn keep_early(&mut self, seq: u64, statement: Statement) -> Taken {
        let early = &mut self.ahead.make().statements;
        let is_full = early.len() >= MAX_EARLY;
        match early.entry(seq) {
            Entry::Occupied(_) => Taken::Duplicate,
            Entry::Vacant(_) if is_full => Taken::NoRoom,
            Entry::Vacant(place) => {
                place.insert(statement);
                Taken::Early
            }
        }
    }

    /// Whether anything has come before its turn.
    pub(crate) fn is_ahead(&self) -> bool {
        self.ahead.get().is_some()
    }

    /// How many statements the source does not know to have come.
    pub(crate) fn owes(&self) -> u16 {
        self.owes
    }

    /// Whether the last statement whose turn it was was missing before, and others had come. Its source sends others again, unless
    /// it hears of that.
    pub(crate) fn has_closed_a_hole(&self) -> bool {
        self.closed_a_hole
    }

    /// The source is told of all that have come: of which stream, and how many.
    pub(crate) fn acknowledge(&mut self) -> (StreamId, u64) {
        self.owes = 0;
        (self.stream, self.applied)
    }

    /// Takes a promise in, and gives it back if it is its turn. Of those that come too early the furthest is kept: it says all
    /// that the others say.
    pub(crate) fn nothing(&mut self, promise: Promise) -> Option<Promise> {
        if promise.after <= self.applied {
            return Some(promise);
        }
        let held = &mut self.ahead.make().promise;
        if held.is_none_or(|held| promise.upto > held.upto) {
            *held = Some(promise);
        }
        None
    }

    /// The next statement whose turn it is.
    pub(crate) fn next(&mut self) -> Option<Delivered> {
        let ahead = self.ahead.get_mut()?;
        if let Some(promise) = ahead.promise.take_if(|promise| promise.after <= self.applied) {
            return Some(Delivered::Nothing(promise));
        }
        if let Some(statement) = ahead.statements.remove(&(self.applied + 1)) {
            self.applied += 1;
            self.owes = self.owes.saturating_add(1);
            return Some(Delivered::Changed(statement));
        }
        if ahead.promise.is_none() && ahead.statements.is_empty() {
            self.ahead.forget();
        }
        None
    }
}

/// The sending end of one edge.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) stream: StreamId,
    /// Statements made so far.
    pub(crate) seq: u64,
    /// The subscriber knows everything up to here.
    pub(crate) said: Tag,
    /// A question has come that had no answer of any kind yet.
    pub(crate) owes: bool,
    /// Nothing has been sent since the last time that levels which last were renewed.
    pub(crate) quiet: bool,
    /// The host that runs this neuron runs the subscriber as well: levels need not be renewed.
    pub(crate) beside: bool,
    /// Where that host keeps it.
    pub(crate) place: LocalSlot,
    pending: Rare<Pending>,
}

/// What is between a sender and its subscriber that is not settled yet. Where the carrier loses nothing there is hardly ever anything.
#[derive(Clone, Debug, Default)]
struct Pending {
    /// The highest tag that the subscriber asks for and has no answer to.
    want: Option<Tag>,
    /// Only where the carrier may lose statements.
    retries: Option<Retries>,
}

/// What a sender keeps until it is acknowledged.
#[derive(Clone, Debug, Default)]
struct Retries {
    unacknowledged: VecDeque<(u64, Statement)>,
    /// When what is not acknowledged is sent again.
    again: Backoff,
    attempts: u8,
    /// How long to wait for an acknowledgement at first: twice what the last one took, or what it took to get one at all.
    first: Duration,
    /// A statement whose acknowledgement is timed. One that was sent again is not: nobody can tell which copy was acknowledged.
    timed: Option<(u64, Time)>,
    /// Acknowledgements since the last one that had anything new: as later statements come, the first is missing.
    repeated: u8,
}

/// The most statements that wait for their acknowledgement. A subscriber that falls further behind is given up; when it
/// subscribes again it gets the newest level at once.
///
/// A thousand changes a second over a carrier that takes half a second to bring an acknowledgement.
pub(crate) const MAX_UNACKNOWLEDGED: usize = 1024;
/// The most statements that are sent again at a time: what a slow carrier can take.
const MAX_AGAIN: usize = 64;
/// After how many acknowledgements without anything new the first statement is sent again at once, as TCP does.
const MAX_REPEATED: u8 = 3;
/// The longest pause between two attempts, as a multiple of what the carrier usually takes.
const LONGEST_RETRY: u32 = 40;
/// How often a statement is sent again before its subscriber is given up.
const MAX_ATTEMPTS: u8 = 8;

/// What [`Sender::resend`] wants done.
pub(crate) enum Resend {
    /// Nothing before this time; nothing at all if there is none.
    At(Option<Time>),
    /// Send these, and come back at `again`.
    Now {
        statements: Vec<(u64, Statement)>,
        again: Time,
    },
    GiveUp,
}

impl Sender {
    pub(crate) fn new(stream: StreamId, beside: bool) -> Self {
        Self {
            stream,
            seq: 0,
            said: Tag::ORIGIN,
            owes: false,
            quiet: false,
            beside,
            place: LocalSlot::UNKNOWN,
            pending: Rare::NONE,
        }
    }

    /// Notes that the subscriber is told everything up to `tag`.
    pub(crate) fn say(&mut self, tag: Tag) {
        self.said = self.said.max(tag);
        (self.owes, self.quiet) = (false, false);
        if self.want().is_some_and(|want| want <= self.said) {
            self.has_answered();
        }
    }

    /// The highest tag that the subscriber asks for and has no answer to.
    #[inline]
    pub(crate) fn want(&self) -> Option<Tag> {
        self.pending.get()?.want
    }

    /// The subscriber asks for a tag.
    pub(crate) fn is_asked(&mut self, upto: Tag) {
        let pending = self.pending.make();
        pending.want = pending.want.max(Some(upto));
        self.owes = true;
    }

    fn has_answered(&mut self) {
        match self.pending.get_mut() {
            Some(pending) if pending.retries.is_some() => pending.want = None,
            _ => self.pending.forget(),
        }
    }

    /// Keeps a statement until it is acknowledged.
    pub(crate) fn keep(&mut self, seq: u64, statement: Statement, retry: Duration, now: Time) {
        self.pending.make().retries.get_or_insert_default().keep(seq, statement, retry, now);
    }

    /// The subscriber has all statements up to this one.
    pub(crate) fn acknowledged(&mut self, upto: u64, retry: Duration, now: Time) {
        if let Some(retries) = self.retries() {
            retries.acknowledged(upto, retry, now);
        }
    }

    /// What is to be done about statements that are not acknowledged.
    pub(crate) fn resend(&mut self, retry: Duration, now: Time) -> Resend {
        self.retries().map_or(Resend::At(None), |retries| retries.resend(retry, now))
    }

    fn retries(&mut self) -> Option<&mut Retries> {
        self.pending.get_mut()?.retries.as_mut()
    }

    /// Whether there are statements that are not acknowledged.
    #[cfg(debug_assertions)]
    pub(crate) fn is_unacknowledged(&self) -> bool {
        let retries = self.pending.get().and_then(|pending| pending.retries.as_ref());
        retries.is_some_and(|retries| !retries.unacknowledged.is_empty())
    }
}

impl Retries {
    fn keep(&mut self, seq: u64, statement: Statement, retry: Duration, now: Time) {
        if self.unacknowledged.is_empty() {
            self.again = Backoff::after(self.first.max(retry), now);
            self.attempts = 0;
        }
        self.timed.get_or_insert((seq, now));
        self.unacknowledged.push_back((seq, statement));
    }

    fn acknowledged(&mut self, upto: u64, retry: Duration, now: Time) {
        let before = self.unacknowledged.len();
        while self.unacknowledged.pop_front_if(|(seq, _)| *seq <= upto).is_some() {}
        if self.unacknowledged.len() == before {
            self.repeated = self.repeated.saturating_add(u8::from(before > 0));
            return;
        }
        self.repeated = 0;
        if let Some((_, sent)) = self.timed.take_if(|(seq, _)| *seq <= upto) {
            self.first = (now.since(sent) * 2).min(retry * LONGEST_RETRY);
        } else if self.attempts > 0 {
            self.first = self.again.pause();
        }
        self.again = Backoff::after(self.first.max(retry), now);
        self.attempts = 0;
    }

    fn resend(&mut self, retry: Duration, now: Time) -> Resend {
        if self.unacknowledged.is_empty() {
            return Resend::At(None);
        }
        if self.unacknowledged.len() > MAX_UNACKNOWLEDGED {
            return Resend::GiveUp;
        }
        if self.repeated == MAX_REPEATED {
            // Only once; if that is lost, too, it waits for its time.
            self.repeated += 1;
            self.timed.take_if(|(seq, _)| self.unacknowledged.front().is_some_and(|(first, _)| first == seq));
            let statements = self.unacknowledged.front().cloned().into_iter().collect();
            return Resend::Now { statements, again: self.again.due };
        }
        if self.again.due > now {
            return Resend::At(Some(self.again.due));
        }
        if self.attempts == MAX_ATTEMPTS {
            return Resend::GiveUp;
        }
        self.attempts += 1;
        (self.timed, self.repeated) = (None, 0);
        self.again.longer(retry * LONGEST_RETRY, now);
        Resend::Now { statements: self.unacknowledged.iter().take(MAX_AGAIN).cloned().collect(), again: self.again.due }
    }
}

/// When something is tried again: each time after twice the pause.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Backoff {
    pub(crate) due: Time,
    /// In microseconds, at most 71 minutes: what is doubled is never longer than a few seconds.
    pause: u32,
}

impl Backoff {
    /// The shortest pause but the first.
    const SHORTEST: Duration = Duration::from_millis(25);

    pub(crate) fn after(pause: Duration, now: Time) -> Self {
        Self { due: now.after(pause), pause: u32::try_from(pause.as_micros()).unwrap_or(u32::MAX) }
    }

    fn pause(&self) -> Duration {
        Duration::from_micros(self.pause.into())
    }

    pub(crate) fn longer(&mut self, longest: Duration, now: Time) {
        *self = Self::after((self.pause() * 2).max(Self::SHORTEST).min(longest), now);
    }
}
