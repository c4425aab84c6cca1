//! The neuron as a pure state machine: time and messages in, messages and a wake-up time out.
//!
//! A [`Neuron`] reads no clock, opens no socket and needs no runtime. Its parts, from the top down;
//! each owns its fields, and what one leads to in another is returned and passed on by `turn`:
//!
//! - `turn`: the order in which the parts act; the only file that knows it.
//! - `control`: what controllers ask: stimuli, transactions, questions, watches.
//! - `evaluation`: which tag is evaluated next, what the level is there, what has been promised.
//! - `inputs`: what the sources have stated, and which of them are waited for, probed or down.
//! - `subscribers`: what has been stated to whom, and what keeps it alive.
//! - `stream`: numbered statements over one edge: order, acknowledgement, retransmission.
//!
//! Beside them: `restart` (what outlives a crash), `colocated`, `host_loss` and `clock_step` (what
//! a host calls), `context` (what all parts share) and `outbox` (what they want done).
//!
//! Why: docs/decisions/0019-rare-code-is-out-of-line.md

mod ahead;
mod clock_step;
#[cfg(feature = "actor")]
mod colocated;
mod context;
mod control;
mod deadlines;
mod evaluation;
#[cfg(any(feature = "actor", feature = "sim"))]
mod host_loss;
mod inputs;
mod io;
mod log;
mod outbox;
mod restart;
#[cfg(feature = "sim")]
mod sizes;
mod stream;
mod subscribers;
#[cfg(test)]
mod tests;
mod turn;

#[cfg(feature = "actor")]
pub(crate) use context::Params;
#[cfg(not(feature = "actor"))]
use context::Params;
use context::{Common, CompactCounters, Ctx};
use control::Control;
pub use control::{MAX_TRAIN, WATCH_LEASE};
#[cfg(any(feature = "actor", feature = "sim"))]
pub(crate) use deadlines::MAX_STATED;
#[cfg(feature = "actor")]
pub(crate) use deadlines::is_far_ahead;
pub use evaluation::MAX_REMEMBERED;
pub use io::{Input, Output};
#[cfg(not(feature = "actor"))]
use outbox::{LocalSlot, Outbox};
#[cfg(feature = "actor")]
pub(crate) use outbox::{LocalSlot, Outbox, Receiver};
pub use restart::{CompletedChange, Saved};
#[cfg(feature = "sim")]
pub(crate) use sizes::Size;
use turn::Parts;

pub use crate::{
    config::{Config, MAX_MAGNITUDE, Mode, Rule, is_finite, is_level},
    counters::Counters,
    sensor::{Sensor, SensorHold, WhenSilent},
};
use crate::{
    id::NeuronId,
    record::Record,
    signal::Incarnation,
    tag::{Tag, Time},
    value::Value,
};

/// A neuron.
///
/// Drive it in turns: one [`handle`](Self::handle), then [`poll_output`](Self::poll_output) until
/// it returns `None`, then wait for the next message, or until [`wake_at`](Self::wake_at),
/// whichever comes first. `now` never goes backwards; two inputs with the same `now` may come in
/// either order.
///
/// ```
/// use neuron_core::{Tag, Time, command::{Command, Request, Stimulus}};
/// use neuron_core::{neuron::{Config, Input, Neuron, Output}, transport::Guarantees};
/// use std::time::Duration;
///
/// let mut lamp = Neuron::start("lamp".parse()?, Config::new(), Guarantees::IN_PROCESS, 0, Time::ZERO);
/// let stimulus = Stimulus { sensor: None, level: Some(1.0), hold: None };
/// let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
/// let request = Input::Request { from: "me".parse()?, request: Request::new(1, command) };
/// lamp.handle(request, Time::from_micros(7));
/// assert_eq!(lamp.level(), 1.0);
/// let answered = std::iter::from_fn(|| lamp.poll_output()).any(|output| matches!(output, Output::Report { .. }));
/// assert!(answered);
/// assert_eq!(lamp.wake_at(), Some(Time::from_micros(5_000_007))); // when the stimulus is over
/// # Ok::<(), neuron_core::NameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Neuron {
    common: Common,
    parts: Parts,
    /// The outbox for callers that bring none; `None` until one is needed.
    outbox: Option<Box<Outbox>>,
}

impl Neuron {
    /// Starts to record: each event stamped and each claim is output as [`Output::Record`]. So is
    /// each event that is stamped already and not evaluated yet.
    pub fn keep_record(&mut self) {
        self.common.keeps_record = true;
        for (tag, event) in self.parts.evaluation.waiting_events() {
            let record = Record::Stamped { tag, event: event.clone() };
            self.outbox.get_or_insert_default().push(Output::Record(record));
        }
    }

    /// Returns its name.
    pub fn id(&self) -> &NeuronId {
        &self.common.id
    }

    /// Returns its present level: 1 when it fires, else 0.
    pub fn level(&self) -> f64 {
        self.value().level
    }

    /// Returns its present level, and what was missing when it was decided.
    pub fn value(&self) -> &Value {
        self.parts.evaluation.value()
    }

    /// Returns whether it has been evaluated in this incarnation. Before, it
    /// answers a probe only with a sign of life.
    pub fn is_ready(&self) -> bool {
        self.parts.evaluation.is_ready()
    }

    /// Returns the tag through which everything has been said: it states nothing at or before this
    /// watermark any more.
    pub fn complete_through(&self) -> Tag {
        self.parts.evaluation.complete_through()
    }

    /// Returns the last tag that it may have spoken about.
    #[cfg(feature = "actor")]
    pub(crate) fn stamp_bound(&self) -> Tag {
        self.parts.evaluation.progress().stamp_bound()
    }

    /// Lets it speak about tags up to `ceiling` without being saved: the host has made that
    /// durable.
    #[cfg(feature = "actor")]
    #[inline]
    pub(crate) fn allow(&mut self, ceiling: Tag) {
        self.parts.evaluation.allow(ceiling);
    }

    /// Tells it that nothing is saved: its host has no store. So it need not be woken for that.
    #[cfg(feature = "actor")]
    pub(crate) fn without_store(&mut self) {
        self.common.has_store = false;
    }

    /// Returns whether it knows something of other neurons that has not been saved, and may be.
    #[cfg(feature = "actor")]
    pub(crate) fn owes_save(&self) -> bool {
        self.common.owes_save && self.common.fenced_by.is_none()
    }

    /// Returns its incarnation.
    pub fn incarnation(&self) -> Incarnation {
        self.common.incarnation
    }

    /// Returns what it has counted.
    pub fn counters(&self) -> Counters {
        self.common.counters.read()
    }

    /// Returns when it wants to be given [`Input::Wake`], if nothing comes earlier; `None` means
    /// never.
    pub fn wake_at(&self) -> Option<Time> {
        self.parts.wake_at
    }

    /// Returns a later incarnation that others have heard; `None` if there is none.
    ///
    /// A fenced neuron sends nothing any more and refuses every command.
    pub fn fenced_by(&self) -> Option<Incarnation> {
        self.common.fenced_by
    }

    /// Takes in an input at the time `now`.
    pub fn handle(&mut self, input: Input, now: Time) {
        let Self { common, parts, outbox } = self;
        parts.handle(input, &mut Ctx::new(now, common, outbox.get_or_insert_default()));
    }

    /// Takes the next thing that it wants done; `None` if there is nothing more.
    #[inline]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.as_mut()?.pop()
    }

    /// Counts a message of a neuron that may not send it, and returns how many there were.
    #[cfg(any(feature = "actor", feature = "sim"))]
    pub(crate) fn count_stranger(&mut self) -> u64 {
        let unknown = &mut self.common.counters.rare_mut().unknown;
        *unknown += 1;
        *unknown
    }

    /// Like [`inputs_lost`](Self::inputs_lost), for one input and with the outbox of the neuron.
    #[cfg(feature = "sim")]
    pub(crate) fn handle_input_lost(&mut self, source: &NeuronId, now: Time) {
        let mut out = self.outbox.take().unwrap_or_default();
        self.inputs_lost([source], now, &mut out);
        self.outbox = Some(out);
    }

    /// Like [`input_back`](Self::input_back), with the outbox of the neuron.
    #[cfg(feature = "sim")]
    pub(crate) fn handle_input_back(&mut self, source: &NeuronId, now: Time) {
        let mut out = self.outbox.take().unwrap_or_default();
        self.input_back(source, now, &mut out);
        self.outbox = Some(out);
    }

    /// Returns whether it should have been woken more than a patience ago.
    #[cfg(feature = "sim")]
    pub(crate) fn is_late(&self, now: Time) -> bool {
        self.wake_at().is_some_and(|due| now.since(due) > self.common.params.patience)
    }

    /// Returns the sources whose levels, or marks, count and which it takes to be alive.
    #[cfg(feature = "sim")]
    pub(crate) fn relies_on(&self) -> impl Iterator<Item = &NeuronId> {
        self.parts.inputs.relied_on()
    }
}
