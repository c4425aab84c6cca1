//! Waves: levels that enter a network at one tag.
//!
//! Why: docs/decisions/0001-sensors-are-attached-to-neurons.md

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;

use super::{Controller, requests::unexpected_answer, tag_agreement::TagAgreement};
use crate::{
    actor::error::ControlError,
    command::{Answer, Command, Stamp, Stimulus},
    id::{NeuronId, Source},
    tag::{Tag, Time},
};

/// A wave that has entered the network. Returned by [`Controller::present`] and
/// [`Controller::feed`].
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Presented {
    /// The tag of the wave.
    pub tag: Tag,
    /// Members that could not join the wave and were stamped alone, each with its own tag, which is
    /// later than `tag`. Empty, unless a member was held up for longer than half the patience.
    pub late: BTreeMap<NeuronId, Tag>,
    /// How far `tag` lies ahead of this controller's clock; zero if it does not.
    ///
    /// Usually it is zero, or the rest of a coincidence window. More than that means that the clock
    /// of a member is ahead, or this one behind, or that a member was given a tag of the future
    /// before. What the wave causes happens at that tag: stimuli end their hold after it.
    pub ahead: Duration,
}

impl Presented {
    fn new(
        tag: Tag,
        ahead: Duration,
        members: Vec<Result<(NeuronId, Stamp), ControlError>>,
    ) -> Result<Self, ControlError> {
        let mut late = BTreeMap::new();
        for member in members {
            let (member, stamp) = member?;
            if stamp.moved {
                late.insert(member, stamp.tag);
            }
        }
        Ok(Self { tag, late, ahead })
    }
}

impl Controller {
    /// Gives several sources their levels at one tag, so that they are one wave: no neuron ever
    /// sees one without the others. Sources are neurons (1 makes one fire, 0 ends that) and sensors
    /// (any finite level).
    ///
    /// ```
    /// # use neuron_core::actor::{ControlError, Controller};
    /// /// Returns what z says to two inputs.
    /// async fn z(controller: &Controller, x: f64, y: f64) -> Result<f64, ControlError> {
    ///     let wave = controller.present(&[("x", x), ("y", y)]).await?;
    ///     Ok(controller.output_at("z", wave.tag).await?.level)
    /// }
    /// ```
    ///
    /// # Errors
    /// When a name is unknown or named twice, or a level is not possible; then no member is
    /// touched. When a member refuses because it is being reconfigured at the same time, or does
    /// not answer, others may have been touched.
    pub async fn present(&self, levels: &[(&str, f64)]) -> Result<Presented, ControlError> {
        let members = self.members(levels, None)?;
        self.wave(members).await
    }

    /// Like [`present`](Self::present), but for this long instead of the hold of each neuron.
    ///
    /// # Errors
    /// As [`present`](Self::present).
    pub async fn present_for(&self, levels: &[(&str, f64)], hold: Duration) -> Result<Presented, ControlError> {
        let members = self.members(levels, Some(hold))?;
        self.wave(members).await
    }

    /// Gives the network a reading of a sensor. Readings within one coincidence window share a tag,
    /// and wait for the end of the window. What is presented or changed meanwhile takes effect
    /// before it.
    ///
    /// # Errors
    /// When the name is unknown, or the reading is not finite.
    pub async fn feed(&self, sensor: &str, level: f64) -> Result<Presented, ControlError> {
        self.feed_with(sensor, Some(level), None).await
    }

    /// Like [`feed`](Self::feed), but the reading counts for this long instead of the hold of each
    /// neuron that the sensor is attached to.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub async fn feed_for(&self, sensor: &str, level: f64, hold: Duration) -> Result<Presented, ControlError> {
        self.feed_with(sensor, Some(level), Some(hold)).await
    }

    /// Tells the network that a sensor cannot tell its level. That counts as long as a reading; a
    /// reading ends it. Answers that the sensor could change are degraded meanwhile, and name it.
    ///
    /// # Errors
    /// When the name is unknown.
    pub async fn feed_unknown(&self, sensor: &str) -> Result<Presented, ControlError> {
        self.feed_with(sensor, None, None).await
    }

    async fn feed_with(
        &self,
        sensor: &str,
        level: Option<f64>,
        hold: Option<Duration>,
    ) -> Result<Presented, ControlError> {
        let client = self.client();
        let (sensor, owners) = client.topology().sensor(sensor)?;
        let stimulus = Stimulus { sensor: Some(sensor), level, hold };
        let window = client.coincidence();
        if window.is_zero() {
            let members = owners.into_iter().map(|owner| (owner, vec![stimulus.clone()])).collect();
            return self.wave(members).await;
        }
        let at = end_of_window(client.now(), window);
        let timeout = self.answer_time();
        let feeding = owners.into_iter().map(|owner| {
            let command = Command::Stimulate { stimulus: stimulus.clone(), at: Some(at), within: window * 2 };
            async move { client.request_stamp(&owner, command, timeout).await.map(|stamp| (owner, stamp)) }
        });
        let ahead = at.time().since(client.now());
        Presented::new(at, ahead, join_all(feeding).await)
    }

    /// Returns the neurons that take part in a wave, each with what enters there.
    fn members(
        &self,
        levels: &[(&str, f64)],
        hold: Option<Duration>,
    ) -> Result<BTreeMap<NeuronId, Vec<Stimulus>>, ControlError> {
        let topology = self.client().topology();
        let mut members: BTreeMap<NeuronId, Vec<Stimulus>> = BTreeMap::new();
        for (name, level) in levels {
            let (owners, sensor) = match topology.source(name)? {
                Source::Neuron(id) => (vec![id], None),
                Source::Sensor(id) => (topology.sensor(name)?.1, Some(id)),
            };
            for owner in owners {
                let stimuli = members.entry(owner).or_default();
                if stimuli.iter().any(|stimulus| stimulus.sensor == sensor) {
                    return Err(ControlError::Twice((*name).to_owned()));
                }
                stimuli.push(Stimulus { sensor: sensor.clone(), level: Some(*level), hold });
            }
        }
        if members.is_empty() { Err(ControlError::Empty) } else { Ok(members) }
    }

    /// Reserves at all members, and commits with the highest floor. If a member cannot take part,
    /// none does.
    async fn wave(&self, mut members: BTreeMap<NeuronId, Vec<Stimulus>>) -> Result<Presented, ControlError> {
        for (member, stimuli) in &members {
            if let Some(refusal) = stimuli.iter().find_map(|stimulus| stimulus.check_level().err()) {
                return Err(ControlError::Refused { neuron: member.clone(), refusal });
            }
        }
        let client = self.client();
        let timeout = self.answer_time();
        let reserving = members.keys().map(|member| async move {
            let ticket = client.next_request();
            (member, ticket, client.request_as(ticket, member, Command::Reserve, timeout).await)
        });
        let mut agreement = TagAgreement::default();
        let mut tickets = Vec::new();
        let mut failed = None;
        for (member, ticket, answer) in join_all(reserving).await {
            match answer {
                Ok(Answer::Floor { floor, latest }) => {
                    agreement.offer(member, floor, latest);
                    tickets.push((member.clone(), ticket));
                }
                Ok(_) => failed = Some(unexpected_answer(member)),
                Err(error) => failed = Some(error),
            }
        }
        let agreed = failed.map_or_else(|| agreement.agree(|floor| client.distinct_tag(floor)), Err);
        let (tag, ahead) = match agreed {
            Ok(tag) => (tag, client.note_ahead(tag)),
            Err(error) => {
                client.release(tickets).await;
                return Err(error);
            }
        };
        let committing = tickets.into_iter().map(|(member, ticket)| {
            let stimuli = members.remove(&member).unwrap_or_default();
            async move {
                let stamp = client.request_stamp(&member, Command::Commit { ticket, at: tag, stimuli }, timeout).await;
                stamp.map(|stamp| (member, stamp))
            }
        });
        Presented::new(tag, ahead, join_all(committing).await)
    }
}

/// Returns the end of the window that `now` lies in, or of the next one if less than a quarter of
/// this one is left: a reading that came after its window would not share its tag.
fn end_of_window(now: Time, window: Duration) -> Tag {
    let width = u64::try_from(window.as_micros()).unwrap_or(u64::MAX).max(1);
    let margin = width / 4;
    let windows = now.as_micros().saturating_add(margin) / width + 1;
    Tag::at(Time::from_micros(windows.saturating_mul(width)))
}
