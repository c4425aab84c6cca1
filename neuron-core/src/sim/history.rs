//! What neurons claimed during a run.

use crate::{
    record::{Claim, Record},
    tag::Tag,
    value::Value,
};

/// A range of tags at which a neuron claimed one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Interval {
    /// The first tag.
    pub from: Tag,
    /// The last tag.
    pub through: Tag,
    /// The value.
    pub value: Value,
}

/// Returns what one incarnation claimed, in order. Its last claim holds through `last`.
///
/// A tag that the neuron did not know lies in none of the intervals.
pub(super) fn intervals(records: &[Record], last: Tag) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = Vec::new();
    for record in records {
        let Record::Evaluated(Claim { known, at, value }) = record else { continue };
        if let Some(before) = intervals.last_mut() {
            before.through = (*known).max(before.from);
        }
        match intervals.last_mut() {
            Some(before) if before.value == *value && before.through >= at.prev() => before.through = *at,
            _ => intervals.push(Interval { from: *at, through: *at, value: value.clone() }),
        }
    }
    if let Some(interval) = intervals.last_mut() {
        interval.through = interval.through.max(last);
    }
    intervals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(bits: u64) -> Tag {
        Tag::from_bits(bits)
    }

    fn claim(known: u64, at: u64, level: f64) -> Record {
        Record::Evaluated(Claim { known: tag(known), at: tag(at), value: Value::plain(level) })
    }

    fn interval(from: u64, through: u64, level: f64) -> Interval {
        Interval { from: tag(from), through: tag(through), value: Value::plain(level) }
    }

    #[test]
    fn a_value_holds_up_to_what_was_known_before_the_next_one() {
        let records = [claim(0, 1, 0.0), claim(4, 5, 1.0), claim(6, 9, 0.0)];
        assert_eq!(intervals(&records, tag(20)), [interval(1, 4, 0.0), interval(5, 6, 1.0), interval(9, 20, 0.0)]);
    }

    #[test]
    fn equal_values_without_a_gap_are_one_interval() {
        let records = [claim(0, 1, 1.0), claim(4, 5, 1.0), claim(6, 9, 1.0)];
        assert_eq!(intervals(&records, tag(9)), [interval(1, 6, 1.0), interval(9, 9, 1.0)]);
        assert_eq!(intervals(&[], tag(9)), []);
    }
}
