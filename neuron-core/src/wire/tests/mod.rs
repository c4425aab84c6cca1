mod bundle;

use std::time::Duration;

use proptest::{collection::btree_map, collection::vec, option, prelude::*};

use super::*;
use crate::{
    command::{Answer, Command, ConfigChange, ConfigView, Firing, Refusal, Sample, Stamp, Stimulus},
    id::{MAX_NAME, NeuronId, Source},
    neuron::{Counters, MAX_MAGNITUDE, Mode, Rule, is_finite},
    signal::{Incarnation, SignalBody, StreamId},
    tag::Tag,
    value::{Missing, Value},
};

/// One line per sample: its name, and its frame in hexadecimal.
const GOLDEN: &str = include_str!("../testdata/v1.txt");

const FROZEN: &str = "version 1 of the wire is frozen: nodes that are running already write and read these bytes. \
                      A change needs a new kind or a new version, not a new golden frame";

/// Any message, so that one test can go through all of them.
#[derive(Clone, Debug, PartialEq)]
enum Message {
    Signal(Signal),
    Request(Request),
    Report(Report),
}

impl Message {
    fn encode(&self) -> Result<Vec<u8>, WireError> {
        match self {
            Self::Signal(signal) => encode_signal(signal),
            Self::Request(request) => encode_request(request),
            Self::Report(report) => encode_report(report),
        }
    }

    /// What each of the three decoders makes of `frame`.
    fn decode(frame: &[u8]) -> [Result<Self, WireError>; 3] {
        [
            decode_signal(frame).map(Self::Signal),
            decode_request(frame).map(Self::Request),
            decode_report(frame).map(Self::Report),
        ]
    }

    /// Every weight, threshold, reading and level in it.
    fn numbers(&self) -> Vec<f64> {
        match self {
            Self::Signal(Signal { body: SignalBody::Changed { value, .. }, .. }) => vec![value.level],
            Self::Signal(_) => vec![],
            Self::Request(Request { command, .. }) => match command {
                Command::Stimulate { stimulus, .. } => vec![stimulus.level],
                Command::Train { levels } => levels.clone(),
                Command::Commit { stimuli, .. } => stimuli.iter().map(|stimulus| stimulus.level).collect(),
                Command::Prepare { changes } => changes.iter().filter_map(number).collect(),
                Command::Configure(ConfigChange::SetWeight { weight, .. }) => vec![*weight],
                Command::Configure(ConfigChange::SetThreshold { threshold }) => vec![*threshold],
                _ => vec![],
            },
            Self::Report(Report::Changed { sample, .. }) => vec![sample.level],
            Self::Report(Report::Reply { result: Ok(Answer::Output(sample)), .. }) => vec![sample.level],
            Self::Report(Report::Reply { result: Ok(Answer::Config(config)), .. }) => {
                let weights = config.weights.values().chain(config.sensors.values());
                weights.copied().chain(config.threshold).chain([config.output.level]).collect()
            }
            Self::Report(Report::Reply { .. }) => vec![],
        }
    }
}

/// The weight or threshold in a change.
fn number(change: &ConfigChange) -> Option<f64> {
    match change {
        ConfigChange::SetWeight { weight: number, .. } | ConfigChange::SetThreshold { threshold: number } => {
            Some(*number)
        }
        ConfigChange::DeleteWeight { .. } | ConfigChange::Connect { .. } | ConfigChange::Disconnect { .. } => None,
    }
}

fn name<T: std::str::FromStr<Err = crate::id::NameError>>(text: &str) -> T {
    text.parse().unwrap()
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn reading(sensor: &str, level: f64) -> Stimulus {
    Stimulus { sensor: Some(name(sensor)), level, hold: Some(ms(20)) }
}

fn missing<const N: usize>(names: [&str; N]) -> Missing {
    names.map(name::<NeuronId>).into_iter().collect()
}

fn sample(level: f64, tag: Tag) -> Sample {
    Sample { level, tag, missing: Missing::NONE }
}

/// One change of each kind.
fn changes() -> Vec<ConfigChange> {
    vec![
        ConfigChange::SetWeight { source: Source::Neuron(name("h2")), weight: -2.0 },
        ConfigChange::DeleteWeight { source: Source::Sensor(name("light")) },
        ConfigChange::SetThreshold { threshold: 1.9 },
        ConfigChange::Connect { source: name("h1"), delay: Some(ms(10)) },
        ConfigChange::Disconnect { source: name("h2") },
    ]
}

fn signal(body: SignalBody) -> Message {
    Message::Signal(Signal { incarnation: Incarnation { number: 7, nonce: 0x2122_2324 }, body })
}

fn request(command: Command) -> Message {
    Message::Request(Request { id: 0x0102_0304_0506_0708, command })
}

fn reply(answer: Answer) -> Message {
    Message::Report(Report::Reply { request: 0x1112_1314_1516_1718, result: Ok(answer) })
}

fn refusal(refusal: Refusal) -> Message {
    Message::Report(Report::Reply { request: 0x1112_1314_1516_1718, result: Err(refusal) })
}

fn config() -> ConfigView {
    ConfigView {
        output: Sample { level: 1.0, tag: Tag::from_bits(0x5001), missing: missing(["y"]) },
        threshold: Some(1.9),
        weights: [(name("x"), 1.0), (name("y"), -2.0)].into(),
        sensors: [(name("light"), 0.5)].into(),
        inputs: [(name("x"), None), (name("y"), Some(ms(10)))].into(),
        connections: vec![name("z"), name("h1")],
        hold: ms(5000),
        linger: ms(3),
        mode: Mode::Asap,
        rule: Rule::Pulse { window: Rule::WINDOW, refractory: Rule::REFRACTORY },
    }
}

fn plain_config() -> ConfigView {
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

fn samples() -> Vec<(&'static str, Message)> {
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
    };
    let bare = Stimulus { sensor: None, level: 1.0, hold: None };
    vec![
        ("signal.subscribe", signal(SignalBody::Subscribe { stream })),
        ("signal.unsubscribe", signal(SignalBody::Unsubscribe { stream })),
        ("signal.hello", signal(SignalBody::Hello)),
        ("signal.no_stream", signal(SignalBody::NoStream { stream })),
        ("signal.fenced", signal(SignalBody::Fenced { incarnation: Incarnation { number: 8, nonce: 0x4142_4344 } })),
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
        ("request.stimulate", request(Command::Stimulate { stimulus: bare.clone(), at: None, within: Duration::ZERO })),
        (
            "request.stimulate.sensor",
            request(Command::Stimulate { stimulus: reading("light", -0.5), at: Some(tag), within: ms(15) }),
        ),
        ("request.reserve", request(Command::Reserve)),
        ("request.commit", request(Command::Commit { ticket: 9, at: tag, stimuli: vec![bare, reading("light", 2.5)] })),
        ("request.commit.nothing", request(Command::Commit { ticket: 9, at: tag, stimuli: vec![] })),
        ("request.output", request(Command::Output)),
        ("request.output_at", request(Command::OutputAt { tag })),
        ("request.watch", request(Command::Watch)),
        ("request.unwatch", request(Command::Unwatch { watch: 9 })),
        ("request.config", request(Command::Config)),
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
        ("request.log", request(Command::Log)),
        ("request.empty_log", request(Command::EmptyLog)),
        ("request.counters", request(Command::Counters)),
        ("request.prepare", request(Command::Prepare { changes: changes() })),
        ("request.release", request(Command::Release { ticket: 9 })),
        ("request.train", request(Command::Train { levels: vec![1.0, 0.0] })),
        ("answer.done", reply(Answer::Done)),
        ("answer.stamped", reply(Answer::Stamped(Stamp { tag, moved: true }))),
        ("answer.floor", reply(Answer::Floor { floor: tag, latest: tag.next() })),
        ("answer.output", reply(Answer::Output(sample(1.0, tag)))),
        ("answer.output.degraded", reply(Answer::Output(degraded.clone()))),
        ("answer.config", reply(Answer::Config(Box::new(plain_config())))),
        ("answer.config.full", reply(Answer::Config(Box::new(config())))),
        ("answer.log", reply(Answer::Log(vec![Firing { tag }, Firing { tag: tag.next() }]))),
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
        ("changed", Message::Report(Report::Changed { watch: 9, number: 4, sample: sample(1.0, tag) })),
        ("changed.degraded", Message::Report(Report::Changed { watch: 9, number: 4, sample: degraded })),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn golden() -> Vec<(&'static str, Vec<u8>)> {
    GOLDEN
        .lines()
        .map(|line| {
            let (name, hex) = line.split_once(' ').unwrap_or_else(|| panic!("no name and bytes: {line}"));
            (name, bytes(hex))
        })
        .collect()
}

/// Decodes `frame` with all three decoders and checks that a message that comes out of it is a sound one.
fn read_untrusted(frame: &[u8]) -> Option<Message> {
    let mut found = None;
    for message in Message::decode(frame).into_iter().flatten() {
        assert!(message.numbers().into_iter().all(is_finite), "a number slipped through: {message:?}");
        let again = message.encode().unwrap_or_else(|error| panic!("{error}, but this was decoded: {message:?}"));
        assert!(again.len() <= frame.len(), "{message:?} has grown");
        assert!(Message::decode(&again).into_iter().flatten().eq([message.clone()]), "{message:?} has changed");
        assert!(found.replace(message).is_none(), "two decoders accept {}", hex(frame));
    }
    found
}

/// What the three decoders agree on as the trouble with `frame`.
fn trouble(frame: &[u8]) -> WireErrorKind {
    let [signal, request, report] = Message::decode(frame).map(|message| message.unwrap_err().kind());
    assert_eq!((signal, signal), (request, report));
    signal
}

/// The trouble that the one decoder has that knows the kind of `frame`.
fn trouble_with_fields(frame: &[u8]) -> WireErrorKind {
    let kinds: Vec<_> = Message::decode(frame)
        .into_iter()
        .map(|message| message.unwrap_err().kind())
        .filter(|kind| !matches!(kind, WireErrorKind::UnknownKind(_)))
        .collect();
    let [kind] = kinds[..] else { panic!("one decoder knows the kind, these answered: {kinds:?}") };
    kind
}

#[test]
fn a_tag_after_the_last_is_refused() {
    let incarnation = Incarnation { number: 1, nonce: 7 };
    let stream = StreamId { incarnation, counter: 1 };
    let probe = |upto| encode_signal(&Signal { incarnation, body: SignalBody::Probe { stream, upto } }).unwrap();
    let mut frame = probe(Tag::MAX);
    assert!(decode_signal(&frame).is_ok());
    let bits = frame.len() - size_of::<u64>();
    assert_eq!(frame[bits..], Tag::MAX.to_bits().to_le_bytes());
    frame[bits..].fill(0xff);
    assert_eq!(decode_signal(&frame).unwrap_err().kind(), WireErrorKind::Malformed);
}

#[test]
fn version_1_reads_and_writes_its_golden_bytes() {
    let (golden, samples) = (golden(), samples());
    let golden_names: Vec<_> = golden.iter().map(|(name, _)| *name).collect();
    let sample_names: Vec<_> = samples.iter().map(|(name, _)| *name).collect();
    assert_eq!(golden_names, sample_names, "each sample has its line, in the same order");

    for ((name, frame), (_, sample)) in golden.iter().zip(samples) {
        assert_eq!(hex(&sample.encode().unwrap()), hex(frame), "{name} is written differently; {FROZEN}");
        let read: Vec<_> = Message::decode(frame).into_iter().flatten().collect();
        assert_eq!(read, [sample], "{name} is read differently; {FROZEN}");
    }
}

#[test]
fn every_kind_has_a_golden_frame() {
    let golden = golden();
    for kind in 0..=u8::MAX {
        let has_frame = golden.iter().any(|(_, frame)| frame[1] == kind);
        let unknown = |error: WireError| error.kind() == WireErrorKind::UnknownKind(kind);
        let is_known = !Message::decode(&[VERSION, kind]).into_iter().all(|message| message.is_err_and(unknown));
        assert_eq!(is_known, has_frame, "kind {kind}");
    }
}

#[test]
fn every_refusal_has_a_golden_frame() {
    let golden = golden();
    let (_, sample) = golden.iter().find(|(name, _)| *name == "refusal.not_a_level").unwrap();
    let (head, index) = sample.split_at(10);
    assert_eq!(index, [1, 0, 0, 0]);
    for index in 0..=u32::from(u8::MAX) {
        let head = [head, &index.to_le_bytes()].concat();
        let has_frame = golden.iter().any(|(_, frame)| frame.starts_with(&head));
        // Nothing, a tag (or two numbers) or a text: what refusals have as their fields.
        let fields: [&[u8]; 3] = [&[], &[0; 8], &[1, 0, 0, 0, 0, 0, 0, 0, b'a']];
        let is_known = fields.iter().any(|field| decode_report(&[&head, *field].concat()).is_ok());
        assert_eq!(is_known, has_frame, "refusal {index}");
    }
}

#[test]
fn a_truncated_frame_is_refused() {
    for (name, frame) in golden() {
        for length in 0..frame.len() {
            for message in Message::decode(&frame[..length]) {
                assert!(message.is_err(), "{name}, {length} bytes of {}: {message:?}", frame.len());
            }
        }
    }
}

#[test]
fn a_flipped_bit_makes_an_error_or_a_sound_message() {
    for (_, mut frame) in golden() {
        for bit in 0..frame.len() * 8 {
            frame[bit / 8] ^= 1 << (bit % 8);
            read_untrusted(&frame);
            frame[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_frame_with_bytes_after_it_is_refused() {
    for (name, mut frame) in golden() {
        for more in [0, 1, 0xff] {
            frame.push(more);
            assert_eq!(trouble_with_fields(&frame), WireErrorKind::Malformed, "{name}");
        }
    }
}

#[test]
fn a_frame_of_the_largest_size_passes_and_one_byte_more_does_not() {
    // Version, kind, request, number of the refusal and length of the text come before the text.
    let room = MAX_FRAME - 2 - 8 - 4 - 8;
    let largest = refusal(Refusal::TooMany("a".repeat(room)));
    let mut frame = largest.encode().unwrap();
    assert_eq!(frame.len(), MAX_FRAME);
    assert_eq!(read_untrusted(&frame), Some(largest));

    frame.push(0);
    assert_eq!(trouble(&frame), WireErrorKind::TooLarge);
    for more in 1..=3 {
        let error = refusal(Refusal::TooMany("a".repeat(room + more))).encode().unwrap_err();
        assert_eq!(error.kind(), WireErrorKind::TooLarge);
    }
}

#[test]
fn a_configuration_of_six_thousand_inputs_with_names_of_full_length_fits() {
    let id = |n: usize| name::<NeuronId>(&format!("{n:0MAX_NAME$}"));
    let with_inputs = |count: usize| {
        let weights = (0..count).map(|n| (id(n), 1.0)).collect();
        let inputs = (0..count).map(|n| (id(n), Some(ms(10)))).collect();
        reply(Answer::Config(Box::new(ConfigView { weights, inputs, ..plain_config() })))
    };
    let message = with_inputs(6000);
    assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
    assert_eq!(with_inputs(20_000).encode().unwrap_err().kind(), WireErrorKind::TooLarge);
}

#[test]
fn a_frame_without_its_first_two_bytes_is_too_short() {
    assert_eq!(trouble(&[]), WireErrorKind::TooShort);
    assert_eq!(trouble(&[VERSION]), WireErrorKind::TooShort);
}

#[test]
fn an_unknown_version_is_told() {
    for (_, mut frame) in golden() {
        for version in [0, 2, 0xff] {
            frame[0] = version;
            assert_eq!(trouble(&frame), WireErrorKind::UnknownVersion(version));
        }
    }
}

#[test]
fn an_unknown_kind_is_told() {
    for kind in [0, 10, 31, 51, 63, 73, 0xff] {
        assert_eq!(trouble(&[VERSION, kind]), WireErrorKind::UnknownKind(kind));
    }
}

#[test]
fn a_message_for_another_reader_has_an_unknown_kind() {
    for (_, frame) in golden() {
        let messages = Message::decode(&frame);
        assert_eq!(messages.iter().filter(|message| message.is_ok()).count(), 1);
        for error in messages.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), WireErrorKind::UnknownKind(frame[1]));
        }
    }
}

#[test]
fn a_number_that_is_not_finite_is_refused_in_both_directions() {
    let stream = StreamId { incarnation: Incarnation::default(), counter: 3 };
    let tag = Tag::FIRST;
    let source = Source::Neuron(name("x"));
    let config = |config: ConfigView| reply(Answer::Config(Box::new(config)));
    let messages = |level: f64| {
        let stimulus = reading("light", level);
        let sample = sample(level, tag);
        [
            signal(SignalBody::Changed { stream, seq: 1, known: tag, at: tag, value: Value::plain(level) }),
            request(Command::Stimulate { stimulus: stimulus.clone(), at: None, within: Duration::ZERO }),
            request(Command::Commit { ticket: 9, at: tag, stimuli: vec![stimulus] }),
            request(Command::Train { levels: vec![level] }),
            request(Command::Configure(ConfigChange::SetWeight { source: source.clone(), weight: level })),
            request(Command::Configure(ConfigChange::SetThreshold { threshold: level })),
            request(Command::Prepare {
                changes: vec![ConfigChange::SetWeight { source: source.clone(), weight: level }],
            }),
            request(Command::Prepare { changes: vec![ConfigChange::SetThreshold { threshold: level }] }),
            reply(Answer::Output(sample.clone())),
            Message::Report(Report::Changed { watch: 9, number: 4, sample: sample.clone() }),
            config(ConfigView { output: sample, ..plain_config() }),
            config(ConfigView { threshold: Some(level), ..plain_config() }),
            config(ConfigView { weights: [(name("x"), level)].into(), ..plain_config() }),
            config(ConfigView { sensors: [(name("light"), level)].into(), ..plain_config() }),
        ]
    };
    // A value that is found in no other field, to know where the number stands in the frame.
    let marker = 1234.567_f64;
    for bad in [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e101, -1e101, f64::MAX, 1e100_f64.next_up()] {
        for (message, bad_message) in messages(marker).into_iter().zip(messages(bad)) {
            assert_eq!(bad_message.encode().unwrap_err().kind(), WireErrorKind::NotFinite, "{bad_message:?}");

            let mut frame = message.encode().unwrap();
            let at = frame.windows(8).position(|window| window == marker.to_le_bytes()).unwrap();
            frame[at..at + 8].copy_from_slice(&bad.to_le_bytes());
            assert_eq!(trouble_with_fields(&frame), WireErrorKind::NotFinite, "{bad} in {message:?}");
        }
    }
    for good in [MAX_MAGNITUDE, -MAX_MAGNITUDE, -0.0, f64::MIN_POSITIVE] {
        for message in messages(good) {
            assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
        }
    }
}

#[test]
fn a_bad_name_is_refused() {
    let id: NeuronId = name("a-b");
    let source = Source::Neuron(id.clone());
    let stream = StreamId { incarnation: Incarnation::default(), counter: 3 };
    let value = Value { level: 1.0, missing: missing(["a-b"]) };
    let degraded = Sample { missing: missing(["a-b"]), ..sample(1.0, Tag::FIRST) };
    let messages = [
        signal(SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: Tag::FIRST, value }),
        reply(Answer::Output(degraded.clone())),
        Message::Report(Report::Changed { watch: 9, number: 4, sample: degraded.clone() }),
        reply(Answer::Config(Box::new(ConfigView { output: degraded, ..plain_config() }))),
        request(Command::Stimulate { stimulus: reading("a-b", 1.0), at: None, within: Duration::ZERO }),
        request(Command::Commit { ticket: 9, at: Tag::FIRST, stimuli: vec![reading("a-b", 1.0)] }),
        request(Command::Configure(ConfigChange::SetWeight { source: source.clone(), weight: 1.0 })),
        request(Command::Prepare { changes: vec![ConfigChange::SetWeight { source: source.clone(), weight: 1.0 }] }),
        request(Command::Prepare { changes: vec![ConfigChange::DeleteWeight { source: source.clone() }] }),
        request(Command::Prepare { changes: vec![ConfigChange::Connect { source: id.clone(), delay: None }] }),
        request(Command::Prepare { changes: vec![ConfigChange::Disconnect { source: id.clone() }] }),
        request(Command::Configure(ConfigChange::DeleteWeight { source })),
        request(Command::Configure(ConfigChange::DeleteWeight { source: Source::Sensor(name("a-b")) })),
        request(Command::Configure(ConfigChange::Connect { source: id.clone(), delay: None })),
        request(Command::Configure(ConfigChange::Disconnect { source: id.clone() })),
        refusal(Refusal::UnknownSensor(name("a-b"))),
        refusal(Refusal::NotConnected(id.clone())),
        refusal(Refusal::AlreadyConnected(id.clone())),
        refusal(Refusal::SelfConnection(id.clone())),
        reply(Answer::Config(Box::new(ConfigView { weights: [(id.clone(), 1.0)].into(), ..plain_config() }))),
        reply(Answer::Config(Box::new(ConfigView { sensors: [(name("a-b"), 1.0)].into(), ..plain_config() }))),
        reply(Answer::Config(Box::new(ConfigView { inputs: [(id.clone(), None)].into(), ..plain_config() }))),
        reply(Answer::Config(Box::new(ConfigView { connections: vec![id], ..plain_config() }))),
    ];
    for message in messages {
        let frame = message.encode().unwrap();
        let at = frame.windows(3).position(|window| window == b"a-b").unwrap();
        for bad in [b".", b"*", b"\0"] {
            let frame = [&frame[..at + 1], bad, &frame[at + 2..]].concat();
            assert_eq!(trouble_with_fields(&frame), WireErrorKind::BadName, "{message:?}");
        }
        // No text at all, and one that is too long: the length stands in the eight bytes before it.
        for text in [String::new(), "a".repeat(MAX_NAME + 1)] {
            let length = (text.len() as u64).to_le_bytes();
            let frame = [&frame[..at - 8], &length, text.as_bytes(), &frame[at + 3..]].concat();
            assert_eq!(trouble_with_fields(&frame), WireErrorKind::BadName, "{message:?}");
        }
    }
}

#[test]
fn a_text_that_is_not_utf_8_is_malformed() {
    let mut frame = refusal(Refusal::TooMany("watches".into())).encode().unwrap();
    *frame.last_mut().unwrap() = 0xff;
    assert_eq!(trouble_with_fields(&frame), WireErrorKind::Malformed);
}

/// Room for such a list or text cannot be reserved: trying to would panic or abort.
const LENGTHS: [u64; 5] = [u64::MAX, 1 << 63, 1 << 60, 1 << 40, MAX_FRAME as u64 + 1];

#[test]
fn a_list_or_text_of_absurd_length_is_malformed() {
    let eight = 2 + 8; // Version, kind, and the number of the request.
    let places = [
        ("request.commit.nothing", eight + 16),
        ("request.stimulate.sensor", eight + 1),
        ("request.set_weight.neuron", eight + 4),
        ("request.connect", eight),
        ("request.prepare", eight),
        ("request.train", eight),
        ("request.disconnect", eight),
        ("answer.output", eight + 16),
        ("answer.config", eight + 16),
        ("answer.config", eight + 25),
        ("answer.config", eight + 33),
        ("answer.config", eight + 41),
        ("answer.config", eight + 49),
        ("answer.log", eight),
        ("refusal.not_finite", eight + 4),
        ("refusal.not_connected", eight + 4),
        ("changed", eight + 24),
        ("signal.changed", 2 + 8 + 12 + 32), // Version, kind, life, stream; number, two tags and a level.
    ];
    for (name, at) in places {
        let (_, mut frame) = golden().into_iter().find(|(golden, _)| *golden == name).unwrap();
        for length in LENGTHS {
            frame[at..at + 8].copy_from_slice(&length.to_le_bytes());
            assert_eq!(trouble_with_fields(&frame), WireErrorKind::Malformed, "{name} with a length of {length}");
        }
    }
}

#[test]
fn an_absurd_length_anywhere_makes_an_error_or_a_sound_message() {
    for (_, frame) in golden() {
        for at in 2..frame.len().saturating_sub(7) {
            for length in LENGTHS {
                let frame = [&frame[..at], &length.to_le_bytes(), &frame[at + 8..]].concat();
                read_untrusted(&frame);
            }
        }
    }
}

fn tags() -> impl Strategy<Value = Tag> + Clone {
    any::<u64>().prop_map(Tag::from_bits)
}

/// Numbers of every magnitude that may be sent.
fn numbers() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![
        any::<f64>().prop_map(|number| if is_finite(number) { number } else { 1.0 }),
        prop::sample::select(vec![0.0, -0.0, 1.0, MAX_MAGNITUDE, -MAX_MAGNITUDE, f64::MIN_POSITIVE, 5e-324]),
    ]
}

fn spans() -> impl Strategy<Value = Duration> + Clone {
    prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)].prop_map(Duration::from_micros)
}

fn names<T: std::str::FromStr<Err = crate::id::NameError> + std::fmt::Debug>() -> impl Strategy<Value = T> + Clone {
    prop_oneof!["[A-Za-z0-9_-]{1,8}", "[A-Za-z0-9_-]{64}"].prop_map(|text| name(&text))
}

fn missing_neurons() -> impl Strategy<Value = Missing> + Clone {
    prop_oneof![Just(Missing::NONE), vec(names(), 0..5).prop_map(Missing::from_iter)]
}

fn samples_of_levels() -> impl Strategy<Value = Sample> + Clone {
    (numbers(), tags(), missing_neurons()).prop_map(|(level, tag, missing)| Sample { level, tag, missing })
}

fn stimuli() -> impl Strategy<Value = Stimulus> + Clone {
    (option::of(names()), numbers(), option::of(spans())).prop_map(|(sensor, level, hold)| Stimulus {
        sensor,
        level,
        hold,
    })
}

fn sources() -> impl Strategy<Value = Source> + Clone {
    prop_oneof![names().prop_map(Source::Neuron), names().prop_map(Source::Sensor)]
}

fn signals() -> impl Strategy<Value = Message> {
    let life = || any::<(u32, u32)>().prop_map(|(number, nonce)| Incarnation { number, nonce });
    let stream = || (life(), any::<u32>()).prop_map(|(incarnation, counter)| StreamId { incarnation, counter });
    let value = (numbers(), missing_neurons()).prop_map(|(level, missing)| Value { level, missing });
    let body =
        prop_oneof![
            stream().prop_map(|stream| SignalBody::Subscribe { stream }),
            stream().prop_map(|stream| SignalBody::Unsubscribe { stream }),
            Just(SignalBody::Hello),
            stream().prop_map(|stream| SignalBody::NoStream { stream }),
            life().prop_map(|incarnation| SignalBody::Fenced { incarnation }),
            (stream(), any::<u64>(), tags(), tags(), value)
                .prop_map(|(stream, seq, known, at, value)| SignalBody::Changed { stream, seq, known, at, value }),
            (stream(), any::<u64>()).prop_map(|(stream, upto)| SignalBody::Ack { stream, upto }),
            (stream(), any::<u64>(), tags(), any::<bool>())
                .prop_map(|(stream, after, upto, wave)| SignalBody::Nothing { stream, after, upto, wave }),
            (stream(), tags()).prop_map(|(stream, upto)| SignalBody::Probe { stream, upto }),
        ];
    (life(), body).prop_map(|(incarnation, body)| Message::Signal(Signal { incarnation, body }))
}

fn changes_of_configurations() -> impl Strategy<Value = ConfigChange> {
    prop_oneof![
        (sources(), numbers()).prop_map(|(source, weight)| ConfigChange::SetWeight { source, weight }),
        sources().prop_map(|source| ConfigChange::DeleteWeight { source }),
        numbers().prop_map(|threshold| ConfigChange::SetThreshold { threshold }),
        (names(), option::of(spans())).prop_map(|(source, delay)| ConfigChange::Connect { source, delay }),
        names().prop_map(|source| ConfigChange::Disconnect { source }),
    ]
}

fn requests() -> impl Strategy<Value = Message> {
    let command = prop_oneof![
        4 => (stimuli(), option::of(tags()), spans())
            .prop_map(|(stimulus, at, within)| Command::Stimulate { stimulus, at, within }),
        4 => (any::<u64>(), tags(), vec(stimuli(), 0..5))
            .prop_map(|(ticket, at, stimuli)| Command::Commit { ticket, at, stimuli }),
        1 => tags().prop_map(|tag| Command::OutputAt { tag }),
        1 => any::<u64>().prop_map(|watch| Command::Unwatch { watch }),
        4 => vec(changes_of_configurations(), 0..5).prop_map(|changes| Command::Prepare { changes }),
        1 => any::<u64>().prop_map(|ticket| Command::Release { ticket }),
        2 => vec(numbers(), 0..5).prop_map(|levels| Command::Train { levels }),
        2 => (sources(), numbers()).prop_map(|(source, weight)| Command::Configure(ConfigChange::SetWeight { source, weight })),
        2 => sources().prop_map(|source| Command::Configure(ConfigChange::DeleteWeight { source })),
        1 => numbers().prop_map(|threshold| Command::Configure(ConfigChange::SetThreshold { threshold })),
        2 => (names(), option::of(spans())).prop_map(|(source, delay)| Command::Configure(ConfigChange::Connect { source, delay })),
        1 => names().prop_map(|source| Command::Configure(ConfigChange::Disconnect { source })),
        2 => prop::sample::select(vec![
            Command::Reserve,
            Command::Output,
            Command::Watch,
            Command::Config,
            Command::Log,
            Command::EmptyLog,
            Command::Counters,
        ]),
    ];
    (any::<u64>(), command).prop_map(|(id, command)| Message::Request(Request { id, command }))
}

fn configs() -> impl Strategy<Value = ConfigView> {
    let rule = prop_oneof![
        Just(Rule::Level),
        (spans(), spans()).prop_map(|(window, refractory)| Rule::Pulse { window, refractory }),
    ];
    let lists = (
        btree_map(names(), numbers(), 0..4),
        btree_map(names(), numbers(), 0..4),
        btree_map(names(), option::of(spans()), 0..4),
        vec(names(), 0..4),
    );
    let mode = prop_oneof![Just(Mode::Coherent), Just(Mode::Asap)];
    (samples_of_levels(), option::of(numbers()), lists, spans(), spans(), mode, rule).prop_map(
        |(output, threshold, (weights, sensors, inputs, connections), hold, linger, mode, rule)| ConfigView {
            output,
            threshold,
            weights,
            sensors,
            inputs,
            connections,
            hold,
            linger,
            mode,
            rule,
        },
    )
}

fn refusals() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        any::<String>().prop_map(Refusal::NotFinite),
        Just(Refusal::NotALevel),
        names().prop_map(Refusal::UnknownSensor),
        names().prop_map(Refusal::NotConnected),
        names().prop_map(Refusal::AlreadyConnected),
        names().prop_map(Refusal::SelfConnection),
        Just(Refusal::NoDelay),
        tags().prop_map(Refusal::Unknown),
        any::<String>().prop_map(Refusal::TooMany),
        Just(Refusal::TimeExhausted),
        Just(Refusal::Restarted),
        any::<u64>().prop_map(|bits| Refusal::TooFarAhead(Tag::from_bits(bits))),
        any::<(u32, u32)>().prop_map(|(ours, known)| Refusal::Fenced { ours, known }),
        Just(Refusal::Expired),
    ]
}

fn reports() -> impl Strategy<Value = Message> {
    let counters = any::<[[u64; 5]; 3]>().prop_map(|counts| {
        let [
            [kicks, firings, evaluations, probes, late],
            [refused, unknown, duplicates, degraded, silences],
            [resent, given_up, ahead, superseded, restarts],
        ] = counts;
        Counters {
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
        }
    });
    let answer = prop_oneof![
        1 => Just(Answer::Done),
        2 => (tags(), any::<bool>()).prop_map(|(tag, moved)| Answer::Stamped(Stamp { tag, moved })),
        1 => (tags(), tags()).prop_map(|(floor, latest)| Answer::Floor { floor, latest }),
        1 => samples_of_levels().prop_map(Answer::Output),
        6 => configs().prop_map(|config| Answer::Config(Box::new(config))),
        2 => vec(tags().prop_map(|tag| Firing { tag }), 0..20).prop_map(Answer::Log),
        1 => counters.prop_map(|counters| Answer::Counters(Box::new(counters))),
    ];
    let result = prop_oneof![2 => answer.prop_map(Ok), 1 => refusals().prop_map(Err)];
    prop_oneof![
        4 => (any::<u64>(), result).prop_map(|(request, result)| Report::Reply { request, result }),
        1 => (any::<u64>(), any::<u64>(), samples_of_levels())
            .prop_map(|(watch, number, sample)| Report::Changed { watch, number, sample }),
    ]
    .prop_map(Message::Report)
}

/// Bytes that are almost a message more often than chance would have it.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(golden().into_iter().map(|(_, frame)| frame[1]).collect::<Vec<_>>());
    let small = prop_oneof![3 => Just(0_u8), 1 => 0..8_u8, 1 => any::<u8>()];
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 1..10);
    prop_oneof![
        1 => vec(any::<u8>(), 0..=300),
        1 => vec(any::<u8>(), 0..300).prop_map(|rest| [&[VERSION], &rest[..]].concat()),
        2 => (known.clone(), vec(any::<u8>(), 0..=298)).prop_map(|(kind, rest)| [&[VERSION, kind], &rest[..]].concat()),
        // Mostly zeros and small numbers, so that lengths and choices are often plausible.
        4 => (known, vec(small, 0..=298)).prop_map(|(kind, rest)| [&[VERSION, kind], &rest[..]].concat()),
        4 => (prop::sample::select(golden()), changes).prop_map(|((_, mut frame), changes)| {
            for (at, byte) in changes {
                *at.get_mut(&mut frame) = byte;
            }
            frame
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_signal_is_read_as_it_was_written(message in signals()) {
        prop_assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
    }

    #[test]
    fn any_request_is_read_as_it_was_written(message in requests()) {
        prop_assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
    }

    #[test]
    fn any_report_is_read_as_it_was_written(message in reports()) {
        prop_assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
    }

    #[test]
    fn any_truncation_of_any_message_is_refused(
        message in prop_oneof![signals(), requests(), reports()],
        at in any::<prop::sample::Index>(),
    ) {
        let frame = message.encode().unwrap();
        for message in Message::decode(&frame[..at.index(frame.len())]) {
            prop_assert!(message.is_err(), "{:?}", message);
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_sound_message(bytes in any_bytes()) {
        read_untrusted(&bytes);
    }
}
