//! The drawing of latencies: one line for each carrier, with our figure and the one beside it.

use std::fmt::Write as _;

use crate::{
    chart::{Scale, escape, page, time},
    rows::Row,
};

const WIDTH: f64 = 860.0;
const LEFT: f64 = 330.0;
const TOP: f64 = 96.0;
const STEP: f64 = 34.0;

pub(crate) fn draw(rows: &[Row]) -> Option<String> {
    let mut lines: Vec<(String, f64, f64)> = rows.iter().filter_map(line).collect();
    lines.sort_by(|one, other| one.1.total_cmp(&other.1));
    let scale = Scale::of(lines.iter().flat_map(|(_, ours, theirs)| [*ours, *theirs]), (LEFT, WIDTH - 60.0))?;
    let bottom = TOP + STEP * lines.len() as f64;
    let mut body = String::new();
    for tick in scale.ticks() {
        let x = scale.at(tick);
        let _ = writeln!(body, r#"<path class="grid" d="M{x:.1} {:.1}V{bottom:.1}"/>"#, TOP - 16.0);
        let _ = writeln!(
            body,
            r#"<text class="small" x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            bottom + 20.0,
            time(tick)
        );
    }
    for (name, x, class) in [("ours", 20.0, "c0"), ("beside", 84.0, "c1")] {
        let _ = writeln!(body, r#"<circle class="{class}" cx="{:.1}" cy="55" r="6"/>"#, x + 6.0);
        let _ = writeln!(body, r#"<text class="small" x="{:.1}" y="59">{name}</text>"#, x + 18.0);
    }
    for (index, (name, ours, theirs)) in lines.iter().enumerate() {
        let y = TOP + STEP * index as f64 + 6.0;
        let ours_x = scale.at(*ours);
        let theirs_x = scale.at(*theirs);
        let _ = writeln!(body, r#"<text x="20" y="{:.1}">{}</text>"#, y + 4.5, escape(name));
        let _ = writeln!(body, r#"<path class="link" d="M{ours_x:.1} {y:.1}H{theirs_x:.1}"/>"#);
        for (x, other, value, class) in [(theirs_x, ours_x, *theirs, "c1"), (ours_x, theirs_x, *ours, "c0")] {
            let (anchor, shift) = if x < other { ("end", -11.0) } else { ("start", 11.0) };
            let _ = writeln!(body, r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="6"/>"#);
            let _ = writeln!(
                body,
                r#"<text class="small" x="{:.1}" y="{:.1}" text-anchor="{anchor}">{}</text>"#,
                x + shift,
                y + 4.5,
                time(value)
            );
        }
    }
    Some(page(WIDTH, bottom + 40.0, "Latency by carrier (medians, logarithmic)", &body))
}

/// Returns whether a row compares medians of latencies.
fn line(row: &Row) -> Option<(String, f64, f64)> {
    let is_latency = row.name.contains("latency") && !row.name.contains("p99");
    let (ours, theirs) = row.micros().filter(|_| is_latency)?;
    let name = match row.name.split_once('/')? {
        ("firing_latency", what) => format!("in one process: {what}"),
        ("celery", _) => "XOR over Redis, beside Celery".to_owned(),
        (_, what) => what.replace(" latency", ", three hops"),
    };
    Some((name, ours, theirs?))
}
