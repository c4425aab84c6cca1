//! The machine and the compiler that the figures belong to.

use std::{fs, process::Command};

/// Returns a line like `2 cores, model, kernel, compiler, day.`
pub(crate) fn line() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
    let model = model.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let parts = [output_of("uname", &["-sr"]), output_of("rustc", &["--version"]), output_of("date", &["-u", "+%F"])];
    let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    format!("{cores} cores, {model}, {parts}.")
}

fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
