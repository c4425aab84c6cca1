//! What a controller asks for.

use arbitrary::{Arbitrary, Result, Unstructured};
use neuron_core::{
    Tag,
    command::{ConfigChange, Command, Stimulus},
};

use crate::pick::{Controller, Marks, Name, Number, Sensor, Span, Weighed, When};

/// A [`Command`], before its tags and tickets are known.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    Stimulate { what: Kick, at: Option<When>, within: Span },
    Reserve,
    Prepare(Few<Alteration>),
    Commit { ticket: Ticket, at: CommitAt, stimuli: Few<Kick> },
    Release(Ticket),
    Output,
    OutputAt(When),
    Watch,
    Unwatch(Ticket),
    Config,
    Alter(Alteration),
    Log,
    EmptyLog,
    Counters,
}

impl<'a> Arbitrary<'a> for Order {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            8 => Self::Stimulate { what: bytes.arbitrary()?, at: bytes.arbitrary()?, within: bytes.arbitrary()? },
            3 => Self::Reserve,
            3 => Self::Prepare(bytes.arbitrary()?),
            3 => Self::Commit { ticket: bytes.arbitrary()?, at: bytes.arbitrary()?, stimuli: bytes.arbitrary()? },
            3 => Self::Commit { ticket: bytes.arbitrary()?, at: bytes.arbitrary()?, stimuli: Few([None; 3]) },
            1 => Self::Release(bytes.arbitrary()?),
            1 => Self::Output,
            3 => Self::OutputAt(bytes.arbitrary()?),
            2 => Self::Watch,
            1 => Self::Unwatch(bytes.arbitrary()?),
            1 => Self::Config,
            6 => Self::Alter(bytes.arbitrary()?),
            1 => Self::Log,
            1 => Self::EmptyLog,
            1 => Self::Counters,
        )
    }
}

/// None, one, two or three.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Few<T>([Option<T>; 3]);

impl<T> Few<T> {
    fn map<U>(self, with: impl Fn(T) -> U) -> Vec<U> {
        self.0.into_iter().flatten().map(with).collect()
    }
}

/// A stimulus or a reading.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Kick {
    sensor: Option<Sensor>,
    level: Number,
    hold: Option<Span>,
}

impl Kick {
    fn stimulus(self) -> Stimulus {
        Stimulus { sensor: self.sensor.map(Sensor::id), level: self.level.0, hold: self.hold.map(|Span(hold)| hold) }
    }
}

/// A request that was answered with a floor.
#[derive(Clone, Copy, Debug)]
pub enum Ticket {
    /// One of the last ones.
    Recent(u8),
    Any(u8),
}

impl<'a> Arbitrary<'a> for Ticket {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 7 => Self::Recent(bytes.int_in_range(0..=3)?), 1 => Self::Any(bytes.arbitrary()?))
    }
}

/// The tag of a wave.
#[derive(Clone, Copy, Debug)]
pub enum CommitAt {
    /// The floor in the answer.
    Floor,
    At(When),
}

impl<'a> Arbitrary<'a> for CommitAt {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 3 => Self::Floor, 1 => Self::At(bytes.arbitrary()?))
    }
}

/// A change of the configuration.
#[derive(Clone, Copy, Debug)]
pub enum Alteration {
    SetWeight(Weighed, Number),
    DeleteWeight(Weighed),
    SetThreshold(Number),
    Connect(Name, Option<Span>),
    Disconnect(Name),
}

impl<'a> Arbitrary<'a> for Alteration {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            2 => Self::SetWeight(bytes.arbitrary()?, bytes.arbitrary()?),
            1 => Self::DeleteWeight(bytes.arbitrary()?),
            1 => Self::SetThreshold(bytes.arbitrary()?),
            3 => Self::Connect(bytes.arbitrary()?, bytes.arbitrary()?),
            2 => Self::Disconnect(bytes.arbitrary()?),
        )
    }
}

impl Alteration {
    fn change(self) -> ConfigChange {
        match self {
            Self::SetWeight(source, weight) => ConfigChange::SetWeight { source: source.source(), weight: weight.0 },
            Self::DeleteWeight(source) => ConfigChange::DeleteWeight { source: source.source() },
            Self::SetThreshold(threshold) => ConfigChange::SetThreshold { threshold: threshold.0 },
            Self::Connect(source, delay) => ConfigChange::Connect { source: source.id(), delay: delay.map(|span| span.0) },
            Self::Disconnect(source) => ConfigChange::Disconnect { source: source.id() },
        }
    }

    fn command(self) -> Command {
        match self.change() {
            ConfigChange::SetWeight { source, weight } => Command::Configure(ConfigChange::SetWeight { source, weight }),
            ConfigChange::DeleteWeight { source } => Command::Configure(ConfigChange::DeleteWeight { source }),
            ConfigChange::SetThreshold { threshold } => Command::Configure(ConfigChange::SetThreshold { threshold }),
            ConfigChange::Connect { source, delay } => Command::Configure(ConfigChange::Connect { source, delay }),
            ConfigChange::Disconnect { source } => Command::Configure(ConfigChange::Disconnect { source }),
        }
    }
}

/// A floor that was answered, and to whom.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    pub controller: Controller,
    pub request: u64,
    pub floor: Tag,
}

impl Order {
    /// The command, and who sends it: a ticket is of use only to the one who has it.
    pub fn command(self, from: Controller, floors: &[Floor], marks: &Marks) -> (Controller, Command) {
        let command = match self {
            Self::Stimulate { what, at, within } => {
                let at = at.map(|at| at.tag(marks));
                Command::Stimulate { stimulus: what.stimulus(), at, within: within.0 }
            }
            Self::Reserve => Command::Reserve,
            Self::Prepare(changes) => Command::Prepare { changes: changes.map(Alteration::change) },
            Self::Commit { ticket, at, stimuli } => {
                let Floor { controller, request, floor } = ticket.find(from, floors, marks);
                let at = match at {
                    CommitAt::Floor => floor,
                    CommitAt::At(at) => at.tag(marks),
                };
                return (controller, Command::Commit { ticket: request, at, stimuli: stimuli.map(Kick::stimulus) });
            }
            Self::Release(ticket) => {
                let Floor { controller, request, .. } = ticket.find(from, floors, marks);
                return (controller, Command::Release { ticket: request });
            }
            Self::Output => Command::Output,
            Self::OutputAt(tag) => Command::OutputAt { tag: tag.tag(marks) },
            Self::Watch => Command::Watch,
            Self::Unwatch(ticket) => Command::Unwatch { watch: ticket.find(from, floors, marks).request },
            Self::Config => Command::Config,
            Self::Alter(alteration) => alteration.command(),
            Self::Log => Command::Log,
            Self::EmptyLog => Command::EmptyLog,
            Self::Counters => Command::Counters,
        };
        (from, command)
    }
}

impl Ticket {
    fn find(self, from: Controller, floors: &[Floor], marks: &Marks) -> Floor {
        let any = |request: u8| Floor { controller: from, request: request.into(), floor: Tag::at(marks.now) };
        match self {
            Self::Recent(back) => floors.iter().nth_back(back.into()).copied().unwrap_or_else(|| any(back)),
            Self::Any(request) => any(request),
        }
    }
}
