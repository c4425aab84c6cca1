//! Notes: what processes tell each other about their channels.

use std::collections::BTreeMap;

use neuron_core::{hosts::Claim, transport::Address, wire};
use redis::Pipeline;
use transport_broker::{MessageKind, ParsedSubject, Route, Subjects};

/// The longest message with notes: one that is longer is not of this library.
const MAX_BYTES: usize = 64 * 1024;

/// A note from the owner of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The inbox of an address has been opened: its senders have to call again.
    Opened(Address),
    /// The sender of a route is going to send on it.
    Call(Route),
    /// The receiver of a route hears it from now on.
    Ready(Route),
    /// A host claims the neuron of this name.
    Claim(Box<Claim>),
}

impl Note {
    /// Returns the name that the note is from, and its text.
    fn write(&self) -> (&str, String) {
        match self {
            Self::Opened(at) => (at.name(), format!("open {}", letter(at))),
            Self::Call(route) => {
                let (target, source) = route.target_and_source();
                (source, format!("call {} {target}", route.kind().as_str()))
            }
            Self::Ready(route) => {
                let (target, source) = route.target_and_source();
                (target, format!("ready {} {source}", route.kind().as_str()))
            }
            Self::Claim(claim) => (claim.neuron.as_str(), format!("claim {}", claim_text(claim))),
        }
    }

    /// Parses one note from the owner of the name `from`.
    fn parse(from: &str, line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let note = match (words.next()?, words.next()?, words.next()) {
            ("claim", text, None) => Self::Claim(parse_claim(from, text)?),
            ("open", letter, None) => Self::Opened(match letter {
                "n" => Address::Neuron(from.parse().ok()?),
                "c" => Address::Controller(from.parse().ok()?),
                "h" => Address::Host(from.parse().ok()?),
                _ => return None,
            }),
            ("call", kind, Some(target)) => Self::Call(route(kind, target, from)?),
            ("ready", kind, Some(source)) => Self::Ready(route(kind, from, source)?),
            _ => return None,
        };
        words.next().is_none().then_some(note)
    }
}

fn letter(at: &Address) -> char {
    match at {
        Address::Neuron(_) => 'n',
        Address::Controller(_) => 'c',
        Address::Host(_) => 'h',
    }
}

/// Returns the frame of a claim in hexadecimal digits.
fn claim_text(claim: &Claim) -> String {
    let frame = wire::encode_claim(claim).unwrap_or_default();
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parses a claim to the neuron `from`, which owns the channel.
fn parse_claim(from: &str, text: &str) -> Option<Box<Claim>> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let frame = text.as_bytes().chunks(2).map(digits).collect::<Option<Vec<u8>>>()?;
    let claim = wire::decode_claim(&frame).ok()?;
    (claim.neuron.as_str() == from).then(|| Box::new(claim))
}

fn route(kind: &str, target: &str, source: &str) -> Option<Route> {
    let subject = ParsedSubject { kind: MessageKind::parse(kind)?, target, source };
    subject.route_to(&subject.address()?)
}

/// Parses a message on a channel of notes. Returns the notes, and how many lines are none.
///
/// `None` means that it is not a channel of notes.
pub(crate) fn parse_notes(subjects: &Subjects, channel: &str, payload: &[u8]) -> Option<(Vec<Note>, u64)> {
    let from = channel.strip_prefix(subjects.stem())?.strip_prefix("note:")?;
    let text = std::str::from_utf8(payload).ok().filter(|text| text.len() <= MAX_BYTES);
    let Some(text) = text else { return Some((Vec::new(), 1)) };
    let mut unreadable = 0;
    let notes = text.lines().filter_map(|line| {
        let note = Note::parse(from, line);
        unreadable += u64::from(note.is_none());
        note
    });
    let notes = notes.collect();
    Some((notes, unreadable))
}

/// Returns the pattern of the channels of notes of a network.
pub(crate) fn pattern(subjects: &Subjects) -> String {
    format!("{}note:*", subjects.stem())
}

/// Notes to publish, joined by their senders.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The texts of each sender; all but the last are full.
    by_sender: BTreeMap<String, Vec<String>>,
}

impl Notes {
    /// Adds a note.
    pub(crate) fn push(&mut self, note: &Note) {
        let (from, line) = note.write();
        if !self.by_sender.contains_key(from) {
            self.by_sender.insert(from.to_owned(), Vec::new());
        }
        let Some(texts) = self.by_sender.get_mut(from) else { return };
        match texts.last_mut() {
            Some(text) if text.len() + 1 + line.len() <= MAX_BYTES => {
                text.push('\n');
                text.push_str(&line);
            }
            _ => texts.push(line),
        }
    }

    /// Removes all notes, and returns commands that publish them; `None` if there are none.
    pub(crate) fn take(&mut self, subjects: &Subjects) -> Option<Pipeline> {
        if self.by_sender.is_empty() {
            return None;
        }
        let mut pipeline = Pipeline::new();
        for (from, texts) in std::mem::take(&mut self.by_sender) {
            for text in texts {
                pipeline.cmd("PUBLISH").arg(format!("{}note:{from}", subjects.stem())).arg(text).ignore();
            }
        }
        Some(pipeline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects() -> Subjects {
        Subjects::new("nn", &"xor".parse().expect("a name"), ':')
    }

    fn signal(from: &str, to: &str) -> Route {
        Route::Signal { from: from.parse().expect("a name"), to: to.parse().expect("a name") }
    }

    fn claim(neuron: &str) -> Note {
        let (neuron, host) = (neuron.parse().expect("a name"), "pi1".parse().expect("a name"));
        let since = neuron_core::Time::from_micros(8);
        Note::Claim(Box::new(Claim { neuron, host, id: 7, since, is_established: true, answers: Some(9) }))
    }

    #[test]
    fn a_claim_counts_only_in_the_name_of_its_neuron() {
        let (_, text) = claim("z").write();
        assert_eq!((Note::parse("z", &text), Note::parse("x", &text)), (Some(claim("z")), None));
        for bad in ["claim", "claim 0", "claim zz", "claim 01", "claim 0183", "claim \u{e9}\u{e9}"] {
            assert_eq!(Note::parse("z", bad), None, "{bad}");
        }
    }

    #[test]
    fn a_note_survives_its_text() {
        let report = Route::Report { from: "z".parse().expect("a name"), to: "me".parse().expect("a name") };
        let notes = [
            Note::Opened(Address::Host("pi1".parse().expect("a name"))),
            Note::Call(signal("x", "z")),
            Note::Call(report.clone()),
            Note::Ready(report.reverse()),
            claim("z"),
        ];
        for note in notes {
            let (from, text) = note.write();
            assert_eq!(Note::parse(from, &text), Some(note.clone()), "{text}");
        }
    }

    #[test]
    fn a_note_speaks_for_the_owner_of_its_channel_only() {
        let parse = |channel: &str, text: &str| parse_notes(&subjects(), channel, text.as_bytes());
        let expected = (vec![Note::Call(signal("x", "z")), Note::Ready(signal("y", "x"))], 1);
        assert_eq!(parse("nn:v1:xor:note:x", "call sig z\ncall z\nready sig y"), Some(expected));
        for bad in ["", "open", "open x", "call sig", "call abc z", "call sig z more", "call sig a*b", "ready  z"] {
            assert_eq!(Note::parse("x", bad), None, "{bad}");
        }
        for other in ["nn:v1:xor:sig:z:x", "nn:v1:and:note:x"] {
            assert_eq!(parse(other, "call sig z"), None, "{other}");
        }
        assert_eq!(parse("nn:v1:xor:note:x", &"call sig z\n".repeat(MAX_BYTES)), Some((vec![], 1)));
    }

    #[test]
    fn notes_of_one_sender_travel_together() {
        let mut notes = Notes::default();
        assert!(notes.take(&subjects()).is_none());
        for target in ["y", "z"] {
            notes.push(&Note::Call(signal("x", target)));
        }
        notes.push(&Note::Ready(signal("x", "a")));
        let packed = notes.take(&subjects()).expect("there are notes").get_packed_pipeline();
        let packed = String::from_utf8(packed).expect("it is text");
        assert_eq!(packed.matches("PUBLISH").count(), 2);
        assert!(packed.contains("nn:v1:xor:note:x") && packed.contains("call sig y\ncall sig z"), "{packed}");
        let calls = 2 * (MAX_BYTES / "call sig y\n".len());
        (0..calls).for_each(|_| notes.push(&Note::Call(signal("x", "y"))));
        let count = notes.take(&subjects()).expect("there are notes").cmd_iter().count();
        assert_eq!(count, 2, "each is as long as it may be");
    }
}
