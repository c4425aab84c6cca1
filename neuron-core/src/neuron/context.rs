//! What all parts of a neuron share, and what they may use during a turn.

use std::{sync::Arc, time::Duration};

use super::{Config, Counters, LocalSlot, Mode, Outbox, Output, Rule};
use crate::{
    command::{Answer, Refusal, Report},
    id::{ControllerId, NeuronId},
    record::{Claim, Event, Record},
    signal::{Incarnation, Signal, SignalBody},
    tag::{Tag, Time},
    transport::Guarantees,
};

/// The least time between two saves of what is known of other neurons.
const PEER_SAVES: Duration = Duration::from_secs(1);

/// What stays as it was configured. Most neurons of a host have equal ones and share them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Params {
    /// See [`Config::hold`].
    pub(crate) hold: Duration,
    /// See [`Config::linger`].
    pub(crate) linger: Duration,
    /// See [`Config::mode`].
    pub(crate) mode: Mode,
    /// See [`Config::rule`].
    pub(crate) rule: Rule,
    /// See [`Config::patience`].
    pub(crate) patience: Duration,
    /// See [`Config::lease`].
    pub(crate) lease: Duration,
    /// How long a level lasts after the last signal of its source: the lease and a patience.
    pub(crate) longest_silence: Duration,
    /// What the transport promises.
    pub(crate) guarantees: Guarantees,
}

impl Params {
    /// Returns the parameters that a configuration and a transport give.
    pub(crate) fn new(config: &Config, guarantees: Guarantees) -> Arc<Self> {
        Arc::new(Self {
            hold: config.hold,
            linger: config.linger,
            mode: config.mode,
            rule: config.rule,
            patience: config.patience,
            lease: config.lease,
            longest_silence: config.lease.saturating_add(config.patience),
            guarantees,
        })
    }

    /// Shares the parameters of another neuron if they are equal.
    #[cfg(feature = "actor")]
    pub(crate) fn intern(this: &mut Arc<Self>, others: &Arc<Self>) {
        if this == others {
            this.clone_from(others);
        }
    }

    /// Returns how long the transport takes to bring an answer.
    pub(crate) fn retry(&self) -> Duration {
        self.guarantees.pace.retry
    }
}

/// What all parts of a neuron share.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    pub(crate) id: NeuronId,
    pub(crate) params: Arc<Params>,
    pub(crate) incarnation: Incarnation,
    pub(crate) counters: CompactCounters,
    /// A later incarnation that has been heard of: nothing is sent any more. Else `None`.
    pub(crate) fenced_by: Option<Incarnation>,
    /// A turn has begun. What takes memory is not made before, while a large network is being
    /// built.
    pub(crate) started: bool,
    /// Each stamped event and each claim is told as an [`Output::Record`].
    pub(crate) keeps_record: bool,
    /// What is known of other neurons is saved; `false` if the host has no store.
    pub(crate) has_store: bool,
    /// Something is known of other neurons that has not been saved.
    pub(crate) owes_save: bool,
    /// When what is known of other neurons may be saved again.
    pub(crate) next_peer_save: Time,
}

/// The counters of a neuron, in little memory: most neurons never count anything unusual.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompactCounters {
    pub(crate) kicks: u64,
    pub(crate) firings: u64,
    pub(crate) evaluations: u64,
    rare: Option<Box<Counters>>,
}

impl CompactCounters {
    /// Returns the counters of what is rare. Its `kicks`, `firings` and `evaluations` are not used.
    pub(crate) fn rare_mut(&mut self) -> &mut Counters {
        self.rare.get_or_insert_default()
    }

    /// Returns all counters.
    pub(crate) fn read(&self) -> Counters {
        let Self { kicks, firings, evaluations, .. } = *self;
        Counters { kicks, firings, evaluations, ..self.rare.as_deref().copied().unwrap_or_default() }
    }
}

/// What every part may use during a turn: the time, what all parts share, and the outbox.
pub(crate) struct Ctx<'a> {
    /// The local time. It does not advance during a turn.
    pub(crate) now: Time,
    /// The signal that is being received comes from a neuron of the same host, which reports when
    /// that neuron is gone.
    pub(crate) colocated: bool,
    pub(crate) common: &'a mut Common,
    pub(crate) out: &'a mut Outbox,
}

impl<'a> Ctx<'a> {
    /// Makes the context of a turn in which no signal of a colocated neuron is received.
    #[inline]
    pub(crate) fn new(now: Time, common: &'a mut Common, out: &'a mut Outbox) -> Self {
        Self { now, colocated: false, common, out }
    }
}

impl Ctx<'_> {
    /// Returns the parameters.
    #[inline]
    pub(crate) fn params(&self) -> &Params {
        &self.common.params
    }

    /// Returns whether the transport may lose messages.
    #[inline]
    pub(crate) fn may_lose(&self) -> bool {
        self.common.params.guarantees.may_lose()
    }

    /// Returns the counters of what is rare.
    pub(crate) fn rare_counters(&mut self) -> &mut Counters {
        self.common.counters.rare_mut()
    }

    /// Sends a message to a neuron.
    pub(crate) fn send(&mut self, to: NeuronId, body: SignalBody) {
        let signal = Signal { incarnation: self.common.incarnation, body };
        self.out.push(Output::Signal { to, signal });
    }

    /// Sends a message to a neuron that the host keeps at `slot`, if that is known.
    // A signal is built in its place: copying it costs more than building it.
    #[inline(always)]
    pub(crate) fn send_to_slot(&mut self, to: &NeuronId, slot: LocalSlot, body: SignalBody) {
        match slot {
            LocalSlot::UNKNOWN => self.send(to.clone(), body),
            slot => self.out.send_local(slot, Signal { incarnation: self.common.incarnation, body }),
        }
    }

    /// Asks for the state to be made durable before any later output is carried out.
    pub(crate) fn save(&mut self) {
        self.common.owes_save = false;
        self.out.push(Output::Save);
    }

    /// Asks for what is known of other neurons to be made durable soon: now, or once a second has
    /// passed since the last time. So messages of other neurons keep no store busy, and hold up no
    /// output.
    ///
    /// It is needed to call the subscribers, and to know the sources, after a crash. Without it
    /// they find each other later.
    pub(crate) fn save_peers(&mut self) {
        self.common.owes_save |= self.common.has_store;
        self.save_owed();
    }

    /// Asks for a save that is owed, once its time has come.
    #[inline]
    pub(crate) fn save_owed(&mut self) {
        if self.common.owes_save && self.common.next_peer_save <= self.now {
            self.common.next_peer_save = self.now.after(PEER_SAVES);
            self.common.owes_save = false;
            self.out.push(Output::SaveSoon);
        }
    }

    /// Returns when a save is due that is owed; `None` if none is.
    #[inline]
    pub(crate) fn next_owed_save(&self) -> Option<Time> {
        self.common.owes_save.then_some(self.common.next_peer_save)
    }

    /// Answers a request, and counts a refusal.
    pub(crate) fn reply(&mut self, to: ControllerId, request: u64, result: Result<Answer, Refusal>) {
        if result.is_err() {
            self.rare_counters().refused += 1;
        }
        self.repeat_reply(to, request, result);
    }

    /// Answers a request that has been answered and counted before.
    pub(crate) fn repeat_reply(&mut self, to: ControllerId, request: u64, result: Result<Answer, Refusal>) {
        self.out.push(Output::Report { to, report: Report::Reply { request, result } });
    }

    /// Records a stamped event, if a record is kept.
    pub(crate) fn record_event(&mut self, tag: Tag, event: &Event) {
        if self.common.keeps_record {
            self.out.push(Output::Record(Record::Stamped { tag, event: event.clone() }));
        }
    }

    /// Records a claim, if a record is kept.
    pub(crate) fn record_claim(&mut self, claim: &Claim) {
        if self.common.keeps_record {
            self.out.push(Output::Record(Record::Evaluated(claim.clone())));
        }
    }
}
