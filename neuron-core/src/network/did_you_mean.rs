//! Suggestions for misspelt names.

use std::cmp::Reverse;

/// Returns the element of `names` that is nearest to `wrong`: `h3` for `h4`, and also for
/// `neuron_h4`.
///
/// `None` if no name is near, that is, if more than half of the characters would have to change.
pub(crate) fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bare = wrong.strip_prefix("neuron_").or_else(|| wrong.strip_prefix("sensor_")).unwrap_or(wrong);
    let best = names.into_iter().map(|name| (distance(wrong, bare, name), name)).min()?;
    let ((edits, ..), name) = best;
    let longest = bare.chars().count().max(name.chars().count());
    (edits == 0 || edits * 2 <= longest).then_some(name)
}

/// Returns the distance between a misspelt name and a candidate, compared in this order: the edits
/// between them, how far apart their characters lie (`h4` is nearer to `h3` than to `h1`), and the
/// length of the common prefix (longer is nearer).
fn distance(wrong: &str, bare: &str, name: &str) -> (usize, u32, Reverse<usize>) {
    let edits = strsim::damerau_levenshtein(wrong, name).min(strsim::damerau_levenshtein(bare, name));
    let apart = bare.bytes().zip(name.bytes()).map(|(a, b)| u32::from(a.abs_diff(b))).sum();
    let agree = bare.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    (edits, apart, Reverse(agree))
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let names = ["x", "y", "h1", "h2", "h3", "z"];
        assert_eq!(did_you_mean("neuron_h4", names), Some("h3"));
        assert_eq!(did_you_mean("h4", names), Some("h3"));
        assert_eq!(did_you_mean("neuron_x", names), Some("x"));
        assert_eq!(did_you_mean("thresold", ["threshold", "weights"]), Some("threshold"));
        assert_eq!(did_you_mean("kitchen", names), None);
    }
}
