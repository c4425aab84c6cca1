//! The seam between neurons and the transport of their messages.
//!
//! A [`Transport`] carries the envelopes of one network. It never looks inside; an envelope that
//! leaves the process is encoded by [`wire`](crate::wire). Start here to write a transport:
//! - [`Transport`]: the contract, with a complete example.
//! - [`Guarantees`]: what a transport promises, and what a network does with each promise.
//! - [`BoundedQueue`]: an inbox with back-pressure, for transports that keep their inboxes in
//!   memory.
//!
//! The crate `transport-conformance` checks a transport against this contract. For what an author
//! has to know beside it, see docs/writing-a-transport.md.
//!
//! Why: docs/decisions/0030-one-inbox-and-no-boxed-future.md

mod claims;
mod envelope;
mod error;
mod guarantees;
mod inbox;
mod queue;
mod sending;

use std::fmt;

/// Lets an `impl` of [`Transport`] have an `async fn`; it stands above the `impl`.
pub use async_trait::async_trait;
pub use claims::{ClaimHub, ClaimInbox};
pub use envelope::{Address, Envelope};
pub use error::{BrokerRefusal, TransportError, TransportErrorKind};
pub use guarantees::{Delivery, FullInbox, Guarantees, Pace};
pub use inbox::Inbox;
pub use queue::{BoundedQueue, PushError, QueueClosed, QueueReceiver};
pub use sending::Sending;

use crate::hosts::Claim;
pub use crate::{descriptors::check_descriptors, error_text::fmt_with_causes};

/// Moves envelopes between the addresses of one network.
///
/// # Contract
/// - [`send`](Self::send) completes once the envelope is handed over, not once it has arrived.
/// - An envelope arrives whole or not at all. How often and in which order: see [`Guarantees`].
/// - Every inbox is bounded. What happens when it is full: see [`FullInbox`]; nothing that is
///   queued is dropped to make room, and other inboxes are not held up.
/// - An envelope to an address without an inbox is not delivered. A transport that can tell says so
///   with [`TransportErrorKind::NoInbox`].
/// - There is one inbox for each address. Subscribing again takes its place: the old one ends.
/// - Dropping the [`Inbox`] ends the subscription; nothing is delivered after that.
/// - All methods may be called from any thread, inside a tokio runtime or outside of one.
///
/// # Example
/// A transport within one process that keeps this contract:
///
/// ```
/// use std::{
///     collections::BTreeMap,
///     sync::{Arc, Mutex},
/// };
///
/// use neuron_core::transport::{
///     Address, BoundedQueue, Envelope, Guarantees, Inbox, PushError, Sending, Transport,
///     TransportError, TransportErrorKind, async_trait,
/// };
///
/// #[derive(Debug, Default)]
/// struct InMemory(Mutex<BTreeMap<Address, Arc<BoundedQueue<Envelope>>>>);
///
/// #[async_trait]
/// impl Transport for InMemory {
///     fn send(&self, envelope: Envelope) -> Sending {
///         let queue = self.0.lock().unwrap().get(&envelope.to()).cloned();
///         let Some(queue) = queue else { return Sending::done(Err(TransportErrorKind::NoInbox.into())) };
///         match queue.push(envelope, None) {
///             Ok(()) => Sending::done(Ok(())),
///             Err(PushError::Closed) => Sending::done(Err(TransportErrorKind::NoInbox.into())),
///             // The sender waits until the receiver has taken what is queued.
///             Err(PushError::Full(envelope)) => Sending::later(async move {
///                 queue.push_async(envelope).await.map_err(|_| TransportErrorKind::NoInbox.into())
///             }),
///         }
///     }
///
///     async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError> {
///         let (queue, receiver) = BoundedQueue::new(1024, 0);
///         if let Some(old) = self.0.lock().unwrap().insert(at.clone(), queue) {
///             old.close();
///         }
///         // Dropping the inbox drops the receiver, which closes the queue.
///         Ok(Inbox::new(receiver))
///     }
///
///     fn guarantees(&self) -> Guarantees {
///         Guarantees::IN_PROCESS
///     }
/// }
///
/// # async fn open() -> Result<(), Box<dyn std::error::Error>> {
/// let transport: Arc<dyn Transport> = Arc::new(InMemory::default());
/// let inbox = transport.subscribe(&Address::Neuron("lamp".parse()?)).await?;
/// # drop(inbox);
/// # Ok(())
/// # }
/// ```
///
/// [`macro@async_trait`] boxes the future of `subscribe`, so that there can be a `dyn Transport`. That
/// is one allocation for each inbox; `send`, which each envelope passes, needs none: see
/// [`Sending`].
///
/// # Wrappers
/// A wrapper forwards every method to the transport within;
/// `#[deny(clippy::missing_trait_methods)]` on its `impl` reports a method that it forgot. One that
/// observes or disturbs signals returns [`Guarantees::without_local_bypass`], or it will not see
/// those within a host.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Hands an envelope over. Envelopes of one sender to one address are handed over in the order
    /// of the calls, unless one of them waits for room.
    ///
    /// # Errors
    /// The future fails if the envelope is lost as far as the transport can tell; see
    /// [`TransportErrorKind`]. Success does not mean that it arrives.
    fn send(&self, envelope: Envelope) -> Sending;

    /// Opens the inbox of an address. Once the future has completed, everything sent to that
    /// address from then on arrives in the inbox.
    ///
    /// # Errors
    /// The future fails if the inbox cannot be opened; see [`TransportErrorKind`].
    async fn subscribe(&self, at: &Address) -> Result<Inbox, TransportError>;

    /// Tells all hosts of the network, in this process and in others, which neuron a host claims. The
    /// carrier sees to it that only a device which may speak as the neuron can do that.
    ///
    /// A transport that overrides this overrides [`subscribe_claims`](Self::subscribe_claims) as
    /// well; a wrapper forwards both. The default reaches no other host: then two hosts that run the
    /// same neuron are noticed only by those that hear it.
    ///
    /// # Errors
    /// [`TransportErrorKind::NoInbox`] if the transport can tell that no other host listens.
    fn send_claim(&self, _claim: Claim) -> Sending {
        Sending::done(Err(TransportErrorKind::NoInbox.into()))
    }

    /// Opens an inbox for all claims. Once the future has completed, each claim that is sent from
    /// then on arrives in each open inbox, unless it is lost. What is claimed before does not.
    ///
    /// # Errors
    /// The future fails if claims cannot be heard; see [`TransportErrorKind`].
    async fn subscribe_claims(&self) -> Result<ClaimInbox, TransportError> {
        Ok(ClaimInbox::silent())
    }

    /// Returns what can be relied on. It is the same at every call.
    fn guarantees(&self) -> Guarantees;

    /// Returns the last message to an address that the broker has refused; `None` if it has refused
    /// none, as far as the transport knows and remembers.
    ///
    /// A call that gets no answer asks for it, so that its error says what the broker said. The
    /// default is `None`, for transports without a broker; a wrapper forwards it.
    fn last_refusal(&self, to: &Address) -> Option<BrokerRefusal> {
        let _ = to;
        None
    }

    /// Tells the transport that the calling thread belongs to a host, and is inside a tokio runtime
    /// that lasts as long as the thread. A host calls it before it opens an inbox.
    ///
    /// A connection that does its work on that thread saves each message two changes of threads.
    /// This is a hint, which the default ignores: results do not depend on it, and neither do
    /// promises. A wrapper forwards it. It takes no runtime as an argument, so that the trait needs
    /// no tokio: a transport that uses tokio finds the runtime with `Handle::try_current`.
    fn attach_to_current_thread(&self) {}

    /// Tells the transport that the calling thread, which belongs to a host, is about to end.
    /// Returns once a connection that does its work on that thread does it elsewhere, or cannot.
    ///
    /// A host calls it when its neurons have stopped and its last message has been handed over. It
    /// is the other half of [`attach_to_current_thread`](Self::attach_to_current_thread), and a
    /// hint as well: a connection whose thread ends without it is made again elsewhere, but what it
    /// was about to send may be lost. The default does nothing; a wrapper forwards it.
    async fn detach_from_current_thread(&self) {}
}
