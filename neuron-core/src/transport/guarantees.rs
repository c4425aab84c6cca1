//! What a transport promises.

use std::time::Duration;

/// What can be relied on. A transport states it once; nobody guesses from a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarantees {
    /// Envelopes from one sender to one address arrive in the order in which they were handed over.
    pub ordered_per_sender: bool,
    /// How often an envelope arrives that was handed over to an address with an inbox.
    pub delivery: Delivery,
    /// Envelopes that have not arrived when both ends stop are delivered when they are back.
    pub survives_restart: bool,
    /// What becomes of an envelope to an inbox that is full.
    pub full_inbox: FullInbox,
    /// How long messages usually take: how soon a neuron asks an input that is silent, and how soon it asks again.
    pub pace: Pace,
}

impl Guarantees {
    /// What holds within one process: order, nothing lost, nothing doubled, and hardly any delay.
    pub const IN_PROCESS: Self = Self {
        ordered_per_sender: true,
        delivery: Delivery::ExactlyOnce,
        survives_restart: false,
        full_inbox: FullInbox::SenderWaits,
        pace: Pace { grace: Duration::from_millis(1), retry: Duration::from_millis(25) },
    };

    /// Whether envelopes may be lost. Then neurons acknowledge what they hear, and send again what was not acknowledged.
    pub fn may_lose(&self) -> bool {
        self.delivery == Delivery::AtMostOnce
    }
}

/// What becomes of an envelope to an inbox that is full. In no case are other inboxes held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullInbox {
    /// Whoever sends waits until there is room.
    SenderWaits,
    /// It waits outside until there is room, and its sender does not. What waits there is bounded, too.
    CarrierKeeps,
    /// It is dropped, and counted.
    Dropped,
}

/// How often an envelope arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It may be lost, but is not doubled.
    AtMostOnce,
    /// It is not lost, but may be doubled.
    AtLeastOnce,
    /// It is neither lost nor doubled.
    ExactlyOnce,
}

/// How patient a neuron is with its carrier: the transport knows how long a message usually takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long an input may be silent before it is asked. Longer than most messages take, so that a wave that reaches
    /// all inputs of a join costs no question.
    pub grace: Duration,
    /// How long to wait for the answer to a question before asking again.
    pub retry: Duration,
}
