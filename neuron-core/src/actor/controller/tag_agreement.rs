//! The tag that all members of a wave, or of a transaction, can take.

use crate::{
    actor::error::ControlError,
    id::NeuronId,
    neuron::MAX_STATED,
    tag::{Tag, Time},
};

/// The tags that the members of a wave, or of a transaction, have offered to take.
#[derive(Default)]
pub(super) struct TagAgreement {
    /// The member whose lowest tag is the highest; `None` before the first offer.
    ahead: Option<Offer>,
    /// The member whose highest tag is the lowest.
    behind: Option<Offer>,
}

/// What a member has offered.
#[derive(Clone)]
struct Offer {
    member: NeuronId,
    floor: Tag,
    latest: Tag,
}

impl Offer {
    /// Returns what the clock of the member showed.
    fn clock(&self) -> Time {
        self.latest.time().before(MAX_STATED)
    }
}

impl TagAgreement {
    /// Notes that a member takes tags from `floor` to `latest`.
    pub(super) fn offer(&mut self, member: &NeuronId, floor: Tag, latest: Tag) {
        let offer = Offer { member: member.clone(), floor, latest };
        if self.ahead.as_ref().is_none_or(|ahead| floor > ahead.floor) {
            self.ahead = Some(offer.clone());
        }
        if self.behind.as_ref().is_none_or(|behind| latest < behind.latest) {
            self.behind = Some(offer);
        }
    }

    /// Returns the lowest tag that all members take, moved on by `move_on`.
    ///
    /// # Errors
    /// [`ControlError::ClocksApart`] if a member does not take that tag, [`ControlError::Empty`]
    /// without members.
    pub(super) fn agree(self, move_on: impl FnOnce(Tag) -> Tag) -> Result<Tag, ControlError> {
        let (Some(ahead), Some(behind)) = (self.ahead, self.behind) else { return Err(ControlError::Empty) };
        let tag = move_on(ahead.floor);
        if tag > behind.latest {
            return Err(ControlError::ClocksApart {
                floor: ahead.floor,
                ahead_clock: ahead.clock(),
                ahead: ahead.member,
                latest: behind.latest,
                behind_clock: behind.clock(),
                behind: behind.member,
            });
        }
        Ok(tag)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn agreement(members: [(&str, u64, u64); 2]) -> Result<Tag, ControlError> {
        let mut agreement = TagAgreement::default();
        for (name, floor, latest) in members {
            let name = name.parse().expect("it is a name");
            agreement.offer(&name, Tag::from_bits(floor), Tag::from_bits(latest));
        }
        agreement.agree(Tag::next)
    }

    #[test]
    fn members_agree_on_the_highest_floor() {
        let tag = agreement([("a", 10, 100), ("b", 30, 100)]).expect("they can agree");
        assert_eq!(tag, Tag::from_bits(31));
    }

    #[test]
    fn members_whose_clocks_are_apart_do_not_agree() {
        let error = agreement([("a", 10, 29), ("b", 30, 100)]).expect_err("a does not go so far");
        let named = matches!(&error, ControlError::ClocksApart { ahead, behind, .. }
            if ahead.as_str() == "b" && behind.as_str() == "a");
        assert!(named, "{error}");
    }

    fn offered(name: &str, clock: Time, ahead: Duration) -> (NeuronId, Tag, Tag) {
        let latest = Tag::at(clock.after(MAX_STATED + Duration::from_micros(1))).prev();
        (name.parse().expect("it is a name"), Tag::at(clock.after(ahead)), latest)
    }

    fn apart(offers: [(NeuronId, Tag, Tag); 2]) -> String {
        let mut agreement = TagAgreement::default();
        offers.iter().for_each(|(name, floor, latest)| agreement.offer(name, *floor, *latest));
        agreement.agree(Tag::next).expect_err("they cannot agree").to_string()
    }

    #[test]
    fn the_error_says_what_each_clock_shows() {
        let noon = Time::from_micros(1_800_014_400_000_000);
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let fast = offered("a", noon.after(hours(8)), Duration::ZERO);
        let told = apart([fast, offered("b", noon, Duration::ZERO)]);
        let shows = "the clock of a shows 2027-01-15T20:00:00.000000Z (UTC), that of b 2027-01-15T12:00:00.000000Z";
        assert!(told.contains(shows), "{told}");
        let dragged = offered("a", noon, hours(3));
        let told = apart([dragged, offered("b", noon, Duration::ZERO)]);
        assert!(told.contains("a takes no tag before 2027-01-15T15:00:00.000000Z (UTC), although"), "{told}");
    }
}
