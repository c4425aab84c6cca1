//! Rows as the benches have written them.

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use serde::{Deserialize, Serialize};

/// One figure; the fields are those of [`benches::report::Row`].
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) ours: f64,
    pub(crate) theirs: Option<f64>,
    pub(crate) unit: String,
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Option<String>,
    pub(crate) met: Option<bool>,
}

impl Row {
    /// Returns our figure and the other one in microseconds; `None` if they are no times.
    pub(crate) fn micros(&self) -> Option<(f64, Option<f64>)> {
        let factor = match self.unit.as_str() {
            "ns" => 1e-3,
            "µs" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            _ => return None,
        };
        Some((self.ours * factor, self.theirs.map(|theirs| theirs * factor)))
    }

    /// Returns the name without that of the bench.
    pub(crate) fn what(&self) -> &str {
        self.name.split_once('/').map_or(self.name.as_str(), |(_, what)| what)
    }
}

/// The order of the benches in a report.
const ORDER: [&str; 8] = ["firing_latency", "throughput", "scale", "idle", "wire", "brokers", "edge_memory", "load"];

/// Reads the rows of the `wanted` benches, or of all if none is named.
pub(crate) fn read(folder: &Path, wanted: &[String]) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        let (Some(name), Some("json")) = (path.file_stem(), path.extension().and_then(|extension| extension.to_str()))
        else {
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        if name == "report" || !(wanted.is_empty() || wanted.contains(&name)) {
            continue;
        }
        let rows: Vec<Row> = serde_json::from_str(&fs::read_to_string(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let place = ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
        found.insert((place, name), rows);
    }
    Ok(found.into_values().flatten().collect())
}
