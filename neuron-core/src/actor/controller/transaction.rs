//! Sets of changes that take effect as one.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;

use super::{
    Controller,
    requests::{TIMEOUT, unexpected},
    tag_agreement::TagAgreement,
    validate::TransactionPlan,
};
use crate::actor::ControlError;
use crate::{
    command::{Answer, Command, ConfigChange, Stamp},
    id::NeuronId,
    tag::Tag,
};

/// How many patiences a set of changes may take to be prepared: half of what neurons hold it for, so that as much is left for
/// it to be made.
const PREPARING: u32 = 5;

/// How many patiences it is waited for the word that the changes were made. One that hears of it later than it holds them
/// refuses; this is long enough to learn of that, too.
const MAKING: u32 = 20;

/// A set of changes that take effect at one tag, also at several neurons: up to the tag before, the network is the one it
/// was; from that tag on, it is the one with all the changes. Nobody ever sees some without the others, and whether they
/// would close a loop is asked of the whole.
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

/// One change, with names as they were given.
#[derive(Clone, Debug)]
pub(in crate::actor) enum EditRequest {
    SetWeight { neuron: String, source: String, weight: f64 },
    AttachSensor { neuron: String, sensor: String, weight: f64 },
    DeleteWeight { neuron: String, source: String },
    SetThreshold { neuron: String, threshold: f64 },
    Connect { from: String, to: String, delay: Option<Duration> },
    Disconnect { from: String, to: String },
}

impl Changes {
    pub(in crate::actor) fn new(controller: Controller) -> Self {
        Self { controller, requests: Vec::new() }
    }

    fn with(mut self, request: EditRequest) -> Self {
        self.requests.push(request);
        self
    }

    /// As [`Controller::set_weight`].
    pub fn set_weight(self, neuron: &str, source: &str, weight: f64) -> Self {
        self.with(EditRequest::SetWeight { neuron: neuron.to_owned(), source: source.to_owned(), weight })
    }

    /// As [`Controller::attach_sensor`].
    pub fn attach_sensor(self, neuron: &str, sensor: &str, weight: f64) -> Self {
        self.with(EditRequest::AttachSensor { neuron: neuron.to_owned(), sensor: sensor.to_owned(), weight })
    }

    /// As [`Controller::delete_weight`].
    pub fn delete_weight(self, neuron: &str, source: &str) -> Self {
        self.with(EditRequest::DeleteWeight { neuron: neuron.to_owned(), source: source.to_owned() })
    }

    /// As [`Controller::set_threshold`].
    pub fn set_threshold(self, neuron: &str, threshold: f64) -> Self {
        self.with(EditRequest::SetThreshold { neuron: neuron.to_owned(), threshold })
    }

    /// As [`Controller::connect`].
    pub fn connect(self, from: &str, to: &str) -> Self {
        self.with(EditRequest::Connect { from: from.to_owned(), to: to.to_owned(), delay: None })
    }

    /// As [`Controller::connect_delayed`].
    pub fn connect_delayed(self, from: &str, to: &str, delay: Duration) -> Self {
        self.with(EditRequest::Connect { from: from.to_owned(), to: to.to_owned(), delay: Some(delay) })
    }

    /// As [`Controller::disconnect`].
    pub fn disconnect(self, from: &str, to: &str) -> Self {
        self.with(EditRequest::Disconnect { from: from.to_owned(), to: to.to_owned() })
    }

    /// Makes the changes, all or none, and returns the tag from which on they count. Of two changes of one weight, or of one
    /// threshold, the later one counts; an edge can be made or ended, not both.
    ///
    /// While they are being prepared, the neurons that they change answer for no later tag: usually less than a millisecond,
    /// at most ten patiences if one of them does not answer. It returns once the connections that end have ended. The
    /// changes come to their end, or to none, also if the caller waits for them no longer.
    ///
    /// # Errors
    /// Nothing is changed anywhere when a name is unknown, a number is not finite, the whole would close a loop without a
    /// delay, or a neuron refuses or does not answer in time. Only [`ControlError::Unconfirmed`] means that some changes were
    /// made, and perhaps not all: a neuron crashed after it had agreed.
    pub async fn apply(self) -> Result<Tag, ControlError> {
        let Self { controller, requests } = self;
        let applying = {
            let controller = controller.clone();
            async move {
                let _one_at_a_time = controller.client().topology_lock.lock().await;
                let changes = plan(&controller, requests)?;
                controller.commit(&changes).await
            }
        };
        controller.run_to_completion(applying).await.unwrap_or(Err(ControlError::Stopped))
    }
}

/// The changes of each neuron, if all together are possible.
fn plan(
    controller: &Controller,
    requests: Vec<EditRequest>,
) -> Result<BTreeMap<NeuronId, Vec<ConfigChange>>, ControlError> {
    let topology = controller.client().topology();
    let mut plan = TransactionPlan::new(&topology);
    for request in requests {
        plan.add(request)?;
    }
    plan.finish()
}

impl Controller {
    /// Makes changes that fit together, at one tag or not at all. The caller holds the lock on topology_lock.
    pub(in crate::actor) async fn commit(
        &self,
        changes: &BTreeMap<NeuronId, Vec<ConfigChange>>,
    ) -> Result<Tag, ControlError> {
        let client = self.client();
        let timeout = (client.patience * PREPARING).min(TIMEOUT);
        let begun = client.clock.now();
        let preparing = changes.iter().map(|(member, changes)| {
            let id = client.next_request();
            let command = Command::Prepare { changes: changes.clone() };
            async move { (member, id, client.request_as(id, member, command, timeout).await) }
        });
        let mut agreement = TagAgreement::default();
        let mut failed = None;
        let (mut ready, mut unready) = (Vec::new(), Vec::new());
        for (member, ticket, answer) in join_all(preparing).await {
            let error = match answer {
                Ok(Answer::Floor { floor, latest }) => {
                    agreement.offer(member, floor, latest);
                    ready.push((member.clone(), ticket));
                    continue;
                }
                Ok(_) => unexpected(member),
                Err(error) => error,
            };
            // One that has refused holds nothing.
            if !matches!(error, ControlError::Refused { .. }) {
                unready.push((member.clone(), ticket));
            }
            failed.get_or_insert(error);
        }
        if failed.is_none() && client.clock.now().since(begun) > timeout {
            // It may have been given back already where it was prepared first.
            failed = ready.first().map(|(neuron, _)| ControlError::NoAnswer { neuron: neuron.clone(), after: timeout });
        }
        let agreed = failed.map_or_else(|| agreement.agree(|floor| client.distinct_tag(floor)), Err);
        let tag = match agreed {
            Ok(tag) => tag,
            Err(error) => {
                // Whoever did not answer is not waited for again.
                let controller = self.clone();
                client.runtime.spawn(async move { controller.release(unready).await });
                self.release(ready).await;
                return Err(error);
            }
        };
        let timeout = (client.patience * MAKING).clamp(TIMEOUT / 10, TIMEOUT);
        let committing = ready.into_iter().map(|(member, ticket)| async move {
            let commit = Command::Commit { ticket, at: tag, stimuli: Vec::new() };
            let confirmed = match client.ask(&member, commit, timeout).await {
                Ok(Answer::Stamped(Stamp { tag: at, .. })) if at == tag => Ok(()),
                Ok(_) => Err(unexpected(&member)),
                Err(error) => Err(error),
            };
            (member, confirmed)
        });
        let (mut confirmed, mut unconfirmed) = (Vec::new(), Vec::new());
        for (member, answer) in join_all(committing).await {
            client.topology().change(&member, &changes[&member], answer.is_ok());
            match answer {
                Ok(()) => confirmed.push(member),
                Err(error) => unconfirmed.push((member, error)),
            }
        }
        // A connection that ends must have ended before others are made that it would close a loop with. If one cannot tell,
        // it has crashed since, and comes back without that connection.
        let ends = |member: &&NeuronId| {
            changes[*member].iter().any(|change| matches!(change, ConfigChange::Disconnect { .. }))
        };
        let ending = confirmed.iter().filter(ends);
        join_all(ending.map(|member| client.sample(member, Command::OutputAt { tag }, TIMEOUT))).await;
        if unconfirmed.is_empty() { Ok(tag) } else { Err(ControlError::Unconfirmed { tag, confirmed, unconfirmed }) }
    }
}
