//! The table of all rows in Markdown.

use std::fmt::Write as _;

use crate::rows::Row;

const BEGIN: &str = "<!-- table -->";
const END: &str = "<!-- /table -->";

pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = "| figure | ours | beside | unit | ratio | goal | |\n|---|--:|--:|---|--:|--:|---|\n".to_owned();
    for row in rows {
        let [theirs, ratio] = [row.theirs, row.ratio].map(|figure| figure.map_or_else(String::new, number));
        let met = match row.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        let goal = row.goal.as_deref().unwrap_or("");
        let name = &row.name;
        let ours = number(row.ours);
        let unit = &row.unit;
        let _ = writeln!(text, "| {name} | {ours} | {theirs} | {unit} | {ratio} | {goal} | {met} |");
    }
    text
}

/// Returns a text that says how many goals were met, and which were not.
pub(crate) fn verdict(rows: &[Row]) -> String {
    let met = rows.iter().filter(|row| row.met == Some(true)).count();
    let missed: Vec<&str> = rows.iter().filter(|row| row.met == Some(false)).map(|row| row.name.as_str()).collect();
    let mut text = format!("{met} goals met, {} missed", missed.len());
    for name in missed {
        let _ = write!(text, "\n  missed: {name}");
    }
    text
}

/// Returns the page with another table between its markers.
pub(crate) fn insert(page: &str, table: &str) -> Result<String, String> {
    let cut = |marker| page.split_once(marker).ok_or_else(|| format!("docs/benchmarks.md has no {marker}"));
    let ((before, _), (_, after)) = (cut(BEGIN)?, cut(END)?);
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", table.trim_end()))
}

/// Returns a number as text: three significant digits; large numbers with a comma between
/// thousands.
pub(crate) fn number(value: f64) -> String {
    if value.abs() < 0.1 && value != 0.0 {
        return format!("{value:.4}");
    }
    let text = benches::report::number(value);
    if value.abs() < 1000.0 {
        return text;
    }
    let mut grouped = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && (text.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
