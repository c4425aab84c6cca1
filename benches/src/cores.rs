//! Cores that stay awake: one for this process, one for brokers.
//!
//! Waking a sleeping core takes tens of microseconds on a virtual machine, as much as a whole hop
//! through a broker. And the scheduler of the system puts two programs that exchange messages on
//! one core or on two, and changes its choice. Either makes two runs of one program differ more
//! than two programs do. So this process gets a core, brokers get another one, and busy loops of
//! the lowest priority keep both awake.

use std::{
    io::Read as _,
    process::{Child, Command, Stdio},
};

const AWAKE: &str = "--keep-awake";

/// Two cores that stay awake until this is dropped.
#[derive(Debug)]
pub struct Cores {
    theirs: String,
    awake: Vec<Child>,
}

impl Cores {
    /// Binds this process to a core, keeps two cores awake and returns them.
    ///
    /// `None` if there is only one core, if `taskset` or `chrt` is missing, or with the argument
    /// `--unpinned`: then the figures depend on where the system's scheduler puts the threads.
    ///
    /// Call it before anything else: the process starts itself again, with an argument of its own,
    /// to keep a core awake.
    pub fn take() -> Option<Self> {
        if std::env::args().any(|argument| argument == AWAKE) {
            stay_awake();
        }
        if std::env::args().any(|argument| argument == "--unpinned") {
            return None;
        }
        if !is_there("taskset") || !is_there("chrt") {
            return None;
        }
        let cores = allowed()?;
        let [ours, theirs] = cores.get(..2)? else { return None };
        let this = std::env::current_exe().ok()?;
        let mut taken = Self { theirs: theirs.clone(), awake: Vec::new() };
        for core in [ours, theirs] {
            let mut idle = Command::new("taskset");
            idle.args(["-c", core, "chrt", "--idle", "0"]).arg(&this).arg(AWAKE);
            taken.awake.push(idle.stdin(Stdio::piped()).spawn().ok()?);
        }
        bind(std::process::id(), ours).then_some(taken)
    }

    /// Binds another process to the second core.
    pub fn give_other(&self, process: u32) {
        assert!(bind(process, &self.theirs), "process {process} can be bound to core {}", self.theirs);
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        for child in &mut self.awake {
            // The child may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn is_there(program: &str) -> bool {
    let mut asked = Command::new(program);
    asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

fn bind(process: u32, core: &str) -> bool {
    let mut taskset = Command::new("taskset");
    taskset.args(["--all-tasks", "--cpu-list", "--pid", core, &process.to_string()]).stdout(Stdio::null());
    taskset.status().is_ok_and(|status| status.success())
}

/// Returns the numbers of the cores that this process may use.
fn allowed() -> Option<Vec<String>> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let mut cores = Vec::new();
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        cores.extend((first..=last).map(|core| core.to_string()));
    }
    Some(cores)
}

/// Spins until the process that started this one has ended.
fn stay_awake() -> ! {
    std::thread::spawn(|| {
        // The pipe is closed when the other process ends, however it ends.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    loop {
        std::hint::spin_loop();
    }
}
