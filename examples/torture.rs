//! Torture: random networks under every fault at once, in virtual time, judged by the oracle.
//!
//! Each seed determines a network and its faults: messages lost, duplicated, late and out of order,
//! hosts that crash and come back, partitions, wrong clocks, slow hosts, rewiring. No plain answer
//! may be wrong, and nothing that a watch tells.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use clap::Parser;
use neuron_core::sim::{FaultProfile, Outcome, Plan, Totals};

/// Runs random networks under random faults and looks for plain answers that are wrong.
///
/// A failure prints its seed, the network as a file, what happened when, and what was wrong: shrunk
/// to the shortest run that still fails. `--trace SEED` prints a single run line by line.
#[derive(Parser)]
#[command(version, after_help = "Exit status: 0 if nothing failed, 1 if something did, 2 for a bad command line.")]
struct Options {
    /// How many seeds to run.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// No faults but delays, all shorter than each neuron's patience. No answer may be degraded
    /// then.
    #[arg(long)]
    delays_only: bool,
    /// One machine more, which lies: it has valid credentials, so it may send any well-formed message
    /// in its own name to all neurons, hosts and the controller. Odd seeds have no other fault than
    /// delays. Neurons that it does not feed must not be wrong; no neuron may be silenced by a
    /// stranger, or fail to answer once the lies are over; nothing may grow without bound, and what
    /// is refused must be counted.
    #[arg(long, conflicts_with = "delays_only")]
    hostile: bool,
    /// How many threads; one for each processor if this is not given.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Print what happens in the run of this one seed, line by line, and nothing else.
    #[arg(long, value_name = "SEED")]
    trace: Option<u64>,
    /// Do not look for a shorter run that fails as well.
    #[arg(long)]
    no_shrink: bool,
    /// Print the summary as one JSON object.
    #[arg(long)]
    json: bool,
}

impl Options {
    fn profile(&self) -> FaultProfile {
        if self.delays_only { FaultProfile::DELAY } else { FaultProfile::ALL }
    }

    fn plan(&self, seed: u64) -> Plan {
        if self.hostile { Plan::random_hostile(seed) } else { Plan::random(seed, self.profile()) }
    }

    /// Returns whether the run found no failure and, with delays only, no degraded answer.
    fn is_fine(&self, outcome: &Outcome) -> bool {
        outcome.failures.is_empty() && !(self.delays_only && outcome.totals.degraded > 0)
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(seed) = options.trace {
        return tell(&options.plan(seed));
    }
    let begin = Instant::now();
    let (totals, failed) = run_all(&options);
    match &failed {
        _ if options.json => println!("{}", json(&totals, failed)),
        None => print_summary(&totals, begin.elapsed()),
        Some(seed) => {
            print_summary(&totals, begin.elapsed());
            explain(&options, *seed);
        }
    }
    if failed.is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

/// Runs all seeds, or up to the first failure, and returns the totals and the lowest seed that
/// failed.
fn run_all(options: &Options) -> (Totals, Option<u64>) {
    let threads =
        options.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let together = Mutex::new((Totals::default(), None::<u64>));
    let progress = Progress::new(options.seeds);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut mine = Totals::default();
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.seeds {
                        break;
                    }
                    let seed = options.from + number;
                    let outcome = run(options, seed);
                    mine.add(&outcome.totals);
                    progress.show(number + 1);
                    if !options.is_fine(&outcome) {
                        stop.store(true, Ordering::Relaxed);
                        let failed = &mut together.lock().expect("no thread panics with it").1;
                        *failed = Some(failed.map_or(seed, |other| other.min(seed)));
                    }
                }
                together.lock().expect("no thread panics with it").0.add(&mine);
            });
        }
    });
    progress.end();
    together.into_inner().expect("no thread panics with it")
}

/// Runs one seed. A panic in a neuron ends the program, after its seed has been printed.
fn run(options: &Options, seed: u64) -> Outcome {
    let plan = options.plan(seed);
    std::panic::catch_unwind(|| plan.run()).unwrap_or_else(|panic| {
        eprintln!("\nseed {seed} panicked");
        std::panic::resume_unwind(panic)
    })
}

/// The progress of all threads, shown if standard error is a terminal.
struct Progress {
    total: u64,
    begin: Instant,
    shown: Mutex<Instant>,
    is_terminal: bool,
}

impl Progress {
    fn new(total: u64) -> Self {
        let now = Instant::now();
        Self { total, begin: now, shown: Mutex::new(now), is_terminal: std::io::stderr().is_terminal() }
    }

    fn show(&self, done: u64) {
        let Ok(mut shown) = self.shown.try_lock() else { return };
        if !self.is_terminal || shown.elapsed() < Duration::from_millis(100) {
            return;
        }
        *shown = Instant::now();
        let part = done as f64 / self.total as f64;
        let rate = done as f64 / self.begin.elapsed().as_secs_f64();
        let left = (self.total - done.min(self.total)) as f64 / rate;
        let bar: String = (0..30).map(|cell| if f64::from(cell) < part * 30.0 { '#' } else { '.' }).collect();
        let _ = write!(std::io::stderr(), "\r[{bar}] {done}/{} seeds, {rate:.0}/s, {left:.0} s left ", self.total);
    }

    fn end(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stderr(), "\r{:78}\r", "");
        }
    }
}

fn print_summary(totals: &Totals, took: Duration) {
    let per_wave = totals.messages() as f64 / totals.waves.max(1) as f64;
    println!("seeds                           {:>14}", totals.runs);
    println!("waves                           {:>14}", totals.waves);
    println!("evaluations                     {:>14}", totals.evaluations);
    println!("  degraded                      {:>14}", totals.degraded);
    println!("  wrong and not degraded        {:>14}", totals.wrong);
    println!("changes not answered            {:>14}", totals.omissions);
    println!("  without a fault to explain it {:>14}", totals.unexplained);
    println!("runs that settled, and did      {:>14}", totals.settled);
    println!("lost stores: noticed / all      {:>14}", format!("{} / {}", totals.noticed_stores, totals.lost_stores));
    println!("sets of changes made whole      {:>14}", totals.transactions);
    println!("inputs given up                 {:>14}", totals.silences);
    println!("messages lost                   {:>14}", totals.lost);
    println!("statements sent again           {:>14}", totals.resent);
    println!("subscribers given up            {:>14}", totals.given_up);
    println!("ends moved by a clock ahead     {:>14}", totals.extended);
    println!("changes told by watches         {:>14}", totals.watched);
    println!("  degraded                      {:>14}", totals.watched_degraded);
    println!("  missed, and counted           {:>14}", totals.watched_missed);
    println!("hosts lost                      {:>14}", totals.hosts_lost);
    println!("  back                          {:>14}", totals.hosts_back);
    println!("clocks set forward              {:>14}", totals.clock_steps);
    println!("messages between hosts          {:>14}", totals.host_messages);
    println!("messages per wave               {per_wave:>14.1}");
    for (kind, count) in &totals.signals {
        println!("  {kind:<29} {:>14.2}", *count as f64 / totals.waves.max(1) as f64);
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let latency = totals.latency(part).as_secs_f64() * 1e3;
        println!("from stamp to answer, {name:<9} {latency:>14.1} ms of virtual time");
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99), ("longest", 1.0)] {
        let recovery = totals.recovery(part).as_secs_f64();
        println!("all plain after faults, {name:<7} {recovery:>14.1} s of virtual time");
    }
    if totals.lies > 0 {
        println!("lies that reached neurons       {:>14}", totals.lies);
        println!("  refused and counted           {:>14}", totals.lies_refused);
        println!("reports not believed            {:>14}", totals.forged);
        println!("neurons fenced by a neighbour   {:>14}", totals.fenced_by_lies);
    }
    println!("took                            {:>14.1} s", took.as_secs_f64());
}

fn json(totals: &Totals, failed: Option<u64>) -> serde_json::Value {
    serde_json::json!({
        "seeds": totals.runs,
        "waves": totals.waves,
        "evaluations": totals.evaluations,
        "degraded": totals.degraded,
        "wrong": totals.wrong,
        "omissions": totals.omissions,
        "unexplained": totals.unexplained,
        "settled": totals.settled,
        "lost_stores": { "all": totals.lost_stores, "noticed": totals.noticed_stores },
        "sets_made_whole": totals.transactions,
        "silences": totals.silences,
        "lost": totals.lost,
        "resent": totals.resent,
        "given_up": totals.given_up,
        "extended": totals.extended,
        "watched": {
            "told": totals.watched,
            "degraded": totals.watched_degraded,
            "missed": totals.watched_missed,
        },
        "clock_steps": totals.clock_steps,
        "hosts": { "lost": totals.hosts_lost, "back": totals.hosts_back, "messages": totals.host_messages },
        "lies": {
            "delivered": totals.lies,
            "refused": totals.lies_refused,
            "forged_reports": totals.forged,
            "fenced": totals.fenced_by_lies,
        },
        "signals": totals.signals,
        "latency_ms": {
            "p50": totals.latency(0.5).as_secs_f64() * 1e3,
            "p99": totals.latency(0.99).as_secs_f64() * 1e3,
            "p99.9": totals.latency(0.999).as_secs_f64() * 1e3,
        },
        "recovery_s": {
            "p50": totals.recovery(0.5).as_secs_f64(),
            "p99": totals.recovery(0.99).as_secs_f64(),
            "longest": totals.recovery(1.0).as_secs_f64(),
        },
        "failed_seed": failed,
    })
}

/// Prints a failure, shrunk unless the options say otherwise, and the end of its trace.
fn explain(options: &Options, seed: u64) {
    let plan = options.plan(seed);
    let plan = if options.no_shrink {
        plan
    } else {
        eprintln!("seed {seed} failed; looking for a shorter run ...");
        let kind = |outcome: &Outcome| outcome.failures.first().map(std::mem::discriminant);
        let wanted = kind(&plan.run());
        plan.shrink(|plan| {
            let outcome = plan.run();
            !options.is_fine(&outcome) && kind(&outcome) == wanted
        })
    };
    println!("\n== seed {seed} failed ==\n{plan}\n");
    let (outcome, trace) = plan.run_traced();
    for failure in &outcome.failures {
        println!("FAILED: {failure}");
    }
    println!("\nthe last of what happened:");
    let from = trace.len().saturating_sub(3000);
    for line in &trace[from..] {
        println!("{line}");
    }
}

/// Prints the run of one plan line by line and returns whether it found no failure.
fn tell(plan: &Plan) -> ExitCode {
    println!("{plan}\n");
    let (outcome, trace) = plan.run_traced();
    for line in trace {
        println!("{line}");
    }
    for failure in &outcome.failures {
        println!("FAILED: {failure}");
    }
    println!("trace {:016x}", outcome.trace);
    if outcome.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}
