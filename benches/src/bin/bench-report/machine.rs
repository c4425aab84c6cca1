//! What the figures were taken on.

use std::{fs, process::Command};

/// `2 cores, model, kernel, compiler, day`.
pub(crate) fn line() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned()));
    let model = model.unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let parts = [said("uname", &["-sr"]), said("rustc", &["--version"]), said("date", &["-u", "+%F"])];
    let parts = parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
    format!("{cores} cores, {model}, {parts}.")
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
