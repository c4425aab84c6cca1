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

/// How far ahead of the local clock a tag may lie that a neuron states, promises or stamps.
///
/// An hour is what clocks are often off, with a wrong time zone or without daylight saving, and
/// must do no harm, also if one is ahead and another one behind.
pub(crate) const MAX_STATED: Duration = Duration::from_secs(2 * 3600);

/// How far ahead of the local clock a tag may lie that another neuron has stated.
///
/// It is more than [`MAX_STATED`]: what a neuron has stated is believed by each neighbour whose
/// clock is not an hour behind its own. Else an input that is just believed by one of two
/// neighbours, and not by the other, would make the two give each other up. A clock further ahead
/// is wrong, and must not take all others with it.
const MAX_BELIEVED: Duration = Duration::from_secs(3 * 3600);

/// Returns the highest tag that a neuron may state at a time: the last one of its microsecond. What
/// is later waits.
#[inline]
pub(crate) fn latest_statable(now: Time) -> Tag {
    Tag::at(now.after(MAX_STATED + Duration::from_micros(1))).prev()
}

/// Returns the first tag that a neuron must not state yet; `None` if it may state all, because the
/// clock is near its end.
pub(crate) fn first_unstatable(now: Time) -> Option<Tag> {
    (now.after(MAX_STATED + Duration::from_micros(1)) < Time::MAX).then(|| latest_statable(now).next())
}

/// Returns when a tag may be stated.
pub(crate) fn statable_at(tag: Tag) -> Time {
    tag.time().before(MAX_STATED)
}

/// Returns whether a tag is not believed. [`Tag::MAX`] never is: no event carries it.
pub(crate) fn is_far_ahead(tag: Tag, now: Time) -> bool {
    tag == Tag::MAX || (now.after(MAX_BELIEVED) < Time::MAX && tag > Tag::at(now.after(MAX_BELIEVED)))
}
