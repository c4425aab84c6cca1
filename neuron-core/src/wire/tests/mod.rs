//! Tests of the wire.

mod bundle;
mod golden;
mod properties;
mod refused;
mod samples;
mod strategies;

use super::*;
use crate::{
    command::{Answer, Command, ConfigChange},
    neuron::is_finite,
    signal::SignalBody,
};

/// One line for each sample: its name and its frame in hexadecimal.
const GOLDEN: &str = include_str!("../testdata/v1.txt");

const FROZEN: &str = "the bytes have changed. Before the first release: adapt the line in `testdata/v1.txt` (a bundle: \
                      `testdata/bundle.txt`) and the table in docs/protocol.md, section 4. After it: a new kind or \
                      a new version";

/// A message of any kind, so that one test can go through all of them.
#[derive(Clone, Debug, PartialEq)]
enum Message {
    Signal(Signal),
    Request(Request),
    Report(Report),
    Host(HostMessage),
    Claim(Claim),
}

impl Message {
    fn encode(&self) -> Result<Vec<u8>, WireError> {
        match self {
            Self::Signal(signal) => encode_signal(signal),
            Self::Request(request) => encode_request(request),
            Self::Report(report) => encode_report(report),
            Self::Host(message) => encode_host_message(message),
            Self::Claim(claim) => encode_claim(claim),
        }
    }

    /// Decodes `frame` with each of the decoders.
    fn decode(frame: &[u8]) -> [Result<Self, WireError>; 5] {
        [
            decode_signal(frame).map(Self::Signal),
            decode_request(frame).map(Self::Request),
            decode_report(frame).map(Self::Report),
            decode_host_message(frame).map(Self::Host),
            decode_claim(frame).map(Self::Claim),
        ]
    }

    /// Returns every weight, threshold, reading and level of the message.
    fn numbers(&self) -> Vec<f64> {
        match self {
            Self::Signal(Signal { body: SignalBody::Changed { value, .. }, .. }) => vec![value.level],
            Self::Signal(_) => vec![],
            Self::Request(Request { command, .. }) => match command {
                Command::Stimulate { stimulus, .. } => stimulus.level.into_iter().collect(),
                Command::Train { levels } => levels.clone(),
                Command::Commit { stimuli, .. } => stimuli.iter().filter_map(|stimulus| stimulus.level).collect(),
                Command::Prepare { changes, stimuli } => {
                    let levels = stimuli.iter().filter_map(|stimulus| stimulus.level);
                    changes.iter().filter_map(number).chain(levels).collect()
                }
                Command::Configure(ConfigChange::SetWeight { weight, .. }) => vec![*weight],
                Command::Configure(ConfigChange::SetThreshold { threshold }) => vec![*threshold],
                _ => vec![],
            },
            Self::Report(Report::Changed { sample, .. }) => vec![sample.level],
            Self::Report(Report::Reply {
                result: Ok(Answer::Output(sample) | Answer::Watched { sample, .. }), ..
            }) => vec![sample.level],
            Self::Report(Report::Reply { result: Ok(Answer::Config(config)), .. }) => {
                let sensors = config.sensors.values().map(|sensor| sensor.weight);
                config
                    .weights
                    .values()
                    .copied()
                    .chain(sensors)
                    .chain(config.threshold)
                    .chain([config.output.level])
                    .collect()
            }
            Self::Report(Report::Reply { .. }) | Self::Host(_) | Self::Claim(_) => vec![],
        }
    }
}

/// Returns the weight or threshold of a change.
fn number(change: &ConfigChange) -> Option<f64> {
    match change {
        ConfigChange::SetWeight { weight: number, .. } | ConfigChange::SetThreshold { threshold: number } => {
            Some(*number)
        }
        ConfigChange::DeleteWeight { .. } | ConfigChange::Connect { .. } | ConfigChange::Disconnect { .. } => None,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn golden_frames() -> Vec<(&'static str, Vec<u8>)> {
    GOLDEN
        .lines()
        .map(|line| {
            let (name, hex) = line.split_once(' ').unwrap_or_else(|| panic!("no name and bytes: {line}"));
            (name, bytes(hex))
        })
        .collect()
}

/// Decodes `frame` with all decoders, and checks that at most one accepts it and that its
/// message is sound.
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

/// Returns the error that all decoders report for `frame`.
fn error_in_frame(frame: &[u8]) -> WireErrorKind {
    let [signal, others @ ..] = Message::decode(frame).map(|message| message.unwrap_err().kind());
    assert_eq!(others, [signal; 4]);
    signal
}

/// Returns the error of the one decoder that knows the kind of `frame`.
fn error_in_fields(frame: &[u8]) -> WireErrorKind {
    let kinds: Vec<_> = Message::decode(frame)
        .into_iter()
        .map(|message| message.unwrap_err().kind())
        .filter(|kind| !matches!(kind, WireErrorKind::UnknownKind(_)))
        .collect();
    let [kind] = kinds[..] else { panic!("one decoder knows the kind, these answered: {kinds:?}") };
    kind
}
