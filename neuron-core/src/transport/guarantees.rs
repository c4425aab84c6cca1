//! What a transport promises.

use std::time::Duration;

/// What a network may rely on. A transport states it once; the core never guesses it from a name.
///
/// A promise that is too weak costs messages and memory; one that is too strong costs correctness.
/// In doubt a transport promises less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarantees {
    /// Envelopes from one sender to one address arrive in the order in which they were handed over.
    ///
    /// `false` means that they may overtake each other. Neurons number their statements, so an
    /// answer does not depend on it; without it a receiver keeps what came too early until the gap
    /// is filled.
    pub ordered_per_sender: bool,
    /// How often an envelope arrives that was handed over to an address with an inbox.
    pub delivery: Delivery,
    /// What becomes of an envelope for an inbox of another process that is full. Within a process a
    /// transport may always let the sender wait.
    pub full_inbox: FullInbox,
    /// How long messages usually take: how soon a neuron probes a silent input, and how soon it
    /// probes again.
    pub pace: Pace,
    /// Signals between neurons of one host may bypass [`Transport::send`](super::Transport::send):
    /// the transport would neither lose, duplicate, reorder, delay, count nor show them to a third
    /// party. Set it only for transports that reach what is in this process without leaving it; a
    /// wrapper that observes or disturbs traffic must clear it
    /// ([`without_local_bypass`](Self::without_local_bypass)). Requests and reports always go
    /// through `send`.
    pub local_bypass: bool,
}

impl Guarantees {
    /// What holds within one process: order, no loss, no duplicates, and hardly any delay.
    ///
    /// It does not allow the [bypass](Self::local_bypass): a transport that adds nothing to a
    /// signal says so on its own.
    pub const IN_PROCESS: Self = Self {
        ordered_per_sender: true,
        delivery: Delivery::ExactlyOnce,
        full_inbox: FullInbox::SenderWaits,
        // Most messages take microseconds. Both are as short as the timer resolves.
        pace: Pace { grace: Duration::from_millis(1), retry: Duration::from_millis(25) },
        local_bypass: false,
    };

    /// Returns the same promises without [`local_bypass`](Self::local_bypass), for a wrapper that
    /// must see every signal.
    #[must_use]
    pub const fn without_local_bypass(self) -> Self {
        Self { local_bypass: false, ..self }
    }

    /// Returns whether envelopes may be lost. If so, receivers acknowledge statements and senders
    /// repeat those that were not acknowledged.
    pub fn may_lose(&self) -> bool {
        self.delivery == Delivery::AtMostOnce
    }
}

/// What becomes of an envelope for an inbox that is full. In no case are other inboxes held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FullInbox {
    /// [`send`](super::Transport::send) completes when there is room. This is back-pressure: the
    /// host keeps the envelope and sheds load by its own rules.
    SenderWaits,
    /// The transport queues the envelope until there is room, and `send` completes before. What the
    /// transport queues is bounded, too.
    TransportQueues,
    /// The envelope is dropped, and counted. Only a transport that
    /// [may lose](Guarantees::may_lose) envelopes does that.
    Dropped,
}

/// How often an envelope arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// An envelope may be lost, but is not duplicated. Neurons acknowledge and retransmit.
    AtMostOnce,
    /// An envelope is not lost, but may be duplicated. Neurons accept a statement once.
    AtLeastOnce,
    /// An envelope is neither lost nor duplicated. Neurons neither acknowledge nor retransmit.
    ExactlyOnce,
}

/// How patient a neuron is with its transport, which knows how long a message usually takes.
///
/// It affects cost only: a pace that is too short makes neurons send probes that were not needed,
/// one that is too long makes them wait for answers that were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long an input may be silent before it is probed. Longer than most messages take, so that
    /// a wave that reaches all inputs of a join costs no probe.
    pub grace: Duration,
    /// How long to wait for the answer to a probe before it is sent again.
    pub retry: Duration,
}
