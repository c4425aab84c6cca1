//! What a bench has measured, for people and for programs.

use std::{fmt::Write as _, fs, path::PathBuf};

use serde::Serialize;

/// What a figure is held against.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// The ratio is at most this; without anything to compare with, our own figure is.
    AtMost(f64),
    /// The ratio is at least this; without anything to compare with, our own figure is.
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
    /// What was measured, the bench first: `firing_latency/coherent vs actix`.
    pub name: String,
    /// Our figure.
    pub ours: f64,
    /// Theirs, taken in the same run.
    pub theirs: Option<f64>,
    /// Of both figures: `µs`, `hops/s`, `bytes`.
    pub unit: &'static str,
    /// Ours divided by theirs.
    pub ratio: Option<f64>,
    /// What must hold: `≤ 1.5`, of the ratio if there is one, else of our figure.
    pub goal: Option<String>,
    /// Whether it does.
    pub met: Option<bool>,
}

/// What one bench has measured. It prints each figure as it comes.
#[derive(Debug)]
pub struct Report {
    bench: &'static str,
    rows: Vec<Row>,
}

impl Report {
    /// Of a bench with this name.
    pub fn new(bench: &'static str) -> Self {
        Self { bench, rows: Vec::new() }
    }

    /// A figure beside another one.
    pub fn compare(&mut self, what: &str, ours: f64, theirs: f64, unit: &'static str, goal: Option<Goal>) {
        self.add(what, ours, Some(theirs), unit, goal);
    }

    /// A figure alone.
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
    /// When it cannot be written.
    pub fn save(&self) {
        let folder = folder();
        fs::create_dir_all(&folder).expect("a folder for reports");
        let text = serde_json::to_string_pretty(&self.rows).expect("figures are numbers");
        fs::write(folder.join(format!("{}.json", self.bench)), text).expect("the report can be written");
    }
}

/// Where reports are kept.
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

/// Three digits that matter, or all of a large number.
pub fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
