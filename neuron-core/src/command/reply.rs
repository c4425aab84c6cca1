//! Which replies are believed.

use super::{Answer, Refusal};
use crate::tag::Tag;

/// Returns whether a reply of `by` can answer a request to `asked`. If the level at a tag was asked
/// for, it has to be the level at that tag.
///
/// A neuron knows the numbers of the requests that it gets, so it can guess those of others.
pub(crate) fn is_answer<N: PartialEq>(
    (asked, level_at): (&N, Option<Tag>),
    by: &N,
    result: &Result<Answer, Refusal>,
) -> bool {
    let is_other_tag = match (level_at, result) {
        (Some(tag), Ok(Answer::Output(sample))) => sample.tag != tag,
        _ => false,
    };
    by == asked && !is_other_tag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{command::Sample, value::Missing};

    #[test]
    fn only_the_neuron_that_was_asked_answers_and_for_the_tag_that_was_asked() {
        let (tag, other) = (Tag::FIRST, Tag::FIRST.next());
        let level = |tag| Ok(Answer::Output(Sample { level: 1.0, tag, missing: Missing::NONE }));
        assert!(is_answer((&"z", Some(tag)), &"z", &level(tag)));
        assert!(!is_answer((&"z", Some(tag)), &"y", &level(tag)));
        assert!(!is_answer((&"z", Some(tag)), &"z", &level(other)));
        assert!(is_answer((&"z", Some(tag)), &"z", &Err(Refusal::Unknown(tag))));
        assert!(is_answer((&"z", None), &"z", &level(other)));
    }
}
