//! Spans of true time.

use crate::tag::Time;

/// A span of true time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sim) struct Span {
    pub(in crate::sim) from: Time,
    pub(in crate::sim) until: Time,
}

impl Span {
    /// Returns what both spans have in common; `None` if that is nothing.
    pub(in crate::sim) fn overlap(self, other: Self) -> Option<Self> {
        let common = Self { from: self.from.max(other.from), until: self.until.min(other.until) };
        (common.from < common.until).then_some(common)
    }

    /// Returns the union of spans, as spans that do not touch, in their order.
    pub(in crate::sim) fn union(mut spans: Vec<Self>) -> Vec<Self> {
        spans.sort_unstable();
        let mut union: Vec<Self> = Vec::with_capacity(spans.len());
        for span in spans {
            match union.last_mut() {
                Some(last) if span.from <= last.until => last.until = last.until.max(span.until),
                _ => union.push(span),
            }
        }
        union
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, until: u64) -> Span {
        Span { from: Time::from_micros(from), until: Time::from_micros(until) }
    }

    #[test]
    fn spans_that_touch_are_one() {
        let union = Span::union(vec![span(7, 9), span(1, 3), span(3, 4), span(2, 3)]);
        assert_eq!(union, [span(1, 4), span(7, 9)]);
    }

    #[test]
    fn spans_that_only_touch_have_nothing_in_common() {
        assert_eq!(span(1, 3).overlap(span(3, 4)), None);
        assert_eq!(span(1, 3).overlap(span(2, 4)), Some(span(2, 3)));
    }
}
