//! Addresses as a broker sees them: `nn.v1.<network>.{sig|ctl|rep}.<target>.<source>`.
//!
//! The sender stands in the subject, so that the broker's own permissions can authenticate it: whoever may publish only
//! `nn.v1.*.*.*.x` can speak only as `x`. Names are checked where they are parsed, so no separator and no wildcard ever
//! comes from one.

use neuron_core::{NetworkId, transport::Address};

use crate::Route;

/// What a message is, as the subject tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// From a neuron to a neuron.
    Signal,
    /// From a controller to a neuron.
    Request,
    /// From a neuron to a controller.
    Report,
}

impl MessageKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Signal, Self::Request, Self::Report];

    /// As it stands in a subject.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "sig",
            Self::Request => "ctl",
            Self::Report => "rep",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The subjects of one network on one broker.
#[derive(Clone, Debug)]
pub struct Subjects {
    /// `nn.v1.<network>.`
    stem: String,
    separator: char,
}

/// What a subject says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedSubject<'a> {
    /// What it is.
    pub kind: MessageKind,
    /// To whom.
    pub target: &'a str,
    /// From whom.
    pub source: &'a str,
}

impl Subjects {
    /// The subjects of a network, with what they all begin with (`nn`), and the separator of the broker: `.` or `:`.
    pub fn new(prefix: &str, network: &NetworkId, separator: char) -> Self {
        Self { stem: format!("{prefix}{separator}v1{separator}{network}{separator}"), separator }
    }

    /// What all subjects of the network begin with, separator included.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// A subject.
    pub fn subject(&self, kind: MessageKind, target: &str, source: &str) -> String {
        let mut subject = String::with_capacity(self.stem.len() + 3 + 1 + target.len() + 1 + source.len());
        for part in [&self.stem, kind.as_str()] {
            subject.push_str(part);
        }
        for part in [target, source] {
            subject.push(self.separator);
            subject.push_str(part);
        }
        subject
    }

    /// The subject of a way.
    pub fn of(&self, route: &Route) -> String {
        let (target, source) = route.ends();
        self.subject(route.kind(), target, source)
    }

    /// What an inbox listens to: each with `*` for the source.
    pub fn patterns(&self, at: &Address) -> Vec<String> {
        let kinds: &[MessageKind] = match at {
            Address::Neuron(_) => &[MessageKind::Signal, MessageKind::Request],
            Address::Controller(_) => &[MessageKind::Report],
        };
        kinds.iter().map(|kind| self.subject(*kind, name(at), "*")).collect()
    }

    /// The subject on which an inbox speaks to itself.
    pub fn own(&self, at: &Address) -> String {
        let kind = match at {
            Address::Neuron(_) => MessageKind::Signal,
            Address::Controller(_) => MessageKind::Report,
        };
        self.subject(kind, name(at), name(at))
    }

    /// What a subject of this network says; nothing if it is none.
    pub fn parse<'a>(&self, subject: &'a str) -> Option<ParsedSubject<'a>> {
        let mut parts = subject.strip_prefix(&self.stem)?.split(self.separator);
        let kind = MessageKind::parse(parts.next()?)?;
        let (target, source) = (parts.next()?, parts.next()?);
        parts.next().is_none().then_some(ParsedSubject { kind, target, source })
    }
}

/// The name of an address.
pub(crate) fn name(at: &Address) -> &str {
    match at {
        Address::Neuron(id) => id.as_str(),
        Address::Controller(id) => id.as_str(),
    }
}

impl ParsedSubject<'_> {
    /// Whom it is for; nothing if the name is none.
    pub fn address(&self) -> Option<Address> {
        Some(match self.kind {
            MessageKind::Signal | MessageKind::Request => Address::Neuron(self.target.parse().ok()?),
            MessageKind::Report => Address::Controller(self.target.parse().ok()?),
        })
    }

    /// The way to an address that is the one in the subject. The sender is the one in the subject, which the broker vouches for;
    /// nothing if that name is none.
    pub(crate) fn route(&self, to: &Address) -> Option<Route> {
        Some(match (self.kind, to) {
            (MessageKind::Signal, Address::Neuron(to)) => {
                Route::Signal { from: self.source.parse().ok()?, to: to.clone() }
            }
            (MessageKind::Request, Address::Neuron(to)) => {
                Route::Request { from: self.source.parse().ok()?, to: to.clone() }
            }
            (MessageKind::Report, Address::Controller(to)) => {
                Route::Report { from: self.source.parse().ok()?, to: to.clone() }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use neuron_core::{
        command::{Command, Request},
        transport::{Address, Envelope},
    };

    use super::*;

    fn subjects(separator: char) -> Subjects {
        Subjects::new("nn", &"xor".parse().expect("a name"), separator)
    }

    #[test]
    fn an_envelope_comes_out_as_it_went_in() {
        let request = Request { id: 7, command: Command::Output };
        let envelope = Envelope::Request {
            from: "me".parse().expect("a name"),
            to: "z".parse().expect("a name"),
            request: Box::new(request),
        };
        let (route, frame) = Route::seal(envelope.clone()).expect("it fits");
        let subjects = subjects('.');
        let subject = subjects.of(&route);
        assert_eq!(subject, "nn.v1.xor.ctl.z.me");
        let parsed = subjects.parse(&subject).expect("it is one");
        assert_eq!(parsed.address(), Some(envelope.to()));
        assert_eq!(parsed.route(&envelope.to()), Some(route.clone()));
        assert_eq!(route.open(&frame).expect("it is one"), envelope);
    }

    #[test]
    fn an_inbox_listens_to_what_is_meant_for_it() {
        let neuron = Address::Neuron("z".parse().expect("a name"));
        assert_eq!(subjects(':').patterns(&neuron), ["nn:v1:xor:sig:z:*", "nn:v1:xor:ctl:z:*"]);
        let controller = Address::Controller("z".parse().expect("a name"));
        assert_eq!(subjects('.').patterns(&controller), ["nn.v1.xor.rep.z.*"]);
    }

    #[test]
    fn other_subjects_are_not_of_this_network() {
        for subject in
            ["", "nn.v1.xor", "nn.v1.and.sig.z.x", "nn.v1.xor.sig.z", "nn.v1.xor.sig.z.x.y", "nn.v1.xor.abc.z.x"]
        {
            assert_eq!(subjects('.').parse(subject), None, "{subject}");
        }
    }
}
