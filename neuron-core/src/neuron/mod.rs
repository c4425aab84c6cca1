//! The neuron as a pure state machine: time and messages in, messages and a wake-up time out.
//!
//! Three ideas that know little of each other make it up: what fires (`integrate`), when it may (`frontier`), and how
//! surely it is heard (`delivery`). [`Neuron`] ties them together: `hear` takes in what other neurons say, `obey` what
//! controllers want, `ask` is about questions and promises, `stamp` gives tags to what happens here,
//! `evaluate` decides, `silence` says who is waited for no longer, and `speak` keeps what was said alive: it sends again,
//! renews and calls.

mod acknowledge;
mod agenda;
mod ask;
mod cares;
#[cfg(any(feature = "actor", test))]
mod colocated;
mod coming;
mod compact_counters;
mod delivery;
mod evaluate;
mod few;
mod frontier;
mod hear;
mod input;
mod integrate;
mod io;
mod lasting;
mod memory;
mod number;
mod obey;
mod outbox;
mod params;
mod prepare;
mod rare;
mod restart;
mod saved;
mod silence;
mod sources;
mod speak;
mod stamp;
mod subscriber;
#[cfg(test)]
mod tests;
mod wishes;

use std::{collections::BTreeMap, sync::Arc};

use thin_vec::ThinVec;

use agenda::Agenda;
use cares::Cares;
use compact_counters::Tally;
use delivery::Backoff;
use few::Few;
use frontier::{Reservation, Spoken};
use input::{Link, Source, State};
use integrate::Integrator;
pub use io::{Input, Output};
use lasting::Ending;
pub use memory::MAX_REMEMBERED;
use memory::Memory;
pub use obey::MAX_TRAIN;
pub(crate) use outbox::{LocalSlot, Outbox};
pub(crate) use params::Params;
use rare::Rare;
pub use saved::Saved;
use subscriber::{Calling, Line, Subscriber};
use wishes::Wishes;

use crate::{
    command::{Answer, Refusal},
    id::{ControllerId, NeuronId},
    record::{Event, Record},
    signal::Incarnation,
    tag::{Tag, Time},
    transport::Guarantees,
    value::Value,
};
pub use crate::{
    config::{Config, MAX_MAGNITUDE, Mode, Rule, is_finite},
    counters::Counters,
};

/// A neuron.
///
/// Drive it in turns: one [`handle`](Self::handle), then [`poll_output`](Self::poll_output) until it returns `None`,
/// then wait for the next message, or until [`wake_at`](Self::wake_at), whichever comes first. `now` never goes
/// backwards; two inputs with the same `now` may come in either order. It reads no clock, opens no socket and needs no
/// runtime.
///
/// ```
/// use neuron_core::{Tag, Time, command::{Command, Request, Stimulus}};
/// use neuron_core::{neuron::{Config, Input, Neuron, Output}, transport::Guarantees};
/// use std::time::Duration;
///
/// let mut lamp = Neuron::start("lamp".parse()?, Config::new(), Guarantees::IN_PROCESS, 0, Time::ZERO);
/// let stimulus = Stimulus { sensor: None, level: 1.0, hold: None };
/// let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
/// let request = Input::Request { from: "me".parse()?, request: Request { id: 1, command } };
/// lamp.handle(request, Time::from_micros(7));
/// assert_eq!(lamp.level(), 1.0);
/// let answered = std::iter::from_fn(|| lamp.poll_output()).any(|output| matches!(output, Output::Report { .. }));
/// assert!(answered);
/// assert_eq!(lamp.wake_at(), Some(Time::from_micros(5_000_007))); // when the stimulus is over
/// # Ok::<(), neuron_core::NameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Neuron {
    id: NeuronId,
    settings: Arc<Params>,
    incarnation: Incarnation,
    /// Streams asked for in this incarnation.
    streams: u32,
    /// Ordered by name, which is the order they are added in.
    sources: ThinVec<Source>,
    /// The number of the input that kept it from the next tag when it was looked last.
    kept_by: u32,
    integrator: Integrator,
    agenda: Agenda,
    spoken: Spoken,
    /// The value last evaluated. It outlives a restart, so that watchers hear of the difference.
    value: Value,
    /// Before the first evaluation of this incarnation: the last tag that the one before has spoken about.
    resumes: Tag,
    /// An input is back, or something came late: worth a look, if the value is degraded.
    look: bool,
    /// How often that is done.
    looks: Backoff,
    /// Tags were left out before the first evaluation.
    skipped: bool,
    /// It has not had a turn yet. With the first one it begins to live: what that takes memory for is not there while all of a large
    /// network come.
    is_new: bool,
    /// When levels that last are renewed.
    renew_at: Option<Time>,
    /// When what has come and was not acknowledged is.
    acknowledges_at: Option<Time>,
    /// What is being heard comes from a neuron that the same host runs.
    beside: bool,
    /// A later life than this one has been heard of: nothing is said any more.
    fenced: Option<Incarnation>,
    /// Tags of waves that brought nothing new to an input and are not passed on yet, in order.
    waves: Few<Tag>,
    /// Ordered by name.
    subscribers: ThinVec<Subscriber>,
    endings: ThinVec<Ending>,
    wishes: Rare<Wishes>,
    memory: Memory,
    counters: Tally,
    keeps_record: bool,
    wake_at: Option<Time>,
    cares: Cares,
    outputs: Option<Box<Outbox>>,
}

/// Somebody wants to hear of each change.
#[derive(Clone, Debug)]
struct Watcher {
    from: ControllerId,
    request: u64,
    reported: u64,
}

/// A controller waits for the level at a tag.
#[derive(Clone, Debug)]
struct Question {
    from: ControllerId,
    request: u64,
    tag: Tag,
}

/// A command that must not be carried out twice.
#[derive(Clone, Debug)]
struct CarriedOut {
    from: ControllerId,
    request: u64,
    /// None while the answer is still to come.
    result: Option<Result<Answer, Refusal>>,
}

/// Inserts an item, with little room to spare: most neurons have few inputs, and there may be a million of them.
fn insert_tightly<T>(items: &mut ThinVec<T>, index: usize, item: T) {
    if items.len() == items.capacity() {
        items.reserve_exact(1 + items.len() / 4);
    }
    items.insert(index, item);
}

/// The most wave tags to be passed on. When there are more, the lowest is dropped: it costs a question downstream.
const MAX_WAVES: usize = 1024;

impl Neuron {
    /// A neuron that starts for the first time.
    ///
    /// `config` must have been checked: numbers finite, no connection to itself without a delay. A
    /// [`Network`](crate::Network) has done so. `nonce` is a random number, a new one each time, by which others notice
    /// that a neuron has lost its store.
    pub fn start(id: NeuronId, config: Config, carrier: Guarantees, nonce: u32, now: Time) -> Self {
        let first = Saved {
            config,
            incarnation: 0,
            ceiling: Tag::ORIGIN,
            subscribers: BTreeMap::new(),
            sources: BTreeMap::new(),
        };
        Self::live(id, first, carrier, nonce, Tag::FIRST, now)
    }

    /// A neuron that comes back after a crash, in the life after the one that saved. It asks its inputs for their levels,
    /// and its subscribers to subscribe again; it speaks only of tags later than the ceiling.
    pub fn resume(id: NeuronId, saved: Saved, carrier: Guarantees, nonce: u32, now: Time) -> Self {
        let first = Tag::at(now).max(saved.ceiling.next().next());
        Self::live(id, saved, carrier, nonce, first, now)
    }

    fn live(id: NeuronId, saved: Saved, carrier: Guarantees, nonce: u32, first: Tag, now: Time) -> Self {
        let Saved { config, incarnation, subscribers, sources, .. } = saved;
        let settings = Params::of(&config, carrier);
        let calling = |(id, life)| Subscriber { id, life, line: Line::Broken(Calling::begin(None, now)) };
        let mut neuron = Self {
            id,
            settings: settings.clone(),
            incarnation: Incarnation { number: incarnation.saturating_add(1), nonce },
            streams: 0,
            sources: ThinVec::new(),
            kept_by: 0,
            integrator: Integrator::new(&config, settings),
            agenda: Agenda::default(),
            spoken: Spoken::nothing_before(first),
            value: Value::default(),
            resumes: Tag::ORIGIN,
            look: false,
            looks: Backoff::default(),
            skipped: false,
            is_new: true,
            renew_at: None,
            acknowledges_at: None,
            beside: false,
            fenced: None,
            waves: Few::new(),
            subscribers: subscribers.into_iter().map(calling).collect(),
            endings: ThinVec::new(),
            wishes: Rare::NONE,
            memory: Memory::default(),
            counters: Tally::default(),
            keeps_record: false,
            wake_at: (first < Tag::MAX).then_some(now),
            cares: Cares::EVERYTHING,
            outputs: None,
        };
        neuron.sources.reserve_exact(config.weights.len().max(config.inputs.len()));
        for (source, weight) in config.weights {
            neuron.source_mut(&source).weight = weight.into();
        }
        for (source, delay) in config.inputs {
            neuron.link(&source, State::ALWAYS, delay);
            let life = sources.get(&source).copied().unwrap_or_default();
            if let Some(link) = &mut neuron.source_mut(&source).link {
                link.receiver.source = life;
            }
        }
        neuron
    }

    /// Puts the first tag of this life on the agenda; it is evaluated as soon as the inputs are known.
    fn begin(&mut self) {
        let first = self.spoken.bound;
        if first < Tag::MAX {
            self.own_event(first, Event::Restart, Time::ZERO);
        }
    }

    /// Has it made durable that it lives, and begins.
    #[cold]
    fn begin_to_live(&mut self) {
        self.outputs.get_or_insert_default().push(Output::Save);
        self.begin();
    }

    /// From now on tells everything it stamps and claims, and what it has stamped and not evaluated yet, as
    /// [`Output::Record`].
    pub fn keep_record(&mut self) {
        self.keeps_record = true;
        for (tag, event) in self.agenda.events() {
            self.outputs.get_or_insert_default().push(Output::Record(Record::Stamped { tag, event: event.clone() }));
        }
    }

    /// Its name.
    pub fn id(&self) -> &NeuronId {
        &self.id
    }

    /// Its present level: 1 when it fires, else 0.
    pub fn level(&self) -> f64 {
        self.value.level
    }

    /// Its present level, and what was missing when it was decided.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Whether it has been evaluated in this incarnation. Before, it answers nobody.
    pub fn is_ready(&self) -> bool {
        self.spoken.evaluated.is_some()
    }

    /// The tag up to which everything has been said: nothing of this neuron's comes at or before it any more.
    pub fn complete_through(&self) -> Tag {
        if self.is_ready() { self.spoken.firm } else { self.resumes }
    }

    /// Which life this is.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// What it has counted.
    pub fn counters(&self) -> Counters {
        self.counters.read()
    }

    /// When it wants to be given [`Input::Wake`], if nothing comes earlier.
    pub fn wake_at(&self) -> Option<Time> {
        self.wake_at
    }

    /// Which life of it others have heard of that is later than this one. It has fallen silent then, and refuses every
    /// command.
    pub fn fenced_by(&self) -> Option<Incarnation> {
        self.fenced
    }

    /// Takes in what has come, at the time `now`.
    pub fn handle(&mut self, input: Input, now: Time) {
        self.begin_turn(now);
        self.take(input, now);
        self.end_turn(now);
    }

    /// What comes before all that a turn brings.
    fn begin_turn(&mut self, now: Time) {
        if self.fenced.is_some() {
            return;
        }
        if std::mem::take(&mut self.is_new) {
            // Whatever may have been late, nobody has been listening yet.
            self.begin_to_live();
        } else {
            self.mind_a_pause(now);
        }
    }

    fn take(&mut self, input: Input, now: Time) {
        if self.fenced.is_some() {
            return self.refuse_everything(input);
        }
        if !input.is_plain() {
            self.cares = Cares::EVERYTHING;
        }
        match input {
            Input::Signal { from, signal } => self.hear(&from, signal, now),
            Input::Request { from, request } => self.obey(from, request, now),
            Input::Undelivered { to } => self.give_up(&to, now),
            Input::Wake => {}
        }
    }

    /// Goes as far as all that the turn has brought allows.
    fn end_turn(&mut self, now: Time) {
        if self.fenced.is_none() {
            self.pump(now);
        }
    }

    /// The next thing it wants done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.as_mut()?.pop()
    }
}
