//! What can go wrong with a host or a controller.

use std::time::Duration;

use crate::{
    command::Refusal,
    id::{NameError, NeuronId},
    network::NetworkError,
    store::StoreError,
    tag::Tag,
    transport::TransportError,
};

/// Why a host did not start, or did not take a neuron in, or did not let one go.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The system gave no thread.
    #[error("cannot start the host's thread")]
    Thread(#[source] std::io::Error),
    /// An inbox could not be opened.
    #[error("cannot open the inbox of {address}")]
    Subscribe {
        /// Whose inbox.
        address: String,
        /// Why.
        source: TransportError,
    },
    /// The host is to run a neuron that the network does not have.
    #[error("{}", unknown("neuron", name, nearest))]
    UnknownNeuron {
        /// The name that was given.
        name: String,
        /// The nearest one there is, if one is near.
        nearest: Option<String>,
    },
    /// No neuron of the network names this host.
    #[error("no neuron of the network has `host = \"{name}\"`; {}", hosts(known))]
    UnknownHost {
        /// The name that was given.
        name: String,
        /// The hosts that the network does name.
        known: Vec<String>,
    },
    /// What was saved for a neuron cannot be read. Nothing has been started.
    #[error("cannot load what was saved for {neuron}")]
    Load {
        /// Which one.
        neuron: NeuronId,
        /// Why.
        source: StoreError,
    },
    /// The store does not tell what it has. Nothing has been started.
    #[error("cannot read the store")]
    Store(#[source] StoreError),
    /// A neuron cannot be saved, and so must not speak.
    #[error("cannot save {neuron}, and what is not saved must not be said")]
    Save {
        /// Which one.
        neuron: NeuronId,
        /// Why.
        source: StoreError,
    },
    /// The neuron has left, but is still in the store: the next host will run it again, connected to nobody.
    #[error("{neuron} has left, but cannot be removed from the store")]
    Forget {
        /// Which one.
        neuron: NeuronId,
        /// Why.
        source: StoreError,
    },
    /// Others have heard of another life of this neuron: it runs elsewhere at the same time, or its store was lost, or is an
    /// outdated copy. It has fallen silent before it could contradict itself.
    ///
    /// Stop the other one, or put the right store back. If that is lost for good, save for the neuron, in its store, a
    /// [`Saved`](crate::neuron::Saved) whose `incarnation` is `known` and whose `ceiling` is the present time
    /// ([`Tag::at`]): it resumes in a life that is later than all, and says nothing of the time before.
    #[error(
        "{neuron} lives its life number {ours}, but others have heard of another one, number {known}: it runs elsewhere, or its \
         store was lost or restored from an old copy"
    )]
    Fenced {
        /// Which one.
        neuron: NeuronId,
        /// The number of the life that was started here.
        ours: u32,
        /// The number of the life that others have heard of. If both are equal, they come from copies of one store.
        known: u32,
    },
    /// A neuron ended before it was ready: it panicked twice, or another host took its place on the transport.
    #[error("{neuron} ended before it was ready; it panicked twice, or another host took its place")]
    Ended {
        /// Which one.
        neuron: NeuronId,
    },
    /// The neuron does not fit into the network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The neuron belongs to the network, but runs on another host, which alone can let it go.
    #[error("{0} runs on another host")]
    Elsewhere(NeuronId),
    /// The neuron could not be disconnected.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The host's thread ended before all neurons were ready.
    #[error("the host stopped before its neurons were ready")]
    Stopped,
}

/// Why a controller's call did not succeed. Whatever it was meant to change is as it was, unless the variant says that
/// this is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// A name is none.
    #[error("{name:?} is not a name")]
    BadName {
        /// The text that was given.
        name: String,
        /// Why it is none.
        source: NameError,
    },
    /// There is no neuron of this name.
    #[error("{}", unknown("neuron", name, nearest))]
    UnknownNeuron {
        /// The name that was given.
        name: String,
        /// The nearest one there is, if one is near.
        nearest: Option<String>,
    },
    /// There is no sensor of this name.
    #[error("{}", unknown("sensor", name, nearest))]
    UnknownSensor {
        /// The name that was given.
        name: String,
        /// The nearest one there is, if one is near.
        nearest: Option<String>,
    },
    /// There is neither a neuron nor a sensor of this name.
    #[error("{}", unknown("neuron or sensor", name, nearest))]
    UnknownSource {
        /// The name that was given.
        name: String,
        /// The nearest one there is, if one is near.
        nearest: Option<String>,
    },
    /// A sensor cannot have the name of a neuron.
    #[error("`{0}` is a neuron here; connect it, or give the sensor another name")]
    IsANeuron(String),
    /// A neuron would be presented twice in one wave.
    #[error("{0} is named twice; a wave gives each source one level")]
    Twice(String),
    /// A wave without members, or a set without changes.
    #[error("there is nothing to do: a wave needs at least one source, a set of changes at least one change")]
    Empty,
    /// The connection would close a loop without a delay.
    #[error("the connection would close a loop without a delay: {}; give it a delay (`connect_delayed`)", spell(.0))]
    Loop(Vec<NeuronId>),
    /// The neuron refused.
    #[error("{neuron} refused: {refusal}")]
    Refused {
        /// Which one.
        neuron: NeuronId,
        /// Why.
        refusal: Refusal,
    },
    /// The neuron did not answer in time. Whether it did what it was asked to is not known.
    #[error("{neuron} did not answer within {} s", after.as_secs_f64())]
    NoAnswer {
        /// Which one.
        neuron: NeuronId,
        /// How long it was waited for.
        after: Duration,
    },
    /// All members of a set of changes were ready for it, but some did not confirm that they made their changes: they
    /// crashed in that very moment. Those that confirmed have made theirs; those that did not may have.
    #[error(
        "the changes take effect at {tag} at {}, but not all have confirmed: {}",
        names(confirmed),
        trouble(unconfirmed)
    )]
    Unconfirmed {
        /// The tag at which the changes take effect where they were made.
        tag: Tag,
        /// Who has confirmed.
        confirmed: Vec<NeuronId>,
        /// Who has not, and what is known of why.
        unconfirmed: Vec<(NeuronId, Self)>,
    },
    /// No tag can be found that all members of a wave, or of a set of changes, would take: their clocks are more than two
    /// hours apart, or the tags of one have run ahead of its clock.
    #[error(
        "{behind} and {ahead} find no common tag: {ahead} takes none before {floor}, {behind} none after {latest}; set the \
         clocks of their hosts"
    )]
    ClocksApart {
        /// The member that takes none before `floor`.
        ahead: NeuronId,
        /// Its lowest tag.
        floor: Tag,
        /// The member that takes none after `latest`.
        behind: NeuronId,
        /// Its highest tag.
        latest: Tag,
    },
    /// The request could not be sent.
    #[error("cannot send to {neuron}")]
    Send {
        /// To whom.
        neuron: NeuronId,
        /// Why.
        source: TransportError,
    },
    /// The host has stopped.
    #[error("the host has stopped")]
    Stopped,
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

fn names(neurons: &[NeuronId]) -> String {
    if neurons.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<&str> = neurons.iter().map(NeuronId::as_str).collect();
    names.join(", ")
}

fn trouble(unconfirmed: &[(NeuronId, ControlError)]) -> String {
    let why: Vec<String> = unconfirmed
        .iter()
        .map(|(neuron, error)| match error {
            ControlError::Refused { refusal: source, .. } => format!("{neuron} ({source})"),
            error => format!("{neuron} ({error})"),
        })
        .collect();
    why.join(", ")
}

fn spell(path: &[NeuronId]) -> String {
    let names: Vec<&str> = path.iter().map(NeuronId::as_str).collect();
    names.join(" → ")
}
