//! What the oracle, and what is promised beside, say of a run.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::{
    Act, Failure, Plan, Totals,
    random::HOUR,
    world::{MAX_STEPS, START, World},
};
use crate::{
    command::{Command, ConfigChange},
    id::NeuronId,
    oracle::{Mistake, Oracle, Verdict},
    record::{Event, Record},
    tag::{Tag, Time},
    value::Value,
};

pub(super) struct Judge<'a> {
    world: &'a World<'a>,
    oracle: Oracle,
    /// For each neuron itself and everybody it listens to, however indirectly, at any time of the run.
    ancestors: Vec<BTreeSet<usize>>,
    /// Neurons on a loop.
    looped: BTreeSet<usize>,
    failures: Vec<Failure>,
    totals: Totals,
}

impl<'a> Judge<'a> {
    pub(super) fn new(world: &'a World<'a>) -> Self {
        let setup = world.plan.network.configs().collect();
        let stamped = world.nodes.iter().flat_map(|node| {
            let lives = node.lives.iter().filter(|life| !life.stray);
            lives.flat_map(|life| &life.records).filter_map(|record| match record {
                Record::Stamped { tag, event } => Some((&node.id, *tag, event)),
                Record::Evaluated(_) => None,
            })
        });
        let oracle = Oracle::run(&setup, stamped);
        let (ancestors, looped) = relations(world);
        let totals = Totals { runs: 1, ..Totals::default() };
        Self { world, oracle, ancestors, looped, failures: Vec::new(), totals }
    }

    /// What must not have happened, and what was counted.
    pub(super) fn judge(mut self) -> (Vec<Failure>, Totals) {
        self.judge_claims();
        self.judge_reentries();
        if self.world.steps == MAX_STEPS {
            self.failures.push(Failure::Endless);
        } else {
            self.judge_answers();
            self.judge_the_end();
            self.judge_sets_of_changes();
            self.judge_the_clocks();
        }
        self.judge_leases();
        self.count();
        (self.failures, self.totals)
    }

    fn judge_claims(&mut self) {
        for (index, node) in self.world.nodes.iter().enumerate() {
            if self.believes_a_stray(index) {
                continue;
            }
            let lives = || node.lives.iter().filter(|life| !life.stray);
            let verdict = Verdict::of(&self.oracle, lives().map(|life| (&node.id, life.records.as_slice(), life.upto)));
            self.totals.wrong += verdict.mistakes.len() as u64;
            self.failures.extend(verdict.mistakes.into_iter().map(Failure::Wrong));
            let twice = verdict.repeated.into_iter().map(|(neuron, tag)| Failure::Twice { neuron, tag });
            self.failures.extend(twice);
            for (before, after) in lives().zip(lives().skip(1)) {
                let first = after.records.iter().find_map(|record| match record {
                    Record::Evaluated(claim) => Some(claim.at),
                    Record::Stamped { .. } => None,
                });
                if let Some(tag) = first.filter(|first| *first <= before.upto) {
                    self.failures.push(Failure::Twice { neuron: node.id.clone(), tag });
                }
            }
        }
    }

    /// What re-enters was said, in this order, and at least the delay before.
    fn judge_reentries(&mut self) {
        let mut said: HashMap<&NeuronId, Vec<(Tag, &Value)>> = HashMap::new();
        for node in &self.world.nodes {
            let records = node.lives.iter().flat_map(|life| &life.records);
            let claims = records.filter_map(|record| match record {
                Record::Evaluated(claim) => Some((claim.at, &claim.value)),
                Record::Stamped { .. } => None,
            });
            said.insert(&node.id, claims.collect());
        }
        for node in &self.world.nodes {
            for life in &node.lives {
                let mut reached: HashMap<&NeuronId, usize> = HashMap::new();
                for record in &life.records {
                    let Record::Stamped { tag, event: Event::Reentry { source, value } } = record else { continue };
                    let delay = self.delay(&node.id, source);
                    let reached = reached.entry(source).or_default();
                    let claims = said.get(source).map_or(&[][..], Vec::as_slice);
                    let matches = |(at, claimed): &(Tag, &Value)| *claimed == value && at.after(delay) <= *tag;
                    match claims[*reached..].iter().position(matches) {
                        Some(further) => *reached += further,
                        None => self.failures.push(Failure::Premature {
                            neuron: node.id.clone(),
                            source: source.clone(),
                            tag: *tag,
                        }),
                    }
                }
            }
        }
    }

    /// The least delay that a connection has at any time of the run.
    fn delay(&self, neuron: &NeuronId, source: &NeuronId) -> Duration {
        let spec = self.world.plan.network.neuron(neuron);
        let configured = spec.and_then(|spec| spec.weights.get(source)).map(|synapse| synapse.delay);
        let connected = self.world.plan.acts.iter().flat_map(|(_, act)| connections(act));
        let connected = connected.filter(|(to, from, _)| *to == neuron && *from == source).map(|(_, _, delay)| delay);
        configured.into_iter().chain(connected).map(Option::unwrap_or_default).min().unwrap_or_default()
    }

    fn judge_answers(&mut self) {
        for asked in self.world.asked.values() {
            let node = &self.world.nodes[asked.neuron];
            if node.lives.iter().any(|life| life.stray) || self.believes_a_stray(asked.neuron) {
                continue;
            }
            match &asked.answer {
                Some(Ok(value)) if !value.is_degraded() => {
                    let actual = self.oracle.level_at(&node.id, asked.tag);
                    if value.level != actual {
                        self.totals.wrong += 1;
                        self.failures.push(Failure::Wrong(Mistake {
                            neuron: node.id.clone(),
                            tag: asked.tag,
                            claimed: value.level,
                            actual,
                        }));
                    }
                }
                Some(_) => {}
                None => {
                    let plan = self.world.plan;
                    let lossless = plan.link.loss == 0 && plan.machines.values().all(|machine| machine.inbox == 0);
                    let there =
                        !self.world.has_crashed(asked.neuron) && node.lives.len() == 1 && !panics(plan, &node.id);
                    let joined_later = plan.absent.contains(&node.id);
                    let time = self.world.now.since(asked.at) > Duration::from_secs(15);
                    let in_time = asked.tag < Tag::at(self.world.now);
                    if lossless && there && time && in_time && !joined_later && !any_clock(plan) {
                        self.failures.push(Failure::Unanswered { neuron: node.id.clone(), tag: asked.tag });
                    }
                }
            }
        }
    }

    fn judge_leases(&mut self) {
        for (neuron, source) in &self.world.fenced {
            self.failures.push(Failure::Fenced { neuron: neuron.clone(), source: source.clone() });
        }
    }

    /// Changes that were put into effect together are made by all of their neurons, at the tag.
    fn judge_sets_of_changes(&mut self) {
        let world = self.world;
        let late = |index: usize| world.was_late(index) || panics(world.plan, &world.nodes[index].id);
        for set in &world.together {
            if set.members.iter().any(|member| late(*member) || world.has_crashed(*member)) {
                continue;
            }
            self.totals.together += 1;
            for member in &set.members {
                let node = &world.nodes[*member];
                let made = node.lives.iter().flat_map(|life| &life.records).any(
                    |record| matches!(record, Record::Stamped { tag, event } if *tag == set.at && event.config_change().is_some()),
                );
                if !made {
                    self.failures.push(Failure::Torn { tag: set.at, neuron: node.id.clone() });
                }
            }
        }
    }

    /// No host whose clock is right to within an hour believes one that is hours ahead.
    fn judge_the_clocks(&mut self) {
        let hour = Duration::from_micros(HOUR.unsigned_abs());
        let latest = Tag::at(self.world.now.after(hour).after(Duration::from_secs(60)));
        for (index, node) in self.world.nodes.iter().enumerate() {
            let Some(neuron) = node.neuron.as_ref().filter(|_| !self.world.is_far_off(index)) else { continue };
            if neuron.complete_through() > latest {
                self.failures.push(Failure::Dragged { neuron: node.id.clone(), tag: neuron.complete_through() });
            }
        }
    }

    fn judge_the_end(&mut self) {
        let calm_since = START.after(self.world.plan.calm);
        let mut plain_since = calm_since;
        let everybody = (0..self.world.nodes.len()).all(|index| self.is_well(index));
        let calm = self.world.plan.end.saturating_sub(self.world.plan.calm) >= Duration::from_secs(15)
            || (self.world.plan.links.values().chain([&self.world.plan.link])).all(|link| link.loss == 0);
        for index in 0..self.world.nodes.len() {
            let node = &self.world.nodes[index];
            let settles = self.ancestors[index].iter().all(|one| self.is_well(*one) && !self.looped.contains(one));
            let Some(neuron) = node.neuron.as_ref().filter(|_| settles && calm) else { continue };
            plain_since = plain_since.max(node.plain_since);
            let value = neuron.value();
            if value.is_degraded() {
                let missing = value.missing.clone();
                self.failures.push(Failure::StillDegraded { neuron: node.id.clone(), missing });
                continue;
            }
            let actual = self.oracle.level_at(&node.id, Tag::MAX);
            if value.level != actual {
                let claimed = value.level;
                self.failures.push(Failure::NotCaughtUp { neuron: node.id.clone(), claimed, actual });
            }
        }
        let asks_for_nobody = self.world.plan.acts.iter().any(|(_, act)| connects_to_nobody(self.world, act));
        if plain_since > calm_since {
            self.totals.recoveries.count(plain_since.since(calm_since));
        }
        if everybody && calm && self.looped.is_empty() && !asks_for_nobody {
            self.totals.settled += 1;
            if self.world.late_signals > 0 {
                self.failures.push(Failure::NotSilent { signals: self.world.late_signals });
            }
        }
        self.judge_strays();
    }

    /// Whoever came back without its store is told, if somebody is left who has known it before.
    fn judge_strays(&mut self) {
        let sure = self.everybody_meets();
        for (index, node) in self.world.nodes.iter().enumerate() {
            if !node.lives.last().is_some_and(|life| life.stray) {
                continue;
            }
            self.totals.strays.0 += 1;
            let noticed = node.neuron.as_ref().is_some_and(|neuron| neuron.fenced_by().is_some());
            self.totals.strays.1 += u64::from(noticed);
            // It asks its sources; those that have been there all the time remember.
            let knows = |other: usize| {
                let neighbour = &self.world.nodes[other];
                let spec = self.world.plan.network.neuron(&node.id);
                let listens = spec.is_some_and(|spec| spec.weights.contains_key(&neighbour.id));
                listens && self.is_well(other) && neighbour.lives.len() == 1 && !rewired(self.world.plan)
            };
            let lives = node.lives.iter().filter(|life| !life.stray).count();
            let number = node.neuron.as_ref().map_or(0, |neuron| neuron.incarnation().number as usize);
            let known = (0..self.world.nodes.len()).any(|other| other != index && knows(other));
            if known && sure && !noticed && number <= lives && self.world.is_up(index) {
                self.failures.push(Failure::Unnoticed { neuron: node.id.clone() });
            }
        }
    }

    /// Whether whoever begins to speak is heard by all who listen to it, so that each life is known to them.
    fn everybody_meets(&self) -> bool {
        let plan = self.world.plan;
        let cut = plan.acts.iter().any(|(_, act)| matches!(act, Act::Cut(..) | Act::CutOneWay(..)));
        let links = plan.links.values().chain([&plan.link]);
        let machines = plan.machines.values();
        !cut && links.map(|link| link.loss).max() == Some(0)
            && machines.map(|machine| machine.inbox).max().unwrap_or(0) == 0
            && plan.absent.is_empty()
            && !rewired(plan)
    }

    /// Whether it may have listened to somebody who lost its store, and whom it had never met before.
    fn believes_a_stray(&self, index: usize) -> bool {
        self.ancestors[index].iter().any(|one| {
            let node = &self.world.nodes[*one];
            let unnoticed = node.neuron.as_ref().is_some_and(|neuron| neuron.fenced_by().is_none());
            (unnoticed || !self.everybody_meets()) && node.lives.iter().any(|life| life.stray)
        })
    }

    /// Whether a neuron is there at the end, with its store, and its clock was never so far off that nobody believed it.
    fn is_well(&self, index: usize) -> bool {
        self.world.is_up(index)
            && !self.world.is_far_off(index)
            && self.world.nodes[index].lives.iter().all(|life| !life.stray)
    }

    fn count(&mut self) {
        let mut stamped: HashMap<Tag, Time> = HashMap::new();
        let mut first_seen = |tag: Tag, at: Time| {
            let seen = stamped.entry(tag).or_insert(at);
            *seen = (*seen).min(at);
        };
        for (tag, at) in &self.world.stamps {
            first_seen(*tag, *at);
        }
        self.totals.waves = stamped.len() as u64;
        for (tag, at) in &self.world.latencies {
            if let Some(since) = stamped.get(tag) {
                self.totals.latencies.count(at.since(*since));
            }
        }
        self.totals.signals = self.world.signals.clone();
        self.totals.lost = self.world.lost;
        for node in &self.world.nodes {
            self.totals.evaluations += node.counters.evaluations;
            self.totals.degraded += node.counters.degraded;
            self.totals.silences += node.counters.silences;
            self.totals.resent += node.counters.resent;
            self.totals.given_up += node.counters.given_up;
        }
        self.count_omissions();
    }

    fn count_omissions(&mut self) {
        let plan = self.world.plan;
        let frozen = plan.acts.iter().any(|(_, act)| matches!(act, Act::Freeze(..)));
        let slow = plan.machines.values().any(|machine| !machine.service.is_zero());
        let troubled = self.world.lost > 0 || frozen || slow || !plan.absent.is_empty() || any_clock(plan);
        for (index, node) in self.world.nodes.iter().enumerate() {
            let claims = node.lives.iter().flat_map(|life| &life.records).filter_map(|record| match record {
                Record::Evaluated(claim) => Some(claim.at),
                Record::Stamped { .. } => None,
            });
            let answered: BTreeSet<Tag> = claims.collect();
            let changes = self.oracle.changes(&node.id);
            let omitted = changes.iter().filter(|(tag, _)| !answered.contains(tag)).count() as u64;
            self.totals.omissions += omitted;
            let fell = self.ancestors[index]
                .iter()
                .any(|one| self.world.has_crashed(*one) || panics(self.world.plan, &self.world.nodes[*one].id));
            if !troubled && !fell && !rewired(self.world.plan) {
                // What was before its first answer nobody has asked it for.
                let since = answered.first().copied().unwrap_or(Tag::MAX);
                // The last answers are still on their way.
                let upto = Tag::at(self.world.now.before(Duration::from_secs(2)));
                let omitted = |tag: &Tag| *tag > since && *tag < upto && !answered.contains(tag);
                for (tag, _) in changes.iter().filter(|(tag, _)| omitted(tag)) {
                    self.totals.unexplained += 1;
                    self.failures.push(Failure::Omitted { neuron: node.id.clone(), tag: *tag });
                }
            }
        }
    }
}

fn panics(plan: &Plan, neuron: &NeuronId) -> bool {
    plan.acts.iter().any(|(_, act)| matches!(act, Act::Panic(id) if id == neuron))
}

fn any_clock(plan: &Plan) -> bool {
    let set = |act: &Act| matches!(act, Act::Restart { offset, .. } if *offset != 0);
    plan.machines.values().any(|machine| machine.offset != 0) || plan.acts.iter().any(|(_, act)| set(act))
}

fn rewired(plan: &Plan) -> bool {
    plan.acts.iter().any(|(_, act)| matches!(act, Act::Change { .. } | Act::ChangeTogether(_) | Act::Join(_)))
}

/// The connections that an act makes: to, from, and the delay.
fn connections(act: &Act) -> Vec<(&NeuronId, &NeuronId, Option<Duration>)> {
    match act {
        Act::Change { neuron, command: Command::Configure(ConfigChange::Connect { source, delay }) } => {
            vec![(neuron, source, *delay)]
        }
        Act::ChangeTogether(members) => {
            let changes =
                members.iter().flat_map(|(neuron, changes)| changes.iter().map(move |change| (neuron, change)));
            let connects = changes.filter_map(|(neuron, change)| match change {
                ConfigChange::Connect { source, delay } => Some((neuron, source, *delay)),
                _ => None,
            });
            connects.collect()
        }
        _ => Vec::new(),
    }
}

/// Whether somebody is connected to a neuron that does not exist, and so calls it for ever.
fn connects_to_nobody(world: &World<'_>, act: &Act) -> bool {
    connections(act).into_iter().any(|(_, source, _)| world.find(source).is_none())
}

/// Who listens to whom, however indirectly, at any time of the run; and who to itself.
fn relations(world: &World<'_>) -> (Vec<BTreeSet<usize>>, BTreeSet<usize>) {
    let mut sources: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); world.nodes.len()];
    let mut listens = |to: &NeuronId, from: &NeuronId| {
        if let (Some(to), Some(from)) = (world.find(to), world.find(from)) {
            sources[to].insert(from);
        }
    };
    for (id, spec) in world.plan.network.neurons() {
        spec.weights.keys().for_each(|source| listens(id, source));
    }
    for (_, act) in &world.plan.acts {
        connections(act).into_iter().for_each(|(to, from, _)| listens(to, from));
    }
    let mut looped = BTreeSet::new();
    let mut ancestors = Vec::new();
    for index in 0..sources.len() {
        let mut found = BTreeSet::new();
        let mut next: Vec<usize> = sources[index].iter().copied().collect();
        while let Some(one) = next.pop() {
            if found.insert(one) {
                next.extend(&sources[one]);
            }
        }
        if !found.insert(index) {
            looped.insert(index);
        }
        ancestors.push(found);
    }
    (ancestors, looped)
}
