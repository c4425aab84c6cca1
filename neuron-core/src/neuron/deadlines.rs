//! Arithmetic of local times.

use std::time::Duration;

use crate::tag::{Tag, Time};

/// Returns the earlier of two times, where `None` is later than any time.
#[inline]
pub(crate) fn earliest(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    let Some(one) = one else { return other };
    Some(other.map_or(one, |other| one.min(other)))
}

/// Returns the local time at which something that began with the tag `began` and takes `span` is
/// over.
///
/// That is when the clock shows the tag, but after `span` of local time at the latest, because the
/// tag may come from a clock that is ahead.
pub(crate) fn due_after(began: Tag, span: Duration, now: Time) -> Time {
    began.after(span).time().min(now.after(span)).max(now)
}

/// How far ahead of the local clock a tag may lie.
///
/// Accepting it drags the neuron's own tags there. An hour is what clocks are often off, with a
/// wrong time zone or without daylight saving, and must do no harm; a clock further ahead is wrong
/// and must not take all others with it.
const MAX_AHEAD: Duration = Duration::from_secs(2 * 3600);

/// Returns the highest tag that is accepted at a time.
pub(crate) fn latest_acceptable(now: Time) -> Tag {
    Tag::at(now.after(MAX_AHEAD))
}

/// Returns whether a tag is rejected. [`Tag::MAX`] always is: no event carries it.
pub(crate) fn is_far_ahead(tag: Tag, now: Time) -> bool {
    tag == Tag::MAX || (now.after(MAX_AHEAD) < Time::MAX && tag > latest_acceptable(now))
}
