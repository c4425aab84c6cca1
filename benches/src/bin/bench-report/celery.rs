//! The same network as Celery workers, beside ours over the same broker.

use std::{error::Error, fs, path::Path};

use serde::Deserialize;

use crate::rows::Row;

/// The part of its results that is compared.
#[derive(Deserialize)]
struct Results {
    latency_ms: Latency,
    throughput_per_s: Throughput,
}

#[derive(Deserialize)]
struct Latency {
    p50: f64,
}

#[derive(Deserialize)]
struct Throughput {
    #[serde(rename = "x->h1->z")]
    chain: f64,
}

/// The goal: our latency is at most this share of its latency.
const LATENCY: f64 = 0.05;
/// The goal: our throughput is at least this many times its throughput.
const THROUGHPUT: f64 = 200.0;

pub(crate) fn rows(result: &Path, ours: &[Row]) -> Result<Vec<Row>, Box<dyn Error>> {
    let text = fs::read_to_string(result).map_err(|error| format!("{}: {error}", result.display()))?;
    let theirs: Results = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", result.display()))?;
    // Each of its stimuli makes two hops: from x to h1, and from h1 to z.
    let hops = 2.0 * theirs.throughput_per_s.chain;
    let three_messages = find(ours, |row| row.name == "brokers/redis pubsub latency");
    let latency = find(ours, |row| row.name == "brokers/redis pubsub XOR latency");
    let pubsub = find(ours, |row| row.name == "brokers/redis pubsub throughput");
    let inside = find(ours, |row| row.name.starts_with("throughput/") && row.unit == "hops/s");
    let told = theirs.latency_ms.p50 * 1e3;
    let rows = [
        three_messages.map(|ours| row("from the stimulus of x to z over Redis", ours, told, "µs", At::Most(LATENCY))),
        latency.map(|ours| row("XOR latency over Redis", ours, told, "µs", At::Most(LATENCY))),
        pubsub.map(|ours| row("firings told a second, both over Redis", ours, hops, "hops/s", At::Least(THROUGHPUT))),
        inside
            .map(|ours| row("firings told a second, ours in one process", ours, hops, "hops/s", At::Least(THROUGHPUT))),
    ];
    Ok(rows.into_iter().flatten().collect())
}

fn find(rows: &[Row], is_it: impl Fn(&Row) -> bool) -> Option<f64> {
    rows.iter().find(|row| is_it(row)).map(|row| row.ours)
}

enum At {
    Most(f64),
    Least(f64),
}

fn row(what: &str, ours: f64, theirs: f64, unit: &str, goal: At) -> Row {
    let ratio = ours / theirs;
    let (goal, met) = match goal {
        At::Most(most) => (format!("≤ {most}"), ratio <= most),
        At::Least(least) => (format!("≥ {least}"), ratio >= least),
    };
    Row {
        name: format!("celery/{what}"),
        ours,
        theirs: Some(theirs),
        unit: unit.to_owned(),
        ratio: Some(ratio),
        goal: Some(goal),
        met: Some(met),
    }
}
