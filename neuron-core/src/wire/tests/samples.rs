//! One sample of every kind of message, with a value in every field.

use std::time::Duration;

use super::Message;
use crate::{
    command::{
        Answer, Command, ConfigChange, ConfigView, Firing, HostChange, HostChanges, HostPosition, Refusal, Report,
        Request, Sample, Stamp, Stimulus, WatchPosition,
    },
    hosts::{Claim, HostMessage, HostMessageBody},
    id::{NeuronId, Source},
    neuron::{Counters, Mode, Rule, Sensor, WhenSilent},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::{Tag, Time},
    value::{Missing, Value},
};

pub(super) fn name<T: std::str::FromStr<Err = crate::id::NameError>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn reading(sensor: &str, level: f64) -> Stimulus {
    Stimulus { sensor: Some(name(sensor)), level: Some(level), hold: Some(ms(20)) }
}

pub(super) fn missing<const N: usize>(names: [&str; N]) -> Missing {
    names.map(name::<NeuronId>).into_iter().collect()
}

pub(super) fn sample(level: f64, tag: Tag) -> Sample {
    Sample { level, tag, missing: Missing::NONE }
}

/// One change of each kind.
pub(super) fn changes() -> Vec<ConfigChange> {
    vec![
        ConfigChange::SetWeight { source: Source::Neuron(name("h2")), weight: -2.0 },
        ConfigChange::DeleteWeight { source: Source::Sensor(name("light")) },
        ConfigChange::SetThreshold { threshold: 1.9 },
        ConfigChange::Connect { source: name("h1"), delay: Some(ms(10)) },
        ConfigChange::Disconnect { source: name("h2") },
    ]
}

/// A neuron that has changed, and one that has gone.
fn host_changes(position: WatchPosition) -> HostChanges {
    let changed = vec![
        HostChange { neuron: name("x"), position: Some(position) },
        HostChange { neuron: name("h1"), position: None },
    ];
    let host_position = HostPosition { life: 0x5152_5354_5556_5758, counter: 8 };
    HostChanges { watch: 9, host: name("pi1"), position: host_position, latest: Some(10), changed }
}

pub(super) fn signal(body: SignalBody) -> Message {
    Message::Signal(Signal { incarnation: Incarnation { number: 7, nonce: 0x2122_2324 }, body })
}

pub(super) fn request(command: Command) -> Message {
    Message::Request(Request::new(0x0102_0304_0506_0708, command))
}

pub(super) fn reply(answer: Answer) -> Message {
    Message::Report(Report::Reply { request: 0x1112_1314_1516_1718, result: Ok(answer) })
}

pub(super) fn refusal(refusal: Refusal) -> Message {
    Message::Report(Report::Reply { request: 0x1112_1314_1516_1718, result: Err(refusal) })
}

fn claim(answers: Option<u64>) -> Message {
    let since = Time::from_micros(0x0006_0a24_181e);
    let (neuron, host) = (name("x"), name("pi1"));
    Message::Claim(Claim { neuron, host, id: 0x3132_3334_3536_3738, since, is_established: true, answers })
}

fn host(body: HostMessageBody) -> Message {
    Message::Host(HostMessage { life: 0x3132_3334, body })
}

pub(super) fn config() -> ConfigView {
    ConfigView {
        output: Sample { level: 1.0, tag: Tag::from_bits(0x5001), missing: missing(["y"]) },
        threshold: Some(1.9),
        weights: [(name("x"), 1.0), (name("y"), -2.0)].into(),
        sensors: [
            (name("light"), Sensor::new(0.5)),
            (name("heat"), Sensor::new(-1.0).hold(ms(90_000)).when_silent(WhenSilent::Unknown)),
            (name("door"), Sensor::new(1.0).until_next()),
        ]
        .into(),
        inputs: [(name("x"), None), (name("y"), Some(ms(10)))].into(),
        connections: vec![name("z"), name("h1")],
        hold: ms(5000),
        linger: ms(3),
        mode: Mode::Asap,
        rule: Rule::Pulse { window: Rule::WINDOW, refractory: Rule::REFRACTORY },
    }
}

pub(super) fn plain_config() -> ConfigView {
    ConfigView {
        output: sample(0.0, Tag::ORIGIN),
        threshold: None,
        weights: [].into(),
        sensors: [].into(),
        inputs: [].into(),
        connections: vec![],
        hold: ms(5000),
        linger: Duration::ZERO,
        mode: Mode::Coherent,
        rule: Rule::Level,
    }
}

/// Returns the samples, each with its name in the golden file, in the order of its lines. There
/// `Fenced` has its first name, `outlived`. Before the first release a changed layout adapts its
/// line; after it no line changes.
pub(super) fn samples() -> Vec<(&'static str, Message)> {
    let stream = StreamId { incarnation: Incarnation { number: 2, nonce: 0x3132_3334 }, counter: 3 };
    let tag = Tag::from_bits(0x0006_0a24_181e_4001);
    let degraded = Sample { missing: missing(["x", "h1"]), ..sample(1.0, tag) };
    let counters = Counters {
        kicks: 1,
        firings: 2,
        evaluations: 3,
        probes: 4,
        late: 5,
        refused: 6,
        unknown: 7,
        duplicates: 8,
        degraded: 9,
        silences: 10,
        resent: 11,
        given_up: 12,
        ahead: 13,
        superseded: 14,
        restarts: 15,
        extended: 16,
    };
    let position = WatchPosition { incarnation: Incarnation { number: 7, nonce: 0x4142_4344 }, number: 4 };
    let bare = Stimulus { sensor: None, level: Some(1.0), hold: None };
    vec![
        ("signal.subscribe", signal(SignalBody::Subscribe { stream })),
        ("signal.unsubscribe", signal(SignalBody::Unsubscribe { stream })),
        ("signal.hello", signal(SignalBody::Hello)),
        ("signal.no_stream", signal(SignalBody::NoStream { stream })),
        (
            "signal.fenced",
            signal(SignalBody::Fenced {
                answered: Incarnation { number: 7, nonce: 0x3142_3344 },
                known: Incarnation { number: 8, nonce: 0x4142_4344 },
            }),
        ),
        (
            "signal.changed",
            signal(SignalBody::Changed { stream, seq: 4, known: tag.prev(), at: tag, value: Value::plain(1.0) }),
        ),
        (
            "signal.changed.degraded",
            signal(SignalBody::Changed {
                stream,
                seq: 4,
                known: tag.prev(),
                at: tag,
                value: Value { level: 1.0, missing: missing(["x", "h1"]) },
            }),
        ),
        ("signal.ack", signal(SignalBody::Ack { stream, upto: 4 })),
        ("signal.nothing", signal(SignalBody::Nothing { stream, after: 4, upto: tag, wave: true })),
        ("signal.probe", signal(SignalBody::Probe { stream, upto: tag })),
        ("signal.where", signal(SignalBody::Where)),
        ("signal.home", signal(SignalBody::Home { host: name("pi1") })),
        ("request.stimulate", request(Command::Stimulate { stimulus: bare.clone(), at: None, within: Duration::ZERO })),
        (
            "request.stimulate.sensor",
            request(Command::Stimulate { stimulus: reading("light", -0.5), at: Some(tag), within: ms(15) }),
        ),
        (
            "request.stimulate.unknown",
            request(Command::Stimulate {
                stimulus: Stimulus { level: None, ..reading("light", 0.0) },
                at: None,
                within: Duration::ZERO,
            }),
        ),
        ("request.reserve", request(Command::Reserve)),
        ("request.commit", request(Command::Commit { ticket: 9, at: tag, stimuli: vec![bare, reading("light", 2.5)] })),
        ("request.commit.nothing", request(Command::Commit { ticket: 9, at: tag, stimuli: vec![] })),
        ("request.output", request(Command::Output { after: tag })),
        ("request.output_at", request(Command::OutputAt { tag })),
        ("request.watch", request(Command::Watch { watch: 9 })),
        ("request.unwatch", request(Command::Unwatch { watch: 9 })),
        ("request.config", request(Command::Config { after: tag })),
        (
            "request.set_weight.neuron",
            request(Command::Configure(ConfigChange::SetWeight { source: Source::Neuron(name("h2")), weight: -2.0 })),
        ),
        (
            "request.set_weight.sensor",
            request(Command::Configure(ConfigChange::SetWeight { source: Source::Sensor(name("light")), weight: 0.5 })),
        ),
        (
            "request.delete_weight",
            request(Command::Configure(ConfigChange::DeleteWeight { source: Source::Sensor(name("light")) })),
        ),
        ("request.set_threshold", request(Command::Configure(ConfigChange::SetThreshold { threshold: 1.9 }))),
        ("request.connect", request(Command::Configure(ConfigChange::Connect { source: name("h1"), delay: None }))),
        (
            "request.connect.delayed",
            request(Command::Configure(ConfigChange::Connect { source: name("h1"), delay: Some(ms(10)) })),
        ),
        ("request.disconnect", request(Command::Configure(ConfigChange::Disconnect { source: name("h1") }))),
        ("request.log", request(Command::Log { after: tag })),
        ("request.empty_log", request(Command::EmptyLog)),
        ("request.counters", request(Command::Counters)),
        ("request.host", request(Command::Host)),
        (
            "request.watch_host",
            request(Command::WatchHost { watch: 9, known: HostPosition { life: 0x5152_5354_5556_5758, counter: 6 } }),
        ),
        ("request.admit", request(Command::Admit { listener: name("z") })),
        ("request.last_change", request(Command::LastChange { watch: 9 })),
        ("request.prepare", request(Command::Prepare { changes: changes(), stimuli: vec![reading("light", 2.5)] })),
        ("request.reserve.deadline", {
            let deadline = Some(Time::from_micros(0x0007_0605_0403_0201));
            Message::Request(Request { id: 9, deadline, command: Command::Reserve })
        }),
        ("request.release", request(Command::Release { ticket: 9 })),
        ("request.train", request(Command::Train { levels: vec![1.0, 0.0] })),
        ("answer.done", reply(Answer::Done)),
        ("answer.stamped", reply(Answer::Stamped(Stamp { tag, moved: true }))),
        ("answer.floor", reply(Answer::Floor { floor: tag, latest: tag.next() })),
        ("answer.output", reply(Answer::Output(sample(1.0, tag)))),
        ("answer.output.degraded", reply(Answer::Output(degraded.clone()))),
        ("answer.watched", reply(Answer::Watched { watch: 9, position, sample: degraded.clone() })),
        ("answer.config", reply(Answer::Config(Box::new(plain_config())))),
        ("answer.config.full", reply(Answer::Config(Box::new(config())))),
        ("answer.log", reply(Answer::Log(vec![Firing { tag }, Firing { tag: tag.next() }]))),
        ("answer.host", reply(Answer::Host { host: name("pi1"), version: "0.1.0".into(), life: 77 })),
        ("answer.watched_host", reply(Answer::WatchedHost(Box::new(host_changes(position))))),
        ("answer.counters", reply(Answer::Counters(Box::new(counters)))),
        ("refusal.not_finite", refusal(Refusal::NotFinite("the weight".into()))),
        ("refusal.not_a_level", refusal(Refusal::NotALevel)),
        ("refusal.unknown_sensor", refusal(Refusal::UnknownSensor(name("light")))),
        ("refusal.not_connected", refusal(Refusal::NotConnected(name("h1")))),
        ("refusal.already_connected", refusal(Refusal::AlreadyConnected(name("h1")))),
        ("refusal.self_connection", refusal(Refusal::SelfConnection(name("h1")))),
        ("refusal.no_delay", refusal(Refusal::NoDelay)),
        ("refusal.unknown", refusal(Refusal::Unknown(tag))),
        ("refusal.too_many", refusal(Refusal::TooMany("64 watches".into()))),
        ("refusal.time_exhausted", refusal(Refusal::TimeExhausted)),
        ("refusal.restarted", refusal(Refusal::Restarted)),
        ("refusal.too_far_ahead", refusal(Refusal::TooFarAhead(tag))),
        ("refusal.fenced", refusal(Refusal::Fenced { ours: 7, known: 8 })),
        ("refusal.expired", refusal(Refusal::Expired)),
        ("refusal.too_late", refusal(Refusal::TooLate { now: Time::from_micros(0x0007_0605_0403_0201) })),
        ("refusal.too_large", refusal(Refusal::TooLarge)),
        ("refusal.unsaved", refusal(Refusal::Unsaved("disk full".into()))),
        ("changed", Message::Report(Report::Changed { watch: 9, position, sample: sample(1.0, tag) })),
        ("changed.degraded", Message::Report(Report::Changed { watch: 9, position, sample: degraded })),
        ("host.alive", host(HostMessageBody::Alive { number: 5, echo: 4, held: ms(20), listens: true })),
        ("host.gone", host(HostMessageBody::Gone { neurons: vec![name("x"), name("y")] })),
        ("host.goodbye", host(HostMessageBody::Goodbye)),
        ("claim", claim(None)),
        ("claim.answer", claim(Some(0x4142_4344_4546_4748))),
    ]
}
