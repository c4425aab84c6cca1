//! How many instructions a hop, a wave, an encoded and a decoded signal take, counted by callgrind.
//!
//! Counts do not depend on the load of the machine, so they show a loss of a few per cent where
//! times cannot. Each kind of work is done N times and 3 N times, in a process each; the difference
//! leaves out the start. `scripts/instructions` runs this.

mod work;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
};

use work::{ALL, Work};

const HELP: &str = "\
Counts the instructions of a hop, a wave, an encoded and a decoded signal, and compares them with benches/instructions.toml.

    scripts/instructions             fails when a count has grown by more than 5 % (host_wave: 10 %)
    scripts/instructions --update    writes the present counts into the table
    scripts/instructions hop         only this kind: hop, host_hop, asap_hop, flood_hop,
                                     xor_wave, encode, decode, host_wave

It needs valgrind. The table belongs to the compiler that it names.";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--help" | "-h"] => println!("{HELP}"),
        ["--run", name, times] => {
            let work = find(name)?;
            (work.run)(times.parse().map_err(|_| format!("{times} is no number"))?);
        }
        ["--update"] => update(&count(ALL.iter())?)?,
        [] => compare(&count(ALL.iter())?)?,
        [name] => compare(&count([find(name)?].into_iter())?)?,
        _ => return Err(HELP.to_owned()),
    }
    Ok(())
}

fn find(name: &str) -> Result<&'static Work, String> {
    ALL.iter().find(|work| work.name == name).ok_or_else(|| format!("there is no work called {name}\n\n{HELP}"))
}

type Counts = BTreeMap<String, u64>;

fn count<'a>(works: impl Iterator<Item = &'a Work>) -> Result<Counts, String> {
    works.map(|work| Ok((work.name.to_owned(), each(work)?))).collect()
}

/// Returns the instructions of doing the work once.
fn each(work: &Work) -> Result<u64, String> {
    let more = 3 * work.times;
    let few = instructions(work.name, work.times)?;
    let many = instructions(work.name, more)?;
    Ok((many - few) / (more - work.times))
}

/// Returns the instructions of a process that does the work this many times.
fn instructions(name: &str, times: u64) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--fair-sched=yes", "--callgrind-out-file=/dev/null"]).arg(this);
    valgrind.args(["--run", name, &times.to_string()]);
    let output = valgrind.output().map_err(|error| format!("valgrind does not run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("{name} failed under valgrind:\n{said}"));
    }
    let count = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    count.ok_or_else(|| format!("valgrind did not tell a count:\n{said}"))
}

fn compare(counts: &Counts) -> Result<(), String> {
    let text = fs::read_to_string(table()).unwrap_or_default();
    let known: Counts = toml::from_str(&text).map_err(|error| format!("{}: {error}", table().display()))?;
    println!("{:<12} {:>12} {:>12} {:>9}", "", "counted", "table", "");
    let mut grown = Vec::new();
    let mut shrunk = false;
    for (name, count) in counts {
        let Some(before) = known.get(name) else {
            grown.push(name.as_str());
            println!("{name:<12} {count:>12} {:>12}   not in the table", "–");
            continue;
        };
        let change = *count as f64 / *before as f64 - 1.0;
        println!("{name:<12} {count:>12} {before:>12} {:>+7.1} %", change * 100.0);
        let leeway = find(name)?.leeway;
        if change > leeway {
            grown.push(name);
        }
        shrunk |= change < -leeway;
    }
    if shrunk {
        println!("Some take fewer than the table says: keep that with `scripts/instructions --update`.");
    }
    if grown.is_empty() {
        return Ok(());
    }
    Err(format!(
        "more instructions than {} allows: {}\n\
         See where they are with `valgrind --tool=callgrind target/release/instructions --run {} 1000` and `callgrind_annotate`.\n\
         If they are worth it, or the compiler is another one, write the table anew with `scripts/instructions --update`\n\
         and say why in the commit.",
        table().display(),
        grown.join(", "),
        grown[0],
    ))
}

fn update(counts: &Counts) -> Result<(), String> {
    let mut text = format!(
        "# Instructions of one, as callgrind counts them. Written by `scripts/instructions --update`, with\n# {}.\n",
        rustc()
    );
    for (name, count) in counts {
        println!("{name:<12} {count:>12}");
        text.push_str(&format!("{name} = {count}\n"));
    }
    fs::write(table(), text).map_err(|error| format!("{}: {error}", table().display()))
}

fn rustc() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or_else(
        |_| "a compiler that is not known".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn table() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("instructions.toml")
}
