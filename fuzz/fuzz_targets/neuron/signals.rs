//! Signals of other neurons, before their tags and numbers are known.

use arbitrary::{Arbitrary, Result, Unstructured};
use neuron_core::signal::Incarnation;

use crate::pick::{Number, When};

/// The first incarnation of each of the other neurons.
pub const FIRST_INCARNATION: Incarnation = Incarnation { number: 1, nonce: 1 };

/// The incarnation that another neuron sends from.
#[derive(Clone, Copy, Debug)]
pub enum FromIncarnation {
    Present,
    /// The next one, which becomes the present one: the neuron has restarted.
    Next,
    /// The one before: the message was delayed.
    Last,
    /// Another one with the same number.
    Twin,
    /// One that never existed.
    Any(u32),
}

impl<'a> Arbitrary<'a> for FromIncarnation {
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

/// A signal of another neuron, before its tags and numbers are known.
#[derive(Clone, Copy, Debug)]
pub enum SignalTemplate {
    Subscribe(Mine),
    Unsubscribe(Mine),
    Hello,
    NoStream(Theirs),
    /// Names an incarnation of the neuron under test.
    Fenced {
        /// The difference between its number and that of the present incarnation.
        more: i8,
        /// `None`: the nonce of the present incarnation.
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

impl<'a> Arbitrary<'a> for SignalTemplate {
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

/// Returns the neurons that a statement lacks, one bit for each; mostly none.
fn missing(bytes: &mut Unstructured) -> Result<u8> {
    one_of!(bytes, 7 => 0, 1 => bytes.int_in_range(1..=15)?)
}

/// A stream that the sender of the signal has asked for.
#[derive(Clone, Copy, Debug)]
pub enum Mine {
    /// A new one.
    Next,
    /// The last one.
    Last,
    /// One this many before the last.
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

/// A stream that the neuron under test has asked the sender for.
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
    /// The next number.
    Next,
    /// The number of an earlier statement.
    Again(u8),
    /// A number with a gap before it.
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

/// The last tag at which the level before is known to hold.
#[derive(Clone, Copy, Debug)]
pub enum Known {
    /// The tag directly before: there is no gap.
    JustBefore,
    At(When),
}

impl<'a> Arbitrary<'a> for Known {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 5 => Self::JustBefore, 1 => Self::At(bytes.arbitrary()?))
    }
}

/// The level of a statement.
#[derive(Clone, Copy, Debug)]
pub enum Level {
    /// 1 and 0 in turn.
    Alternating,
    Exactly(Number),
}

impl<'a> Arbitrary<'a> for Level {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes, 3 => Self::Alternating, 1 => Self::Exactly(bytes.arbitrary()?))
    }
}

/// The number of the last statement that a subscriber acknowledges.
#[derive(Clone, Copy, Debug)]
pub enum Acked {
    /// The number of statements that it has received, less this many.
    Received {
        less: u8,
    },
    Any(u64),
}

impl<'a> Arbitrary<'a> for Acked {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        one_of!(bytes,
            6 => Self::Received { less: 0 },
            1 => Self::Received { less: bytes.arbitrary()? },
            1 => Self::Any(bytes.arbitrary()?),
        )
    }
}
