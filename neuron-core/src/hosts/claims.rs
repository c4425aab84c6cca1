//! Which of two hosts that run the same neurons goes on.
//!
//! Why: docs/decisions/0052-a-host-claims-its-neurons.md

use std::time::Duration;

use super::Claim;
use crate::{
    id::{HostId, NeuronId},
    tag::Time,
};

/// How long a host that starts waits for answers after it has heard its own claim: several times as
/// long as a message takes to another host and back.
pub(crate) const ANSWER_TIME: Duration = Duration::from_millis(50);

/// How long a host that starts waits at most, if it does not hear its own claim.
const MAX_ANSWER_TIME: Duration = Duration::from_millis(250);

/// The pause between two rounds of claims of a host that starts.
pub(crate) const START_PAUSE: Duration = Duration::from_millis(20);

/// The first pause between two rounds of a host that runs; each one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// After a pause of this length there is no further round: what was lost was not lost for that long,
/// and a host that was cut off begins anew.
const LAST_PAUSE: Duration = Duration::from_secs(32);

/// How many neurons are claimed in a round after the first one, which claims all. The rounds take
/// turns, and one neuron that two hosts have in common is enough.
const MAX_REPEATED: usize = 16;

/// For how long after a claim of another host neurons may have been fenced because of that host.
///
/// Several times as long as it takes until a lost host is noticed, and its neurons are asked for.
pub(crate) const CONTESTED_FOR: Duration = Duration::from_secs(30);

/// The claims of one host, to all its neurons together: it keeps all of them, or gives way with all.
///
/// Drive it: [`next_round`](Self::next_round) whenever [`wake_at`](Self::wake_at) has come, and
/// [`receive`](Self::receive) with each claim that is heard, its own ones included.
#[derive(Debug)]
pub(crate) struct HostClaims {
    host: HostId,
    id: u64,
    since: Time,
    phase: Phase,
    /// When the next round is due; `None` if there is none.
    next: Option<Time>,
    /// How long after that the round after it is due.
    pause: Duration,
    /// All neurons are claimed in the next round.
    claims_all: bool,
    /// Where the next round begins, in the list of all neurons.
    position: usize,
    /// From when on a fenced neuron is a reason to claim again.
    suspects_from: Time,
    /// The neuron that is about to join this host; `None` if there is none.
    joining: Option<Joining>,
    /// When another host that runs last claimed a neuron of this one, and did not prevail; `None` if
    /// none has.
    contested: Option<Time>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The host waits for answers.
    Starting {
        /// Until when, at the latest.
        until: Time,
        /// It has heard its own claim.
        is_heard: bool,
    },
    Established,
    GaveWay,
}

/// A neuron that is about to join a host that runs. It is claimed by itself: if another host runs it,
/// it does not join.
#[derive(Debug)]
struct Joining {
    neuron: NeuronId,
    /// The number of its claim.
    id: u64,
    /// The host that runs it; `None` while none has said so.
    runs_on: Option<HostId>,
}

/// What follows from a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClaimOutput {
    /// Nothing.
    Nothing,
    /// It is to be answered.
    Answer(Claim),
    /// This host ends, with all its neurons.
    GiveWay,
}

impl HostClaims {
    /// Returns the claims of a host that starts. `id` is another number each time.
    pub(crate) fn new(host: HostId, id: u64, now: Time) -> Self {
        Self {
            host,
            id,
            since: now,
            phase: Phase::Starting { until: now.after(MAX_ANSWER_TIME), is_heard: false },
            next: Some(now),
            pause: START_PAUSE,
            claims_all: true,
            position: 0,
            suspects_from: now,
            joining: None,
            contested: None,
        }
    }

    /// Begins to wait for answers.
    pub(crate) fn begin(&mut self, now: Time) {
        self.phase = Phase::Starting { until: now.after(MAX_ANSWER_TIME), is_heard: false };
        self.next = Some(now);
    }

    /// Returns whether the host runs its neurons: it has waited for answers long enough.
    pub(crate) fn is_established(&self) -> bool {
        self.phase == Phase::Established
    }

    /// Returns when [`next_round`](Self::next_round) has something to do; `None` if it has not.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        match self.phase {
            Phase::Starting { until, .. } => Some(self.next.map_or(until, |next| next.min(until))),
            Phase::Established => self.next,
            Phase::GaveWay => None,
        }
    }

    /// Returns the claims that are due. `neurons` are all neurons of the host.
    pub(crate) fn next_round(&mut self, neurons: &[NeuronId], now: Time) -> Vec<Claim> {
        if let Phase::Starting { until, .. } = self.phase
            && until <= now
        {
            self.establish(now);
        }
        if self.phase == Phase::GaveWay || self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        self.next = (self.pause <= LAST_PAUSE).then(|| now.after(self.pause));
        if self.is_established() {
            self.pause *= 2;
        }
        let count = if std::mem::take(&mut self.claims_all) { neurons.len() } else { MAX_REPEATED.min(neurons.len()) };
        let begin = self.position;
        self.position = (begin + count) % neurons.len().max(1);
        neurons.iter().cycle().skip(begin).take(count).map(|neuron| self.claim(neuron, None)).collect()
    }

    /// Ends the wait for answers: there is no other host that could answer, or it is over.
    pub(crate) fn establish(&mut self, now: Time) {
        if matches!(self.phase, Phase::Starting { .. }) {
            self.phase = Phase::Established;
            self.pause = FIRST_PAUSE;
            self.next = Some(now.after(FIRST_PAUSE));
        }
    }

    /// Claims all neurons again: other hosts could not be heard for a while.
    pub(crate) fn begin_anew(&mut self, now: Time) {
        self.claims_all = true;
        self.next = Some(now);
        if self.is_established() {
            self.pause = FIRST_PAUSE;
        }
    }

    /// Claims all neurons again, because another incarnation of one has been heard: perhaps another
    /// host runs it. At most once a second.
    pub(crate) fn on_fenced(&mut self, now: Time) {
        if self.is_established() && now >= self.suspects_from {
            self.suspects_from = now.after(FIRST_PAUSE);
            self.begin_anew(now);
        }
    }

    /// Returns the claim of a neuron that is about to join this host. `id` is another number each time.
    pub(crate) fn claim_joining(&mut self, neuron: &NeuronId, id: u64, now: Time) -> Claim {
        self.joining = Some(Joining { neuron: neuron.clone(), id, runs_on: None });
        Claim { id, since: now, is_established: false, ..self.claim(neuron, None) }
    }

    /// Returns the host that runs the neuron which is about to join this one; `None` if none has
    /// said so.
    pub(crate) fn joining_runs_on(&self) -> Option<&HostId> {
        self.joining.as_ref()?.runs_on.as_ref()
    }

    /// Notes that no neuron is about to join this host any more.
    pub(crate) fn end_joining(&mut self) {
        self.joining = None;
    }

    /// Takes in a claim to a neuron that is about to join this host. Others are ignored.
    pub(crate) fn receive_for_joining(&mut self, claim: &Claim) {
        if let Some(joining) = &mut self.joining
            && claim.answers == Some(joining.id)
            && claim.neuron == joining.neuron
        {
            joining.runs_on = Some(claim.host.clone());
        }
    }

    /// Takes in a claim to a neuron of this host.
    ///
    /// A claim is answered. An answer is compared: the host that is established goes on; of two that
    /// are, or are not, the one that has started earlier. If that is this one, the other is told.
    pub(crate) fn receive(&mut self, claim: &Claim, now: Time) -> ClaimOutput {
        if claim.id == self.id {
            self.note_own(now);
            return ClaimOutput::Nothing;
        }
        if self.phase == Phase::GaveWay || claim.answers.is_some_and(|answers| answers != self.id) {
            return ClaimOutput::Nothing;
        }
        let is_answer = claim.answers.is_some();
        if is_answer && self.yields_to(claim) {
            self.phase = Phase::GaveWay;
            return ClaimOutput::GiveWay;
        }
        if claim.is_established {
            self.contested = Some(now);
        }
        ClaimOutput::Answer(self.claim(&claim.neuron, Some(claim.id)))
    }

    /// Returns the last claim of a host that has run its neurons and gives way because of `claim`. It
    /// tells the other one that its neurons may have been fenced.
    pub(crate) fn farewell(&self, claim: &Claim) -> Claim {
        Claim { is_established: true, ..self.claim(&claim.neuron, Some(claim.id)) }
    }

    /// Returns whether another host has run a neuron of this one a short while ago, and this one
    /// prevails. If other incarnations of its neurons have been heard, they were of that host: it may
    /// have run more neurons of this one than it has named before it gave way.
    pub(crate) fn prevails_over_rival(&self, now: Time) -> bool {
        self.is_established() && self.contested.is_some_and(|at| now.since(at) < CONTESTED_FOR)
    }

    /// Notes that this host has heard its own claim: all that listened before have heard it, too.
    fn note_own(&mut self, now: Time) {
        if let Phase::Starting { until, is_heard } = &mut self.phase
            && !std::mem::replace(is_heard, true)
        {
            *until = (*until).min(now.after(ANSWER_TIME));
        }
    }

    fn yields_to(&self, other: &Claim) -> bool {
        if self.is_established() != other.is_established {
            return other.is_established;
        }
        (other.since, other.id) < (self.since, self.id)
    }

    fn claim(&self, neuron: &NeuronId, answers: Option<u64>) -> Claim {
        Claim {
            neuron: neuron.clone(),
            host: self.host.clone(),
            id: self.id,
            since: self.since,
            is_established: self.is_established(),
            answers,
        }
    }
}

#[cfg(test)]
mod tests;
