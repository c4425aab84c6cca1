//! The memory and processor time that this process uses. All are zero where there is no `/proc`.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

/// Returns the bytes of this process that are in memory.
pub fn resident() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Runs this program again with other arguments, in a new process with fresh memory, and returns
/// the numbers that it prints.
///
/// # Panics
/// The process fails, or prints something that is not a number.
pub fn measured_apart(arguments: &[&str]) -> Vec<f64> {
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this).args(arguments).stderr(Stdio::inherit()).output().expect("it can be run again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{arguments:?}: {text}");
    text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
}

/// Returns the arguments after `flag`, if `flag` is the first argument; `None` if it is not.
///
/// A process that [`measured_apart`] has started knows by this what to measure.
pub fn apart(flag: &str) -> Option<Vec<String>> {
    let mut arguments = std::env::args().skip(1);
    arguments.next().filter(|first| first == flag).map(|_| arguments.collect())
}

/// Returns the processor time of all threads that still run, to the nanosecond.
pub fn processor_time() -> Duration {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let spent = threads.flatten().map(|thread| {
        let times = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        times.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0)
    });
    Duration::from_nanos(spent.sum())
}
