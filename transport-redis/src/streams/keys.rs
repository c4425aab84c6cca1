//! The keys of mode streams at the server.

use std::sync::Arc;

use neuron_core::{NeuronId, transport::Address};
use transport_broker::{MessageKind, ParsedSubject, Subjects};

/// The keys of one network: beside the streams themselves, which are named like the channels,
/// `<stem>from:<n|c|h>:<target>` (the set of sources) and `<stem>read:<n|c|h>:<target>` (the
/// cursors).
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

    /// Returns the key of the set of sources that have streams for the target of a subject.
    pub(super) fn source_set_of_subject(&self, subject: &ParsedSubject<'_>) -> String {
        let sort = match subject.kind {
            MessageKind::Signal | MessageKind::Request => NEURON,
            MessageKind::Report => CONTROLLER,
            MessageKind::Host => HOST,
        };
        self.key("from", sort, subject.target)
    }

    /// Returns the key of the set of sources that have streams for an address.
    pub(super) fn source_set_of_address(&self, at: &Address) -> String {
        self.key("from", sort(at), at.name())
    }

    /// Returns the key of the hash with the saved cursors of an address.
    pub(super) fn cursors(&self, at: &Address) -> String {
        self.key("read", sort(at), at.name())
    }

    fn key(&self, what: &str, sort: char, target: &str) -> String {
        format!("{}{what}:{sort}:{target}", self.subjects.stem())
    }

    /// Returns the source of a message as a member of the set of sources: `<kind>:<name>`.
    pub(super) fn member(subject: &ParsedSubject<'_>) -> String {
        format!("{}:{}", subject.kind.as_str(), subject.source)
    }

    /// Returns whether a member of the set of sources is valid for an address. Any user that may
    /// write to the set may write anything into it.
    pub(super) fn is_valid_member(member: &str, at: &Address) -> bool {
        let Some((kind, name)) = member.split_once(':') else { return false };
        let fits = MessageKind::ALL.into_iter().any(|known| known.as_str() == kind && known.is_for(at));
        fits && name.parse::<NeuronId>().is_ok()
    }

    /// Returns the name of the stream from a member of the set of sources to an address.
    ///
    /// A member without a kind counts as a source of signals. That applies only to members that
    /// [`is_valid_member`](Self::is_valid_member) refuses.
    pub(super) fn stream(&self, member: &str, at: &Address) -> String {
        let (kind, name) = member.split_once(':').unwrap_or(("sig", member));
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
