//! The tag that all who take part in a wave, or in a set of changes, can agree on.

use crate::actor::ControlError;
use crate::{Tag, id::NeuronId};

/// What the membership have said of the tags they take.
#[derive(Default)]
pub(in crate::actor) struct TagAgreement {
    /// The highest of the lowest tags, and whose it is.
    floor: Option<(Tag, NeuronId)>,
    /// The lowest of the highest ones.
    latest: Option<(Tag, NeuronId)>,
}

impl TagAgreement {
    /// A member takes tags from `floor` to `latest`.
    pub(in crate::actor) fn offer(&mut self, member: &NeuronId, floor: Tag, latest: Tag) {
        if self.floor.as_ref().is_none_or(|(highest, _)| floor > *highest) {
            self.floor = Some((floor, member.clone()));
        }
        if self.latest.as_ref().is_none_or(|(lowest, _)| latest < *lowest) {
            self.latest = Some((latest, member.clone()));
        }
    }

    /// The lowest tag that all of them take, moved on by `move_on`.
    pub(in crate::actor) fn agree(self, move_on: impl FnOnce(Tag) -> Tag) -> Result<Tag, ControlError> {
        let (Some((floor, ahead)), Some((latest, behind))) = (self.floor, self.latest) else {
            return Err(ControlError::Empty);
        };
        let tag = move_on(floor);
        if tag > latest {
            return Err(ControlError::ClocksApart { ahead, floor, behind, latest });
        }
        Ok(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(membership: [(&str, u64, u64); 2]) -> Result<Tag, ControlError> {
        let mut agreement = TagAgreement::default();
        for (name, floor, latest) in membership {
            let name = name.parse().expect("it is a name");
            agreement.offer(&name, Tag::from_bits(floor), Tag::from_bits(latest));
        }
        agreement.agree(Tag::next)
    }

    #[test]
    fn members_meet_at_the_highest_floor() {
        let tag = agreement([("a", 10, 100), ("b", 30, 100)]).expect("they can meet");
        assert_eq!(tag, Tag::from_bits(31));
    }

    #[test]
    fn members_whose_clocks_are_apart_do_not_meet() {
        let error = agreement([("a", 10, 29), ("b", 30, 100)]).expect_err("a does not go so far");
        let named = matches!(&error, ControlError::ClocksApart { ahead, behind, .. }
            if ahead.as_str() == "b" && behind.as_str() == "a");
        assert!(named, "{error}");
    }
}
