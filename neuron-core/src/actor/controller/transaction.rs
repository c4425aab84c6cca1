//! Changes of several neurons that take effect at one tag: a two-phase commit.
//!
//! Why: docs/decisions/0007-a-transaction-is-held-for-ten-patiences.md

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::{join_all, try_join_all};

use super::{
    Controller,
    requests::{RequestClient, TIMEOUT, unexpected_answer},
    tag_agreement::TagAgreement,
    validate::{EditRequest, MemberEdits, TransactionPlan},
};
use crate::{
    actor::error::ControlError,
    command::{Answer, Command, ConfigChange, Stamp},
    id::NeuronId,
    tag::Tag,
};

/// How many patiences the first phase may take: half of what neurons hold a prepared transaction
/// for, so that as much is left for the second phase.
const PREPARE_PATIENCES: u32 = 5;

/// How many patiences to wait in the second phase. A neuron that hears of the commit later than it
/// holds the transaction refuses; this is long enough to learn of that, too.
const COMMIT_PATIENCES: u32 = 20;

/// A set of changes that take effect at one tag, also at several neurons. Begun with
/// [`Controller::changes`], made by [`apply`](Self::apply).
///
/// Up to the tag before, the network is the one it was; from that tag on, it is the one with all
/// the changes. No neuron ever sees some without the others. Loops are checked on the whole set.
///
/// ```
/// # use neuron_core::actor::{ControlError, Controller};
/// /// Makes z listen to x instead of h1, with the weight that h1 had.
/// async fn bypass(controller: &Controller) -> Result<(), ControlError> {
///     let changed =
///         controller.changes().disconnect("h1", "z").connect("x", "z").set_weight("z", "x", 1.0).apply().await?;
///     println!("from {changed} on, z hears of x at first hand");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is changed before `apply`"]
pub struct Changes {
    controller: Controller,
    requests: Vec<EditRequest>,
}

impl Changes {
    /// Adds the change that [`Controller::set_weight`] makes.
    pub fn set_weight(self, neuron: &str, source: &str, weight: f64) -> Self {
        self.with(EditRequest::SetWeight { neuron: neuron.to_owned(), source: source.to_owned(), weight })
    }

    /// Adds the change that [`Controller::attach_sensor`] makes.
    pub fn attach_sensor(self, neuron: &str, sensor: &str, weight: f64) -> Self {
        self.with(EditRequest::AttachSensor { neuron: neuron.to_owned(), sensor: sensor.to_owned(), weight })
    }

    /// Adds the change that [`Controller::delete_weight`] makes.
    pub fn delete_weight(self, neuron: &str, source: &str) -> Self {
        self.with(EditRequest::DeleteWeight { neuron: neuron.to_owned(), source: source.to_owned() })
    }

    /// Adds the change that [`Controller::set_threshold`] makes.
    pub fn set_threshold(self, neuron: &str, threshold: f64) -> Self {
        self.with(EditRequest::SetThreshold { neuron: neuron.to_owned(), threshold })
    }

    /// Adds the change that [`Controller::connect`] makes.
    pub fn connect(self, from: &str, to: &str) -> Self {
        self.with(EditRequest::Connect { from: from.to_owned(), to: to.to_owned(), delay: None })
    }

    /// Adds the change that [`Controller::connect_delayed`] makes.
    pub fn connect_delayed(self, from: &str, to: &str, delay: Duration) -> Self {
        self.with(EditRequest::Connect { from: from.to_owned(), to: to.to_owned(), delay: Some(delay) })
    }

    /// Adds the change that [`Controller::disconnect`] makes.
    pub fn disconnect(self, from: &str, to: &str) -> Self {
        self.with(EditRequest::Disconnect { from: from.to_owned(), to: to.to_owned() })
    }

    /// Lets a level enter at the tag of the changes, as [`Controller::present`] does: at a neuron
    /// (1 makes it fire, 0 ends that), or at a sensor of each neuron that has it once the changes
    /// are made. Each name at most once.
    ///
    /// ```
    /// # use neuron_core::actor::{ControlError, Controller};
    /// /// Swaps the sensor of a lamp. The lamp never sees both sensors, or neither.
    /// async fn swap(controller: &Controller) -> Result<(), ControlError> {
    ///     let changes = controller.changes().delete_weight("lamp", "sensor_old").attach_sensor("lamp", "sensor_new", 1.0);
    ///     changes.present("sensor_new", 1.0).apply().await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn present(self, source: &str, level: f64) -> Self {
        self.with(EditRequest::Present { source: source.to_owned(), level })
    }

    /// Makes the changes, all or none, and returns the tag from which on they count. Of two changes
    /// of one weight, or of one threshold, the later one counts; a connection can be made or ended,
    /// not both.
    ///
    /// While the changes are prepared, the neurons that they concern answer for no later tag:
    /// usually less than a millisecond, at most ten patiences if one of them does not answer. This
    /// returns once the connections that end have ended. Dropping the future does not cancel the
    /// changes.
    ///
    /// # Errors
    /// Nothing is changed anywhere when a name is unknown, a number is not finite, a level is not
    /// possible, the whole would close a loop without a delay, or a neuron refuses or does not
    /// answer in time. Only
    /// [`ControlError::Unconfirmed`] means that some changes were made, and perhaps not all: a
    /// neuron crashed after it had agreed, or, by a rare chance, another wave has the same tag
    /// there.
    pub async fn apply(self) -> Result<Tag, ControlError> {
        let Self { controller, requests } = self;
        let applying = {
            let controller = controller.clone();
            async move {
                let _lock = controller.client().lock_topology().await;
                let edits = plan(controller.client(), requests)?;
                controller.commit(edits).await
            }
        };
        controller.run_to_completion(applying).await.unwrap_or_else(|| Err(controller.client().why_stopped()))
    }

    fn with(mut self, request: EditRequest) -> Self {
        self.requests.push(request);
        self
    }
}

impl Controller {
    /// Begins a set of changes that take effect at one tag, also at several neurons: see
    /// [`Changes`].
    pub fn changes(&self) -> Changes {
        Changes { controller: self.clone(), requests: Vec::new() }
    }

    /// Makes changes that fit together, at one tag or not at all, and returns the tag. The caller
    /// holds the topology lock.
    ///
    /// # Errors
    /// As [`Changes::apply`].
    pub(in crate::actor) async fn commit(
        &self,
        mut edits: BTreeMap<NeuronId, MemberEdits>,
    ) -> Result<Tag, ControlError> {
        let client = self.client();
        let admitting = edits.iter().flat_map(|(member, edits)| {
            edits.changes.iter().filter_map(move |change| match change {
                ConfigChange::Connect { source, .. } => Some(self.admit(source, member)),
                _ => None,
            })
        });
        try_join_all(admitting).await?;
        let (tag, prepared) = self.prepare(&edits).await?;
        let timeout = (client.patience() * COMMIT_PATIENCES).clamp(TIMEOUT / 10, TIMEOUT);
        let committing = prepared.into_iter().map(|(member, ticket)| {
            let MemberEdits { changes, .. } = edits.remove(&member).unwrap_or_default();
            let commit = Command::Commit { ticket, at: tag, stimuli: Vec::new() };
            async move {
                let confirmed = match client.request(&member, commit, timeout).await {
                    Ok(Answer::Stamped(Stamp { tag: at, .. })) if at == tag => Ok(()),
                    Ok(_) => Err(unexpected_answer(&member)),
                    Err(error) => Err(error),
                };
                (member, changes, confirmed)
            }
        });
        let mut confirmed = Vec::new();
        let mut unconfirmed = Vec::new();
        let mut ending = Vec::new();
        for (member, changes, answer) in join_all(committing).await {
            client.topology().apply(&member, &changes, answer.is_ok());
            match answer {
                Ok(()) => {
                    if changes.iter().any(|change| matches!(change, ConfigChange::Disconnect { .. })) {
                        ending.push(member.clone());
                    }
                    confirmed.push(member);
                }
                Err(error) => unconfirmed.push((member, error)),
            }
        }
        // A connection that ends must have ended before others are made that it would close a loop
        // with. A member that cannot tell has crashed since, and comes back without that
        // connection.
        join_all(ending.iter().map(|member| client.request_sample(member, Command::OutputAt { tag }, TIMEOUT))).await;
        if unconfirmed.is_empty() { Ok(tag) } else { Err(ControlError::Unconfirmed { tag, confirmed, unconfirmed }) }
    }

    /// Lets a neuron listen to another one, which is about to be its input. The host of the source
    /// refuses neurons that it does not know to be listeners.
    ///
    /// # Errors
    /// When the source does not answer, or refuses.
    pub(in crate::actor) async fn admit(&self, source: &NeuronId, listener: &NeuronId) -> Result<(), ControlError> {
        let client = self.client();
        if client.runs(source) && client.runs(listener) {
            return Ok(());
        }
        let command = Command::Admit { listener: listener.clone() };
        client.request(source, command, self.answer_time()).await.map(drop)
    }

    /// Prepares changes at all members. Returns the tag that they agree on, and each member with
    /// its ticket; on an error, everything that was prepared is released.
    async fn prepare(
        &self,
        edits: &BTreeMap<NeuronId, MemberEdits>,
    ) -> Result<(Tag, Vec<(NeuronId, u64)>), ControlError> {
        let client = self.client();
        let timeout = (client.patience() * PREPARE_PATIENCES).min(TIMEOUT);
        let start = client.steady();
        let preparing = edits.iter().map(|(member, edits)| {
            let ticket = client.next_request();
            let MemberEdits { changes, stimuli } = edits.clone();
            let command = Command::Prepare { changes, stimuli };
            async move { (member, ticket, client.request_as(ticket, member, command, timeout).await) }
        });
        let mut agreement = TagAgreement::default();
        let mut failed = None;
        let mut prepared = Vec::new();
        let mut silent = Vec::new();
        for (member, ticket, answer) in join_all(preparing).await {
            let error = match answer {
                Ok(Answer::Floor { floor, latest }) => {
                    agreement.offer(member, floor, latest);
                    prepared.push((member.clone(), ticket));
                    continue;
                }
                Ok(_) => unexpected_answer(member),
                Err(error) => error,
            };
            // A member that has refused holds nothing.
            if !matches!(error, ControlError::Refused { .. }) {
                silent.push((member.clone(), ticket));
            }
            failed.get_or_insert(error);
        }
        if failed.is_none() && client.steady().since(start) > timeout {
            // The member that prepared first may have released it already.
            let first = prepared.first();
            failed = first.map(|(neuron, _)| ControlError::NoAnswer {
                neuron: neuron.clone(),
                after: timeout,
                source: None,
            });
        }
        let agreed = failed.map_or_else(|| agreement.agree(|floor| client.distinct_tag(floor)), Err);
        match agreed {
            Ok(tag) => {
                client.note_ahead(tag);
                Ok((tag, prepared))
            }
            Err(error) => {
                // Members that did not answer are not waited for again.
                let controller = self.clone();
                client.spawn(async move { controller.client().release(silent).await });
                client.release(prepared).await;
                Err(error)
            }
        }
    }
}

/// Returns what each neuron is to do, if all together is possible.
fn plan(client: &RequestClient, requests: Vec<EditRequest>) -> Result<BTreeMap<NeuronId, MemberEdits>, ControlError> {
    let topology = client.topology();
    let mut plan = TransactionPlan::new(&topology);
    for request in requests {
        plan.add(request)?;
    }
    plan.finish()
}
