//! The drawing of how figures grow with the network: rows whose names differ in one number.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{
    chart::{Scale, count, escape, page},
    rows::Row,
    table::number,
};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 420.0;
const BOTTOM: f64 = HEIGHT - 60.0;
const MOST: usize = 4;

pub(crate) fn draw(rows: &[Row]) -> Option<String> {
    let mut lines: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.name.starts_with("scale/")) {
        if let Some((what, size)) = size(row.what()) {
            lines.entry(format!("{what} ({})", row.unit)).or_default().push((size, row.ours));
        }
    }
    lines.retain(|_, points| points.len() > 1);
    let points = || lines.values().take(MOST).flatten();
    let across = Scale::of(points().map(|point| point.0), (80.0, WIDTH - 60.0))?;
    let up = Scale::of(points().map(|point| point.1), (BOTTOM, 140.0))?;
    let mut body = String::new();
    for tick in across.ticks() {
        let x = across.at(tick);
        let _ = writeln!(body, r#"<path class="grid" d="M{x:.1} 140V{BOTTOM:.1}"/>"#);
        let text = count(tick);
        let _ = writeln!(
            body,
            r#"<text class="small" x="{x:.1}" y="{:.1}" text-anchor="middle">{text}</text>"#,
            BOTTOM + 20.0
        );
    }
    for tick in up.ticks() {
        let y = up.at(tick);
        let _ = writeln!(body, r#"<path class="grid" d="M80 {y:.1}H{:.1}"/>"#, WIDTH - 60.0);
        let text = if tick < 1.0 { tick.to_string() } else { count(tick) };
        let _ = writeln!(body, r#"<text class="small" x="70" y="{:.1}" text-anchor="end">{text}</text>"#, y + 4.0);
    }
    for (index, (name, points)) in lines.iter_mut().take(MOST).enumerate() {
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        let x = 20.0 + 410.0 * (index % 2) as f64;
        let y = 60.0 + 24.0 * (index / 2) as f64;
        let _ = writeln!(body, r#"<circle class="c{index}" cx="{:.1}" cy="{:.1}" r="6"/>"#, x + 6.0, y - 4.0);
        let _ = writeln!(body, r#"<text class="small" x="{:.1}" y="{y:.1}">{}</text>"#, x + 18.0, escape(name));
        let mut path = String::new();
        for (size, value) in points.iter() {
            let x = across.at(*size);
            let y = up.at(*value);
            let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
            let _ = writeln!(body, r#"<circle class="c{index}" cx="{x:.1}" cy="{y:.1}" r="4.5"/>"#);
            let value = number(*value);
            let _ = writeln!(
                body,
                r#"<text class="small" x="{x:.1}" y="{:.1}" text-anchor="middle">{value}</text>"#,
                y - 11.0
            );
        }
        let _ = writeln!(body, r#"<path class="line c{index}" d="{path}"/>"#);
    }
    let _ = writeln!(
        body,
        r#"<text class="small" x="{:.1}" y="{:.1}" text-anchor="middle">neurons</text>"#,
        WIDTH / 2.0,
        HEIGHT - 16.0
    );
    Some(page(WIDTH, HEIGHT, "Growth with the size of the network (logarithmic)", &body))
}

/// Splits `memory each, 10,000 neurons` into the text without the number, and the number.
fn size(what: &str) -> Option<(String, f64)> {
    let begin = what.find(|letter: char| letter.is_ascii_digit())?;
    let end = what[begin..].find(|letter: char| !(letter.is_ascii_digit() || letter == ',' || letter == '_'));
    let end = end.map_or(what.len(), |end| begin + end);
    let digits: String = what[begin..end].chars().filter(char::is_ascii_digit).collect();
    let rest = format!("{}{}", &what[..begin], &what[end..]).replace(" neurons", "");
    let (size, rest) = (digits.parse().ok()?, rest.trim_matches([' ', ',', ':']).to_owned());
    Some((rest, size))
}
