//! XOR: six neurons, six actors, and an output that is right at all times.
//!
//! Presents the four patterns and prints what each neuron answers; then many random patterns back
//! to back, once with neurons that answer when they know (`coherent`), once with neurons that
//! answer on every arrival (`asap`).

mod report;
mod trial;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::Parser;
use neuron_core::{Network, actor::block_on, neuron::Mode};

/// Runs the XOR network inside this process, or through a broker, and counts mistakes.
///
/// First the four patterns, with every neuron's answer and the time from the stimulus to the answer
/// of z. Then random patterns back to back, twice: with coherent neurons, which answer once they
/// know, and with asap neurons, which answer on every arrival. A wrong answer is a level of z that
/// is not XOR at its tag; a spurious firing is one of z where XOR is 0; a degraded answer says that
/// it lacks an input, and is neither.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit status: 0 if coherent neurons made no mistake, 1 if they did, 2 if something failed."
)]
struct Options {
    /// How many random patterns to present in each mode.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    trials: u64,
    /// The seed of the random patterns.
    #[arg(long, default_value_t = 2016)]
    seed: u64,
    /// Print one JSON object instead of tables: for each mode patterns, wrong, spurious, and
    /// latencies in microseconds.
    #[arg(long)]
    json: bool,
    /// What carries the messages between the neurons: `local`, or a broker at redis://HOST:6379
    /// (?mode=pubsub or streams; needs --features redis) or nats://HOST:4222 (?mode=core or
    /// jetstream; needs --features nats).
    #[arg(long, value_name = "ADDRESS", default_value = "local")]
    transport: String,
    /// Another network file, with sources x and y and sink z, that computes XOR as well. The mode
    /// in it is not used.
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match block_on(run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            examples::print_error(&*error);
            ExitCode::from(2)
        }
    }
}

/// Runs all trials and returns whether coherent neurons made no mistake.
async fn run(options: &Options) -> Result<bool, Box<dyn Error>> {
    let network = match &options.network {
        Some(path) => Network::load(path)?,
        None => Network::from_toml(include_str!("../xor.toml"))?,
    };
    for name in ["x", "y", "z"] {
        if network.neuron(&name.parse()?).is_none() {
            return Err(format!("the network has no neuron `{name}`; this program presents x and y and reads z").into());
        }
    }
    let transport = examples::open(&options.transport, network.name()).await?;
    let table = trial::truth_table(network.clone().with_mode(Mode::Coherent), transport.clone()).await?;
    if !options.json {
        report::truth_table(&table);
    }
    let mut outcomes = Vec::new();
    for mode in [Mode::Coherent, Mode::Asap] {
        let progress = report::Progress::new(mode, options.trials, options.json);
        outcomes
            .push(trial::random(network.clone().with_mode(mode), transport.clone(), mode, options, progress).await?);
    }
    if options.json {
        report::json(&table, &outcomes);
    } else {
        report::outcomes(&outcomes);
    }
    let coherent = &outcomes[0];
    Ok(table.rows.iter().all(|row| row.z == row.expected) && coherent.wrong == 0 && coherent.spurious == 0)
}
