//! The figures of a bench: printed as they come, and saved as JSON.

use std::{fmt::Write as _, fs, path::PathBuf};

use serde::Serialize;

/// The bound that a figure must keep.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// The ratio is at most this; or our own figure, if there is no other one.
    AtMost(f64),
    /// The ratio is at least this; or our own figure, if there is no other one.
    AtLeast(f64),
}

impl Goal {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtMost(most) => figure <= most,
            Self::AtLeast(least) => figure >= least,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
        }
    }
}

/// One figure of a report.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured, after the name of the bench: `firing_latency/XOR, coherent beside kameo`.
    pub name: String,
    /// Our figure.
    pub ours: f64,
    /// The figure of the other contestant in the same run; `None` if ours stands alone.
    pub theirs: Option<f64>,
    /// The unit of both figures: `µs`, `hops/s`, `bytes`.
    pub unit: &'static str,
    /// Our figure divided by the other one; `None` if ours stands alone.
    pub ratio: Option<f64>,
    /// The goal as text, `≤ 1.5`; `None` if there is none. It is for the ratio if there is one,
    /// else for our figure.
    pub goal: Option<String>,
    /// Whether the goal is met; `None` if there is none.
    pub met: Option<bool>,
}

/// All figures of one bench.
#[derive(Debug)]
pub struct Report {
    bench: &'static str,
    rows: Vec<Row>,
}

impl Report {
    /// Creates the empty report of the bench with this name.
    pub fn new(bench: &'static str) -> Self {
        Self { bench, rows: Vec::new() }
    }

    /// Adds and prints our figure beside another one.
    pub fn compare(&mut self, what: &str, ours: f64, theirs: f64, unit: &'static str, goal: Option<Goal>) {
        self.add(what, ours, Some(theirs), unit, goal);
    }

    /// Adds and prints our figure alone.
    pub fn figure(&mut self, what: &str, ours: f64, unit: &'static str, goal: Option<Goal>) {
        self.add(what, ours, None, unit, goal);
    }

    fn add(&mut self, what: &str, ours: f64, theirs: Option<f64>, unit: &'static str, goal: Option<Goal>) {
        let ratio = theirs.map(|theirs| ours / theirs);
        let met = goal.map(|goal| goal.is_met(ratio.unwrap_or(ours)));
        let goal = goal.map(|goal| goal.to_string());
        let row = Row { name: format!("{}/{what}", self.bench), ours, theirs, unit, ratio, goal, met };
        println!("{}", line(&row));
        self.rows.push(row);
    }

    /// Writes `target/bench/<name>.json`.
    ///
    /// # Panics
    /// The file cannot be written.
    pub fn save(&self) {
        let folder = folder();
        fs::create_dir_all(&folder).expect("a folder for reports");
        let text = serde_json::to_string_pretty(&self.rows).expect("figures are numbers");
        fs::write(folder.join(format!("{}.json", self.bench)), text).expect("the report can be written");
    }
}

/// Returns the folder of the reports.
pub fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    target.join("bench")
}

fn line(row: &Row) -> String {
    let mut line = format!("{:<64} {:>12} {}", row.name, number(row.ours), row.unit);
    if let (Some(theirs), Some(ratio)) = (row.theirs, row.ratio) {
        let _ = write!(line, "   beside {:>12}: {:>6} ×", number(theirs), number(ratio));
    }
    if let (Some(goal), Some(met)) = (&row.goal, row.met) {
        let _ = write!(line, "   goal {goal}: {}", if met { "met" } else { "MISSED" });
    }
    line
}

/// Returns a number as text: three significant digits, or all digits before the point if there are
/// more.
pub fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
