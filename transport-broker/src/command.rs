//! What a transport asks of its connection.

use neuron_core::{
    hosts::Claim,
    transport::{Address, Inbox, TransportError},
};
use tokio::sync::oneshot;

use crate::Route;

/// A command to a connection. Commands are carried out in order.
#[derive(Debug)]
pub enum ConnectionCommand {
    /// Give an envelope to the broker.
    Send {
        /// The sender and the receiver.
        route: Route,
        /// The encoded envelope.
        frame: Vec<u8>,
    },
    /// Tell all hosts of the network what a host claims.
    Claim(Box<Claim>),
    /// Subscribe to the subjects of an inbox, and open it once the broker has confirmed that.
    Subscribe {
        /// The address of the inbox.
        at: Address,
        /// Receives the inbox.
        reply: SubscribeReply,
    },
    /// Subscribe to the subjects of an inbox that is open already. Without a session there is
    /// nothing to do: the next one subscribes all open inboxes.
    Attach {
        /// The address of the inbox.
        at: Address,
    },
}

/// Receives the inbox that was asked for. It is closed once the caller has given up.
pub type SubscribeReply = oneshot::Sender<Result<Inbox, TransportError>>;
