//! Addresses as a broker sees them: `nn.v1.<network>.{sig|ctl|rep}.<target>.<source>`.
//!
//! The sender stands in the subject, so that the broker's own permissions can authenticate it: whoever may publish only
//! `nn.v1.*.*.*.x` can speak only as `x`. Names are checked where they are parsed, so no separator and no wildcard ever
//! comes from one.

use neuron_core::{
    NetworkId,
    transport::{Address, Envelope},
    wire::{self, WireError},
};

/// What a message is, as the subject tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// From a neuron to a neuron.
    Signal,
    /// From a controller to a neuron.
    Request,
    /// From a neuron to a controller.
    Report,
}

impl Kind {
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
pub struct Routes {
    /// `nn.v1.<network>.`
    stem: String,
    separator: char,
}

/// What a subject says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route<'a> {
    /// What it is.
    pub kind: Kind,
    /// To whom.
    pub target: &'a str,
    /// From whom.
    pub source: &'a str,
}

impl Routes {
    /// The subjects of a network, with what they all begin with (`nn`), and the separator of the broker: `.` or `:`.
    pub fn new(prefix: &str, network: &NetworkId, separator: char) -> Self {
        Self { stem: format!("{prefix}{separator}v1{separator}{network}{separator}"), separator }
    }

    /// What all subjects of the network begin with, separator included.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// A subject.
    pub fn subject(&self, kind: Kind, target: &str, source: &str) -> String {
        let Self { stem, separator } = self;
        format!("{stem}{}{separator}{target}{separator}{source}", kind.as_str())
    }

    /// The subject that an envelope travels on, and its bytes.
    ///
    /// # Errors
    /// When it does not fit into a frame.
    pub fn seal(&self, envelope: &Envelope) -> Result<(String, Vec<u8>), WireError> {
        Ok(match envelope {
            Envelope::Signal { from, to, signal } => {
                (self.subject(Kind::Signal, to.as_str(), from.as_str()), wire::encode_signal(signal)?)
            }
            Envelope::Request { from, to, request } => {
                (self.subject(Kind::Request, to.as_str(), from.as_str()), wire::encode_request(request)?)
            }
            Envelope::Report { from, to, report } => {
                (self.subject(Kind::Report, to.as_str(), from.as_str()), wire::encode_report(report)?)
            }
        })
    }

    /// What an inbox listens to: each with `*` for the source.
    pub fn patterns(&self, at: &Address) -> Vec<String> {
        let kinds: &[Kind] = match at {
            Address::Neuron(_) => &[Kind::Signal, Kind::Request],
            Address::Controller(_) => &[Kind::Report],
        };
        kinds.iter().map(|kind| self.subject(*kind, name(at), "*")).collect()
    }

    /// The subject on which an inbox speaks to itself.
    pub fn own(&self, at: &Address) -> String {
        let kind = match at {
            Address::Neuron(_) => Kind::Signal,
            Address::Controller(_) => Kind::Report,
        };
        self.subject(kind, name(at), name(at))
    }

    /// What a subject of this network says; nothing if it is none.
    pub fn parse<'a>(&self, subject: &'a str) -> Option<Route<'a>> {
        let mut parts = subject.strip_prefix(&self.stem)?.split(self.separator);
        let kind = Kind::parse(parts.next()?)?;
        let (target, source) = (parts.next()?, parts.next()?);
        parts.next().is_none().then_some(Route { kind, target, source })
    }
}

/// The name of an address.
pub(crate) fn name(at: &Address) -> &str {
    match at {
        Address::Neuron(id) => id.as_str(),
        Address::Controller(id) => id.as_str(),
    }
}

impl Route<'_> {
    /// Whom it is for; nothing if the name is none.
    pub fn address(&self) -> Option<Address> {
        Some(match self.kind {
            Kind::Signal | Kind::Request => Address::Neuron(self.target.parse().ok()?),
            Kind::Report => Address::Controller(self.target.parse().ok()?),
        })
    }

    /// The envelope that came on this subject. The sender is the one in the subject, which the broker vouches for.
    ///
    /// # Errors
    /// When the bytes, or a name, are none.
    pub fn open(&self, frame: &[u8]) -> Result<Envelope, WireError> {
        let bad_name = |_| WireError::from(wire::WireErrorKind::BadName);
        Ok(match self.kind {
            Kind::Signal => Envelope::Signal {
                from: self.source.parse().map_err(bad_name)?,
                to: self.target.parse().map_err(bad_name)?,
                signal: wire::decode_signal(frame)?,
            },
            Kind::Request => Envelope::Request {
                from: self.source.parse().map_err(bad_name)?,
                to: self.target.parse().map_err(bad_name)?,
                request: Box::new(wire::decode_request(frame)?),
            },
            Kind::Report => Envelope::Report {
                from: self.source.parse().map_err(bad_name)?,
                to: self.target.parse().map_err(bad_name)?,
                report: Box::new(wire::decode_report(frame)?),
            },
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

    fn routes(separator: char) -> Routes {
        Routes::new("nn", &"xor".parse().expect("a name"), separator)
    }

    #[test]
    fn an_envelope_comes_out_as_it_went_in() {
        let request = Request { id: 7, command: Command::Output };
        let envelope = Envelope::Request {
            from: "me".parse().expect("a name"),
            to: "z".parse().expect("a name"),
            request: Box::new(request),
        };
        let (subject, frame) = routes('.').seal(&envelope).expect("it fits");
        assert_eq!(subject, "nn.v1.xor.ctl.z.me");
        let routes = routes('.');
        let route = routes.parse(&subject).expect("it is one");
        assert_eq!(route.open(&frame).expect("it is one"), envelope);
        assert_eq!(route.address(), Some(envelope.to()));
    }

    #[test]
    fn an_inbox_listens_to_what_is_meant_for_it() {
        let neuron = Address::Neuron("z".parse().expect("a name"));
        assert_eq!(routes(':').patterns(&neuron), ["nn:v1:xor:sig:z:*", "nn:v1:xor:ctl:z:*"]);
        let controller = Address::Controller("z".parse().expect("a name"));
        assert_eq!(routes('.').patterns(&controller), ["nn.v1.xor.rep.z.*"]);
    }

    #[test]
    fn other_subjects_are_not_of_this_network() {
        for subject in
            ["", "nn.v1.xor", "nn.v1.and.sig.z.x", "nn.v1.xor.sig.z", "nn.v1.xor.sig.z.x.y", "nn.v1.xor.abc.z.x"]
        {
            assert_eq!(routes('.').parse(subject), None, "{subject}");
        }
    }
}
