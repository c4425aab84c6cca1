//! The tag that all members of a wave, or of a transaction, can take.

use crate::{Tag, actor::error::ControlError, id::NeuronId};

/// The tags that the members of a wave, or of a transaction, have offered to take.
#[derive(Default)]
pub(super) struct TagAgreement {
    /// The highest of the lowest tags, and the member that offered it; `None` before the first
    /// offer.
    floor: Option<(Tag, NeuronId)>,
    /// The lowest of the highest tags, and the member that offered it.
    latest: Option<(Tag, NeuronId)>,
}

impl TagAgreement {
    /// Notes that a member takes tags from `floor` to `latest`.
    pub(super) fn offer(&mut self, member: &NeuronId, floor: Tag, latest: Tag) {
        if self.floor.as_ref().is_none_or(|(highest, _)| floor > *highest) {
            self.floor = Some((floor, member.clone()));
        }
        if self.latest.as_ref().is_none_or(|(lowest, _)| latest < *lowest) {
            self.latest = Some((latest, member.clone()));
        }
    }

    /// Returns the lowest tag that all members take, moved on by `move_on`.
    ///
    /// # Errors
    /// [`ControlError::ClocksApart`] if a member does not take that tag, [`ControlError::Empty`]
    /// without members.
    pub(super) fn agree(self, move_on: impl FnOnce(Tag) -> Tag) -> Result<Tag, ControlError> {
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
}
