//! Local time, and the tags that events carry through the network.
//!
//! Why: docs/decisions/0027-absent-times-take-no-space.md

use std::{
    fmt,
    num::NonZeroU64,
    time::{Duration, UNIX_EPOCH},
};

/// A time of a local clock, in microseconds since the Unix epoch.
///
/// The pure core never reads a clock: its caller passes the time in. Within one process it must
/// never go backwards. When it leaps forward, because the clock is set, neurons [are
/// told](crate::neuron::Neuron::clock_stepped).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Shifted);

impl Time {
    /// The Unix epoch.
    pub const ZERO: Self = Self(Shifted::of(0));
    /// The latest time, in the year 2112. Arithmetic that would exceed it saturates here.
    pub const MAX: Self = Self(Shifted::of(Self::LATEST));

    const LATEST: u64 = (1 << (u64::BITS - Tag::COUNTER_BITS)) - 1;

    /// Returns the time `micros` microseconds after the epoch, at most [`Time::MAX`].
    pub const fn from_micros(micros: u64) -> Self {
        if micros > Self::LATEST { Self::MAX } else { Self(Shifted::of(micros)) }
    }

    /// Returns the microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0.get()
    }

    /// Returns the time `span` later, at most [`Time::MAX`].
    pub fn after(self, span: Duration) -> Self {
        Self::from_micros(self.as_micros().saturating_add(micros(span)))
    }

    /// Returns the time `span` earlier, at least [`Time::ZERO`].
    pub fn before(self, span: Duration) -> Self {
        Self::from_micros(self.as_micros().saturating_sub(micros(span)))
    }

    /// Returns how long this is after `earlier`; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.as_micros().saturating_sub(earlier.as_micros()))
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Time({})", self.as_micros())
    }
}

fn micros(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000_000).saturating_add(u64::from(span.subsec_micros()))
}

/// A number below `u64::MAX`, stored as its successor. So 0 is a niche and an `Option` takes no
/// more space: a neuron holds dozens of those.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Shifted(NonZeroU64);

impl Shifted {
    const GREATEST: u64 = u64::MAX - 1;

    /// Stores `number`, or [`Self::GREATEST`] if it is larger.
    const fn of(number: u64) -> Self {
        let kept = if number > Self::GREATEST { u64::MAX } else { number + 1 };
        Self(NonZeroU64::new(kept).expect("it is one more than a number"))
    }

    const fn get(self) -> u64 {
        self.0.get() - 1
    }
}

/// A logical timestamp. An event gets it where it enters the network, and everything that follows
/// from the event carries the same one.
///
/// A tag is one integer: tag time in microseconds, shifted left by [`Tag::COUNTER_BITS`], with a
/// counter in the low bits for events within one microsecond. Tags are ordered by this integer. Two
/// events that get the same tag by chance share a wave, which is harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Shifted);

impl Tag {
    /// The number of low bits that count within one microsecond: 4,096 tags.
    ///
    /// The other 52 bits hold microseconds up to the year 2112.
    pub const COUNTER_BITS: u32 = 12;
    /// The tag before all others. No event carries it.
    pub const ORIGIN: Self = Self(Shifted::of(0));
    /// The first tag that a neuron evaluates in its first incarnation.
    pub const FIRST: Self = Self(Shifted::of(1));
    /// The last tag. No event carries it, so that a promise up to any event's tag can be exceeded.
    pub const MAX: Self = Self(Shifted::of(Shifted::GREATEST));

    /// Returns the first tag of the microsecond `time`.
    pub const fn at(time: Time) -> Self {
        Self(Shifted::of(time.as_micros() << Self::COUNTER_BITS))
    }

    /// Returns the tag with these bits, at most [`Tag::MAX`], whose last bit is 0.
    pub const fn from_bits(bits: u64) -> Self {
        Self(Shifted::of(bits))
    }

    /// Returns all bits of this tag.
    pub const fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// Returns the microsecond of this tag.
    pub const fn time(self) -> Time {
        Time(Shifted::of(self.to_bits() >> Self::COUNTER_BITS))
    }

    /// Returns the next tag; [`Tag::MAX`] for itself.
    pub const fn next(self) -> Self {
        Self::from_bits(self.to_bits() + 1)
    }

    /// Returns the tag before; [`Tag::ORIGIN`] for itself.
    pub const fn prev(self) -> Self {
        Self::from_bits(self.to_bits().saturating_sub(1))
    }

    /// Returns the tag `span` later, at most [`Tag::MAX`].
    pub fn after(self, span: Duration) -> Self {
        let span = micros(span);
        if span > Time::LATEST {
            return Self::MAX;
        }
        Self::from_bits(self.to_bits().saturating_add(span << Self::COUNTER_BITS))
    }
}

impl Default for Tag {
    fn default() -> Self {
        Self::ORIGIN
    }
}

impl Time {
    /// Returns the time as a date and a time of day in UTC: `2026-11-28T19:52:14.353862Z`.
    pub fn to_utc(self) -> String {
        let time = UNIX_EPOCH + Duration::from_micros(self.as_micros());
        humantime::format_rfc3339_micros(time).to_string()
    }
}

impl Tag {
    /// Returns the time of the tag in UTC, as [`Time::to_utc`] does, without the counter.
    pub fn to_utc(self) -> String {
        self.time().to_utc()
    }

    /// Returns what tells the tag apart from others of the same microsecond: 0 to 4,095.
    pub fn counter(self) -> u64 {
        self.to_bits() & ((1 << Self::COUNTER_BITS) - 1)
    }
}

/// Writes seconds of tag time, and the counter if it is not 0: `1700000000.000250+3`.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.time().as_micros();
        write!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)?;
        match self.counter() {
            0 => Ok(()),
            counter => write!(f, "+{counter}"),
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_follow_time_and_count_within_a_microsecond() {
        let tag = Tag::at(Time::from_micros(7));
        assert!(tag.next() > tag && tag.next() < Tag::at(Time::from_micros(8)));
        assert_eq!(tag.next().time(), tag.time());
        assert_eq!(tag.next().prev(), tag);
        assert_eq!(tag.next().to_string(), "0.000007+1");
    }

    #[test]
    fn time_saturates_at_its_maximum() {
        assert_eq!(Time::from_micros(u64::MAX), Time::MAX);
        assert_eq!(Time::MAX.after(Duration::from_secs(5)), Time::MAX);
        assert_eq!(Tag::at(Time::MAX).after(Duration::from_secs(5)), Tag::MAX);
        assert_eq!(Tag::FIRST.after(Duration::MAX), Tag::MAX);
        assert_eq!(Tag::MAX.next(), Tag::MAX);
        assert_eq!(Tag::ORIGIN.prev(), Tag::ORIGIN);
        assert_eq!(Tag::from_bits(u64::MAX), Tag::MAX);
        assert_eq!(Tag::MAX.time(), Time::MAX);
    }

    #[test]
    fn an_option_of_a_tag_takes_no_more_space() {
        assert_eq!(size_of::<Option<Tag>>(), size_of::<Tag>());
        assert_eq!(size_of::<Option<Time>>(), size_of::<Time>());
    }
}
