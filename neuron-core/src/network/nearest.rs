//! The name that was probably meant.

use std::cmp::Reverse;

/// Of `names` the one nearest to `wrong`, if one is near: `h3` for `h4`, and for `neuron_h4`.
pub(crate) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bare = wrong.strip_prefix("neuron_").or_else(|| wrong.strip_prefix("sensor_")).unwrap_or(wrong);
    let best = names.into_iter().map(|name| (distance(wrong, bare, name), name)).min()?;
    let ((edits, ..), name) = best;
    let longest = bare.chars().count().max(name.chars().count());
    (edits == 0 || edits * 2 <= longest).then_some(name)
}

/// Edits, then how far apart the characters lie (`h4` is nearer to `h3` than to `h1`), then how long they agree.
fn distance(wrong: &str, bare: &str, name: &str) -> (usize, u32, Reverse<usize>) {
    let edits = strsim::damerau_levenshtein(wrong, name).min(strsim::damerau_levenshtein(bare, name));
    let apart = bare.bytes().zip(name.bytes()).map(|(a, b)| u32::from(a.abs_diff(b))).sum();
    let agree = bare.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    (edits, apart, Reverse(agree))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not_offered() {
        let names = ["x", "y", "h1", "h2", "h3", "z"];
        assert_eq!(nearest("neuron_h4", names), Some("h3"));
        assert_eq!(nearest("h4", names), Some("h3"));
        assert_eq!(nearest("neuron_x", names), Some("x"));
        assert_eq!(nearest("thresold", ["threshold", "weights"]), Some("threshold"));
        assert_eq!(nearest("kitchen", names), None);
    }
}
