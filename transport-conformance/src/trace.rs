//! The same trace everywhere: what random networks answer is what the oracle computes, tag by tag.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Duration,
};

use futures_util::{StreamExt as _, future::join_all};
use neuron_core::{
    ControllerId, Network, NeuronId, Tag,
    actor::Host,
    command::{Answer, Command, Report, Request, Stimulus},
    network::{NeuronSpec, Synapse},
    neuron::Config,
    oracle::Oracle,
    record::{Claim, Event, Record},
    transport::{Address, Envelope, Transport},
};

use crate::harness::{Harness, open};

/// How many random networks run at the same time, as parts of one.
const NETWORKS: usize = 40;
/// How often that is repeated with other networks.
const ROUNDS: u64 = 5;
/// So long that no input is given up because the machine is busy: that would change the answers.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same over a carrier that loses, where a statement may have to be sent many times.
const LONG_PATIENCE: Duration = Duration::from_secs(30);
/// After how long a stimulus that is not answered is sent again over a carrier that loses.
const SEND_AGAIN: Duration = Duration::from_millis(100);
/// How many stimuli each network gets, on average.
const STIMULI: usize = 6;
/// Within what time the tags of all stimuli lie.
const SPREAD: Duration = Duration::from_secs(1);
const SEED: u64 = 2016;

/// Which neurons get stimuli.
#[derive(Clone, Copy)]
enum Stimulated {
    /// All. Each stimulus waits for its tag; otherwise its wave would probe other neurons for tags
    /// at which stimuli are still on their way to them.
    All,
    /// Only the first neuron of each network. Nothing waits: waves go ahead of the clock, and bind
    /// all other neurons to their tags.
    TheFirst,
}

/// For each neuron, its levels and the tags from which on they hold.
type Trace = BTreeMap<NeuronId, Vec<(Tag, f64)>>;

/// In two hundred random networks with random stimuli, which get the same tags on every transport,
/// the levels of every neuron and the tags at which they change are those of the oracle. Where
/// edges have delays, the oracle takes the re-entries from this run; otherwise it knows nothing of
/// the run.
pub async fn random_networks_answer_what_the_oracle_computes<H: Harness>() {
    let Some(harness) = H::open().await else { return };
    let transport = harness.transport();
    let loses = harness.loses();
    for round in 0..ROUNDS {
        let mut lead = Duration::from_secs(1);
        // A stimulus that is sent again comes after later ones of its neuron, so it has to wait
        // too.
        let stimulated = if round == 0 && !loses { Stimulated::TheFirst } else { Stimulated::All };
        while !answers_what_the_oracle_computes(transport.clone(), SEED + round, lead, stimulated, loses).await {
            assert!(lead < Duration::from_secs(9), "a stimulus takes more than {lead:?} to get to its neuron");
            lead *= 3;
        }
    }
}

/// Compares one round with the oracle. Returns `false` if it could not be tried, because a stimulus
/// arrived after the clock had reached its tag, which lies at least `lead` ahead.
async fn answers_what_the_oracle_computes(
    transport: Arc<dyn Transport>,
    seed: u64,
    lead: Duration,
    stimulated: Stimulated,
    loses: bool,
) -> bool {
    let mut rng = fastrand::Rng::with_seed(seed);
    let network = networks(&mut rng, if loses { LONG_PATIENCE } else { PATIENCE });
    let (record, recorded) = mpsc::channel();
    let host = Host::builder(network.clone(), transport.clone()).record(record).start().await.expect("the host starts");
    let controller = host.controller();
    // Every stimulus enters at a tag that is chosen here.
    let begin = controller.now().after(lead);
    let tester: ControllerId = format!("tester-{seed}").parse().expect("a name");
    let mut replies = open(&transport, &Address::Controller(tester.clone())).await;
    let stimuli = stimuli(&mut rng, &network, begin, stimulated);
    let within = match stimulated {
        Stimulated::All => lead + SPREAD,
        Stimulated::TheFirst => Duration::ZERO,
    };
    let mut unanswered: BTreeMap<u64, Envelope> = BTreeMap::new();
    for ((neuron, tag, level), id) in stimuli.iter().zip(1..) {
        let stimulus = Stimulus { sensor: None, level: Some(*level), hold: Some(Duration::from_secs(60)) };
        let command = Command::Stimulate { stimulus, at: Some(*tag), within };
        let request = Box::new(Request::new(id, command));
        unanswered.insert(id, Envelope::Request { from: tester.clone(), to: neuron.clone(), request });
    }
    let mut in_time = true;
    while !unanswered.is_empty() {
        let sent = join_all(unanswered.values().map(|request| transport.send(request.clone()))).await;
        assert!(sent.into_iter().all(|sent| sent.is_ok()));
        // A request or its answer may be lost. A neuron carries it out once, however often it
        // comes.
        let mut pause = std::pin::pin!(tokio::time::sleep(SEND_AGAIN));
        while !unanswered.is_empty() {
            let reply = tokio::select! {
                reply = replies.next() => reply.expect("the inbox lasts"),
                () = &mut pause, if loses => break,
            };
            let Envelope::Report { report, .. } = reply else { panic!("a report is expected, not {reply:?}") };
            let Report::Reply { request, result: Ok(Answer::Stamped(stamp)) } = *report else { panic!("{report:?}") };
            in_time &= !stamp.moved;
            unanswered.remove(&request);
        }
    }
    if !in_time {
        host.stop().await;
        return false;
    }
    let end = begin.after(SPREAD + Duration::from_millis(200));
    let asking = network.neurons().map(|(id, _)| controller.output_at(id.as_str(), end));
    for ((neuron, _), answer) in network.neurons().zip(join_all(asking).await) {
        let missing = answer.expect("each neuron answers").missing;
        assert!(missing.is_empty(), "seed {seed}: {neuron} lacks {missing}");
    }
    host.stop().await;
    let records: Vec<(NeuronId, Record)> = recorded.try_iter().collect();
    let claimed = claimed(&records, end);
    let setup: BTreeMap<NeuronId, Config> = network.configs().collect();
    let given = stimuli.iter().map(|(neuron, tag, level)| {
        (neuron.clone(), *tag, Event::Stimulus { level: *level, hold: setup[neuron].hold })
    });
    let reentries = records.iter().filter_map(|(neuron, record)| match record {
        Record::Stamped { tag, event: event @ (Event::Reentry { .. } | Event::Restart) } => {
            Some((neuron.clone(), *tag, event.clone()))
        }
        _ => None,
    });
    let events: Vec<(NeuronId, Tag, Event)> = given.chain(reentries).collect();
    let oracle = Oracle::run(&setup, events.iter().map(|(neuron, tag, event)| (neuron, *tag, event)));
    assert_eq!(claimed.len(), network.len());
    for (neuron, levels) in &claimed {
        // It was not asked for tags before its first answer.
        let first = levels[0].0;
        let later = oracle.changes(neuron).iter().filter(|(tag, _)| *tag > first && *tag <= end).copied();
        let expected: Vec<(Tag, f64)> = [(first, oracle.level_at(neuron, first))].into_iter().chain(later).collect();
        assert_eq!(expected, *levels, "seed {seed}: {neuron}");
    }
    let changes: usize = claimed.values().map(Vec::len).sum();
    assert!(changes > NETWORKS * STIMULI, "seed {seed}: only {changes} changes");
    true
}

/// Returns the levels that the neurons claimed: the first one, and each change.
fn claimed(records: &[(NeuronId, Record)], end: Tag) -> Trace {
    let mut all: Trace = BTreeMap::new();
    for (neuron, record) in records {
        if let Record::Evaluated(Claim { at, value, .. }) = record
            && *at <= end
        {
            assert!(value.missing.is_empty(), "{neuron} lacks {} at {at}", value.missing);
            all.entry(neuron.clone()).or_default().push((*at, value.level));
        }
    }
    for levels in all.values_mut() {
        levels.dedup_by_key(|(_, level)| *level);
    }
    all
}

/// Returns all random networks as parts of one, each with a prefix of its own.
fn networks(rng: &mut fastrand::Rng, patience: Duration) -> Network {
    let mut builder = Network::builder("conformance").patience(patience);
    for part in 0..NETWORKS {
        let size = rng.usize(3..=8);
        let with_delays = rng.u8(0..3) == 0;
        for index in 0..size {
            let mut spec = NeuronSpec { threshold: Some(eighths(rng, -8, 12)), ..NeuronSpec::default() };
            for _ in 0..rng.usize(0..=3) {
                if index > 0 {
                    let synapse = Synapse { weight: eighths(rng, -8, 8), delay: None };
                    spec.weights.insert(name(part, rng.usize(0..index)), synapse);
                }
            }
            if with_delays && rng.bool() {
                let delay = Some(Duration::from_millis(rng.u64(20..200)));
                let synapse = Synapse { weight: eighths(rng, -8, 8), delay };
                spec.weights.entry(name(part, rng.usize(0..size))).or_insert(synapse);
            }
            builder = builder.spec(name(part, index).as_str(), spec);
        }
    }
    builder.build().expect("made so that it is valid")
}

/// Returns a random number of eighths, so that sums are exact.
fn eighths(rng: &mut fastrand::Rng, from: i8, to: i8) -> f64 {
    f64::from(rng.i8(from..=to)) / 8.0
}

fn name(part: usize, index: usize) -> NeuronId {
    format!("w{part:03}n{index}").parse().expect("a name")
}

/// Returns which neurons are stimulated at which tags, at most once at each.
fn stimuli(
    rng: &mut fastrand::Rng,
    network: &Network,
    begin: Tag,
    stimulated: Stimulated,
) -> Vec<(NeuronId, Tag, f64)> {
    let is_wanted = |id: &&NeuronId| matches!(stimulated, Stimulated::All) || id.as_str().ends_with("n0");
    let neurons: Vec<&NeuronId> = network.neurons().map(|(id, _)| id).filter(is_wanted).collect();
    let mut stimuli = BTreeMap::new();
    for _ in 0..NETWORKS * STIMULI {
        let neuron = neurons[rng.usize(0..neurons.len())].clone();
        let tag = begin.after(SPREAD * rng.u32(0..1000) / 1000);
        stimuli.insert((neuron, tag), f64::from(rng.u8(0..=1)));
    }
    stimuli.into_iter().map(|((neuron, tag), level)| (neuron, tag, level)).collect()
}
