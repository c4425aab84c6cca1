//! Frames that must be refused.

use std::time::Duration;

use super::{samples::*, *};
use crate::{
    command::{Answer, Command, ConfigChange, ConfigView, Refusal, Report, Sample, WatchPosition},
    id::{MAX_NAME, NeuronId, Source},
    neuron::{MAX_MAGNITUDE, Sensor},
    signal::{Incarnation, Signal, SignalBody, StreamId},
    tag::Tag,
    value::Value,
};

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
fn a_truncated_frame_is_refused() {
    for (name, frame) in golden_frames() {
        for length in 0..frame.len() {
            for message in Message::decode(&frame[..length]) {
                assert!(message.is_err(), "{name}, {length} bytes of {}: {message:?}", frame.len());
            }
        }
    }
}

#[test]
fn a_flipped_bit_makes_an_error_or_a_sound_message() {
    for (_, mut frame) in golden_frames() {
        for bit in 0..frame.len() * 8 {
            frame[bit / 8] ^= 1 << (bit % 8);
            read_untrusted(&frame);
            frame[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_frame_with_bytes_after_it_is_refused() {
    for (name, mut frame) in golden_frames() {
        for more in [0, 1, 0xff] {
            frame.push(more);
            assert_eq!(error_in_fields(&frame), WireErrorKind::Malformed, "{name}");
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
    assert_eq!(error_in_frame(&frame), WireErrorKind::TooLarge);
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
    assert_eq!(error_in_frame(&[]), WireErrorKind::TooShort);
    assert_eq!(error_in_frame(&[VERSION]), WireErrorKind::TooShort);
}

#[test]
fn an_unknown_version_is_named() {
    for (_, mut frame) in golden_frames() {
        for version in [0, 2, 0xff] {
            frame[0] = version;
            assert_eq!(error_in_frame(&frame), WireErrorKind::UnknownVersion(version));
        }
    }
}

#[test]
fn an_unknown_kind_is_named() {
    for kind in [0, 12, 31, 63, 76, 127, 132, 0xff] {
        assert_eq!(error_in_frame(&[VERSION, kind]), WireErrorKind::UnknownKind(kind));
    }
}

#[test]
fn a_message_for_another_decoder_has_an_unknown_kind() {
    for (_, frame) in golden_frames() {
        let messages = Message::decode(&frame);
        assert_eq!(messages.iter().filter(|message| message.is_ok()).count(), 1);
        for error in messages.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), WireErrorKind::UnknownKind(frame[1]));
        }
    }
}

#[test]
fn a_number_that_is_not_finite_is_refused_in_both_directions() {
    let tag = Tag::FIRST;
    let source = Source::Neuron(name("x"));
    let config = |config: ConfigView| reply(Answer::Config(Box::new(config)));
    let messages = |level: f64| {
        let stimulus = reading("light", level);
        [
            request(Command::Stimulate { stimulus: stimulus.clone(), at: None, within: Duration::ZERO }),
            request(Command::Commit { ticket: 9, at: tag, stimuli: vec![stimulus] }),
            request(Command::Train { levels: vec![level] }),
            request(Command::Configure(ConfigChange::SetWeight { source: source.clone(), weight: level })),
            request(Command::Configure(ConfigChange::SetThreshold { threshold: level })),
            request(Command::Prepare {
                changes: vec![ConfigChange::SetWeight { source: source.clone(), weight: level }],
                stimuli: Vec::new(),
            }),
            request(Command::Prepare {
                changes: vec![ConfigChange::SetThreshold { threshold: level }],
                stimuli: Vec::new(),
            }),
            config(ConfigView { threshold: Some(level), ..plain_config() }),
            config(ConfigView { weights: [(name("x"), level)].into(), ..plain_config() }),
            config(ConfigView { sensors: [(name("light"), Sensor::new(level))].into(), ..plain_config() }),
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
            assert_eq!(error_in_fields(&frame), WireErrorKind::NotFinite, "{bad} in {message:?}");
        }
    }
    for good in [MAX_MAGNITUDE, -MAX_MAGNITUDE, -0.0, f64::MIN_POSITIVE] {
        for message in messages(good) {
            assert_eq!(read_untrusted(&message.encode().unwrap()), Some(message));
        }
    }
}

#[test]
fn a_level_other_than_0_and_1_is_refused_in_both_directions() {
    let tag = Tag::FIRST;
    let stream = StreamId { incarnation: Incarnation::default(), counter: 3 };
    let position = WatchPosition { incarnation: Incarnation::default(), number: 4 };
    let messages = |level: f64| {
        let sample = sample(level, tag);
        [
            signal(SignalBody::Changed { stream, seq: 1, known: tag, at: tag, value: Value::plain(level) }),
            reply(Answer::Output(sample.clone())),
            reply(Answer::Watched { watch: 9, position, sample: sample.clone() }),
            Message::Report(Report::Changed { watch: 9, position, sample: sample.clone() }),
            reply(Answer::Config(Box::new(ConfigView { output: sample, threshold: None, ..plain_config() }))),
        ]
    };
    let one = 1.0_f64.to_le_bytes();
    for bad in [2.0, -1.0, -0.0, 0.5, 1.0_f64.next_up(), 1e100, -1e100, f64::NAN, f64::INFINITY] {
        for (message, bad_message) in messages(1.0).into_iter().zip(messages(bad)) {
            assert_eq!(bad_message.encode().unwrap_err().kind(), WireErrorKind::NotALevel, "{bad_message:?}");
            let mut frame = message.encode().unwrap();
            let at = frame.windows(8).position(|window| window == one).unwrap();
            frame[at..at + 8].copy_from_slice(&bad.to_le_bytes());
            assert_eq!(error_in_fields(&frame), WireErrorKind::NotALevel, "{bad} in {message:?}");
        }
    }
}

#[test]
fn a_bad_name_is_refused() {
    let id: NeuronId = name("a-b");
    let source = Source::Neuron(id.clone());
    let stream = StreamId { incarnation: Incarnation::default(), counter: 3 };
    let position = WatchPosition { incarnation: Incarnation::default(), number: 4 };
    let value = Value { level: 1.0, missing: missing(["a-b"]) };
    let degraded = Sample { missing: missing(["a-b"]), ..sample(1.0, Tag::FIRST) };
    let messages = [
        signal(SignalBody::Changed { stream, seq: 1, known: Tag::ORIGIN, at: Tag::FIRST, value }),
        reply(Answer::Output(degraded.clone())),
        reply(Answer::Watched { watch: 9, position, sample: degraded.clone() }),
        Message::Report(Report::Changed { watch: 9, position, sample: degraded.clone() }),
        reply(Answer::Config(Box::new(ConfigView { output: degraded, ..plain_config() }))),
        request(Command::Stimulate { stimulus: reading("a-b", 1.0), at: None, within: Duration::ZERO }),
        request(Command::Commit { ticket: 9, at: Tag::FIRST, stimuli: vec![reading("a-b", 1.0)] }),
        request(Command::Configure(ConfigChange::SetWeight { source: source.clone(), weight: 1.0 })),
        request(Command::Prepare {
            changes: vec![ConfigChange::SetWeight { source: source.clone(), weight: 1.0 }],
            stimuli: Vec::new(),
        }),
        request(Command::Prepare {
            changes: vec![ConfigChange::DeleteWeight { source: source.clone() }],
            stimuli: Vec::new(),
        }),
        request(Command::Prepare {
            changes: vec![ConfigChange::Connect { source: id.clone(), delay: None }],
            stimuli: Vec::new(),
        }),
        request(Command::Prepare {
            changes: vec![ConfigChange::Disconnect { source: id.clone() }],
            stimuli: Vec::new(),
        }),
        request(Command::Configure(ConfigChange::DeleteWeight { source })),
        request(Command::Configure(ConfigChange::DeleteWeight { source: Source::Sensor(name("a-b")) })),
        request(Command::Configure(ConfigChange::Connect { source: id.clone(), delay: None })),
        request(Command::Configure(ConfigChange::Disconnect { source: id.clone() })),
        refusal(Refusal::UnknownSensor(name("a-b"))),
        refusal(Refusal::NotConnected(id.clone())),
        refusal(Refusal::AlreadyConnected(id.clone())),
        refusal(Refusal::SelfConnection(id.clone())),
        reply(Answer::Config(Box::new(ConfigView { weights: [(id.clone(), 1.0)].into(), ..plain_config() }))),
        reply(Answer::Config(Box::new(ConfigView {
            sensors: [(name("a-b"), Sensor::new(1.0))].into(),
            ..plain_config()
        }))),
        reply(Answer::Config(Box::new(ConfigView { inputs: [(id.clone(), None)].into(), ..plain_config() }))),
        reply(Answer::Config(Box::new(ConfigView { connections: vec![id], ..plain_config() }))),
    ];
    for message in messages {
        let frame = message.encode().unwrap();
        let at = frame.windows(3).position(|window| window == b"a-b").unwrap();
        for bad in [b".", b"*", b"\0"] {
            let frame = [&frame[..at + 1], bad, &frame[at + 2..]].concat();
            assert_eq!(error_in_fields(&frame), WireErrorKind::BadName, "{message:?}");
        }
        // No text at all, and one that is too long: the length stands in the eight bytes before it.
        for text in [String::new(), "a".repeat(MAX_NAME + 1)] {
            let length = (text.len() as u64).to_le_bytes();
            let frame = [&frame[..at - 8], &length, text.as_bytes(), &frame[at + 3..]].concat();
            assert_eq!(error_in_fields(&frame), WireErrorKind::BadName, "{message:?}");
        }
    }
}

#[test]
fn a_text_that_is_not_utf_8_is_malformed() {
    let mut frame = refusal(Refusal::TooMany("watches".into())).encode().unwrap();
    *frame.last_mut().unwrap() = 0xff;
    assert_eq!(error_in_fields(&frame), WireErrorKind::Malformed);
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
        ("answer.watched", eight + 8 + 16 + 16),
        ("answer.config", eight + 16),
        ("answer.config", eight + 25),
        ("answer.config", eight + 33),
        ("answer.config", eight + 41),
        ("answer.config", eight + 49),
        ("answer.log", eight),
        ("refusal.not_finite", eight + 4),
        ("refusal.not_connected", eight + 4),
        ("changed", eight + 8 + 24),
        ("signal.changed", 2 + 8 + 12 + 32), // Version, kind, incarnation, stream; number, two tags and a level.
    ];
    for (name, at) in places {
        let (_, mut frame) = golden_frames().into_iter().find(|(golden, _)| *golden == name).unwrap();
        for length in LENGTHS {
            frame[at..at + 8].copy_from_slice(&length.to_le_bytes());
            assert_eq!(error_in_fields(&frame), WireErrorKind::Malformed, "{name} with a length of {length}");
        }
    }
}

#[test]
fn an_absurd_length_anywhere_makes_an_error_or_a_sound_message() {
    for (_, frame) in golden_frames() {
        for at in 2..frame.len().saturating_sub(7) {
            for length in LENGTHS {
                let frame = [&frame[..at], &length.to_le_bytes(), &frame[at + 8..]].concat();
                read_untrusted(&frame);
            }
        }
    }
}
