//! The keys of mode streams at the server.

use std::sync::Arc;

use neuron_core::{NeuronId, transport::Address};
use transport_broker::{MessageKind, ParsedSubject, Subjects};

/// The keys of one network: beside the streams themselves, which are named like the channels,
/// `<stem>read:<n|c|h>:<target>` (the cursors of an inbox).
#[derive(Debug)]
pub(super) struct Keys {
    subjects: Arc<Subjects>,
}

impl Keys {
    pub(super) fn new(subjects: Arc<Subjects>) -> Self {
        Self { subjects }
    }

    /// Splits the name of a stream or a channel. `None` if it is not a subject of this network.
    pub(super) fn parse<'a>(&self, name: &'a str) -> Option<ParsedSubject<'a>> {
        self.subjects.parse(name)
    }

    /// Returns the key of the hash with the saved cursors of an address.
    pub(super) fn cursors(&self, at: &Address) -> String {
        format!("{}read:{}:{}", self.subjects.stem(), sort(at), at.name())
    }

    /// Returns the source of a message as the field of a hash of cursors: `<kind>:<name>`.
    pub(super) fn source(subject: &ParsedSubject<'_>) -> String {
        format!("{}:{}", subject.kind.as_str(), subject.source)
    }

    /// Returns whether a field of a hash of cursors is a source for an address. The first field is
    /// not, and any client of the same user may write others.
    pub(super) fn is_source(field: &str, at: &Address) -> bool {
        let Some((kind, name)) = field.split_once(':') else { return false };
        let fits = MessageKind::parse(kind).is_some_and(|kind| kind.is_for(at));
        fits && name.parse::<NeuronId>().is_ok()
    }

    /// Returns the name of the stream from a source to an address.
    ///
    /// A source without a kind counts as one of signals. That applies only to fields that
    /// [`is_source`](Self::is_source) refuses.
    pub(super) fn stream(&self, source: &str, at: &Address) -> String {
        let (kind, name) = source.split_once(':').unwrap_or(("sig", source));
        format!("{}{kind}:{}:{name}", self.subjects.stem(), at.name())
    }
}

const NEURON: char = 'n';
const CONTROLLER: char = 'c';
const HOST: char = 'h';

/// Returns the letter for addresses of this sort.
pub(crate) fn sort(at: &Address) -> char {
    match at {
        Address::Neuron(_) => NEURON,
        Address::Controller(_) => CONTROLLER,
        Address::Host(_) => HOST,
    }
}
