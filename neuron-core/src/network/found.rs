//! Problems that were found in a text, and how they become a list with lines and columns.

use std::collections::{HashMap, HashSet};

use super::{Position, Problem};

/// A problem and the byte offset that it belongs to.
pub(super) struct Found {
    pub(super) at: usize,
    pub(super) path: String,
    pub(super) message: String,
    /// The word that the text would contain if the problem did not exist; `None` if the problem is
    /// not that something is absent.
    pub(super) absent: Option<String>,
}

impl Found {
    /// Returns whether the absent word stands where the problem is told, as in the weight of a
    /// neuron that does not exist.
    fn mentions_absent(&self) -> bool {
        self.absent.as_ref().is_some_and(|word| self.path.ends_with(&format!(".weights.{word}")))
    }
}

/// Returns the problems without those that may only follow from broken syntax.
///
/// The parser leaves out what it cannot read, up to the rest of the file. So a problem does not
/// count if it stands in a line with a syntax error, or if what it calls absent is mentioned
/// elsewhere in the text. The direction of error: what really is a problem may be told only once
/// the syntax is right.
pub(super) fn without_consequences(text: &str, syntax: &[Found], found: Vec<Found>) -> Vec<Found> {
    if syntax.is_empty() {
        return found;
    }
    let lines = Lines::new(text);
    let broken: HashSet<usize> = syntax.iter().map(|error| lines.index(error.at)).collect();
    let absent: HashSet<&str> = found.iter().filter_map(|found| found.absent.as_deref()).collect();
    let mut mentions: HashMap<&str, usize> = HashMap::new();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    for word in text.split(|letter| !is_part(letter)).filter(|word| absent.contains(word)) {
        *mentions.entry(word).or_default() += 1;
    }
    for found in &found {
        if let Some(word) = found.absent.as_deref().filter(|_| found.mentions_absent())
            && let Some(count) = mentions.get_mut(word)
        {
            *count = count.saturating_sub(1);
        }
    }
    let is_mentioned = |word: &str| mentions.get(word).is_some_and(|count| *count > 0);
    let is_sure =
        |found: &Found| !broken.contains(&lines.index(found.at)) && !found.absent.as_deref().is_some_and(is_mentioned);
    let is_sure: Vec<bool> = found.iter().map(is_sure).collect();
    found.into_iter().zip(is_sure).filter(|(_, is_sure)| *is_sure).map(|(found, _)| found).collect()
}

/// Sorts problems by their offset and turns offsets into lines and columns.
pub(super) fn in_order(text: &str, mut found: Vec<Found>) -> Vec<Problem> {
    found.sort_by_key(|found| found.at);
    found.dedup_by(|next, one| (next.at, &next.path, &next.message) == (one.at, &one.path, &one.message));
    let lines = Lines::new(text);
    found
        .into_iter()
        .map(|Found { at, path, message, .. }| Problem { position: Some(lines.position(at)), path, message })
        .collect()
}

/// Where the lines of a text begin.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, starts: [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect() }
    }

    /// Returns the number of lines; at least 1.
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Returns the byte at which a line begins, counted from 0; the end of the text for those after
    /// the last one.
    pub(super) fn start(&self, index: usize) -> usize {
        self.starts.get(index).copied().unwrap_or(self.text.len())
    }

    /// Returns the line that a byte stands in, counted from 0.
    fn index(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at) - 1
    }

    /// Returns the line and the column of a byte.
    pub(super) fn position(&self, at: usize) -> Position {
        let index = self.index(at);
        let before = self.text.get(self.starts[index]..at.min(self.text.len()));
        Position { line: index + 1, column: before.map_or(1, |before| before.chars().count() + 1) }
    }
}
