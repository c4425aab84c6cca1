//! Makes one report of the files that the benches have written to `target/bench/`. `scripts/bench`
//! runs this last.

mod celery;
mod chart;
mod growth;
mod latency;
mod machine;
mod rows;
mod table;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

const HELP: &str = "\
bench-report [--celery RESULT.json] [--write] [BENCH ...]

Merges target/bench/*.json (or those of the named benches) into target/bench/report.json, prints one table, and draws
latency.svg and growth.svg beside it. --write puts table and drawings into docs/benchmarks.md and docs/img/ as well.";

fn main() -> Result<(), Box<dyn Error>> {
    let mut write = false;
    let mut celery = None;
    let mut benches = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--write" => write = true,
            "--celery" => celery = arguments.next().map(PathBuf::from),
            name if !name.starts_with('-') => benches.push(argument),
            _ => {
                println!("{HELP}");
                return Ok(());
            }
        }
    }
    let folder = benches::report::folder();
    let mut rows = rows::read(&folder, &benches)?;
    if let Some(result) = celery {
        rows.extend(celery::rows(&result, &rows)?);
    }
    fs::write(folder.join("report.json"), serde_json::to_string_pretty(&rows)?)?;
    let table = table::markdown(&rows);
    println!("{table}\n{}", machine::line());
    println!("{}", table::verdict(&rows));

    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let images = if write { docs.join("img") } else { folder };
    fs::create_dir_all(&images)?;
    for (name, drawing) in [("latency.svg", latency::draw(&rows)), ("growth.svg", growth::draw(&rows))] {
        if let Some(drawing) = drawing {
            fs::write(images.join(name), drawing)?;
            println!("{}", images.join(name).display());
        }
    }
    if write {
        let page = docs.join("benchmarks.md");
        let text = table::insert(&fs::read_to_string(&page)?, &format!("{}\n\n{table}", machine::line()))?;
        fs::write(&page, text)?;
        println!("{}", page.display());
    }
    Ok(())
}
