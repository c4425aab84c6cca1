//! What the parser says about broken syntax, with the place and the name that its errors lack.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::found::{Found, Lines};

/// What the parser calls a key that it knows already.
const DUPLICATE: &str = "duplicate key";

/// What the parser calls a key of more than [`MAX_PARTS`] parts. This error has no place.
const TOO_MANY_PARTS: &str = "recursion limit";

/// What the parser calls lists and tables within one another, more than [`MAX_PARTS`] deep.
const TOO_DEEP: &str = "cannot recurse further";

/// The limit of the parser.
const MAX_PARTS: usize = 80;

/// Returns the errors of the parser as problems with their places.
pub(super) fn problems(text: &str, errors: &[toml::de::Error]) -> Vec<Found> {
    let spans = errors.iter().filter(|error| error.message() == DUPLICATE).filter_map(toml::de::Error::span);
    let mut duplicates = duplicates(text, &spans.collect::<Vec<_>>()).into_iter();
    let mut problems = Vec::with_capacity(errors.len());
    let mut has_long_key = false;
    for error in errors {
        let at = error.span().map(|span| span.start);
        let (at, path, message) = match error.message() {
            DUPLICATE if at.is_some() => {
                let Duplicate { path, message } = duplicates.next().unwrap_or_default();
                (at, path, message)
            }
            // One is enough: finding its place means to parse anew, again and again.
            TOO_MANY_PARTS if has_long_key => continue,
            TOO_MANY_PARTS => {
                has_long_key = true;
                let message = format!("a key has at most {MAX_PARTS} parts with dots between them");
                (Some(find_long_key(text)), String::new(), message)
            }
            message if message.starts_with(TOO_DEEP) => {
                (at, String::new(), format!("lists and tables may stand within one another up to {MAX_PARTS} deep"))
            }
            message => (at, String::new(), message.to_owned()),
        };
        problems.push(Found { at: at.unwrap_or_default(), path, message, absent: None });
    }
    problems
}

/// What is told of a key that is given twice.
struct Duplicate {
    path: String,
    message: String,
}

impl Default for Duplicate {
    fn default() -> Self {
        Self { path: String::new(), message: "this key is given twice; leave one of them out".to_owned() }
    }
}

/// Returns what to tell of the keys at `spans`, in the same order.
///
/// The parser does not say to which table such a key belongs, nor where the first one stands. So
/// the text is parsed once more with these keys renamed: then each is in its table, beside the
/// first one.
fn duplicates(text: &str, spans: &[Range<usize>]) -> Vec<Duplicate> {
    let mut told: Vec<Duplicate> = Vec::new();
    told.resize_with(spans.len(), Duplicate::default);
    if spans.is_empty() {
        return told;
    }
    let names: Vec<String> = spans.iter().map(|span| decode(text.get(span.clone()).unwrap_or_default())).collect();
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|index| spans[*index].start);
    let mut renamed = String::with_capacity(text.len() + spans.len() * 16);
    let mut copied = 0;
    for index in order {
        let span = &spans[index];
        renamed.push_str(text.get(copied..span.start).unwrap_or_default());
        renamed.push_str(&format!("\"{RENAMED}{index}\""));
        copied = span.end;
    }
    renamed.push_str(text.get(copied..).unwrap_or_default());
    let (document, _) = DeTable::parse_recoverable(&renamed);
    let mut search = Search { lines: Lines::new(&renamed), names: &names, told: &mut told };
    search.table(document.get_ref(), "");
    told
}

/// What the new names of keys begin with: a character that no text has a use for.
const RENAMED: char = '\u{10fffd}';

/// Returns a key as the parser reads it, without quotes.
fn decode(key: &str) -> String {
    let line = format!("{key} = 0");
    let table = DeTable::parse(&line).ok();
    let name = table.as_ref().and_then(|table| table.get_ref().keys().next());
    name.map_or_else(|| key.to_owned(), |name| name.get_ref().to_string())
}

/// Looks for renamed keys. The lines of a text do not change when keys are renamed.
struct Search<'a> {
    lines: Lines<'a>,
    names: &'a [String],
    told: &'a mut [Duplicate],
}

impl Search<'_> {
    fn table(&mut self, table: &DeTable<'_>, path: &str) {
        let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        for (key, value) in table {
            let index = key.get_ref().strip_prefix(RENAMED).and_then(|index| index.parse::<usize>().ok());
            let old_name = index.and_then(|index| self.names.get(index));
            let name: &str = if let Some(old_name) = old_name { old_name } else { key.get_ref() };
            if let Some(told) = index.and_then(|index| self.told.get_mut(index)) {
                told.path = join(name);
                if let Some((first, _)) = table.get_key_value(name) {
                    let line = self.lines.position(first.span().start).line;
                    told.message =
                        format!("`{name}` is given twice, first in line {line}; leave one of them out, or join them");
                }
            }
            self.value(value.get_ref(), &join(name));
        }
    }

    fn value(&mut self, value: &DeValue<'_>, path: &str) {
        match value {
            DeValue::Table(table) => self.table(table, path),
            DeValue::Array(items) => items.iter().for_each(|item| self.value(item.get_ref(), path)),
            _ => {}
        }
    }
}

/// Returns the byte at which the first line begins that has a key of too many parts.
fn find_long_key(text: &str) -> usize {
    let lines = Lines::new(text);
    let is_after = |count: usize| {
        let (_, errors) = DeTable::parse_recoverable(text.get(..lines.start(count)).unwrap_or(text));
        errors.iter().any(|error| error.message() == TOO_MANY_PARTS)
    };
    // The first `without` lines do not have it, the first `with` lines do.
    let mut without = 0;
    let mut with = lines.len();
    while with - without > 1 {
        let middle = without.midpoint(with);
        if is_after(middle) {
            with = middle;
        } else {
            without = middle;
        }
    }
    lines.start(without)
}
