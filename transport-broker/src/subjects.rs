//! The subjects of a network: `nn.v1.<network>.{sig|ctl|rep|hst}.<target>.<source>`.
//!
//! The sender stands in the subject, so that the broker's own permissions authenticate it: a user
//! that may publish only `nn.v1.*.*.*.x` can send only as `x`. Names are checked where they are
//! parsed, so none of them contains a separator or a wildcard.

use neuron_core::{NetworkId, transport::Address};

use crate::Route;

/// The kind of a message, as its subject states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// From a neuron to a neuron.
    Signal,
    /// From a controller to a neuron.
    Request,
    /// From a neuron to a controller.
    Report,
    /// From a host to a host.
    Host,
}

impl MessageKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Signal, Self::Request, Self::Report, Self::Host];

    /// Returns the part of a subject that stands for this kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signal => "sig",
            Self::Request => "ctl",
            Self::Report => "rep",
            Self::Host => "hst",
        }
    }

    /// Returns whether messages of this kind go to addresses of this sort.
    pub fn is_for(self, at: &Address) -> bool {
        match at {
            Address::Neuron(_) => matches!(self, Self::Signal | Self::Request),
            Address::Controller(_) => self == Self::Report,
            Address::Host(_) => self == Self::Host,
        }
    }

    /// Parses the part of a subject that stands for a kind; `None` if there is no such kind.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The subjects of one network on one broker.
#[derive(Clone, Debug)]
pub struct Subjects {
    /// `nn.v1.<network>.`, the last separator included.
    stem: String,
    separator: char,
}

/// The parts of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedSubject<'a> {
    /// The kind of message.
    pub kind: MessageKind,
    /// The name of the receiver.
    pub target: &'a str,
    /// The name of the sender.
    pub source: &'a str,
}

impl Subjects {
    /// Creates the subjects of a network. All begin with `prefix` (by default `nn`); `separator` is
    /// that of the broker, `.` or `:`.
    pub fn new(prefix: &str, network: &NetworkId, separator: char) -> Self {
        Self { stem: format!("{prefix}{separator}v1{separator}{network}{separator}"), separator }
    }

    /// Returns the common beginning of all subjects of the network, the last separator included.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// Returns the subject of messages of one kind from `source` to `target`; either may be a
    /// wildcard.
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

    /// Returns the subject of a route.
    pub fn of_route(&self, route: &Route) -> String {
        let (target, source) = route.target_and_source();
        self.subject(route.kind(), target, source)
    }

    /// Returns the patterns that an inbox subscribes to, each with `*` for the source.
    pub fn inbox_patterns(&self, at: &Address) -> Vec<String> {
        let kinds = MessageKind::ALL.into_iter().filter(|kind| kind.is_for(at));
        kinds.map(|kind| self.subject(kind, at.name(), "*")).collect()
    }

    /// Returns the subject on which an inbox sends echoes to itself.
    pub fn echo_subject(&self, at: &Address) -> String {
        let kind = match at {
            Address::Neuron(_) => MessageKind::Signal,
            Address::Controller(_) => MessageKind::Report,
            Address::Host(_) => MessageKind::Host,
        };
        self.subject(kind, at.name(), at.name())
    }

    /// Splits a subject into its parts. `None` means that it is not a subject of this network.
    pub fn parse<'a>(&self, subject: &'a str) -> Option<ParsedSubject<'a>> {
        let mut parts = subject.strip_prefix(&self.stem)?.split(self.separator);
        let kind = MessageKind::parse(parts.next()?)?;
        let target = parts.next()?;
        let source = parts.next()?;
        parts.next().is_none().then_some(ParsedSubject { kind, target, source })
    }
}

impl ParsedSubject<'_> {
    /// Returns the address of the receiver. `None` means that the target is not a valid name.
    pub fn address(&self) -> Option<Address> {
        Some(match self.kind {
            MessageKind::Signal | MessageKind::Request => Address::Neuron(self.target.parse().ok()?),
            MessageKind::Report => Address::Controller(self.target.parse().ok()?),
            MessageKind::Host => Address::Host(self.target.parse().ok()?),
        })
    }

    /// Returns the route from the sender in the subject, which the broker authenticates, to `to`.
    /// `None` means that the source is not a valid name.
    ///
    /// `to` must be the receiver in the subject; passing it saves parsing its name once more.
    pub fn route_to(&self, to: &Address) -> Option<Route> {
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
            (MessageKind::Host, Address::Host(to)) => Route::Host { from: self.source.parse().ok()?, to: to.clone() },
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
    fn an_envelope_survives_the_subject_and_the_frame() {
        let request = Request::new(7, Command::Output { after: neuron_core::Tag::ORIGIN });
        let envelope = Envelope::Request {
            from: "me".parse().expect("a name"),
            to: "z".parse().expect("a name"),
            request: Box::new(request),
        };
        let (route, frame) = Route::encode(envelope.clone()).expect("it fits");
        let subjects = subjects('.');
        let subject = subjects.of_route(&route);
        assert_eq!(subject, "nn.v1.xor.ctl.z.me");
        let parsed = subjects.parse(&subject).expect("a subject");
        assert_eq!(parsed.address(), Some(envelope.to()));
        assert_eq!(parsed.route_to(&envelope.to()), Some(route.clone()));
        assert_eq!(route.decode(&frame).expect("a frame"), envelope);
    }

    #[test]
    fn an_inbox_subscribes_to_its_own_subjects() {
        let neuron = Address::Neuron("z".parse().expect("a name"));
        assert_eq!(subjects(':').inbox_patterns(&neuron), ["nn:v1:xor:sig:z:*", "nn:v1:xor:ctl:z:*"]);
        let controller = Address::Controller("z".parse().expect("a name"));
        assert_eq!(subjects('.').inbox_patterns(&controller), ["nn.v1.xor.rep.z.*"]);
        let host = Address::Host("z".parse().expect("a name"));
        assert_eq!(subjects('.').inbox_patterns(&host), ["nn.v1.xor.hst.z.*"]);
    }

    #[test]
    fn subjects_of_another_form_or_network_are_rejected() {
        for subject in
            ["", "nn.v1.xor", "nn.v1.and.sig.z.x", "nn.v1.xor.sig.z", "nn.v1.xor.sig.z.x.y", "nn.v1.xor.abc.z.x"]
        {
            assert_eq!(subjects('.').parse(subject), None, "{subject}");
        }
    }
}
