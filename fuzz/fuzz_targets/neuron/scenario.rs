//! How a neuron is set up, and what befalls it.

use arbitrary::{Arbitrary, Result, Unstructured};
use neuron_core::{
    Time,
    neuron::{Config, Mode, Rule},
    signal::Incarnation,
    transport::{Delivery, Guarantees},
};

use crate::{
    orders::Order,
    pick::{Controller, Name, Number, Other, Sensor, Span, Times, When},
};

/// A neuron, and what befalls it.
#[derive(Debug)]
pub struct Scenario {
    pub setup: Setup,
    pub steps: Vec<Step>,
    /// How many of the last steps happen again and again: a neuron must not grow with them.
    pub again: usize,
}

impl<'a> Arbitrary<'a> for Scenario {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (Again(again), setup) = (bytes.arbitrary()?, bytes.arbitrary()?);
        let mut steps = Vec::new();
        while !bytes.is_empty() {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { setup, steps, again })
    }
}

struct Again(usize);

impl<'a> Arbitrary<'a> for Again {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 62 => Self(0), 1 => Self(1), 1 => Self(2))
    }
}

/// How the neuron is set up, and what carries its messages.
#[derive(Arbitrary, Debug)]
pub struct Setup {
    pub begins: Begins,
    pub loses: bool,
    /// Which of the other neurons answer at once.
    pub obliging: [bool; 3],
    asap: bool,
    pulse: Option<(Span, Span)>,
    threshold: Option<Number>,
    inputs: [Option<Edge>; 4],
    sensors: [Option<Number>; 2],
    hold: Option<Span>,
    linger: Option<Span>,
    patience: Option<Span>,
    lease: Option<Span>,
}

/// When the clock is started.
#[derive(Clone, Copy, Debug)]
pub struct Begins(pub Time);

impl<'a> Arbitrary<'a> for Begins {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            4 => Self(Time::from_micros(1_700_000_000_000_000)),
            1 => Self(Time::ZERO),
            1 => Self(Time::MAX.before(bytes.arbitrary::<Span>()?.0)),
        )
    }
}

/// A connection that is there from the beginning.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Edge {
    weight: Number,
    delay: Option<Span>,
}

impl Setup {
    pub fn carrier(&self) -> Guarantees {
        let delivery = if self.loses { Delivery::AtMostOnce } else { Delivery::ExactlyOnce };
        Guarantees { delivery, ..Guarantees::IN_PROCESS }
    }

    /// A configuration such as a network file can hold.
    pub fn config(&self) -> Config {
        let mut config = Config::new().mode(if self.asap { Mode::Asap } else { Mode::Coherent });
        config.threshold = self.threshold.map(Number::checked);
        for (name, edge) in Name::ALL.into_iter().zip(self.inputs) {
            let Some(Edge { weight, delay }) = edge else { continue };
            let delay = delay.map(Span::checked);
            config.inputs.insert(name.id(), if name == Name::Itself { delay.or(Some(Config::HOLD)) } else { delay });
            config.weights.insert(name.id(), weight.checked());
        }
        for (sensor, weight) in Sensor::ALL.into_iter().zip(self.sensors) {
            config.sensors.extend(weight.map(|weight| (sensor.id(), weight.checked())));
        }
        let span = |span: Option<Span>, default| span.map_or(default, Span::checked);
        config.hold = span(self.hold, Config::HOLD);
        config.patience = span(self.patience, Config::PATIENCE);
        config.lease = span(self.lease, Config::LEASE);
        match self.pulse {
            Some((window, refractory)) => {
                config.rule = Rule::Pulse { window: window.checked(), refractory: refractory.checked() };
            }
            None => config.linger = span(self.linger, config.linger),
        }
        config
    }
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Time passes, and the neuron is woken when it wants to be.
    Pass(Span),
    /// Time passes, and nobody wakes the neuron: whatever runs it is held up.
    HoldUp(Span),
    /// The neuron is given something, and what comes of it is carried out.
    Give { times: Times, what: Given, then: Then },
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            5 => Self::Pass(bytes.arbitrary()?),
            1 => Self::HoldUp(bytes.arbitrary()?),
            12 => Self::Give { times: bytes.arbitrary()?, what: bytes.arbitrary()?, then: bytes.arbitrary()? },
        )
    }
}

/// What the neuron is given.
#[derive(Clone, Copy, Debug)]
pub enum Given {
    Wake,
    Undelivered(Other),
    Signal { from: Other, life: Life, says: Says },
    Request { from: Controller, number: Numbered, order: Order },
}

impl<'a> Arbitrary<'a> for Given {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            1 => Self::Wake,
            1 => Self::Undelivered(bytes.arbitrary()?),
            9 => Self::Signal { from: bytes.arbitrary()?, life: bytes.arbitrary()?, says: bytes.arbitrary()? },
            6 => Self::Request { from: bytes.arbitrary()?, number: bytes.arbitrary()?, order: bytes.arbitrary()? },
        )
    }
}

/// What happens to the neuron after it was given something, before anything else does.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// All it wants done is done.
    CarryOut,
    /// It is restarted, before anything it wants done is done.
    Restart,
    /// So much of what it wants done is done, then it crashes and comes back.
    Crash { after: u8, store: Store },
}

impl<'a> Arbitrary<'a> for Then {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            28 => Self::CarryOut,
            2 => Self::Restart,
            2 => Self::Crash { after: bytes.arbitrary()?, store: bytes.arbitrary()? },
        )
    }
}

/// What a neuron that has crashed finds when it comes back.
#[derive(Clone, Copy, Debug)]
pub enum Store {
    /// What it saved last.
    Kept,
    /// Nothing: it starts for the first time, and is a stranger.
    Lost,
}

impl<'a> Arbitrary<'a> for Store {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 7 => Self::Kept, 1 => Self::Lost)
    }
}

/// The number of a request.
#[derive(Clone, Copy, Debug)]
pub enum Numbered {
    /// A new one.
    Next,
    /// The one so many before the last.
    Again(u8),
}

impl<'a> Arbitrary<'a> for Numbered {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 7 => Self::Next, 1 => Self::Again(bytes.arbitrary()?))
    }
}

/// Which life another neuron speaks from.
#[derive(Clone, Copy, Debug)]
pub enum Life {
    Present,
    /// It has restarted, and goes on in that life.
    Next,
    /// The one before: it was held up on the way.
    Last,
    /// Another one with the same number.
    Twin,
    /// One that it never lived.
    Any(u32),
}

impl<'a> Arbitrary<'a> for Life {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            56 => Self::Present,
            4 => Self::Next,
            2 => Self::Last,
            1 => Self::Twin,
            1 => Self::Any(bytes.arbitrary()?),
        )
    }
}

/// What another neuron says.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    Subscribe(Mine),
    Unsubscribe(Mine),
    Hello,
    NoStream(Theirs),
    /// To the neuron, of a life of its own: the number is that of its present life and so many more.
    Fenced {
        more: i8,
        nonce: Option<u32>,
    },
    Changed {
        stream: Theirs,
        seq: Seq,
        known: Known,
        at: When,
        level: Level,
        missing: u8,
    },
    Ack {
        stream: Mine,
        upto: Acked,
    },
    Nothing {
        stream: Theirs,
        after: Seq,
        upto: When,
        wave: bool,
    },
    Probe {
        stream: Mine,
        upto: When,
    },
}

impl<'a> Arbitrary<'a> for Says {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            5 => Self::Subscribe(bytes.arbitrary()?),
            1 => Self::Unsubscribe(bytes.arbitrary()?),
            1 => Self::Hello,
            1 => Self::NoStream(bytes.arbitrary()?),
            1 => Self::Fenced { more: bytes.int_in_range(-4..=1)?, nonce: bytes.arbitrary()? },
            12 => Self::Changed {
                stream: bytes.arbitrary()?,
                seq: bytes.arbitrary()?,
                known: bytes.arbitrary()?,
                at: bytes.arbitrary()?,
                level: bytes.arbitrary()?,
                missing: missing(bytes)?,
            },
            2 => Self::Ack { stream: bytes.arbitrary()?, upto: bytes.arbitrary()? },
            6 => Self::Nothing {
                stream: bytes.arbitrary()?,
                after: bytes.arbitrary()?,
                upto: bytes.arbitrary()?,
                wave: bytes.arbitrary()?,
            },
            4 => Self::Probe { stream: bytes.arbitrary()?, upto: bytes.arbitrary()? },
        )
    }
}

/// Which neurons a statement lacks, one bit for each; mostly none.
fn missing(bytes: &mut Unstructured) -> Result<u8> {
    one_of!(bytes, 7 => 0, 1 => bytes.int_in_range(1..=15)?)
}

/// A stream that another neuron has asked for.
#[derive(Clone, Copy, Debug)]
pub enum Mine {
    /// A new one.
    Next,
    /// The last one.
    Last,
    /// One so many before the last.
    Earlier(u8),
    /// One that it never asked for.
    Any(u32, u32),
}

impl<'a> Arbitrary<'a> for Mine {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            10 => Self::Last,
            4 => Self::Next,
            1 => Self::Earlier(bytes.arbitrary()?),
            1 => Self::Any(bytes.arbitrary()?, bytes.arbitrary()?),
        )
    }
}

/// A stream that the neuron has asked another one for.
#[derive(Clone, Copy, Debug)]
pub enum Theirs {
    /// The last one.
    Last,
    /// The one before.
    BeforeLast,
    /// One that it never asked for.
    Any(u32, u32),
}

impl<'a> Arbitrary<'a> for Theirs {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            14 => Self::Last,
            1 => Self::BeforeLast,
            1 => Self::Any(bytes.arbitrary()?, bytes.arbitrary()?),
        )
    }
}

/// The number of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Seq {
    /// Whatever comes next.
    Next,
    /// One that was made before.
    Again(u8),
    /// One that comes too early.
    Early(u8),
    Any(u64),
}

impl<'a> Arbitrary<'a> for Seq {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            26 => Self::Next,
            2 => Self::Again(bytes.arbitrary()?),
            2 => Self::Early(bytes.arbitrary()?),
            1 => Self::Any(bytes.arbitrary()?),
        )
    }
}

/// Up to where the level before is known to have lasted.
#[derive(Clone, Copy, Debug)]
pub enum Known {
    /// Up to the tag before: there is no gap.
    JustBefore,
    At(When),
}

impl<'a> Arbitrary<'a> for Known {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 5 => Self::JustBefore, 1 => Self::At(bytes.arbitrary()?))
    }
}

/// What a statement says.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    /// On, then off, then on again.
    Alternating,
    Exactly(Number),
}

impl<'a> Arbitrary<'a> for Level {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 3 => Self::Alternating, 1 => Self::Exactly(bytes.arbitrary()?))
    }
}

/// Up to where a subscriber has heard the neuron.
#[derive(Clone, Copy, Debug)]
pub enum Acked {
    /// So many statements less than it has.
    Heard {
        less: u8,
    },
    Any(u64),
}

impl<'a> Arbitrary<'a> for Acked {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            6 => Self::Heard { less: 0 },
            1 => Self::Heard { less: bytes.arbitrary()? },
            1 => Self::Any(bytes.arbitrary()?),
        )
    }
}

/// The first life of every neuron that the scenario speaks for.
pub const FIRST_LIFE: Incarnation = Incarnation { number: 1, nonce: 1 };
