//! Names, spans of time, numbers and tags. The values that are likely to matter are picked often.

use std::{sync::LazyLock, time::Duration};

use arbitrary::{Arbitrary, Result, Unstructured};
use neuron_core::{ControllerId, NeuronId, SensorId, Source, Tag, Time};

/// Returns one of several values, each as often as its weight says.
///
/// It takes a single byte, so that few mutations are without effect.
macro_rules! one_of {
    ($bytes:expr, $($weight:literal => $what:expr),+ $(,)?) => {{
        let picked: u8 = $bytes.int_in_range(0..=(0 $(+ $weight)+) - 1)?;
        let mut below = 0;
        $(
            below += $weight;
            if picked < below {
                return Ok($what);
            }
        )+
        unreachable!("{picked} is not below {below}")
    }};
}

/// A neuron: one of the other three, or the one under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    A,
    B,
    C,
    Itself,
}

static NEURONS: LazyLock<[NeuronId; 4]> = LazyLock::new(|| ["a", "b", "c", "itself"].map(|name| name.parse().unwrap()));
static SENSORS: LazyLock<[SensorId; 2]> = LazyLock::new(|| ["s", "t"].map(|name| name.parse().unwrap()));
static CONTROLLERS: LazyLock<[ControllerId; 2]> = LazyLock::new(|| ["me", "you"].map(|name| name.parse().unwrap()));

impl Name {
    pub const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::Itself];

    pub fn id(self) -> NeuronId {
        NEURONS[self as usize].clone()
    }

    /// Returns the neuron of this name. The neuron under test knows no other names.
    pub fn of(id: &NeuronId) -> Self {
        let name = Self::ALL.into_iter().find(|name| NEURONS[*name as usize] == *id);
        name.unwrap_or_else(|| panic!("no message has named {id}"))
    }
}

impl<'a> Arbitrary<'a> for Name {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        Ok(*bytes.choose(&Self::ALL)?)
    }
}

/// One of the other three neurons. Messages of the neuron under test to itself are not part of a
/// scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Other(pub Name);

impl<'a> Arbitrary<'a> for Other {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self(*bytes.choose(&[Name::A, Name::B, Name::C])?))
    }
}

/// One of two controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controller(pub usize);

impl Controller {
    pub fn id(self) -> ControllerId {
        CONTROLLERS[self.0].clone()
    }

    /// Returns the controller of this name.
    pub fn of(id: &ControllerId) -> Self {
        let index = CONTROLLERS.iter().position(|controller| controller == id);
        Self(index.unwrap_or_else(|| panic!("no message has named {id}")))
    }
}

impl<'a> Arbitrary<'a> for Controller {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 3 => Self(0), 1 => Self(1))
    }
}

/// One of two sensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensor(pub usize);

impl Sensor {
    pub const ALL: [Self; 2] = [Self(0), Self(1)];

    pub fn id(self) -> SensorId {
        SENSORS[self.0].clone()
    }
}

impl<'a> Arbitrary<'a> for Sensor {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        Ok(*bytes.choose(&Self::ALL)?)
    }
}

/// A source that can have a weight.
#[derive(Clone, Copy, Debug)]
pub enum Weighed {
    Neuron(Name),
    Sensor(Sensor),
}

impl Weighed {
    pub fn source(self) -> Source {
        match self {
            Self::Neuron(name) => name.id().into(),
            Self::Sensor(sensor) => sensor.id().into(),
        }
    }
}

impl<'a> Arbitrary<'a> for Weighed {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 2 => Self::Neuron(bytes.arbitrary()?), 1 => Self::Sensor(bytes.arbitrary()?))
    }
}

/// A span of time in whole microseconds, as the wire carries it, of any order of magnitude; mostly
/// below a minute.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub Duration);

impl Span {
    /// Returns the nearest span that a network file allows: from a microsecond to 100 years.
    pub fn checked(self) -> Duration {
        self.0.clamp(Duration::from_micros(1), Duration::from_secs(100 * 366 * 24 * 3600))
    }
}

impl<'a> Arbitrary<'a> for Span {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let magnitude = match bytes.arbitrary::<u8>()? {
            any @ 0..64 => u32::from(any),
            short => u32::from(short) % 26,
        };
        let fraction = u64::from(bytes.arbitrary::<u8>()?);
        let power = 1u64 << magnitude;
        Ok(Self(Duration::from_micros((power - 1).saturating_add(power / 256 * fraction))))
    }
}

/// Any number, often one that must be refused.
#[derive(Clone, Copy, Debug)]
pub struct Number(pub f64);

impl Number {
    /// Returns a number that a network file allows.
    pub fn checked(self) -> f64 {
        if neuron_core::neuron::is_finite(self.0) { self.0 } else { 1.0 }
    }
}

impl<'a> Arbitrary<'a> for Number {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        const ODD: [f64; 9] =
            [-0.0, 1e100, -1e100, 1.1e100, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        one_of!(bytes,
            4 => Self(1.0),
            2 => Self(0.0),
            2 => Self(-1.0),
            2 => Self(0.5),
            2 => Self(f64::from(bytes.arbitrary::<i8>()?) / 16.0),
            2 => Self(*bytes.choose(&ODD)?),
            1 => Self(bytes.arbitrary()?),
        )
    }
}

/// A tag, relative to a tag that matters.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// This many tags after the first one of the present microsecond.
    Now(i8),
    Ahead(Span),
    Ago(Span),
    /// This many tags after the last one that the sender has sent.
    AfterSaid(i8),
    /// This many tags after the frontier of the neuron under test.
    AfterFrontier(i8),
    /// This many tags after the last one that is accepted, which is two hours ahead.
    AfterAccepted(i8),
    /// This many tags after the first one of all, or before the last one if negative.
    FromTheEnds(i8),
    Bits(u64),
}

impl<'a> Arbitrary<'a> for When {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            8 => Self::AfterSaid(bytes.arbitrary()?),
            6 => Self::Now(bytes.arbitrary()?),
            4 => Self::AfterFrontier(bytes.arbitrary()?),
            3 => Self::Ahead(bytes.arbitrary()?),
            3 => Self::Ago(bytes.arbitrary()?),
            1 => Self::AfterAccepted(bytes.arbitrary()?),
            1 => Self::FromTheEnds(bytes.arbitrary()?),
            1 => Self::Bits(bytes.arbitrary()?),
        )
    }
}

/// The tags that a [`When`] is relative to.
#[derive(Clone, Copy, Debug)]
pub struct TagContext {
    pub now: Time,
    pub said: Tag,
    pub frontier: Tag,
}

impl When {
    pub fn tag(self, tags: &TagContext) -> Tag {
        match self {
            Self::Now(by) => shift(Tag::at(tags.now), by),
            Self::Ahead(span) => Tag::at(tags.now.after(span.0)),
            Self::Ago(span) => Tag::at(tags.now.before(span.0)),
            Self::AfterSaid(by) => shift(tags.said, by),
            Self::AfterFrontier(by) => shift(tags.frontier, by),
            Self::AfterAccepted(by) => shift(Tag::at(tags.now.after(Duration::from_secs(2 * 3600))), by),
            Self::FromTheEnds(by) => shift(if by < 0 { Tag::MAX } else { Tag::ORIGIN }, by),
            Self::Bits(bits) => Tag::from_bits(bits),
        }
    }
}

fn shift(tag: Tag, tags: i8) -> Tag {
    Tag::from_bits(tag.to_bits().saturating_add_signed(tags.into()))
}

/// How often an input is given: mostly once, rarely often enough to reach any limit.
#[derive(Clone, Copy, Debug)]
pub struct Times(pub u32);

impl<'a> Arbitrary<'a> for Times {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let power = |power: u32| (1 << power) + power;
        one_of!(bytes, 62 => Self(1), 2 => Self(power(bytes.int_in_range(0..=12)?)))
    }
}
