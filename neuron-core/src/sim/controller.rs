//! The controller of a run: it sends commands, prepares transactions and collects answers.

use std::{collections::BTreeMap, time::Duration};

use super::watches::Watches;
use crate::{
    command::{Answer, Command, Refusal, Report, Request, Stimulus, is_answer},
    id::{ControllerId, NeuronId},
    neuron::Input,
    tag::{Tag, Time},
    value::Value,
};

/// A request to be sent to the neuron with this index.
pub(super) type Outgoing = (usize, Input);

/// The controller. It returns the requests to send instead of sending them.
pub(super) struct Controller {
    id: ControllerId,
    /// How long the members of a transaction are trusted to hold it.
    commit_timeout: Duration,
    last_request: u64,
    preparations: BTreeMap<u64, Preparation>,
    transactions: Vec<Transaction>,
    /// The tags that commands were answered with.
    stamps: Vec<(usize, Tag)>,
    queries: BTreeMap<u64, PendingQuery>,
    /// The neurons of all other requests.
    asked: BTreeMap<u64, usize>,
    watches: Watches,
    /// The reports that were not believed.
    forged: u64,
    /// Reports are believed whoever sends them, so that the judges have something to find.
    believes_all: bool,
}

/// A neuron that takes part in a wave or a transaction.
pub(super) struct Member {
    pub(super) neuron: usize,
    /// The command that makes the neuron promise a floor.
    pub(super) prepare: Command,
    /// What enters at the neuron; empty in a transaction.
    pub(super) stimuli: Vec<Stimulus>,
}

/// A wave or a transaction whose members have not all answered yet.
struct Preparation {
    members: Vec<(usize, Vec<Stimulus>)>,
    /// The lowest and the highest possible tag of each member that has answered.
    floors: BTreeMap<usize, (Tag, Tag)>,
    since: Time,
}

/// A transaction that was committed.
pub(super) struct Transaction {
    pub(super) at: Tag,
    pub(super) members: Vec<usize>,
}

/// A query for the level at a tag.
#[derive(Debug)]
pub(super) struct PendingQuery {
    pub(super) neuron: usize,
    pub(super) tag: Tag,
    pub(super) sent_at: Time,
    /// The answer; `None` until there is one.
    pub(super) answer: Option<Result<Value, Refusal>>,
    /// When the answer arrived; `None` if there was none, or a refusal.
    pub(super) answered_at: Option<Time>,
}

/// The patiences after which a transaction is not committed any more. Its members hold it for twice
/// as long, so a commit always finds it.
const COMMIT_PATIENCES: u32 = 5;

impl Controller {
    pub(super) fn new(id: ControllerId, patience: Duration) -> Self {
        Self {
            id,
            commit_timeout: patience * COMMIT_PATIENCES,
            last_request: 0,
            preparations: BTreeMap::new(),
            transactions: Vec::new(),
            stamps: Vec::new(),
            queries: BTreeMap::new(),
            asked: BTreeMap::new(),
            watches: Watches::default(),
            forged: 0,
            believes_all: false,
        }
    }

    /// Lets it believe every report.
    pub(super) fn believe_all(&mut self) {
        self.believes_all = true;
    }

    /// Returns how many reports were not believed.
    pub(super) fn forged(&self) -> u64 {
        self.forged
    }

    /// Returns how many answers to preparations are kept, and how many there may be.
    pub(super) fn floors(&self) -> (usize, usize) {
        let preparations = self.preparations.values();
        preparations.fold((0, 0), |(floors, members), one| (floors + one.floors.len(), members + one.members.len()))
    }

    /// Returns the transactions that were committed, in their order.
    pub(super) fn transactions(&self) -> &[Transaction] {
        &self.transactions
    }

    /// Returns the tags that commands were answered with, each with its neuron.
    pub(super) fn stamps(&self) -> &[(usize, Tag)] {
        &self.stamps
    }

    /// Returns the queries, in their order.
    pub(super) fn queries(&self) -> impl Iterator<Item = &PendingQuery> {
        self.queries.values()
    }

    /// Returns the watches.
    pub(super) fn watches(&self) -> &Watches {
        &self.watches
    }

    /// Begins to watch a neuron.
    pub(super) fn watch(&mut self, neuron: usize, id: &NeuronId, patience: Duration, now: Time) {
        self.last_request += 1;
        self.watches.begin(neuron, id, patience, self.last_request, now);
    }

    /// Ends the watches of a neuron, and returns the requests that tell it.
    pub(super) fn unwatch(&mut self, neuron: usize, now: Time) -> Vec<Outgoing> {
        let ended = self.watches.end(neuron, now);
        ended.into_iter().map(|watch| self.request(neuron, Command::Unwatch { watch })).collect()
    }

    /// Does what is due for the watches, and returns the requests that renew them.
    pub(super) fn poll_watches(&mut self, now: Time) -> Vec<Outgoing> {
        let Self { watches, last_request, id, .. } = self;
        let next_request = || {
            *last_request += 1;
            *last_request
        };
        watches.poll(id, now, next_request)
    }

    /// Lets the watches be polled later, because the controller is frozen.
    pub(super) fn delay_poll(&mut self, until: Time) {
        self.watches.wake_at = Some(until);
    }

    /// Returns a new request.
    pub(super) fn request(&mut self, to: usize, command: Command) -> Outgoing {
        self.last_request += 1;
        self.asked.insert(self.last_request, to);
        self.numbered(self.last_request, to, command)
    }

    /// Returns a query for the level of a neuron at a tag.
    pub(super) fn query(&mut self, neuron: usize, tag: Tag, now: Time) -> Outgoing {
        let request = self.request(neuron, Command::OutputAt { tag });
        let query = PendingQuery { neuron, tag, sent_at: now, answer: None, answered_at: None };
        self.queries.insert(self.last_request, query);
        request
    }

    /// Returns the requests that prepare a wave or a transaction.
    ///
    /// They all have the same number, which is the ticket of the commit; each member sees its own
    /// only.
    pub(super) fn prepare(&mut self, members: Vec<Member>, now: Time) -> Vec<Outgoing> {
        self.last_request += 1;
        let ticket = self.last_request;
        let mut requests = Vec::with_capacity(members.len());
        let mut waiting = Vec::with_capacity(members.len());
        for Member { neuron, prepare, stimuli } in members {
            requests.push(self.numbered(ticket, neuron, prepare));
            waiting.push((neuron, stimuli));
        }
        self.preparations.insert(ticket, Preparation { members: waiting, floors: BTreeMap::new(), since: now });
        requests
    }

    /// Takes a report and returns the requests that it leads to: the commits, once every member of
    /// a wave or a transaction has answered.
    pub(super) fn on_report(&mut self, from: usize, report: Report, now: Time) -> Vec<Outgoing> {
        if !self.believes_all && self.is_forged(from, &report) {
            self.forged += 1;
            return Vec::new();
        }
        let (request, result) = match report {
            Report::Reply { request, result } => (request, result),
            Report::Changed { watch, position, sample } => {
                self.watches.on_report(from, watch, position, sample, now);
                return Vec::new();
            }
        };
        match result {
            Ok(Answer::Watched { watch, position, sample }) => {
                self.watches.on_answer(from, (watch, request), position, sample, now);
            }
            Ok(Answer::Floor { floor, latest }) => return self.on_floor(from, request, (floor, latest), now),
            Ok(Answer::Output(sample)) => {
                if let Some(query) = self.queries.get_mut(&request) {
                    query.answer = Some(Ok(Value { level: sample.level, missing: sample.missing }));
                    query.answered_at = Some(now);
                }
            }
            Ok(Answer::Stamped(stamp)) => self.stamps.push((from, stamp.tag)),
            Ok(_) => {}
            Err(refusal) => {
                if let Some(query) = self.queries.get_mut(&request) {
                    query.answer = Some(Err(refusal));
                }
            }
        }
        Vec::new()
    }

    /// Returns whether a report answers nothing that its sender was asked.
    fn is_forged(&self, from: usize, report: &Report) -> bool {
        let (request, result) = match report {
            Report::Reply { request, result } => (request, result),
            Report::Changed { watch, .. } => return self.watches.is_of_another(from, *watch),
        };
        if let Some(query) = self.queries.get(request) {
            return !is_answer((&query.neuron, Some(query.tag)), &from, result);
        }
        if let Some(preparation) = self.preparations.get(request) {
            return !preparation.members.iter().any(|(member, _)| *member == from);
        }
        self.asked.get(request).is_some_and(|asked| *asked != from)
            || matches!(result, Ok(Answer::Watched { watch, .. }) if self.watches.is_of_another(from, *watch))
    }

    fn on_floor(&mut self, from: usize, ticket: u64, range: (Tag, Tag), now: Time) -> Vec<Outgoing> {
        let Some(preparation) = self.preparations.get_mut(&ticket) else { return Vec::new() };
        preparation.floors.insert(from, range);
        if preparation.floors.len() < preparation.members.len() {
            return Vec::new();
        }
        let Some(Preparation { members, floors, since }) = self.preparations.remove(&ticket) else {
            return Vec::new();
        };
        let at = floors.values().map(|(floor, _)| *floor).max().unwrap_or_default();
        let clocks_agree = floors.values().all(|(_, latest)| at <= *latest);
        if !clocks_agree {
            return Vec::new();
        }
        if members.iter().all(|(_, stimuli)| stimuli.is_empty()) {
            if now.since(since) > self.commit_timeout {
                return Vec::new();
            }
            let members = members.iter().map(|(member, _)| *member).collect();
            self.transactions.push(Transaction { at, members });
        }
        let commits = members.into_iter();
        commits.map(|(member, stimuli)| self.request(member, Command::Commit { ticket, at, stimuli })).collect()
    }

    fn numbered(&self, id: u64, to: usize, command: Command) -> Outgoing {
        (to, Input::Request { from: self.id.clone(), request: Request::new(id, command) })
    }
}

/// Returns whether a report belongs to a watch. Those are not repeated until they arrive.
pub(super) fn is_of_watch(report: &Report) -> bool {
    matches!(report, Report::Changed { .. } | Report::Reply { result: Ok(Answer::Watched { .. }), .. })
}

/// Returns whether a message prepares a wave or a transaction. The controller does not repeat
/// those: a preparation may fail.
pub(super) fn is_preparation(input: &Input) -> bool {
    let Input::Request { request, .. } = input else { return false };
    matches!(request.command, Command::Reserve | Command::Prepare { .. })
}
