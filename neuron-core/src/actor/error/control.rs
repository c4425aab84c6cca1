//! Why a call of a controller did not succeed.

use std::{fmt, time::Duration};

use super::{
    clocks_apart::clocks_apart,
    text::{list, unknown},
};
use crate::{
    command::Refusal,
    error_text::fmt_with_causes,
    hosts::HostState,
    id::{HostId, NameError, NeuronId},
    network::spell_cycle,
    tag::{Tag, Time},
    transport::TransportError,
};

/// Why a call of a controller did not succeed. What it was meant to change is as it was, unless the
/// variant says otherwise.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A text is not a name.
    #[error("`{}` is not a name", name.escape_debug())]
    BadName {
        /// The text that was given.
        name: String,
        /// What a name must be, and this is not.
        source: NameError,
    },
    /// There is no neuron of this name.
    #[error("{}", unknown("neuron", name, nearest))]
    UnknownNeuron {
        /// The name that was given.
        name: String,
        /// The most similar name in the network; `None` if none is similar.
        nearest: Option<String>,
    },
    /// There is no sensor of this name.
    #[error("{}", unknown("sensor", name, nearest))]
    UnknownSensor {
        /// The name that was given.
        name: String,
        /// The most similar name in the network; `None` if none is similar.
        nearest: Option<String>,
    },
    /// There is neither a neuron nor a sensor of this name.
    #[error("{}", unknown("neuron or sensor", name, nearest))]
    UnknownSource {
        /// The name that was given.
        name: String,
        /// The most similar name in the network; `None` if none is similar.
        nearest: Option<String>,
    },
    /// There is neither a neuron nor a sensor of this name, and it is too much like that of a
    /// neuron to be taken for a new sensor.
    #[error(
        "there is no neuron `{name}`; did you mean `{nearest}`? A new sensor of this name is attached with `attach_sensor`"
    )]
    LikeANeuron {
        /// The name that was given.
        name: String,
        /// The most similar name of a neuron.
        nearest: String,
    },
    /// A neuron was named where a sensor is wanted.
    #[error("`{0}` is a neuron here, not a sensor: make it fire with `stimulate` or `present`")]
    NotASensor(String),
    /// A sensor was named where a neuron is wanted.
    #[error(
        "`{0}` is a sensor here, not a neuron: give it a reading with `feed` or `present`, and ask the neurons it is attached to"
    )]
    NotANeuron(String),
    /// A sensor cannot have the name of a neuron.
    #[error("`{0}` is a neuron here; connect it, or give the sensor another name")]
    IsANeuron(String),
    /// A source would get two levels in one wave.
    #[error("{0} is named twice; a wave gives each source one level")]
    Twice(String),
    /// A wave without members, or a set of changes without changes.
    #[error("there is nothing to do: a wave needs at least one source, a set of changes at least one change")]
    Empty,
    /// The connection would close a loop without a delay. Holds the neurons around the loop, with
    /// the first one again at the end.
    #[error("the connection would close a loop without a delay: {}; give it a delay (`connect_delayed`)", spell_cycle(.0.iter()))]
    Loop(Vec<NeuronId>),
    /// The neuron refused.
    #[error("{neuron} refused: {refusal}")]
    Refused {
        /// The neuron.
        neuron: NeuronId,
        /// Why it refused.
        refusal: Refusal,
    },
    /// The neuron did not answer in time. Whether it did what it was asked to is not known.
    #[error("{neuron} did not answer within {} s", after.as_secs_f64())]
    NoAnswer {
        /// The neuron.
        neuron: NeuronId,
        /// How long the call waited.
        after: Duration,
        /// Why the request could not be sent at first, or what the broker said when it refused the
        /// last one; `None` if neither is known. It was repeated, and a later one may have arrived.
        source: Option<TransportError>,
    },
    /// The neuron's host is known to be away, and the neuron did not answer for a moment either.
    /// Whether it did what it was asked to is not known.
    #[error("{neuron} cannot be reached: its host {host} {}", describe_away(*state))]
    HostAway {
        /// The neuron.
        neuron: NeuronId,
        /// The host that it runs on.
        host: HostId,
        /// Whether the host has stopped or is lost, and since when.
        state: HostState,
    },
    /// The neuron answered, but not what was asked. Whether it did what it was asked to is not
    /// known. Probably its host runs another version of this library.
    #[error("the answer of {neuron} does not belong to the request; run the same version on all hosts")]
    UnexpectedAnswer {
        /// The neuron.
        neuron: NeuronId,
    },
    /// All members of a set of changes had prepared it, but some did not confirm that they made
    /// their changes: they crashed in that very moment. Those that confirmed have made theirs;
    /// those that did not may have.
    #[error(
        "the changes take effect at {tag} at {}, but not all have confirmed: {}",
        list(confirmed),
        reasons(unconfirmed)
    )]
    Unconfirmed {
        /// The tag at which the changes take effect where they were made.
        tag: Tag,
        /// The members that have confirmed.
        confirmed: Vec<NeuronId>,
        /// The members that have not, each with what is known of why.
        unconfirmed: Vec<(NeuronId, Self)>,
    },
    /// There is no tag that all members of a wave, or of a set of changes, would take: their clocks
    /// are more than two hours apart, or the tags of one have run ahead of its clock.
    ///
    /// A host follows its clock when that is set forward. If the clock of `ahead` is the wrong one,
    /// set it back and start its host again, with a store and
    /// [`HostBuilder::forget_future`](crate::actor::HostBuilder::forget_future) if it was more than
    /// three hours ahead.
    #[error("{}", clocks_apart((ahead, *floor, *ahead_clock), (behind, *latest, *behind_clock)))]
    ClocksApart {
        /// The member that takes no tag before `floor`.
        ahead: NeuronId,
        /// The lowest tag that `ahead` takes.
        floor: Tag,
        /// What the clock of `ahead` showed.
        ahead_clock: Time,
        /// The member that takes no tag after `latest`. The same as `ahead` if its tags have run
        /// ahead of its clock.
        behind: NeuronId,
        /// The highest tag that `behind` takes.
        latest: Tag,
        /// What the clock of `behind` showed at the same moment, or a little earlier or later.
        behind_clock: Time,
    },
    /// The request could not be sent.
    #[error("cannot send to {neuron}")]
    Send {
        /// The neuron.
        neuron: NeuronId,
        /// Why the transport did not send it.
        source: TransportError,
    },
    /// The controller's host has ended, because another one runs the same neurons: see
    /// [`HostError::RunsElsewhere`](super::HostError::RunsElsewhere).
    #[error(
        "the host has ended, because another host, {host}, runs {}; stop that one and start this one again, or use that one",
        list(neurons)
    )]
    GaveWay {
        /// The name of the other host.
        host: HostId,
        /// The neurons that both run, as far as they are known.
        neurons: Vec<NeuronId>,
    },
    /// The host has stopped.
    #[error("the host has stopped")]
    Stopped,
}

impl fmt::Debug for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_causes(self, f)
    }
}

/// Returns each neuron with why it has not confirmed.
fn reasons(unconfirmed: &[(NeuronId, ControlError)]) -> String {
    let reasons: Vec<String> = unconfirmed
        .iter()
        .map(|(neuron, error)| match error {
            ControlError::Refused { refusal, .. } => format!("{neuron} ({refusal})"),
            error => format!("{neuron} ({error})"),
        })
        .collect();
    reasons.join(", ")
}

/// Returns what has become of a host that is away.
fn describe_away(state: HostState) -> &'static str {
    match state {
        HostState::Left { .. } => "has stopped; start it again",
        HostState::Lost { .. } | HostState::Up => "cannot be heard; is it running, and connected?",
    }
}
