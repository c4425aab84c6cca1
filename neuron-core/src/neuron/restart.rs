//! What outlives a crash or a panic, and which incarnation speaks.

use std::collections::BTreeMap;

use super::{
    Common, CompactCounters, Config, Ctx, Neuron, Params,
    evaluation::{Evaluation, Past},
    inputs::Inputs,
    log,
    subscribers::Subscribers,
    turn::Parts,
};
use crate::{
    command::Refusal,
    id::{ControllerId, NeuronId},
    signal::{Incarnation, SignalBody},
    tag::{Tag, Time},
    transport::Guarantees,
};

/// What a neuron needs in order to come back after a crash: see [`Neuron::saved`] and
/// [`Neuron::resume`].
///
/// Stimuli, readings and levels are not in it: a neuron that comes back asks its inputs, and starts
/// from rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// The configuration, with every change that was acknowledged.
    pub config: Config,
    /// The number of the incarnation that saved this.
    pub incarnation: u32,
    /// That incarnation has said nothing about later tags.
    pub ceiling: Tag,
    /// The subscribers, each with its last known incarnation.
    pub subscribers: BTreeMap<NeuronId, Incarnation>,
    /// The last known incarnation of each input, so that one which lost its store is noticed.
    pub sources: BTreeMap<NeuronId, Incarnation>,
    /// The last changes of the configuration that controllers asked for, so that a request which is
    /// repeated after a crash is answered, and not carried out twice.
    pub changes: Vec<CompletedChange>,
}

/// A change of the configuration that a controller asked for, and that has been made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedChange {
    /// The controller.
    pub controller: ControllerId,
    /// The number of its request.
    pub request: u64,
    /// The tag from which on the change counts.
    pub tag: Tag,
}

/// The most restarts that a neuron can have missed: one a second for twelve days.
const MAX_RESTARTS: u32 = 1 << 20;

/// By how much the incarnation of a rival may be later that a neuron goes on after: two processes
/// with one network have been started about as often.
#[cfg(feature = "actor")]
const MAX_RIVAL_RESTARTS: u32 = 64;

impl Neuron {
    /// Makes a neuron that starts for the first time.
    ///
    /// `config` must have been checked: numbers finite, no connection to itself without a delay. A
    /// [`Network`](crate::Network) has done so. `nonce` is a random number, a new one each time, by
    /// which others notice that a neuron has lost its store.
    pub fn start(id: NeuronId, config: Config, guarantees: Guarantees, nonce: u32, now: Time) -> Self {
        let first = Saved {
            config,
            incarnation: 0,
            ceiling: Tag::ORIGIN,
            subscribers: BTreeMap::new(),
            sources: BTreeMap::new(),
            changes: Vec::new(),
        };
        Self::begin(id, first, guarantees, nonce, Tag::FIRST, now)
    }

    /// Makes a neuron that comes back after a crash, in the incarnation after the one that saved.
    ///
    /// It asks its inputs for their levels and its subscribers to subscribe again; it states and
    /// promises only tags after the ceiling.
    pub fn resume(id: NeuronId, saved: Saved, guarantees: Guarantees, nonce: u32, now: Time) -> Self {
        let first = Tag::at(now).max(saved.ceiling.next().next());
        Self::begin(id, saved, guarantees, nonce, first, now)
    }

    fn begin(id: NeuronId, saved: Saved, guarantees: Guarantees, nonce: u32, first: Tag, now: Time) -> Self {
        let common = Common {
            id,
            params: Params::new(&saved.config, guarantees),
            incarnation: Incarnation { number: saved.incarnation.saturating_add(1), nonce },
            counters: CompactCounters::default(),
            fenced_by: None,
            started: false,
            keeps_record: false,
            has_store: true,
            owes_save: false,
            next_peer_save: Time::ZERO,
        };
        let evaluation = Evaluation::new(&saved.config, first, Tag::ORIGIN, Past::default());
        let parts = Parts { wake_at: (first < Tag::MAX).then_some(now), ..Parts::new(saved, evaluation, &common, now) };
        Self { common, parts, outbox: None }
    }

    /// Returns what it needs in order to come back after a crash, as of now.
    ///
    /// It is to be made durable when [`Output::Save`](super::Output::Save) asks for it.
    pub fn saved(&self) -> Saved {
        self.parts.saved(&self.common)
    }

    /// Begins the next incarnation after a panic.
    ///
    /// The configuration stays (changes that were acknowledged included), and so do the watches;
    /// stimuli, readings and what the neuron remembered are gone. It asks its inputs for their
    /// levels and its subscribers to subscribe again. Requests that wait for an answer are refused.
    ///
    /// If tags have run out it stays silent for ever.
    ///
    /// The new incarnation states and promises only tags that the old one has neither stated nor
    /// promised, so there are never two different answers. A neuron that has been fenced stays
    /// silent.
    pub fn restart(&mut self, now: Time) {
        let Self { common, parts, outbox } = self;
        parts.restart(&mut Ctx::new(now, common, outbox.get_or_insert_default()));
    }
}

impl Parts {
    /// Makes the parts of a neuron from what was saved, before its first turn.
    fn new(saved: Saved, evaluation: Evaluation, common: &Common, now: Time) -> Self {
        let Saved { config, subscribers, sources, changes, .. } = saved;
        let mode = common.params.mode;
        Self {
            control: super::Control::new(changes),
            evaluation,
            inputs: Inputs::new(config.weights, config.inputs, &sources, mode, common.incarnation),
            subscribers: Subscribers::new(subscribers, now),
            wake_at: Some(now),
            has_tags_ahead: false,
        }
    }

    fn saved(&self, common: &Common) -> Saved {
        let params = &common.params;
        let mut config = Config {
            threshold: self.evaluation.threshold(),
            weights: self.inputs.weights(),
            sensors: self.evaluation.sensors(),
            inputs: self.inputs.connections(|link| link.is_applied()),
            hold: params.hold,
            linger: params.linger,
            mode: params.mode,
            rule: params.rule,
            patience: params.patience,
            lease: params.lease,
        };
        let waiting = self.evaluation.waiting_events();
        waiting.filter_map(|(_, event)| event.config_change()).for_each(|change| config.apply(change));
        Saved {
            config,
            incarnation: common.incarnation.number,
            ceiling: self.evaluation.progress().ceiling(),
            subscribers: self.subscribers.incarnations(),
            sources: self.inputs.incarnations(),
            changes: self.control.completed_changes(self.inputs.leaving()),
        }
    }

    /// Begins the next incarnation: see [`Neuron::restart`].
    ///
    /// The watches, the answers to repeated requests and the past of the evaluation survive; all
    /// else is made anew from the configuration.
    pub(super) fn restart(&mut self, cx: &mut Ctx<'_>) {
        self.restart_from(Tag::at(cx.now), cx);
    }

    /// Begins the next incarnation with this tag, or a later one.
    fn restart_from(&mut self, earliest: Tag, cx: &mut Ctx<'_>) {
        if cx.common.fenced_by.is_some() {
            return;
        }
        // Signals that have not left are lost with the old incarnation; answers and the record are
        // not.
        cx.out.discard_signals();
        cx.rare_counters().restarts += 1;
        cx.common.incarnation.number = cx.common.incarnation.number.saturating_add(1);
        cx.save();
        self.apply_waiting_changes(cx);
        self.control.refuse_all(&Refusal::Restarted, cx);
        self.control.restart(cx);
        let saved = self.saved(cx.common);
        let control = std::mem::take(&mut self.control);
        let progress = *self.evaluation.progress();
        let first = earliest.max(progress.stamp_bound().next().next());
        let past = self.evaluation.take_past();
        let evaluation = Evaluation::new(&saved.config, first, progress.durable_ceiling(), past);
        cx.common.started = true;
        *self = Self { control, ..Self::new(saved, evaluation, cx.common, cx.now) };
        self.inputs.subscribe_all(cx);
        self.evaluation.begin(cx);
    }

    /// Receives word of a later incarnation of this neuron, from one that may listen to it, while its
    /// host prevails over one that has run the neuron as well. Begins the incarnation after that one,
    /// if it is later and the message answers one of this incarnation.
    #[cfg(feature = "actor")]
    pub(super) fn outlive(&mut self, answered: Incarnation, known: Incarnation, cx: &mut Ctx<'_>) {
        let own = cx.common.incarnation;
        let is_later = known.number > own.number || known.number == own.number && known.nonce != own.nonce;
        if answered == own
            && is_later
            && known.number - own.number <= MAX_RIVAL_RESTARTS
            && cx.common.fenced_by.is_none()
        {
            cx.common.fenced_by = Some(known);
            self.restart_fenced(cx);
        }
    }

    /// Begins the incarnation after the one that has fenced this one: the host that ran it has given
    /// way to the host of this one. That incarnation may have spoken of tags up to the present, so
    /// this one begins a patience later.
    #[cfg(feature = "actor")]
    pub(super) fn restart_fenced(&mut self, cx: &mut Ctx<'_>) {
        let Some(known) = cx.common.fenced_by.take() else { return };
        cx.common.incarnation.number = cx.common.incarnation.number.max(known.number);
        self.restart_from(Tag::at(cx.now.after(cx.params().patience)), cx);
    }

    /// Applies the changes of the configuration that wait for their tag.
    fn apply_waiting_changes(&mut self, cx: &mut Ctx<'_>) {
        for event in self.evaluation.take_waiting_events() {
            if event.config_change().is_some() {
                let ended = self.evaluation.apply(&event, Tag::ORIGIN, &mut self.inputs, cx);
                self.control.complete_ended(ended.into_iter().collect(), cx);
            }
        }
    }

    /// Returns whether a message comes from the last known incarnation of its sender, or a later
    /// one.
    ///
    /// A sender whose incarnation is over is told so.
    #[inline(never)]
    pub(super) fn check_incarnation(
        &mut self,
        from: &NeuronId,
        incarnation: Incarnation,
        body: &SignalBody,
        cx: &mut Ctx<'_>,
    ) -> bool {
        let known = self.inputs.incarnation_of(from).max(self.subscribers.incarnation_of(from));
        let is_other = incarnation.number == known.number && incarnation.nonce != known.nonce;
        if incarnation.number < known.number || is_other {
            cx.send(from.clone(), SignalBody::Fenced { answered: incarnation, known });
            cx.rare_counters().duplicates += 1;
            return false;
        }
        self.inputs.note_incarnation(from, incarnation, body, cx);
        true
    }

    /// Receives word of a later incarnation of this neuron.
    ///
    /// That ends this one for good, so it is believed only from a neuron that this one talks to,
    /// and as the answer to a message of this incarnation. A number that restarts do not explain is
    /// refused: the next incarnation would have to be later still.
    #[inline(never)]
    pub(super) fn receive_fenced(
        &mut self,
        from: &NeuronId,
        answered: Incarnation,
        known: Incarnation,
        cx: &mut Ctx<'_>,
    ) {
        let own = cx.common.incarnation;
        let is_other = known.number == own.number && known.nonce != own.nonce;
        let is_later = known.number > own.number || is_other;
        let is_peer = self.inputs.index_of(from).is_some() || self.subscribers.incarnation_of(from).number > 0;
        if is_peer && !is_later {
            // The answer to a message of an earlier incarnation.
            return;
        }
        if !is_peer || answered != own || known.number.saturating_sub(own.number) > MAX_RESTARTS {
            let unknown = &mut cx.rare_counters().unknown;
            *unknown += 1;
            // Each of a flood is counted, and few are logged.
            if unknown.is_power_of_two() {
                log::fencing_refused(&cx.common.id, from);
            }
            return;
        }
        self.fence(known, cx);
    }

    /// Stops sending for good: others have heard a later incarnation, which this one could
    /// contradict.
    fn fence(&mut self, known: Incarnation, cx: &mut Ctx<'_>) {
        cx.out.discard_signals();
        cx.common.fenced_by = Some(known);
        self.wake_at = None;
        let refusal = fenced(known, cx);
        self.control.refuse_all(&refusal, cx);
    }
}

/// Returns why a fenced neuron refuses requests.
pub(super) fn fenced(known: Incarnation, cx: &Ctx<'_>) -> Refusal {
    Refusal::Fenced { ours: cx.common.incarnation.number, known: known.number }
}
