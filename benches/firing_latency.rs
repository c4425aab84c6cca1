//! How long a wave takes from the moment the sources speak to the moment the last neuron has
//! decided, one wave at a time: beside the same network by other means, which all do the same sums.
//!
//! Every contestant runs on one thread of its own and is measured inside it, on one core that stays
//! awake. Of ours, the time begins when the last source has been told to speak, and has replied: an
//! asap neuron may have decided before that, and is measured from then on only if it has not.
//!
//! There are two views. In the table, which is the default, the contestants take turns, so a ratio
//! is of one moment: quote that. Criterion measures one after the other and keeps what it has
//! measured: use it to compare a change with a baseline on one machine.

mod inside;
mod peers;

use std::{process::Command, time::Duration};

use benches::{
    cores::Cores,
    plan::Plan,
    report::{Goal, Report},
    statistics::{median, micros, percentile},
};
use criterion::Criterion;
use inside::Inside;
use neuron_core::neuron::Mode;
use peers::{Means, Peer};

const ROUNDS: usize = 200;
const PER_ROUND: u64 = 100;
const MODES: [(Mode, &str); 2] = [(Mode::Coherent, "coherent"), (Mode::Asap, "asap")];

/// The measured time of one benchmark in the criterion view, unless `--measurement-time` says
/// otherwise.
///
/// A wave is measured for about 0.5 µs and takes fifty times as long with the request that lets it
/// in and the answer: this much measured time is about five seconds on the clock.
const MEASURED: Duration = Duration::from_millis(100);

/// The arguments of the table. Any other one is for criterion and selects its view.
const FOR_THE_TABLE: [&str; 5] = ["--bench", "--full", "--unpinned", "--help", "-h"];
const HELP: &str = "\
Measures a wave from the sources to the last neuron, beside the same network by other means.

    cargo bench -p benches --bench firing_latency                         the table: contestants take turns, quote its ratios
    cargo bench -p benches --bench firing_latency -- --full               five times as many rounds
    cargo bench -p benches --bench firing_latency -- --criterion          the criterion view: one group for each network

Options of the table:
    --full        More rounds, for figures that are to be quoted
    --unpinned    Leave it to the scheduler which core runs what
    -h, --help    Print this

The criterion view takes all options of criterion, and each of them selects it:
    cargo bench -p benches --bench firing_latency -- --save-baseline before
    cargo bench -p benches --bench firing_latency -- --baseline before    what has changed since
    cargo bench -p benches --bench firing_latency -- 'XOR/(ours|actix)'   only these, a regular expression
    cargo bench -p benches --bench firing_latency -- --criterion --help   all of criterion's options
Its report is in target/criterion/report/index.html.
";

fn main() {
    if benches::is_test() {
        return;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |wanted: &str| arguments.iter().any(|argument| argument == wanted);
    if has("--criterion") {
        return run_again_for_criterion(&arguments);
    }
    let for_criterion = arguments.iter().any(|argument| !FOR_THE_TABLE.contains(&argument.as_str()));
    if !for_criterion && (has("--help") || has("-h")) {
        return print!("{HELP}");
    }
    let _cores = Cores::take();
    if for_criterion {
        let mut criterion = Criterion::default().measurement_time(MEASURED).configure_from_args();
        measure(&mut criterion, "XOR", &Plan::xor());
        measure(&mut criterion, "chain of 3", &Plan::chain(3));
        criterion.final_summary();
    } else {
        let mut report = Report::new("firing_latency");
        compare(&mut report, "XOR", &Plan::xor());
        compare(&mut report, "chain of 3", &Plan::chain(3));
        report.save();
    }
}

/// Runs this program again without `--criterion`, which criterion itself would refuse.
fn run_again_for_criterion(arguments: &[String]) {
    let this = std::env::current_exe().expect("this program has a path");
    let others = arguments.iter().filter(|argument| *argument != "--criterion");
    // This option changes nothing, and selects the view.
    let status =
        Command::new(this).arg("--output-format=criterion").args(others).status().expect("it can be run again");
    std::process::exit(status.code().unwrap_or(1));
}

/// Measures each contestant by criterion, in one group. A contestant that the filter leaves out is
/// never started.
fn measure(criterion: &mut Criterion, what: &str, plan: &Plan) {
    let mut group = criterion.benchmark_group(what);
    for (mode, name) in MODES {
        let mut inside = None;
        group.bench_function(format!("ours, {name}"), |bencher| {
            let inside = inside.get_or_insert_with(|| Inside::start(plan, mode));
            bencher.iter_custom(|waves| {
                let mut times = Vec::new();
                inside.one_by_one(waves, &mut times);
                times.iter().sum()
            });
        });
    }
    for means in Means::ALL {
        let mut peer = None;
        group.bench_function(means.name(), |bencher| {
            let peer = peer.get_or_insert_with(|| Peer::start(means, plan));
            bencher.iter_custom(|waves| (0..waves).map(|_| peer.run(1)).sum());
        });
    }
    group.finish();
}

/// Measures all contestants in turns and reports ours beside each peer.
fn compare(report: &mut Report, what: &str, plan: &Plan) {
    let rounds = if benches::is_full() { ROUNDS * 5 } else { ROUNDS };
    let mut ours = MODES.map(|(mode, _)| (Inside::start(plan, mode), Vec::new()));
    let mut peers = Means::ALL.map(|means| (Peer::start(means, plan), Vec::new()));
    for _ in 0..rounds {
        for (inside, times) in &mut ours {
            inside.one_by_one(PER_ROUND, times);
        }
        for (peer, times) in &mut peers {
            times.extend((0..PER_ROUND).map(|_| peer.run(1)));
        }
    }
    let peers = peers.map(|(_, mut times): (_, Vec<Duration>)| micros(median(&mut times)));
    for ((_, times), (_, mode)) in ours.iter_mut().zip(MODES) {
        let ours = micros(median(times));
        for (means, theirs) in Means::ALL.into_iter().zip(peers) {
            let goal = match (mode, means) {
                ("coherent", Means::Actix) => Some(Goal::AtMost(1.5)),
                ("asap", Means::Actix) => Some(Goal::AtMost(1.2)),
                (_, Means::Kameo | Means::Ractor) => Some(Goal::AtMost(1.0)),
                _ => None,
            };
            report.compare(&format!("{what}, {mode} beside {}", means.name()), ours, theirs, "µs", goal);
        }
        report.figure(&format!("{what}, {mode}, p99"), micros(percentile(times, 99)), "µs", None);
    }
}
