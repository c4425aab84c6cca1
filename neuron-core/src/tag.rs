//! Time: what a local clock shows, and the tags that events carry through the network.

use std::{fmt, num::NonZeroU64, time::Duration};

/// What a clock shows: microseconds since the Unix epoch.
///
/// The pure core never reads a clock; whoever drives it passes the time in. Within one process it must come from a
/// monotonic clock, anchored once at the start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Shifted);

impl Time {
    /// The start of time.
    pub const ZERO: Self = Self(Shifted::of(0));
    /// The latest time there is, in the year 2112. Times that would lie beyond become this one.
    pub const MAX: Self = Self(Shifted::of(Self::LATEST));

    const LATEST: u64 = (1 << (u64::BITS - Tag::COUNTER_BITS)) - 1;

    /// The time `micros` microseconds after the epoch, at most [`Time::MAX`].
    pub const fn from_micros(micros: u64) -> Self {
        if micros > Self::LATEST { Self::MAX } else { Self(Shifted::of(micros)) }
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0.get()
    }

    /// This time and `span` later, at most [`Time::MAX`].
    pub fn after(self, span: Duration) -> Self {
        Self::from_micros(self.as_micros().saturating_add(micros(span)))
    }

    /// This time and `span` earlier, at least [`Time::ZERO`].
    pub fn before(self, span: Duration) -> Self {
        Self::from_micros(self.as_micros().saturating_sub(micros(span)))
    }

    /// How long after `earlier` this is; nothing if it is not later.
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

/// A number below the greatest one, kept as the next one. So none is kept as 0, and one that may be absent takes no more room:
/// a neuron has dozens of those.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Shifted(NonZeroU64);

impl Shifted {
    const GREATEST: u64 = u64::MAX - 1;

    /// This number, or the greatest there is.
    const fn of(number: u64) -> Self {
        let kept = if number > Self::GREATEST { u64::MAX } else { number + 1 };
        Self(NonZeroU64::new(kept).expect("it is one more than a number"))
    }

    const fn get(self) -> u64 {
        self.0.get() - 1
    }
}

/// A stamp, given once where something enters the network, and carried by everything that follows from it.
///
/// One integer: tag time in microseconds, shifted left by [`Tag::COUNTER_BITS`], with a counter in the low bits that
/// tells apart what happens within one microsecond. Tags are ordered by it; two sources may share a tag by chance, and
/// then they share a wave, which is harmless.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Shifted);

impl Tag {
    /// How many low bits count within one microsecond: 4,096 tags.
    ///
    /// The other 52 bits hold microseconds until the year 2112.
    pub const COUNTER_BITS: u32 = 12;
    /// Before everything. No event carries it.
    pub const ORIGIN: Self = Self(Shifted::of(0));
    /// The tag at which a neuron that starts for the first time is evaluated first.
    pub const FIRST: Self = Self(Shifted::of(1));
    /// The last tag there is. No event carries it, so that "up to here" can always be said.
    pub const MAX: Self = Self(Shifted::of(Shifted::GREATEST));

    /// The first tag of the microsecond that `time` names.
    pub const fn at(time: Time) -> Self {
        Self(Shifted::of(time.as_micros() << Self::COUNTER_BITS))
    }

    /// The tag with these bits. Nothing comes after [`Tag::MAX`], whose last bit is 0.
    pub const fn from_bits(bits: u64) -> Self {
        Self(Shifted::of(bits))
    }

    /// All bits of this tag.
    pub const fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// The microsecond this tag falls into.
    pub const fn time(self) -> Time {
        Time(Shifted::of(self.to_bits() >> Self::COUNTER_BITS))
    }

    /// The next tag; [`Tag::MAX`] has itself.
    pub const fn next(self) -> Self {
        Self::from_bits(self.to_bits() + 1)
    }

    /// The tag before; [`Tag::ORIGIN`] has itself.
    pub const fn prev(self) -> Self {
        Self::from_bits(self.to_bits().saturating_sub(1))
    }

    /// The tag `span` later, at most [`Tag::MAX`].
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

/// As seconds of tag time, and the counter where it is not 0: `1700000000.000250+3`.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.time().as_micros();
        write!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)?;
        match self.to_bits() & ((1 << Self::COUNTER_BITS) - 1) {
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
    fn time_at_its_maximum_stands_still_instead_of_wrapping() {
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
    fn one_that_may_be_absent_takes_no_more_room() {
        assert_eq!(size_of::<Option<Tag>>(), size_of::<Tag>());
        assert_eq!(size_of::<Option<Time>>(), size_of::<Time>());
    }
}
