//! A scenario: how a neuron is set up, and what happens to it.

use arbitrary::{Arbitrary, Result, Unstructured};
use neuron_core::{
    Time,
    neuron::{self, Config, Mode, Rule, WhenSilent},
    transport::{Delivery, Guarantees},
};

use crate::{
    commands::CommandTemplate,
    length::Length,
    pick::{Controller, Name, Number, Other, Sensor, Span, Times},
    signals::{FromIncarnation, SignalTemplate},
};

/// The setup of a neuron, and the steps of its run.
#[derive(Debug)]
pub struct Scenario {
    pub setup: Setup,
    pub steps: Vec<Step>,
    pub length: Length,
    /// The number of last steps that are repeated if the length says so: a neuron must not grow
    /// with them.
    pub repeated: usize,
}

impl<'a> Arbitrary<'a> for Scenario {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let length = Length::of(bytes.peek_bytes(bytes.len()).unwrap_or_default());
        let Repeated(repeated) = bytes.arbitrary()?;
        let setup = bytes.arbitrary()?;
        let mut steps = Vec::new();
        while !bytes.is_empty() {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { setup, steps, length, repeated })
    }
}

struct Repeated(usize);

impl<'a> Arbitrary<'a> for Repeated {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 1 => Self(1), 1 => Self(2))
    }
}

/// The configuration of the neuron, and the transport of its messages.
#[derive(Arbitrary, Debug)]
pub struct Setup {
    pub start: StartTime,
    /// Whether the transport may lose messages.
    pub lossy: bool,
    /// Which of the other neurons answer at once.
    pub responsive: [bool; 3],
    asap: bool,
    pulse: Option<(Span, Span)>,
    threshold: Option<Number>,
    inputs: [Option<Edge>; 4],
    sensors: [Option<AttachedSensor>; 2],
    hold: Option<Span>,
    linger: Option<Span>,
    patience: Option<Span>,
    lease: Option<Span>,
}

/// The time at which the run starts.
#[derive(Clone, Copy, Debug)]
pub struct StartTime(pub Time);

impl<'a> Arbitrary<'a> for StartTime {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            4 => Self(Time::from_micros(1_700_000_000_000_000)),
            1 => Self(Time::ZERO),
            1 => Self(Time::MAX.before(bytes.arbitrary::<Span>()?.0)),
        )
    }
}

/// A connection that exists from the start.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Edge {
    weight: Number,
    delay: Option<Span>,
}

/// A sensor that is attached from the start.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct AttachedSensor {
    weight: Number,
    hold: Option<Span>,
    until_next: bool,
    unknown_when_silent: bool,
}

impl AttachedSensor {
    fn checked(self) -> neuron::Sensor {
        let mut sensor = neuron::Sensor::new(self.weight.checked());
        if let Some(hold) = self.hold {
            sensor = sensor.hold(hold.checked());
        } else if self.until_next {
            sensor = sensor.until_next();
        }
        if self.unknown_when_silent { sensor.when_silent(WhenSilent::Unknown) } else { sensor }
    }
}

impl Setup {
    pub fn guarantees(&self) -> Guarantees {
        let delivery = if self.lossy { Delivery::AtMostOnce } else { Delivery::ExactlyOnce };
        Guarantees { delivery, ..Guarantees::IN_PROCESS }
    }

    /// Returns a configuration that a network file could hold.
    pub fn config(&self) -> Config {
        let mut config = Config::new().mode(if self.asap { Mode::Asap } else { Mode::Coherent });
        config.threshold = self.threshold.map(Number::checked);
        for (name, edge) in Name::ALL.into_iter().zip(self.inputs) {
            let Some(Edge { weight, delay }) = edge else { continue };
            let delay = delay.map(Span::checked);
            config.inputs.insert(name.id(), if name == Name::Itself { delay.or(Some(Config::HOLD)) } else { delay });
            config.weights.insert(name.id(), weight.checked());
        }
        for (sensor, attached) in Sensor::ALL.into_iter().zip(self.sensors) {
            config.sensors.extend(attached.map(|attached| (sensor.id(), attached.checked())));
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

/// One step of a run.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Time passes, and the neuron is woken at its wake-up times.
    Pass(Span),
    /// Time passes without a wake-up: the host is stalled.
    Stall(Span),
    /// The neuron gets an input, and its outputs are carried out.
    Give { times: Times, input: InputTemplate, then: Then },
}

impl<'a> Arbitrary<'a> for Step {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            5 => Self::Pass(bytes.arbitrary()?),
            1 => Self::Stall(bytes.arbitrary()?),
            12 => Self::Give { times: bytes.arbitrary()?, input: bytes.arbitrary()?, then: bytes.arbitrary()? },
        )
    }
}

/// An [`Input`](neuron_core::neuron::Input), before its tags and numbers are known.
#[derive(Clone, Copy, Debug)]
pub enum InputTemplate {
    Wake,
    Undelivered(Other),
    Signal { from: Other, incarnation: FromIncarnation, signal: SignalTemplate },
    Request { from: Controller, number: Numbered, command: CommandTemplate },
}

impl<'a> Arbitrary<'a> for InputTemplate {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            1 => Self::Wake,
            1 => Self::Undelivered(bytes.arbitrary()?),
            9 => Self::Signal { from: bytes.arbitrary()?, incarnation: bytes.arbitrary()?, signal: bytes.arbitrary()? },
            6 => Self::Request { from: bytes.arbitrary()?, number: bytes.arbitrary()?, command: bytes.arbitrary()? },
        )
    }
}

/// What happens to the neuron directly after an input.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// All of its outputs are carried out.
    CarryOut,
    /// It is restarted before any output is carried out.
    Restart,
    /// It crashes after this many outputs, and comes back.
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

/// What a neuron finds in its store after a crash.
#[derive(Clone, Copy, Debug)]
pub enum Store {
    /// The state that it saved last.
    Kept,
    /// Nothing: it starts as if for the first time.
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
    /// The number of an earlier request, this many before the last one.
    Again(u8),
}

impl<'a> Arbitrary<'a> for Numbered {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 7 => Self::Next, 1 => Self::Again(bytes.arbitrary()?))
    }
}
