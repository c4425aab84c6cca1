//! The tables, the JSON object and the progress that the program prints.

use std::{io::IsTerminal as _, time::Duration};

use neuron_core::neuron::Mode;
use serde_json::{Value, json};

use crate::trial::{Outcome, Table};

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::Coherent => "coherent",
        Mode::Asap => "asap",
    }
}

pub(crate) fn truth_table(table: &Table) {
    for neuron in &table.neurons {
        print!("{neuron:>4}");
    }
    println!("   XOR   time from stimulus to answer");
    for row in &table.rows {
        for level in &row.levels {
            print!("{level:>4}");
        }
        let verdict = if row.z == row.expected { "" } else { "   wrong!" };
        let lacks =
            if row.missing.is_empty() { String::new() } else { format!("   (degraded: lacks {})", row.missing) };
        println!("{:>6}   {:>8.1} µs{verdict}{lacks}", row.expected, micros(row.took));
    }
    println!();
}

pub(crate) fn outcomes(outcomes: &[Outcome]) {
    println!("mode      patterns   wrong answers   spurious firings of z   degraded   p50 µs   p99 µs");
    for outcome in outcomes {
        println!(
            "{:<9} {:>8} {:>15} {:>23} {:>10} {:>8.1} {:>8.1}",
            name(outcome.mode),
            outcome.patterns,
            outcome.wrong,
            outcome.spurious,
            outcome.degraded,
            micros(outcome.percentile(50)),
            micros(outcome.percentile(99)),
        );
    }
}

pub(crate) fn json(table: &Table, outcomes: &[Outcome]) {
    let rows: Vec<Value> = table
        .rows
        .iter()
        .map(|row| {
            let levels = table.neurons.iter().cloned().zip(row.levels.iter().map(|level| json!(level)));
            json!({
                "levels": levels.collect::<serde_json::Map<_, _>>(),
                "expected": row.expected,
                "latency_us": micros(row.took),
            })
        })
        .collect();
    let mut report = serde_json::Map::from_iter([("table".to_owned(), json!(rows))]);
    for outcome in outcomes {
        let value = json!({
            "patterns": outcome.patterns,
            "wrong": outcome.wrong,
            "spurious": outcome.spurious,
            "degraded": outcome.degraded,
            "latency_us": { "p50": micros(outcome.percentile(50)), "p99": micros(outcome.percentile(99)) },
        });
        report.insert(name(outcome.mode).to_owned(), value);
    }
    println!("{}", Value::Object(report));
}

/// The progress of a long run, shown on a terminal only.
pub(crate) struct Progress {
    mode: Mode,
    total: u64,
    shown: bool,
}

impl Progress {
    pub(crate) fn new(mode: Mode, total: u64, quiet: bool) -> Self {
        Self { mode, total, shown: !quiet && total >= 10_000 && std::io::stderr().is_terminal() }
    }

    pub(crate) fn step(&mut self, done: u64) {
        if self.shown && (done.is_multiple_of(1000) || done == self.total) {
            eprint!("\r{} {done}/{}", name(self.mode), self.total);
            if done == self.total {
                eprint!("\r                                        \r");
            }
        }
    }
}
