//! Why a host or a controller did not do what it was asked to.

use std::{fmt, time::Duration};

use super::clocks_apart::clocks_apart;
use crate::{
    command::Refusal,
    error_text::fmt_with_causes,
    hosts::HostState,
    id::{HostId, NameError, NeuronId},
    network::{NetworkError, spell_cycle},
    store::StoreError,
    tag::{Tag, Time},
    transport::TransportError,
};

/// Why a host did not start, or did not add or remove a neuron.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The system gave no thread.
    #[error("cannot start the host's thread")]
    Thread(#[source] std::io::Error),
    /// The system gave no event loop for the host's thread, as when the process has as many files
    /// and sockets open as it may.
    #[error(
        "cannot make the event loop of the host's thread, which needs a few file descriptors; if too many are open, \
         raise the limit (`ulimit -n`)"
    )]
    EventLoop(#[source] std::io::Error),
    /// An inbox could not be opened.
    #[error("cannot open the inbox of {address}")]
    Subscribe {
        /// The neuron or the controller whose inbox it is.
        address: String,
        /// Why the transport did not open it.
        source: TransportError,
    },
    /// The host is to run a neuron that the network does not have.
    #[error("{}", unknown("neuron", name, nearest))]
    UnknownNeuron {
        /// The name that was given.
        name: String,
        /// The most similar name in the network; `None` if none is similar.
        nearest: Option<String>,
    },
    /// No neuron of the network names this host.
    #[error("no neuron of the network has `host = \"{name}\"`; {}", hosts(known))]
    UnknownHost {
        /// The name that was given.
        name: String,
        /// The hosts that the network does name; empty if it names none.
        known: Vec<String>,
    },
    /// What was saved for a neuron cannot be read. Nothing has been started.
    #[error("cannot load what was saved for {neuron}")]
    Load {
        /// The neuron.
        neuron: NeuronId,
        /// Why the store did not return it.
        source: StoreError,
    },
    /// What was saved of a neuron reaches more than three hours ahead of the clock, and the clock
    /// was not set within the time that
    /// [`HostBuilder::wait_for_clock`](super::HostBuilder::wait_for_clock) allows. Nothing has been
    /// started: what the neuron said would have tags that no other neuron believes.
    ///
    /// Either the clock is behind now: set it right, and start again. Or it was ahead when this was
    /// saved, be it for a minute: start once with
    /// [`HostBuilder::forget_future`](super::HostBuilder::forget_future). Do not delete the file of
    /// the neuron: other neurons remember it, and [fence](Self::Fenced) one that has forgotten what
    /// it was, or do not believe it.
    #[error(
        "{neuron} has spoken of times up to {} (UTC), but the clock shows {}: either the clock is behind now; then set \
         it, and start again. Or it was ahead before, for instance because local time was taken for UTC; then start \
         once with `forget_future`",
        saved.to_utc(),
        clock.to_utc()
    )]
    AheadOfClock {
        /// The neuron that has spoken of the latest time.
        neuron: NeuronId,
        /// The time up to which it may have spoken.
        saved: Time,
        /// The time that the clock shows, after the wait.
        clock: Time,
    },
    /// The store does not list what it has, or does not save the ceiling of the host. Nothing has been
    /// started.
    #[error("cannot use the store")]
    Store(#[source] StoreError),
    /// A neuron cannot be saved, and so must not say anything.
    #[error("cannot save {neuron}, and what is not saved must not be said")]
    Save {
        /// The neuron.
        neuron: NeuronId,
        /// Why the store did not save it.
        source: StoreError,
    },
    /// The neuron has left, but is still in the store: the next host will run it again, without
    /// connections.
    #[error("{neuron} has left, but cannot be removed from the store")]
    Forget {
        /// The neuron.
        neuron: NeuronId,
        /// Why the store did not remove it.
        source: StoreError,
    },
    /// Other neurons have heard of another incarnation of this one: it runs elsewhere at the same
    /// time, or its store was lost, or is an outdated copy. It was fenced before it could
    /// contradict itself.
    ///
    /// Stop the other one, or put the right store back. If that is lost for good, save for the
    /// neuron, in its store, a [`Saved`](crate::neuron::Saved) whose `incarnation` is `known` and
    /// whose `ceiling` is the present time ([`Tag::at`]): it resumes in an incarnation that is
    /// later than all, and says nothing of the time before.
    #[error(
        "{neuron} was started as incarnation {ours}, but others have heard of another incarnation, number {known}: it \
         runs elsewhere, or its store was lost or restored from an old copy"
    )]
    Fenced {
        /// The neuron.
        neuron: NeuronId,
        /// The number of the incarnation that was started here.
        ours: u32,
        /// The number of the incarnation that others have heard of. If both are equal, they come
        /// from copies of one store.
        known: u32,
    },
    /// Another host runs neurons of this one. This host does not start; or it ends, if both have
    /// started before they could hear each other.
    ///
    /// Stop the other host and start this one again, or leave the other one running. If both have
    /// one name, the same program probably runs twice.
    #[error(
        "another host, {host}, runs {}: a neuron runs once; stop that host, or give this one other neurons, and start this \
         one again",
        list(neurons)
    )]
    RunsElsewhere {
        /// The name of the other host.
        host: HostId,
        /// The neurons that both run, as far as they are known.
        neurons: Vec<NeuronId>,
    },
    /// A neuron stopped before it was ready: it panicked twice, or another host took its place on
    /// the transport.
    #[error("{neuron} stopped before it was ready; it panicked twice, or another host took its place")]
    Ended {
        /// The neuron.
        neuron: NeuronId,
    },
    /// The neuron does not fit into the network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The neuron belongs to the network, but runs on another host, which alone can remove it.
    #[error("{0} runs on another host")]
    Elsewhere(NeuronId),
    /// The neuron could not be disconnected.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The host's thread ended before all neurons were ready.
    #[error("the host stopped before its neurons were ready")]
    Stopped,
}

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
    /// [`HostBuilder::forget_future`](super::HostBuilder::forget_future) if it was more than three
    /// hours ahead.
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
    /// [`HostError::RunsElsewhere`].
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

impl fmt::Debug for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_causes(self, f)
    }
}

impl fmt::Debug for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_causes(self, f)
    }
}

fn unknown(what: &str, name: &str, nearest: &Option<String>) -> String {
    match nearest {
        Some(nearest) => format!("`{name}` is not a {what} here; did you mean `{nearest}`?"),
        None => format!("`{name}` is not a {what} here"),
    }
}

fn hosts(known: &[String]) -> String {
    if known.is_empty() { "none names any".to_owned() } else { format!("it names {}", known.join(", ")) }
}

fn list(neurons: &[NeuronId]) -> String {
    let names: Vec<&str> = neurons.iter().map(NeuronId::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_a_name_is_shown_without_control_characters() {
        let source = "\u{7}".parse::<NeuronId>().unwrap_err();
        let error = ControlError::BadName { name: "\u{7}".to_owned(), source };
        assert_eq!(error.to_string(), "`\\u{7}` is not a name");
    }

    #[test]
    fn an_error_shown_by_main_is_plain_text_with_its_causes() {
        let source = "a b".parse::<NeuronId>().unwrap_err();
        let cause = source.to_string();
        let error = ControlError::BadName { name: "a b".to_owned(), source };
        assert_eq!(format!("{error:?}"), format!("`a b` is not a name: {cause}"));
        let error = HostError::Control(ControlError::Stopped);
        assert_eq!(format!("{error:?}"), "the host has stopped");
    }

    #[test]
    fn a_long_loop_is_told_by_its_ends_and_its_length() {
        let around = (0..100_000).chain([0]).map(|number| format!("n{number}").parse().unwrap());
        let told = ControlError::Loop(around.collect()).to_string();
        assert!(told.contains("n0 → n1 → n2 →") && told.contains("→ n99999 → n0 (100000 neurons)"), "{told}");
        assert!(told.len() < 1000, "{} bytes", told.len());
    }
}
