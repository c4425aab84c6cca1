//! The neuron as a pure state machine: time and messages in, messages and a wake-up time out.
//!
//! Three ideas that know little of each other make it up: what fires (`integrate`), when it may (`frontier`), and how
//! surely it is heard (`delivery`). [`Neuron`] ties them together: `hear` takes in what other neurons say, `obey` what
//! controllers want, `ask` is about questions and promises; this file evaluates.

mod agenda;
mod ask;
mod config;
mod counters;
mod delivery;
mod frontier;
mod hear;
mod input;
mod integrate;
mod io;
mod lasting;
mod memory;
mod obey;
mod restart;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use agenda::Agenda;
pub use config::{Config, MAX_MAGNITUDE, Mode, Pace, Rule, is_finite};
pub use counters::Counters;
use delivery::Sender;
use frontier::{Gap, Reservation, Spoken};
use input::{Link, Source, State};
use integrate::Integrator;
pub use io::{Input, Output};
use lasting::{Ending, due};
pub use memory::MAX_REMEMBERED;
use memory::Memory;

use crate::{
    command::{Answer, Refusal, Report, Sample},
    id::{self, ControllerId, NeuronId},
    record::{Claim, Event, Lasting, Record},
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

    /// Goes as far as what is known allows.
    fn pump(&mut self, now: Time) {
        self.reservations.retain(|reservation| reservation.expires > now);
        loop {
            self.stamp_what_is_due(now);
            let Some(tag) = self.agenda.first().map(|slot| slot.tag) else { break };
            let gap = self.gap_at(tag);
            if let Some(gap) = gap.filter(|gap| !gap.closed) {
                self.skip();
                self.unknown_from = self.unknown_from.into_iter().chain([gap.from]).min();
                continue;
            }
            if !self.may_evaluate(tag, now) {
                break;
            }
            if !self.settle(tag, now) {
                self.evaluate(now);
            }
        }
        self.tell(now);
        self.wake_at = self.ask(now);
    }

    /// The gaps of all inputs that count at `tag`, as one. Of an input that begins to count there, only the one that
    /// `tag` lies in matters: nobody has relied on what it was before.
    fn gap_at(&self, tag: Tag) -> Option<Gap> {
        let links = self.sources.iter().filter_map(|source| source.link.as_ref());
        let gaps = links.filter(|link| link.needed_for(tag).is_some()).filter_map(|link| {
            let gap = link.history.gap_at(tag)?;
            (link.counts || !gap.closed).then_some(gap)
        });
        gaps.reduce(Gap::and)
    }

    /// Gives up the first slot of the agenda: what the neuron's level is at that tag will never be known. Its own events
    /// count nevertheless.
    fn skip(&mut self) {
        let Some(slot) = self.agenda.pop() else { return };
        for event in &slot.events {
            self.apply(event, slot.tag);
        }
        self.weigh(slot.tag);
        self.integrator.skip();
        self.counters.skipped += 1;
    }

    fn may_evaluate(&self, tag: Tag, now: Time) -> bool {
        let released = self.wanted(now).max(self.agenda.released(now)).is_some_and(|upto| tag <= upto);
        released
            && self.reservations.iter().all(|reservation| tag < reservation.floor)
            && self.sources.iter().all(|source| {
                let link = source.link.as_ref();
                let needed = link.and_then(|link| Some((link.needed_for(tag)?, link.history.frontier)));
                needed.is_none_or(|(needed, frontier)| frontier >= needed)
            })
    }

    /// Evaluates the first slot of the agenda.
    fn evaluate(&mut self, now: Time) {
        let Some(slot) = self.agenda.pop() else { return };
        let tag = slot.tag;
        debug_assert!(self.spoken.is_open(tag), "{}: {tag} was answered before", self.id);
        let first = self.spoken.evaluated.is_none();
        let skipped = self.unknown_from.take();
        let gap = if first { skipped } else { skipped.into_iter().chain(self.gap_at(tag).map(|gap| gap.from)).min() };
        for event in &slot.events {
            self.apply(event, tag);
        }
        let sum = self.weigh(tag);
        if gap.is_some() && self.integrator.remembers() {
            self.endings.retain(|ending| !matches!(ending.what, Lasting::Linger | Lasting::Refractory));
            self.integrator.apply(&Event::Forget, tag);
            self.record(tag, &Event::Forget);
        }
        let outcome = self.integrator.evaluate(tag, sum);
        if let Some((what, span)) = outcome.begun {
            self.ends(what, tag, span, now);
        }

        let known = match (first, gap) {
            (true, _) => self.resumes,
            (false, Some(gap)) => gap.max(self.spoken.firm),
            (false, None) => tag.prev(),
        };
        let claim = Claim { known, at: tag, level: outcome.level };
        let changed = outcome.level != self.level;
        self.counters.evaluations += 1;
        self.counters.firings += u64::from(changed && self.level == 0.0);
        self.level = outcome.level;
        self.spoken.promise(tag);
        self.spoken.evaluated = Some(tag);
        if self.keeps_record {
            self.outputs.push_back(Output::Record(Record::Evaluated(claim)));
        }
        if first || changed || gap.is_some() {
            self.memory.push(claim);
            self.state(claim);
        } else if slot.wave {
            self.pass_on(tag);
        }
        if changed {
            self.report_change(tag);
        }
    }

    /// Takes in an event of its own, as far as others than the integrator are concerned.
    fn apply(&mut self, event: &Event, tag: Tag) {
        match event {
            Event::Reentry { source, level } => {
                let source = self.source_mut(source);
                let weight = source.weight.unwrap_or(0.0);
                if let Some(link) = &mut source.link {
                    let rose = link.history.level != *level;
                    link.history.level = *level;
                    if rose {
                        self.integrator.kick(tag, weight, *level);
                    }
                }
            }
            Event::SetWeight { source: id::Source::Neuron(source), weight } => {
                self.source_mut(source).weight = Some(*weight);
            }
            Event::DeleteWeight { source: id::Source::Neuron(source) } => {
                self.source_mut(source).weight = None;
                self.forget_if_empty(source);
            }
            Event::Connect { source, .. } => {
                if let Some(link) = &mut self.source_mut(source).link {
                    link.counts = true;
                    if link.reentry.is_none() {
                        // Whatever gap lies before the connection counts does not count either.
                        link.history.advance(tag);
                    }
                }
            }
            Event::Disconnect { source } => {
                if let Some(link) = self.source_mut(source).link.take() {
                    self.send(source.clone(), SignalBody::Unsubscribe { stream: link.receiver.stream });
                }
                self.forget_if_empty(source);
            }
            event => self.integrator.apply(event, tag),
        }
    }

    /// The weighted sum of the connected neurons at `tag`.
    fn weigh(&mut self, tag: Tag) -> f64 {
        let mut sum = 0.0;
        for source in &mut self.sources {
            let weight = source.weight.unwrap_or(0.0);
            let Some(link) = source.link.as_mut().filter(|link| link.counts) else { continue };
            if link.reentry.is_none() {
                let before = link.history.level;
                link.history.advance(tag);
                if link.history.level != before {
                    self.integrator.kick(tag, weight, link.history.level);
                }
            }
            sum += weight * link.history.level;
        }
        sum
    }

    fn record(&mut self, tag: Tag, event: &Event) {
        if self.keeps_record {
            self.outputs.push_back(Output::Record(Record::Stamped { tag, event: event.clone() }));
        }
    }

    /// Puts an event of its own on the agenda.
    fn own_event(&mut self, tag: Tag, event: Event, release: Time) {
        self.record(tag, &event);
        self.spoken.bound = self.spoken.bound.max(tag);
        self.agenda.slot(tag, release).events.push(event);
    }

    /// The tag for an event of its own that happens now; none when tags have run out.
    fn stamp(&self, at_least: Tag) -> Option<Tag> {
        let tag = at_least.max(self.spoken.bound.next());
        (tag < Tag::MAX).then_some(tag)
    }

    /// Something began with tag `of` and ends by itself after `span`.
    fn ends(&mut self, what: Lasting, of: Tag, span: std::time::Duration, now: Time) {
        self.endings.retain(|ending| ending.what != what || ending.of > of);
        self.endings.push(Ending { what, of, at: of.after(span), due: due(of, span, now) });
    }

    /// Stamps what ends, and what re-enters, by now; in the order of the tags it should have.
    fn stamp_what_is_due(&mut self, now: Time) {
        loop {
            let ending = self.endings.iter().enumerate().filter(|(_, ending)| ending.due <= now);
            let ending = ending.map(|(index, ending)| (ending.at, index)).min();
            let reentry = self.sources.iter().enumerate().filter_map(|(index, source)| {
                let first = source.link.as_ref()?.reentry.as_ref()?.first()?;
                (first.due <= now).then_some((first.at, index))
            });
            match (ending, reentry.min()) {
                (None, None) => break,
                (Some((at, index)), reentry) if reentry.is_none_or(|(other, _)| at <= other) => self.end(index, now),
                (_, Some((_, index))) => self.reenter(index),
                (Some(_), None) => unreachable!("an ending comes first when nothing re-enters"),
            }
        }
    }

    fn end(&mut self, index: usize, now: Time) {
        let ending = self.endings.swap_remove(index);
        if let Some(tag) = self.stamp(ending.at) {
            self.own_event(tag, Event::End { what: ending.what, of: ending.of }, now);
        }
    }

    fn reenter(&mut self, index: usize) {
        let source = &mut self.sources[index];
        let id = source.id.clone();
        let returning = source.link.as_mut().and_then(|link| link.reentry.as_mut()?.pop());
        let Some(returning) = returning else { return };
        if let Some(tag) = self.stamp(returning.at) {
            self.own_event(tag, Event::Reentry { source: id, level: returning.level }, Time::ZERO);
        }
    }

    /// Ends early, at their own tag, what ends at or before `tag` and has little time left, so that what began with one
    /// tag at several neurons also ends with one, even if their clocks differ a little. Tells whether there was any.
    fn settle(&mut self, tag: Tag, now: Time) -> bool {
        let soon = now.after(self.settings.patience);
        let mut found = false;
        while let Some(index) = self.endings.iter().position(|ending| ending.at <= tag && ending.due < soon) {
            self.end(index, now);
            found = true;
        }
        found
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
