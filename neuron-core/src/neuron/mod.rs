//! The neuron as a pure state machine: time and messages in, messages and a wake-up time out.
//!
//! Three ideas that know little of each other make it up: what fires (`integrate`), when it may (`frontier`), and how
//! surely it is heard (`delivery`). [`Neuron`] ties them together: `hear` takes in what other neurons say, `obey` what
//! controllers want, `ask` is about questions and promises, `stamp` gives tags to what happens here,
//! and `evaluate` decides.

mod agenda;
mod ask;
mod config;
mod counters;
mod delivery;
mod evaluate;
mod frontier;
mod hear;
mod input;
mod integrate;
mod io;
mod lasting;
mod memory;
mod obey;
mod restart;
mod stamp;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use agenda::Agenda;
pub use config::{Config, MAX_MAGNITUDE, Mode, Pace, Rule, is_finite};
pub use counters::Counters;
use delivery::Sender;
use frontier::{Reservation, Spoken};
use input::{Link, Source, State};
use integrate::Integrator;
pub use io::{Input, Output};
use lasting::Ending;
pub use memory::MAX_REMEMBERED;
use memory::Memory;

use crate::{
    command::{Answer, Refusal, Report, Sample},
    id::{ControllerId, NeuronId},
    record::{Claim, Event, Record},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::{Tag, Time},
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
/// use neuron_core::neuron::{Config, Input, Neuron, Output, Pace};
/// use std::time::Duration;
///
/// let pace = Pace { grace: Duration::from_millis(1), retry: Duration::from_millis(25) };
/// let mut lamp = Neuron::start("lamp".parse()?, Config::new(), pace, Time::ZERO);
/// let stimulus = Stimulus { sensor: None, level: 1.0, hold: None };
/// let command = Command::Stimulate { stimulus, at: None, within: Duration::ZERO };
/// let request = Input::Request { from: "me".parse()?, request: Request { id: 1, command } };
/// lamp.handle(request, Time::from_micros(7));
/// assert_eq!(lamp.level(), 1.0);
/// let Some(Output::Report { to, .. }) = lamp.poll_output() else { panic!("an answer is due") };
/// assert_eq!(to.as_str(), "me");
/// assert_eq!(lamp.wake_at(), Some(Time::from_micros(5_000_007))); // when the stimulus is over
/// # Ok::<(), neuron_core::NameError>(())
/// ```
#[derive(Debug)]
pub struct Neuron {
    id: NeuronId,
    settings: Settings,
    incarnation: Incarnation,
    /// Streams asked for in this incarnation.
    streams: u32,
    /// Ordered by name, which is the order they are added in.
    sources: Vec<Source>,
    integrator: Integrator,
    agenda: Agenda,
    spoken: Spoken,
    /// The level last evaluated. It outlives a restart, so that watchers hear of the difference.
    level: f64,
    /// Before the first evaluation of this incarnation: the last tag that the one before has spoken about.
    resumes: Tag,
    /// Tags after this one were skipped, because nobody will ever know what an input was then.
    unknown_from: Option<Tag>,
    /// Tags of waves that brought nothing new to an input and are not passed on yet, in order.
    waves: VecDeque<Tag>,
    /// Ordered by name.
    subscribers: Vec<(NeuronId, Option<Sender>)>,
    reservations: Vec<Reservation>,
    endings: Vec<Ending>,
    questions: Vec<Question>,
    watchers: Vec<(ControllerId, u64)>,
    /// Commands that changed something, with their answers.
    carried_out: VecDeque<CarriedOut>,
    memory: Memory,
    counters: Counters,
    keeps_record: bool,
    wake_at: Option<Time>,
    outputs: VecDeque<Output>,
}

/// What stays as it was configured.
#[derive(Clone, Copy, Debug)]
struct Settings {
    hold: std::time::Duration,
    linger: std::time::Duration,
    mode: Mode,
    rule: Rule,
    patience: std::time::Duration,
    pace: Pace,
}

/// A controller waits for the level at a tag.
#[derive(Debug)]
struct Question {
    from: ControllerId,
    request: u64,
    tag: Tag,
}

/// A command that must not be carried out twice.
#[derive(Debug)]
struct CarriedOut {
    from: ControllerId,
    request: u64,
    /// None while the answer is still to come.
    result: Option<Result<Answer, Refusal>>,
}

/// The most wave tags to be passed on. When there are more, the lowest is dropped: it costs a question downstream.
const MAX_WAVES: usize = 1024;

impl Neuron {
    /// A neuron that starts for the first time.
    ///
    /// `config` must have been checked: numbers finite, no connection to itself without a delay. A
    /// [[`Network`](crate::Network) has done so.
    pub fn start(id: NeuronId, config: Config, pace: Pace, now: Time) -> Self {
        let settings = Settings {
            hold: config.hold,
            linger: config.linger,
            mode: config.mode,
            rule: config.rule,
            patience: config.patience,
            pace,
        };
        let mut neuron = Self {
            id,
            settings,
            incarnation: Incarnation(1),
            streams: 0,
            sources: Vec::new(),
            integrator: Integrator::new(&config),
            agenda: Agenda::default(),
            spoken: Spoken::nothing_before(Tag::FIRST),
            level: 0.0,
            resumes: Tag::ORIGIN,
            unknown_from: None,
            waves: VecDeque::new(),
            subscribers: Vec::new(),
            reservations: Vec::new(),
            endings: Vec::new(),
            questions: Vec::new(),
            watchers: Vec::new(),
            carried_out: VecDeque::new(),
            memory: Memory::default(),
            counters: Counters::default(),
            keeps_record: false,
            wake_at: None,
            outputs: VecDeque::new(),
        };
        for (source, weight) in config.weights {
            neuron.source_mut(&source).weight = Some(weight);
        }
        for (source, delay) in config.inputs {
            neuron.subscribe(&source, State::ALWAYS, delay);
        }
        neuron.begin(Tag::FIRST, now);
        neuron
    }

    /// Puts the first tag of this life on the agenda; it is evaluated as soon as the inputs are known.
    fn begin(&mut self, first: Tag, now: Time) {
        self.own_event(first, Event::Restart, Time::ZERO);
        self.wake_at = Some(now);
    }

    /// From now on tells everything it stamps and claims, and what it has stamped and not evaluated yet, as
    /// [`Output::Record`].
    pub fn keep_record(&mut self) {
        self.keeps_record = true;
        for (tag, event) in self.agenda.events() {
            self.outputs.push_back(Output::Record(Record::Stamped { tag, event: event.clone() }));
        }
    }

    /// Its name.
    pub fn id(&self) -> &NeuronId {
        &self.id
    }

    /// Its present level: 1 when it fires, else 0.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// Whether it has been evaluated in this incarnation. Before, it answers nobody.
    pub fn is_ready(&self) -> bool {
        self.spoken.evaluated.is_some()
    }

    /// The tag up to which everything has been said: nothing of this neuron's comes at or before it any more.
    pub fn frontier(&self) -> Tag {
        self.spoken.firm
    }

    /// Which life this is.
    pub fn incarnation(&self) -> Incarnation {
        self.incarnation
    }

    /// What it has counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// When it wants to be given [`Input::Wake`], if nothing comes earlier.
    pub fn wake_at(&self) -> Option<Time> {
        self.wake_at
    }

    /// Takes in what has come, at the time `now`.
    pub fn handle(&mut self, input: Input, now: Time) {
        match input {
            Input::Signal { from, signal } => self.hear(&from, signal, now),
            Input::Request { from, request } => self.obey(from, request, now),
            Input::Wake => {}
        }
        self.pump(now);
    }

    /// The next thing it wants done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn source_mut(&mut self, id: &NeuronId) -> &mut Source {
        let index = match self.find_source(id) {
            Ok(index) => index,
            Err(index) => {
                self.sources.insert(index, Source { id: id.clone(), weight: None, link: None });
                index
            }
        };
        &mut self.sources[index]
    }

    fn find_source(&self, id: &NeuronId) -> Result<usize, usize> {
        self.sources.binary_search_by(|source| source.id.cmp(id))
    }

    fn forget_if_empty(&mut self, id: &NeuronId) {
        if let Ok(index) = self.find_source(id)
            && self.sources[index].weight.is_none()
            && self.sources[index].link.is_none()
        {
            self.sources.remove(index);
        }
    }

    /// Asks a source for its statements.
    fn subscribe(&mut self, source: &NeuronId, state: State, delay: Option<std::time::Duration>) {
        let stream = self.next_stream();
        let asap = self.settings.mode == Mode::Asap;
        self.source_mut(source).link = Some(Link::new(state, delay, asap, stream));
        self.send(source.clone(), SignalBody::Subscribe { stream });
    }

    fn next_stream(&mut self) -> StreamId {
        self.streams += 1;
        StreamId { incarnation: self.incarnation, counter: self.streams }
    }

    fn send(&mut self, to: NeuronId, body: SignalBody) {
        self.outputs.push_back(Output::Signal { to, signal: Signal { incarnation: self.incarnation, body } });
    }

    /// States a new level to all subscribers.
    fn state(&mut self, claim: Claim) {
        for index in 0..self.subscribers.len() {
            self.state_to(index, claim);
        }
    }

    /// States a level to one subscriber. The first statement of a stream knows nothing of what was before.
    fn state_to(&mut self, index: usize, claim: Claim) {
        let (subscriber, sender) = &mut self.subscribers[index];
        let Some(sender) = sender else { return };
        sender.seq += 1;
        sender.say(claim.at);
        let known = if sender.seq == 1 { Tag::ORIGIN } else { claim.known };
        let (stream, seq, to) = (sender.stream, sender.seq, subscriber.clone());
        self.send(to, SignalBody::Changed { stream, seq, known, at: claim.at, level: claim.level });
    }

    fn report_change(&mut self, tag: Tag) {
        let sample = Sample { level: self.level, tag };
        for (to, watch) in &self.watchers {
            let report = Report::Changed { watch: *watch, sample };
            self.outputs.push_back(Output::Report { to: to.clone(), report });
        }
    }
}
