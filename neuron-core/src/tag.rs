//! Time: what a local clock shows, and the tags that events carry through the network.

use std::{fmt, time::Duration};

/// What a clock shows: microseconds since the Unix epoch.
///
/// The pure core never reads a clock; whoever drives it passes the time in. Within one process it must come from a
/// monotonic clock, anchored once at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The start of time.
    pub const ZERO: Self = Self(0);
    /// The latest time there is, in the year 2112. Times that would lie beyond become this one.
    pub const MAX: Self = Self((1 << (u64::BITS - Tag::COUNTER_BITS)) - 1);

    /// The time `micros` microseconds after the epoch, at most [`Time::MAX`].
    pub const fn from_micros(micros: u64) -> Self {
        if micros > Self::MAX.0 { Self::MAX } else { Self(micros) }
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This time and `span` later, at most [`Time::MAX`].
    pub fn after(self, span: Duration) -> Self {
        Self::from_micros(self.0.saturating_add(micros(span)))
    }

    /// This time and `span` earlier, at least [`Time::ZERO`].
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros(span)))
    }

    /// How long after `earlier` this is; nothing if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// A stamp, given once where something enters the network, and carried by everything that follows from it.
///
/// One integer: tag time in microseconds, shifted left by [`Tag::COUNTER_BITS`], with a counter in the low bits that
/// tells apart what happens within one microsecond. Tags are ordered by it; two sources may share a tag by chance, and
/// then they share a wave, which is harmless.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u64);

impl Tag {
    /// How many low bits count within one microsecond: 4,096 tags.
    ///
    /// The other 52 bits hold microseconds until the year 2112.
    pub const COUNTER_BITS: u32 = 12;
    /// Before everything. No event carries it.
    pub const ORIGIN: Self = Self(0);
    /// The tag at which a neuron that starts for the first time is evaluated first.
    pub const FIRST: Self = Self(1);
    /// The last tag there is. No event carries it, so that "up to here" can always be said.
    pub const MAX: Self = Self(u64::MAX);

    /// The first tag of the microsecond that `time` names.
    pub const fn at(time: Time) -> Self {
        Self(time.0 << Self::COUNTER_BITS)
    }

    /// The tag with these bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// All bits of this tag.
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The microsecond this tag falls into.
    pub const fn time(self) -> Time {
        Time(self.0 >> Self::COUNTER_BITS)
    }

    /// The next tag; [`Tag::MAX`] has itself.
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The tag before; [`Tag::ORIGIN`] has itself.
    pub const fn prev(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The tag `span` later, at most [`Tag::MAX`].
    pub fn after(self, span: Duration) -> Self {
        let span = micros(span);
        if span > Time::MAX.0 { Self::MAX } else { Self(self.0.saturating_add(span << Self::COUNTER_BITS)) }
    }
}

/// As seconds of tag time, and the counter where it is not 0: `1700000000.000250+3`.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.time().0;
        write!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000)?;
        match self.0 & ((1 << Self::COUNTER_BITS) - 1) {
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
    }
}
