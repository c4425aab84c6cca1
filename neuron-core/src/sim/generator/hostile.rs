//! Adds a hostile machine to a plan.

use std::time::Duration;

use super::draw::name;
use crate::{
    Network,
    command::{Command, ConfigChange},
    id::NeuronId,
    network::{NeuronSpec, Synapse},
    sim::{Action, Afterwards, FaultProfile, Habits, Hostile, Plan},
};

/// When all neurons are asked for the last time, to hear whether they answer.
const LAST_QUESTION: Duration = Duration::from_secs(26);

/// How far clocks are off at most, in microseconds, where tags far ahead must do no lasting harm.
const MOST_OFF: i64 = 20_000;

impl Plan {
    /// Returns a plan like [`random`](Self::random), with one neuron more, whose machine lies. It is
    /// a stranger, or an input or a subscriber of some others.
    ///
    /// Plans with an even seed have all faults. Those with an odd one have no fault but delays, so
    /// what goes wrong there is due to the lies.
    pub fn random_hostile(seed: u64) -> Self {
        let profile = if seed.is_multiple_of(2) { FaultProfile::ALL } else { FaultProfile::DELAY };
        let mut plan = Self::random(seed, profile);
        let rng = &mut fastrand::Rng::with_seed(seed ^ 0x0068_6f73_7469_6c65);
        let hostile = draw_hostile(rng);
        if hostile.habits.far_tags {
            set_clocks(&mut plan);
        }
        connect(&mut plan, &hostile.neuron, rng);
        involve(&mut plan, &hostile, rng);
        plan.hostile = Some(hostile);
        let neurons: Vec<NeuronId> = plan.network.neurons().map(|(id, _)| id.clone()).collect();
        plan.actions.extend(neurons.into_iter().map(|neuron| (LAST_QUESTION, Action::Query(neuron))));
        plan
    }
}

fn draw_hostile(rng: &mut fastrand::Rng) -> Hostile {
    let from = Duration::from_micros(rng.u64(0..3_000_000));
    let afterwards = match rng.u8(0..4) {
        0 => Afterwards::Leaves,
        1 => Afterwards::ComesBack(Duration::from_micros(rng.u64(10_000..4_000_000))),
        _ => Afterwards::Crashes,
    };
    Hostile {
        from,
        until: from + Duration::from_micros(rng.u64(1_000_000..9_000_000)),
        pause: Duration::from_micros(rng.u64(1_000..300_000)),
        burst: rng.u32(1..6),
        altered: [0, 20, 60][rng.usize(0..3)],
        habits: Habits { fences: rng.u8(0..4) == 0, far_tags: rng.bool(), incarnations: rng.u8(0..3) == 0 },
        afterwards,
        ..Hostile::new("liar")
    }
}

/// Sets all clocks right to within milliseconds.
///
/// A neighbour can bind others to tags two hours ahead of their clocks. A host whose clock is an
/// hour behind then cannot follow for an hour, and until then answers that need it are degraded, or
/// wait.
fn set_clocks(plan: &mut Plan) {
    for machine in plan.machines.values_mut() {
        machine.offset = machine.offset.clamp(-MOST_OFF, MOST_OFF);
    }
    for (_, action) in &mut plan.actions {
        if let Action::Restart { offset, .. } | Action::SetClock { offset, .. } = action {
            *offset = (*offset).clamp(-MOST_OFF, MOST_OFF);
        }
    }
}

/// Adds the hostile neuron to the network, with its edges. Those without a delay never close a
/// cycle.
fn connect(plan: &mut Plan, liar: &NeuronId, rng: &mut fastrand::Rng) {
    let count = plan.network.len();
    let pivot = rng.usize(0..count);
    let edge = |rng: &mut fastrand::Rng| {
        let delay = (rng.u8(0..4) == 0).then(|| Duration::from_millis(rng.u64(20..300)));
        Synapse { weight: f64::from(rng.i8(-8..=8)) / 8.0, delay }
    };
    let (listens, feeds) = [(false, false), (true, false), (false, true), (true, true)][rng.usize(0..4)];
    let mut own = NeuronSpec { threshold: Some(0.5), ..NeuronSpec::default() };
    if listens && pivot > 0 {
        for _ in 0..rng.usize(1..=3) {
            own.weights.insert(name('n', rng.usize(0..pivot)), edge(rng));
        }
    }
    let fed: Vec<(NeuronId, Synapse)> = match feeds {
        true => (0..rng.usize(1..=3)).map(|_| (name('n', rng.usize(pivot..count)), edge(rng))).collect(),
        false => Vec::new(),
    };
    let mut builder = Network::builder(plan.network.name().as_str()).settings(*plan.network.settings());
    for (id, spec) in plan.network.neurons() {
        let mut spec = spec.clone();
        for (_, synapse) in fed.iter().filter(|(listener, _)| listener == id) {
            spec.weights.insert(liar.clone(), *synapse);
        }
        builder = builder.spec(id.as_str(), spec);
    }
    plan.network = builder.spec(liar.as_str(), own).build().expect("edges lead from earlier to later neurons");
}

/// Lets controllers deal with the hostile neuron as with any other.
fn involve(plan: &mut Plan, hostile: &Hostile, rng: &mut fastrand::Rng) {
    let liar = &hostile.neuron;
    let count = plan.network.len() - 1;
    for _ in 0..rng.usize(0..=6) {
        let at = Duration::from_micros(rng.u64(500_000..12_000_000));
        let other: NeuronId = name('n', rng.usize(0..count));
        let level = f64::from(rng.u8(0..=1));
        let action = match rng.u8(0..8) {
            0 | 1 => Action::Stimulate { neuron: liar.clone(), level, hold: None },
            2 | 3 => Action::Query(liar.clone()),
            4 => Action::Watch(liar.clone()),
            5 if rng.bool() => Action::Present(vec![(liar.clone(), level), (other, 1.0)]),
            6 if rng.bool() => {
                let threshold = || vec![ConfigChange::SetThreshold { threshold: 0.5 }];
                Action::Transaction(vec![(liar.clone(), threshold()), (other, threshold())])
            }
            7 if rng.bool() => {
                let connect = ConfigChange::Connect { source: liar.clone(), delay: None };
                let is_listening = plan.network.neuron(&other).is_some_and(|spec| spec.weights.contains_key(liar));
                let has_sources = plan.network.neuron(liar).is_some_and(|spec| !spec.weights.is_empty());
                if is_listening || has_sources {
                    continue;
                }
                match rng.bool() {
                    true => Action::Change { neuron: other, command: Command::Configure(connect) },
                    false => Action::Transaction(vec![(other, vec![connect])]),
                }
            }
            _ => Action::Query(other),
        };
        plan.actions.push((at, action));
    }
}
