//! Commands of controllers, before their tags and tickets are known.

use arbitrary::{Arbitrary, Result, Unstructured};
use neuron_core::{
    Tag,
    command::{Command, ConfigChange, Stimulus},
};

use crate::pick::{Controller, Name, Number, Sensor, Span, TagContext, Weighed, When};

/// A [`Command`], before its tags and tickets are known.
#[derive(Clone, Copy, Debug)]
pub enum CommandTemplate {
    Stimulate { what: StimulusTemplate, at: Option<When>, within: Span },
    Reserve,
    Prepare(UpToThree<ChangeTemplate>),
    Commit { ticket: Ticket, at: CommitAt, stimuli: UpToThree<StimulusTemplate> },
    Release(Ticket),
    Output(Option<When>),
    OutputAt(When),
    Watch(u8),
    Unwatch(u8),
    Config(Option<When>),
    Configure(ChangeTemplate),
    Log(Option<When>),
    EmptyLog,
    Counters,
    LastChange(u8),
}

impl<'a> Arbitrary<'a> for CommandTemplate {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            8 => Self::Stimulate { what: bytes.arbitrary()?, at: bytes.arbitrary()?, within: bytes.arbitrary()? },
            3 => Self::Reserve,
            3 => Self::Prepare(bytes.arbitrary()?),
            3 => Self::Commit { ticket: bytes.arbitrary()?, at: bytes.arbitrary()?, stimuli: bytes.arbitrary()? },
            3 => Self::Commit { ticket: bytes.arbitrary()?, at: bytes.arbitrary()?, stimuli: UpToThree([None; 3]) },
            1 => Self::Release(bytes.arbitrary()?),
            1 => Self::Output(bytes.arbitrary()?),
            3 => Self::OutputAt(bytes.arbitrary()?),
            2 => Self::Watch(bytes.arbitrary()?),
            1 => Self::Unwatch(bytes.arbitrary()?),
            1 => Self::Config(bytes.arbitrary()?),
            6 => Self::Configure(bytes.arbitrary()?),
            1 => Self::Log(bytes.arbitrary()?),
            1 => Self::EmptyLog,
            1 => Self::Counters,
            1 => Self::LastChange(bytes.arbitrary()?),
        )
    }
}

/// Up to three values.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct UpToThree<T>([Option<T>; 3]);

impl<T> UpToThree<T> {
    fn map<U>(self, with: impl Fn(T) -> U) -> Vec<U> {
        self.0.into_iter().flatten().map(with).collect()
    }
}

/// A stimulus or a reading.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct StimulusTemplate {
    sensor: Option<Sensor>,
    level: Option<Number>,
    hold: Option<Span>,
}

impl StimulusTemplate {
    fn stimulus(self) -> Stimulus {
        Stimulus {
            sensor: self.sensor.map(Sensor::id),
            level: self.level.map(|Number(level)| level),
            hold: self.hold.map(|Span(hold)| hold),
        }
    }
}

/// The number of a request that may have been answered with a floor.
#[derive(Clone, Copy, Debug)]
pub enum Ticket {
    /// One of the last ones that were.
    Recent(u8),
    Any(u8),
}

impl<'a> Arbitrary<'a> for Ticket {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 7 => Self::Recent(bytes.int_in_range(0..=3)?), 1 => Self::Any(bytes.arbitrary()?))
    }
}

/// The tag of a commit.
#[derive(Clone, Copy, Debug)]
pub enum CommitAt {
    /// The floor of the answer.
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
pub enum ChangeTemplate {
    SetWeight(Weighed, Number),
    DeleteWeight(Weighed),
    SetThreshold(Number),
    Connect(Name, Option<Span>),
    Disconnect(Name),
}

impl<'a> Arbitrary<'a> for ChangeTemplate {
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

impl ChangeTemplate {
    fn change(self) -> ConfigChange {
        match self {
            Self::SetWeight(source, weight) => ConfigChange::SetWeight { source: source.source(), weight: weight.0 },
            Self::DeleteWeight(source) => ConfigChange::DeleteWeight { source: source.source() },
            Self::SetThreshold(threshold) => ConfigChange::SetThreshold { threshold: threshold.0 },
            Self::Connect(source, delay) => {
                ConfigChange::Connect { source: source.id(), delay: delay.map(|span| span.0) }
            }
            Self::Disconnect(source) => ConfigChange::Disconnect { source: source.id() },
        }
    }
}

/// A floor, and the controller and the request that it was the answer to.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    pub controller: Controller,
    pub request: u64,
    pub floor: Tag,
}

impl CommandTemplate {
    /// Returns the command and its sender. A command with a ticket comes from the controller that
    /// has the ticket.
    pub fn command(self, from: Controller, floors: &[Floor], tags: &TagContext) -> (Controller, Command) {
        let tag_or_none = |when: Option<When>| when.map_or(Tag::ORIGIN, |when| when.tag(tags));
        let command = match self {
            Self::Stimulate { what, at, within } => {
                let at = at.map(|at| at.tag(tags));
                Command::Stimulate { stimulus: what.stimulus(), at, within: within.0 }
            }
            Self::Reserve => Command::Reserve,
            Self::Prepare(changes) => {
                Command::Prepare { changes: changes.map(ChangeTemplate::change), stimuli: Vec::new() }
            }
            Self::Commit { ticket, at, stimuli } => {
                let Floor { controller, request, floor } = ticket.find(from, floors, tags);
                let at = match at {
                    CommitAt::Floor => floor,
                    CommitAt::At(at) => at.tag(tags),
                };
                return (
                    controller,
                    Command::Commit { ticket: request, at, stimuli: stimuli.map(StimulusTemplate::stimulus) },
                );
            }
            Self::Release(ticket) => {
                let Floor { controller, request, .. } = ticket.find(from, floors, tags);
                return (controller, Command::Release { ticket: request });
            }
            Self::Output(after) => Command::Output { after: tag_or_none(after) },
            Self::OutputAt(tag) => Command::OutputAt { tag: tag.tag(tags) },
            Self::Watch(watch) => Command::Watch { watch: watch.into() },
            Self::Unwatch(watch) => Command::Unwatch { watch: watch.into() },
            Self::Config(after) => Command::Config { after: tag_or_none(after) },
            Self::Configure(change) => Command::Configure(change.change()),
            Self::Log(after) => Command::Log { after: tag_or_none(after) },
            Self::EmptyLog => Command::EmptyLog,
            Self::Counters => Command::Counters,
            Self::LastChange(watch) => Command::LastChange { watch: watch.into() },
        };
        (from, command)
    }
}

impl Ticket {
    fn find(self, from: Controller, floors: &[Floor], tags: &TagContext) -> Floor {
        let any = |request: u8| Floor { controller: from, request: request.into(), floor: Tag::at(tags.now) };
        match self {
            Self::Recent(back) => floors.iter().nth_back(back.into()).copied().unwrap_or_else(|| any(back)),
            Self::Any(request) => any(request),
        }
    }
}
