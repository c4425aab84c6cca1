//! Version 1. What stands here is frozen with the first release: from then on a change of meaning needs a new kind, or a new
//! version.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{WireError, WireErrorKind, fields, seal};
use crate::{
    command::{Answer, Command, ConfigChange, ConfigView, Firing, Refusal, Report, Request, Sample, Stamp, Stimulus},
    id::{NameError, NeuronId, Source},
    neuron::{Counters, Mode, Rule, is_finite},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::Tag,
    value::{Missing, Value},
};

/// The kind byte of each message.
mod kind {
    pub(super) const SUBSCRIBE: u8 = 1;
    pub(super) const UNSUBSCRIBE: u8 = 2;
    pub(super) const HELLO: u8 = 3;
    pub(super) const CHANGED: u8 = 4;
    pub(super) const NOTHING: u8 = 5;
    pub(super) const PROBE: u8 = 6;
    pub(super) const ACK: u8 = 7;
    pub(super) const NO_STREAM: u8 = 8;
    pub(super) const FENCED: u8 = 9;

    pub(super) const STIMULATE: u8 = 32;
    pub(super) const RESERVE: u8 = 33;
    pub(super) const COMMIT: u8 = 34;
    pub(super) const OUTPUT: u8 = 35;
    pub(super) const OUTPUT_AT: u8 = 36;
    pub(super) const WATCH: u8 = 37;
    pub(super) const UNWATCH: u8 = 38;
    pub(super) const CONFIG: u8 = 39;
    pub(super) const SET_WEIGHT: u8 = 40;
    pub(super) const DELETE_WEIGHT: u8 = 41;
    pub(super) const SET_THRESHOLD: u8 = 42;
    pub(super) const CONNECT: u8 = 43;
    pub(super) const DISCONNECT: u8 = 44;
    pub(super) const LOG: u8 = 45;
    pub(super) const EMPTY_LOG: u8 = 46;
    pub(super) const COUNTERS: u8 = 47;
    pub(super) const PREPARE: u8 = 48;
    pub(super) const RELEASE: u8 = 49;
    pub(super) const TRAIN: u8 = 50;

    pub(super) const IS_DONE: u8 = 64;
    pub(super) const IS_STAMPED: u8 = 65;
    pub(super) const IS_FLOOR: u8 = 66;
    pub(super) const IS_OUTPUT: u8 = 67;
    pub(super) const IS_CONFIG: u8 = 68;
    pub(super) const IS_LOG: u8 = 69;
    pub(super) const IS_COUNTERS: u8 = 70;
    pub(super) const IS_REFUSED: u8 = 71;
    pub(super) const WATCHED: u8 = 72;
}

/// Number and nonce of an incarnation.
type Life = (u32, u32);
type Stream = (Life, u32);

fn life(incarnation: Incarnation) -> Life {
    (incarnation.number, incarnation.nonce)
}

fn incarnation((number, nonce): Life) -> Incarnation {
    Incarnation { number, nonce }
}

fn stream(stream: StreamId) -> Stream {
    (life(stream.incarnation), stream.counter)
}

fn stream_id((life, counter): Stream) -> StreamId {
    StreamId { incarnation: incarnation(life), counter }
}

/// The names of what is missing.
fn names(missing: &Missing) -> Vec<&str> {
    missing.names().iter().map(NeuronId::as_str).collect()
}

fn missing(names: Vec<String>) -> Result<Missing, WireError> {
    names.iter().map(|text| name::<NeuronId>(text)).collect()
}

fn finite(number: f64) -> Result<f64, WireError> {
    if is_finite(number) { Ok(number) } else { Err(WireErrorKind::NotFinite.into()) }
}

/// A tag. All ones would come after the last there is.
fn tag(bits: u64) -> Result<Tag, WireError> {
    let tag = Tag::from_bits(bits);
    if tag.to_bits() == bits { Ok(tag) } else { Err(WireErrorKind::Malformed.into()) }
}

fn bad_name(error: NameError) -> WireError {
    WireError { kind: WireErrorKind::BadName, source: Some(Box::new(error)) }
}

/// Names travel as texts, and are parsed on the way in like any other.
fn name<T: std::str::FromStr<Err = NameError>>(text: &str) -> Result<T, WireError> {
    text.parse().map_err(bad_name)
}

/// Durations travel in microseconds, which is what tags are made of.
fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

pub(super) fn encode_signal(signal: &Signal) -> Result<Vec<u8>, WireError> {
    let life = life(signal.incarnation);
    match &signal.body {
        SignalBody::Subscribe { stream: id } => seal(kind::SUBSCRIBE, &(life, stream(*id))),
        SignalBody::Unsubscribe { stream: id } => seal(kind::UNSUBSCRIBE, &(life, stream(*id))),
        SignalBody::Hello => seal(kind::HELLO, &life),
        SignalBody::NoStream { stream: id } => seal(kind::NO_STREAM, &(life, stream(*id))),
        SignalBody::Fenced { incarnation } => seal(kind::FENCED, &(life, self::life(*incarnation))),
        SignalBody::Changed { stream: id, seq, known, at, value } => {
            let (level, missing) = (finite(value.level)?, names(&value.missing));
            seal(kind::CHANGED, &(life, stream(*id), seq, known.to_bits(), at.to_bits(), level, missing))
        }
        SignalBody::Ack { stream: id, upto } => seal(kind::ACK, &(life, stream(*id), upto)),
        SignalBody::Nothing { stream: id, after, upto, wave } => {
            seal(kind::NOTHING, &(life, stream(*id), after, upto.to_bits(), wave))
        }
        SignalBody::Probe { stream: id, upto } => seal(kind::PROBE, &(life, stream(*id), upto.to_bits())),
    }
}

pub(super) fn decode_signal(kind: u8, bytes: &[u8]) -> Result<Signal, WireError> {
    let (life, body) = match kind {
        kind::SUBSCRIBE => {
            let (life, id) = fields(bytes)?;
            (life, SignalBody::Subscribe { stream: stream_id(id) })
        }
        kind::UNSUBSCRIBE => {
            let (life, id) = fields(bytes)?;
            (life, SignalBody::Unsubscribe { stream: stream_id(id) })
        }
        kind::HELLO => (fields(bytes)?, SignalBody::Hello),
        kind::NO_STREAM => {
            let (life, id) = fields(bytes)?;
            (life, SignalBody::NoStream { stream: stream_id(id) })
        }
        kind::FENCED => {
            let (life, other) = fields(bytes)?;
            (life, SignalBody::Fenced { incarnation: incarnation(other) })
        }
        kind::CHANGED => {
            let (life, id, seq, known, at, level, names): (Life, Stream, u64, u64, u64, f64, Vec<String>) =
                fields(bytes)?;
            let value = Value { level: finite(level)?, missing: missing(names)? };
            let (known, at) = (tag(known)?, tag(at)?);
            (life, SignalBody::Changed { stream: stream_id(id), seq, known, at, value })
        }
        kind::ACK => {
            let (life, id, upto) = fields(bytes)?;
            (life, SignalBody::Ack { stream: stream_id(id), upto })
        }
        kind::NOTHING => {
            let (life, id, after, upto, wave): (Life, Stream, u64, u64, bool) = fields(bytes)?;
            (life, SignalBody::Nothing { stream: stream_id(id), after, upto: tag(upto)?, wave })
        }
        kind::PROBE => {
            let (life, id, upto): (Life, Stream, u64) = fields(bytes)?;
            (life, SignalBody::Probe { stream: stream_id(id), upto: tag(upto)? })
        }
        kind => return Err(WireErrorKind::UnknownKind(kind).into()),
    };
    Ok(Signal { incarnation: incarnation(life), body })
}

#[derive(Serialize, Deserialize)]
struct WireStimulus {
    sensor: Option<String>,
    level: f64,
    hold: Option<u64>,
}

impl WireStimulus {
    fn new(stimulus: &Stimulus) -> Result<Self, WireError> {
        Ok(Self {
            sensor: stimulus.sensor.as_ref().map(ToString::to_string),
            level: finite(stimulus.level)?,
            hold: stimulus.hold.map(micros),
        })
    }

    fn open(self) -> Result<Stimulus, WireError> {
        Ok(Stimulus {
            sensor: self.sensor.as_deref().map(name).transpose()?,
            level: finite(self.level)?,
            hold: self.hold.map(Duration::from_micros),
        })
    }
}

#[derive(Serialize, Deserialize)]
enum WireSource {
    Neuron(String),
    Sensor(String),
}

impl WireSource {
    fn new(source: &Source) -> Self {
        match source {
            Source::Neuron(id) => Self::Neuron(id.to_string()),
            Source::Sensor(id) => Self::Sensor(id.to_string()),
        }
    }

    fn open(self) -> Result<Source, WireError> {
        Ok(match self {
            Self::Neuron(id) => Source::Neuron(name(&id)?),
            Self::Sensor(id) => Source::Sensor(name(&id)?),
        })
    }
}

#[derive(Serialize, Deserialize)]
enum WireChange {
    SetWeight(WireSource, f64),
    DeleteWeight(WireSource),
    SetThreshold(f64),
    Connect(String, Option<u64>),
    Disconnect(String),
}

impl WireChange {
    fn new(change: &ConfigChange) -> Result<Self, WireError> {
        Ok(match change {
            ConfigChange::SetWeight { source, weight } => Self::SetWeight(WireSource::new(source), finite(*weight)?),
            ConfigChange::DeleteWeight { source } => Self::DeleteWeight(WireSource::new(source)),
            ConfigChange::SetThreshold { threshold } => Self::SetThreshold(finite(*threshold)?),
            ConfigChange::Connect { source, delay } => Self::Connect(source.to_string(), delay.map(micros)),
            ConfigChange::Disconnect { source } => Self::Disconnect(source.to_string()),
        })
    }

    fn open(self) -> Result<ConfigChange, WireError> {
        Ok(match self {
            Self::SetWeight(source, weight) => {
                ConfigChange::SetWeight { source: source.open()?, weight: finite(weight)? }
            }
            Self::DeleteWeight(source) => ConfigChange::DeleteWeight { source: source.open()? },
            Self::SetThreshold(threshold) => ConfigChange::SetThreshold { threshold: finite(threshold)? },
            Self::Connect(source, delay) => {
                ConfigChange::Connect { source: name(&source)?, delay: delay.map(Duration::from_micros) }
            }
            Self::Disconnect(source) => ConfigChange::Disconnect { source: name(&source)? },
        })
    }
}

pub(super) fn encode_request(request: &Request) -> Result<Vec<u8>, WireError> {
    let id = request.id;
    match &request.command {
        Command::Stimulate { stimulus, at, within } => {
            let fields = (id, WireStimulus::new(stimulus)?, at.map(Tag::to_bits), micros(*within));
            seal(kind::STIMULATE, &fields)
        }
        Command::Train { levels } => {
            let levels = levels.iter().map(|level| finite(*level)).collect::<Result<Vec<_>, _>>()?;
            seal(kind::TRAIN, &(id, levels))
        }
        Command::Reserve => seal(kind::RESERVE, &id),
        Command::Prepare { changes } => {
            let changes = changes.iter().map(WireChange::new).collect::<Result<Vec<_>, _>>()?;
            seal(kind::PREPARE, &(id, changes))
        }
        Command::Release { ticket } => seal(kind::RELEASE, &(id, *ticket)),
        Command::Commit { ticket, at, stimuli } => {
            let stimuli = stimuli.iter().map(WireStimulus::new).collect::<Result<Vec<_>, _>>()?;
            seal(kind::COMMIT, &(id, *ticket, at.to_bits(), stimuli))
        }
        Command::Output => seal(kind::OUTPUT, &id),
        Command::OutputAt { tag } => seal(kind::OUTPUT_AT, &(id, tag.to_bits())),
        Command::Watch => seal(kind::WATCH, &id),
        Command::Unwatch { watch } => seal(kind::UNWATCH, &(id, *watch)),
        Command::Config => seal(kind::CONFIG, &id),
        Command::Configure(ConfigChange::SetWeight { source, weight }) => {
            seal(kind::SET_WEIGHT, &(id, WireSource::new(source), finite(*weight)?))
        }
        Command::Configure(ConfigChange::DeleteWeight { source }) => {
            seal(kind::DELETE_WEIGHT, &(id, WireSource::new(source)))
        }
        Command::Configure(ConfigChange::SetThreshold { threshold }) => {
            seal(kind::SET_THRESHOLD, &(id, finite(*threshold)?))
        }
        Command::Configure(ConfigChange::Connect { source, delay }) => {
            seal(kind::CONNECT, &(id, source.as_str(), delay.map(micros)))
        }
        Command::Configure(ConfigChange::Disconnect { source }) => seal(kind::DISCONNECT, &(id, source.as_str())),
        Command::Log => seal(kind::LOG, &id),
        Command::EmptyLog => seal(kind::EMPTY_LOG, &id),
        Command::Counters => seal(kind::COUNTERS, &id),
    }
}

pub(super) fn decode_request(kind: u8, bytes: &[u8]) -> Result<Request, WireError> {
    let (id, command) = match kind {
        kind::STIMULATE => {
            let (id, stimulus, at, within): (u64, WireStimulus, Option<u64>, u64) = fields(bytes)?;
            let (at, within) = (at.map(tag).transpose()?, Duration::from_micros(within));
            (id, Command::Stimulate { stimulus: stimulus.open()?, at, within })
        }
        kind::TRAIN => {
            let (id, levels): (u64, Vec<f64>) = fields(bytes)?;
            let levels = levels.into_iter().map(finite).collect::<Result<_, _>>()?;
            (id, Command::Train { levels })
        }
        kind::RESERVE => (fields(bytes)?, Command::Reserve),
        kind::PREPARE => {
            let (id, changes): (u64, Vec<WireChange>) = fields(bytes)?;
            let changes = changes.into_iter().map(WireChange::open).collect::<Result<_, _>>()?;
            (id, Command::Prepare { changes })
        }
        kind::RELEASE => {
            let (id, ticket) = fields(bytes)?;
            (id, Command::Release { ticket })
        }
        kind::COMMIT => {
            let (id, ticket, at, stimuli): (u64, u64, u64, Vec<WireStimulus>) = fields(bytes)?;
            let stimuli = stimuli.into_iter().map(WireStimulus::open).collect::<Result<Vec<_>, _>>()?;
            (id, Command::Commit { ticket, at: tag(at)?, stimuli })
        }
        kind::OUTPUT => (fields(bytes)?, Command::Output),
        kind::OUTPUT_AT => {
            let (id, at) = fields(bytes)?;
            (id, Command::OutputAt { tag: tag(at)? })
        }
        kind::WATCH => (fields(bytes)?, Command::Watch),
        kind::UNWATCH => {
            let (id, watch) = fields(bytes)?;
            (id, Command::Unwatch { watch })
        }
        kind::CONFIG => (fields(bytes)?, Command::Config),
        kind::SET_WEIGHT => {
            let (id, source, weight): (u64, WireSource, f64) = fields(bytes)?;
            (id, Command::Configure(ConfigChange::SetWeight { source: source.open()?, weight: finite(weight)? }))
        }
        kind::DELETE_WEIGHT => {
            let (id, source): (u64, WireSource) = fields(bytes)?;
            (id, Command::Configure(ConfigChange::DeleteWeight { source: source.open()? }))
        }
        kind::SET_THRESHOLD => {
            let (id, threshold) = fields(bytes)?;
            (id, Command::Configure(ConfigChange::SetThreshold { threshold: finite(threshold)? }))
        }
        kind::CONNECT => {
            let (id, source, delay): (u64, String, Option<u64>) = fields(bytes)?;
            (
                id,
                Command::Configure(ConfigChange::Connect {
                    source: name(&source)?,
                    delay: delay.map(Duration::from_micros),
                }),
            )
        }
        kind::DISCONNECT => {
            let (id, source): (u64, String) = fields(bytes)?;
            (id, Command::Configure(ConfigChange::Disconnect { source: name(&source)? }))
        }
        kind::LOG => (fields(bytes)?, Command::Log),
        kind::EMPTY_LOG => (fields(bytes)?, Command::EmptyLog),
        kind::COUNTERS => (fields(bytes)?, Command::Counters),
        kind => return Err(WireErrorKind::UnknownKind(kind).into()),
    };
    Ok(Request { id, command })
}

#[derive(Serialize, Deserialize)]
struct WireSample {
    level: f64,
    tag: u64,
    missing: Vec<String>,
}

impl WireSample {
    fn new(sample: &Sample) -> Result<Self, WireError> {
        let missing = sample.missing.names().iter().map(ToString::to_string).collect();
        Ok(Self { level: finite(sample.level)?, tag: sample.tag.to_bits(), missing })
    }

    fn open(self) -> Result<Sample, WireError> {
        Ok(Sample { level: finite(self.level)?, tag: tag(self.tag)?, missing: missing(self.missing)? })
    }
}

#[derive(Serialize, Deserialize)]
struct WireConfig {
    output: WireSample,
    threshold: Option<f64>,
    weights: Vec<(String, f64)>,
    sensors: Vec<(String, f64)>,
    inputs: Vec<(String, Option<u64>)>,
    connections: Vec<String>,
    hold: u64,
    linger: u64,
    asap: bool,
    /// Window and refractory period of the pulse rule; nothing for the level rule.
    pulse: Option<(u64, u64)>,
}

impl WireConfig {
    fn new(config: &ConfigView) -> Result<Self, WireError> {
        let weights = |(name, weight): (String, &f64)| Ok((name, finite(*weight)?));
        Ok(Self {
            output: WireSample::new(&config.output)?,
            threshold: config.threshold.map(finite).transpose()?,
            weights: config
                .weights
                .iter()
                .map(|(id, weight)| weights((id.to_string(), weight)))
                .collect::<Result<_, WireError>>()?,
            sensors: config
                .sensors
                .iter()
                .map(|(id, weight)| weights((id.to_string(), weight)))
                .collect::<Result<_, WireError>>()?,
            inputs: config.inputs.iter().map(|(id, delay)| (id.to_string(), delay.map(micros))).collect(),
            connections: config.connections.iter().map(ToString::to_string).collect(),
            hold: micros(config.hold),
            linger: micros(config.linger),
            asap: config.mode == Mode::Asap,
            pulse: match config.rule {
                Rule::Level => None,
                Rule::Pulse { window, refractory } => Some((micros(window), micros(refractory))),
            },
        })
    }

    fn open(self) -> Result<ConfigView, WireError> {
        fn weights<T: std::str::FromStr<Err = NameError> + Ord>(
            weights: Vec<(String, f64)>,
        ) -> Result<BTreeMap<T, f64>, WireError> {
            weights.into_iter().map(|(text, weight)| Ok((name(&text)?, finite(weight)?))).collect()
        }
        Ok(ConfigView {
            output: self.output.open()?,
            threshold: self.threshold.map(finite).transpose()?,
            weights: weights(self.weights)?,
            sensors: weights(self.sensors)?,
            inputs: self
                .inputs
                .into_iter()
                .map(|(text, delay)| Ok((name(&text)?, delay.map(Duration::from_micros))))
                .collect::<Result<_, WireError>>()?,
            connections: self.connections.iter().map(|text| name::<NeuronId>(text)).collect::<Result<_, _>>()?,
            hold: Duration::from_micros(self.hold),
            linger: Duration::from_micros(self.linger),
            mode: if self.asap { Mode::Asap } else { Mode::Coherent },
            rule: match self.pulse {
                None => Rule::Level,
                Some((window, refractory)) => {
                    Rule::Pulse { window: Duration::from_micros(window), refractory: Duration::from_micros(refractory) }
                }
            },
        })
    }
}

/// The counters in the order of version 1.
fn counts(counters: &mut Counters) -> [&mut u64; 15] {
    let Counters {
        kicks,
        firings,
        evaluations,
        probes,
        late,
        refused,
        unknown,
        duplicates,
        degraded,
        silences,
        resent,
        given_up,
        ahead,
        superseded,
        restarts,
    } = counters;
    [
        kicks,
        firings,
        evaluations,
        probes,
        late,
        refused,
        unknown,
        duplicates,
        degraded,
        silences,
        resent,
        given_up,
        ahead,
        superseded,
        restarts,
    ]
}

#[derive(Serialize, Deserialize)]
enum WireRefusal {
    NotFinite(String),
    NotALevel,
    UnknownSensor(String),
    NotConnected(String),
    AlreadyConnected(String),
    SelfConnection(String),
    NoDelay,
    Unknown(u64),
    TooMany(String),
    TimeExhausted,
    Restarted,
    TooFarAhead(u64),
    Fenced(u32, u32),
    Expired,
}

impl WireRefusal {
    fn new(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NotFinite(what) => Self::NotFinite(what.clone()),
            Refusal::NotALevel => Self::NotALevel,
            Refusal::UnknownSensor(id) => Self::UnknownSensor(id.to_string()),
            Refusal::NotConnected(id) => Self::NotConnected(id.to_string()),
            Refusal::AlreadyConnected(id) => Self::AlreadyConnected(id.to_string()),
            Refusal::SelfConnection(id) => Self::SelfConnection(id.to_string()),
            Refusal::NoDelay => Self::NoDelay,
            Refusal::Unknown(tag) => Self::Unknown(tag.to_bits()),
            Refusal::TooMany(what) => Self::TooMany(what.clone()),
            Refusal::TimeExhausted => Self::TimeExhausted,
            Refusal::Restarted => Self::Restarted,
            Refusal::TooFarAhead(tag) => Self::TooFarAhead(tag.to_bits()),
            Refusal::Expired => Self::Expired,
            Refusal::Fenced { ours, known } => Self::Fenced(*ours, *known),
        }
    }

    fn open(self) -> Result<Refusal, WireError> {
        Ok(match self {
            Self::NotFinite(what) => Refusal::NotFinite(what),
            Self::NotALevel => Refusal::NotALevel,
            Self::UnknownSensor(id) => Refusal::UnknownSensor(name(&id)?),
            Self::NotConnected(id) => Refusal::NotConnected(name(&id)?),
            Self::AlreadyConnected(id) => Refusal::AlreadyConnected(name(&id)?),
            Self::SelfConnection(id) => Refusal::SelfConnection(name(&id)?),
            Self::NoDelay => Refusal::NoDelay,
            Self::Unknown(at) => Refusal::Unknown(tag(at)?),
            Self::TooMany(what) => Refusal::TooMany(what),
            Self::TimeExhausted => Refusal::TimeExhausted,
            Self::Restarted => Refusal::Restarted,
            Self::TooFarAhead(at) => Refusal::TooFarAhead(tag(at)?),
            Self::Expired => Refusal::Expired,
            Self::Fenced(ours, known) => Refusal::Fenced { ours, known },
        })
    }
}

pub(super) fn encode_report(report: &Report) -> Result<Vec<u8>, WireError> {
    let (request, answer) = match report {
        Report::Changed { watch, number, sample } => {
            return seal(kind::WATCHED, &(*watch, *number, WireSample::new(sample)?));
        }
        Report::Reply { request, result: Err(refusal) } => {
            return seal(kind::IS_REFUSED, &(*request, WireRefusal::new(refusal)));
        }
        Report::Reply { request, result: Ok(answer) } => (*request, answer),
    };
    match answer {
        Answer::Done => seal(kind::IS_DONE, &request),
        Answer::Stamped(stamp) => seal(kind::IS_STAMPED, &(request, stamp.tag.to_bits(), stamp.moved)),
        Answer::Floor { floor, latest } => seal(kind::IS_FLOOR, &(request, floor.to_bits(), latest.to_bits())),
        Answer::Output(sample) => seal(kind::IS_OUTPUT, &(request, WireSample::new(sample)?)),
        Answer::Config(config) => seal(kind::IS_CONFIG, &(request, WireConfig::new(config)?)),
        Answer::Log(firings) => {
            let tags: Vec<u64> = firings.iter().map(|firing| firing.tag.to_bits()).collect();
            seal(kind::IS_LOG, &(request, tags))
        }
        Answer::Counters(counters) => {
            let mut counters = **counters;
            let counters = counts(&mut counters).map(|count| *count);
            seal(kind::IS_COUNTERS, &(request, counters))
        }
    }
}

pub(super) fn decode_report(kind: u8, bytes: &[u8]) -> Result<Report, WireError> {
    let (request, answer) = match kind {
        kind::WATCHED => {
            let (watch, number, sample): (u64, u64, WireSample) = fields(bytes)?;
            return Ok(Report::Changed { watch, number, sample: sample.open()? });
        }
        kind::IS_REFUSED => {
            let (request, refusal): (u64, WireRefusal) = fields(bytes)?;
            return Ok(Report::Reply { request, result: Err(refusal.open()?) });
        }
        kind::IS_DONE => (fields(bytes)?, Answer::Done),
        kind::IS_STAMPED => {
            let (request, at, moved) = fields(bytes)?;
            (request, Answer::Stamped(Stamp { tag: tag(at)?, moved }))
        }
        kind::IS_FLOOR => {
            let (request, floor, latest) = fields(bytes)?;
            let (floor, latest) = (tag(floor)?, tag(latest)?);
            (request, Answer::Floor { floor, latest })
        }
        kind::IS_OUTPUT => {
            let (request, sample): (u64, WireSample) = fields(bytes)?;
            (request, Answer::Output(sample.open()?))
        }
        kind::IS_CONFIG => {
            let (request, config): (u64, WireConfig) = fields(bytes)?;
            (request, Answer::Config(Box::new(config.open()?)))
        }
        kind::IS_LOG => {
            let (request, tags): (u64, Vec<u64>) = fields(bytes)?;
            let firings = tags.into_iter().map(|at| Ok(Firing { tag: tag(at)? }));
            (request, Answer::Log(firings.collect::<Result<_, WireError>>()?))
        }
        kind::IS_COUNTERS => {
            let (request, received): (u64, [u64; 15]) = fields(bytes)?;
            let mut counters = Counters::default();
            counts(&mut counters).into_iter().zip(received).for_each(|(count, received)| *count = received);
            (request, Answer::Counters(Box::new(counters)))
        }
        kind => return Err(WireErrorKind::UnknownKind(kind).into()),
    };
    Ok(Report::Reply { request, result: Ok(answer) })
}
